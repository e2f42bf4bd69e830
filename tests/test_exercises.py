"""The exercises of the lessons judge answers, give reasons, and keep the answers to themselves."""

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import chain, combinations
from typing import Any
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from prose import NOTEBOOKS

from psipo_explore import LOGIT, citations, optimal_policy
from psipo_explore._exercises.kinds import Formula, Number, Pairs, Words
from psipo_explore.exercises import _EXERCISES, Verdict, _asked, check

LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
NAMES = [f"{path.name[:2]}.{k}" for path in LESSONS for k in (1, 2)]
# Reading the annotation computes nothing, so that collecting the tests is fast.
KINDS = {name: exercise.__annotations__["return"] for name, exercise in _EXERCISES.items()}
NUMBERS, FORMULAS, PAIRS = (
    [name for name, kind in KINDS.items() if kind == wanted]
    for wanted in ("Number", "Formula", "Pairs")
)
CHANGES = [0.2, 0.4, 0.2, 0.2]  # a π_ref that exercise 00.2 asks for

# The answers as the folds of the lessons have them.
RIGHT: dict[str, Any] = {
    "00.1": lambda p: 1 - p,
    "00.2": CHANGES,
    "01.1": 0.2176,
    "01.2": 0.217,
    "02.1": ["every", "yes"],
    "02.2": 2,
    "03.1": 199.6,
    "03.2": 0.0603,
    "04.1": lambda p, beta: (2 * p - 1) / (2 * beta),
    "04.2": [(0, 2), (2, 1)],
    "05.1": ("c", "a"),
    "05.2": 0.748,
    "06.1": 7.55,
    "06.2": 1.54,
    "07.1": 0.170,
    "07.2": 1,
    "08.1": 0.0041,
    "08.2": 0.452,
    "09.1": 0.881,
    "09.2": 2,
    "10.1": 0.00145,
    "10.2": Fraction(1, 7),
}


def cells_of(name: str) -> list[Any]:
    path = next(path for path in LESSONS if path.name.startswith(name[:2]))
    return list(nbformat.read(path, as_version=4).cells)


def fold_of(name: str) -> str:
    """Return the folded answer of an exercise."""
    prose = "\n".join(cell.source for cell in cells_of(name) if cell.cell_type == "markdown")
    folds = re.findall(r"<summary>Answer</summary>(.*?)</details>", prose, re.S)
    return str(folds[int(name[-1]) - 1])


def judged(name: str) -> Iterator[str]:
    """Yield whatever an exercise can say except its answer."""
    asked = _asked(name)
    yield repr(check(name, ...))
    if isinstance(asked, Number):
        yield from (slip.reason for slip in asked.slips)
        yield from (asked.lesson, asked.hint, asked.beyond)
        for x in (-math.inf, 0.49 * asked.truth, 0.9 * asked.truth, 1.1 * asked.truth, math.inf):
            yield repr(check(name, x))
    elif isinstance(asked, Formula):
        yield from (reason for _, reason in asked.slips)
        yield from (asked.lesson, asked.hint)
        yield repr(check(name, lambda *at: 0.123))
    elif isinstance(asked, Words):
        yield from chain.from_iterable(wrong.values() for wrong in asked.wrong)
        yield asked.lesson
    elif isinstance(asked, Pairs):
        yield from asked.against.values()
        yield asked.lesson
    else:
        for pi_ref in ([0.25] * 4, [0.1, 0.7, 0.1, 0.1], [0.2, 0.1, 0.2, 0.5], CHANGES):
            yield repr(check(name, pi_ref))


def test_every_lesson_has_a_cell_for_each_exercise_and_no_other() -> None:
    assert len(NUMBERS) + len(FORMULAS) + len(PAIRS) == len(NAMES) - 2
    assert list(_EXERCISES) == NAMES
    for path in LESSONS:
        cells = cells_of(path.name)
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        assert "from psipo_explore.exercises import check\n" in code[0]
        checks = [k for k, cell in enumerate(cells) if cell.source.startswith("check(")]
        assert [cells[k].source for k in checks] == [
            f'check("{path.name[:2]}.{number}", ...)' for number in (1, 2)
        ]
        for number, k in enumerate(checks, 1):
            question = cells[k - 1].source
            assert f"\n**{number}.** " in f"\n{question}"
            assert question.endswith("</details>")


@pytest.mark.parametrize("name", NAMES)
def test_the_dots_say_what_to_put_there(name: str) -> None:
    verdict = check(name, ...)
    assert verdict.level == "open"
    assert f'check("{name}", "?") gives the answer.' in repr(verdict)


@pytest.mark.parametrize("name", NAMES)
def test_the_lesson_s_answer_is_right(name: str) -> None:
    verdict = check(name, RIGHT[name])
    assert verdict.level == "right"
    assert repr(verdict).startswith("Right. ")


@pytest.mark.parametrize("name", NUMBERS)
def test_the_number_is_the_lesson_s(name: str) -> None:
    asked = _asked(name)
    assert isinstance(asked, Number)
    written = float(RIGHT[name])
    within = 0.02 if name == "10.2" else 0.007  # the text of 10.2 has the limit, 1/7
    assert asked.truth == pytest.approx(written, rel=within)
    if not isinstance(RIGHT[name], Fraction):
        assert re.search(rf"(?<![\d.]){re.escape(f'{RIGHT[name]:g}')}", fold_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_that_is_asked_for_has_the_numbers_of_the_fold(name: str) -> None:
    verdict = check(name, " ? ")
    assert verdict.level == "answer"
    exercise = next(
        cell.source
        for cell in cells_of(name)
        if re.search(rf"^\*\*{name[-1]}\.\*\* ", cell.source, re.M)
    )
    decimals = re.findall(r"\d+\.\d+", verdict.why)
    assert decimals == [x for x in decimals if x in exercise]
    if name in NUMBERS:
        assert f"{RIGHT[name]!s}" in verdict.why


@pytest.mark.parametrize("name", NUMBERS)
def test_each_known_slip_has_a_reason_of_its_own(name: str) -> None:
    asked = _asked(name)
    assert isinstance(asked, Number)
    assert len(asked.slips) >= 4
    assert len({slip.reason for slip in asked.slips}) == len(asked.slips)
    for slip in asked.slips:
        verdict = check(name, slip.value)
        assert (verdict.level, verdict.why) == (slip.level, slip.reason)
    assert [slip.level for slip in asked.slips].count("right") == (name == "03.1")


@pytest.mark.parametrize("name", FORMULAS)
def test_each_known_wrong_formula_has_a_reason_of_its_own(name: str) -> None:
    asked = _asked(name)
    assert isinstance(asked, Formula)
    assert len({reason for _, reason in asked.slips}) == len(asked.slips) > 4
    for formula, reason in asked.slips:
        assert check(name, formula) == Verdict(name, "warm", reason)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("factor", [0.1, 0.6, 0.998, 1.002, 1.5, 30.0])
def test_what_is_no_slip_is_judged_by_its_size(name: str, factor: float) -> None:
    asked = _asked(name)
    assert isinstance(asked, Number)
    x = factor * asked.truth
    verdict = check(name, x)
    if any(verdict.why == slip.reason for slip in asked.slips):
        return
    if verdict.why == f"{asked.beyond} {asked.hint}":
        assert not asked.low <= x <= asked.high
        return
    assert verdict.level == (
        "right" if 0.99 < factor < 1.01 else "warm" if 0.5 < factor < 2 else "cold"
    )
    if verdict.level != "right":
        assert f"too {'small' if factor < 1 else 'large'}" in verdict.why


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_the_answer_gives_the_answer_away(name: str) -> None:
    told = [said for said in judged(name) if said]
    assert len(told) > 3
    if name in NUMBERS:
        asked = _asked(name)
        assert isinstance(asked, Number)
        written = {f"{asked.truth:.{digits}g}" for digits in range(1, 7)} | {f"{RIGHT[name]!s}"}
        # a single digit says nothing beside the words of the exercise, unless it is all there is
        written -= {x for x in written if len(x) == 1 and x != f"{RIGHT[name]!s}"}
        if name == "07.2":  # its answer, 1, is a part of 1 − 2ε
            written = {"share of 1", "is 1", "is all", "keeps all"}
    elif name == "00.1":
        written = {"1 - p", "is 1 − p", "leaves 1 − p"}
    elif name == "00.2":
        written = {"Comm", "last journal", "0.4"}
    elif name == "02.1":
        written = {"every K", '"every"', "is true"}
    elif name == "04.1":
        written = {"(p - 0.5)", "p − ½)/β", "2p − 1"}
    else:
        written = {"[(", "(c, a) does", '("c", "a")', "(0, 2), (2, 1)"}
    for said in told:
        for answer in written:
            assert not re.search(rf"(?<![\d.⁰-⁹]){re.escape(answer)}(?![\d.]\d)", said), said


def test_words_and_pairs_say_what_is_wrong_with_one_of_them() -> None:
    assert check("02.1", ["some", "yes"]).level == "warm"
    assert check("02.1", ("every", "no")).level == "warm"
    assert check("02.1", np.array(["some", "no"])).level == "cold"
    for name in PAIRS:
        asked = _asked(name)
        assert isinstance(asked, Pairs)
        for size in range(1, len(asked.options) + 1):
            for chosen in combinations(asked.options, size):
                verdict = check(name, list(chosen))
                wrong = set(chosen) - asked.truth
                assert (verdict.level == "right") == (set(chosen) == asked.truth)
                if wrong:
                    assert verdict.why in {asked.against[pair] for pair in wrong}
                    assert (verdict.level == "warm") == bool(set(chosen) & asked.truth)
    assert "missing" in check("04.2", [(0, 2)]).why
    assert check("04.2", []).level == "cold"


@pytest.mark.parametrize(
    "pair", [("c", "a"), ["C", "A"], "ca", "(c, a)", [("c", "a")], {"ca"}, (2, 0), np.array([2, 0])]
)
def test_a_pair_may_be_written_in_many_ways(pair: Any) -> None:
    assert check("05.1", pair).level == "right"


def test_a_start_is_tried_out() -> None:
    """It is right exactly if logit and identity both change the order between the two β's."""
    assert check("00.2", np.full(4, 0.25)).level == "cold"
    by_score = optimal_policy(citations().preferences(), LOGIT, 1.0)
    assert check("00.2", by_score).level == "cold"
    assert check("00.2", [0.001, 0.997, 0.001, 0.001]).level == "warm"
    assert check("00.2", [0.0, 1.0, 0.0, 0.0]).level == "cold"
    assert check("00.2", [0.1, 0.1, 0.7, 0.1]).level in ("right", "warm")


@pytest.mark.parametrize(
    "number",
    [2.0, 2, Fraction(2), Decimal(2), np.float32(2), np.int8(2), np.array(2.0), sympy.Integer(2)],
    ids=lambda number: type(number).__name__,
)
def test_a_number_may_be_of_any_type(number: Any) -> None:
    assert check("02.2", number).level == "right"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NUMBERS), st.floats(allow_nan=False) | st.integers() | st.fractions())
def test_any_number_has_a_verdict(name: str, number: Any) -> None:
    verdict = check(name, number)
    assert verdict.level in ("right", "warm", "cold")
    assert verdict.why.endswith((".", "?"))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FORMULAS), st.floats(allow_nan=False))
def test_any_constant_function_has_a_verdict(name: str, number: float) -> None:
    assert check(name, lambda *at: number).level in ("warm", "cold")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4).filter(lambda p: sum(p) > 1e-3))
def test_any_start_has_a_verdict(start: list[float]) -> None:
    assert check("00.2", np.array(start) / sum(start)).level in ("right", "warm", "cold")


def divided(p: float) -> float:
    return float(p) / int(p)


@pytest.mark.parametrize(
    ("name", "answer", "error", "message"),
    [
        ("3.1", 1.0, ValueError, r"^exercise = '3.1', must be one of 00.1, 00.2, "),
        ("11.1", ..., ValueError, r"^exercise = '11.1', must be one of "),
        (3.1, 1.0, TypeError, r"^exercise = 3.1, must be a text"),
        ("01.1", math.nan, ValueError, r"^answer = nan, must be a number"),
        ("01.1", "0.2", TypeError, r"^answer = '0.2', must be a number"),
        ("01.1", True, TypeError, r"^answer = True, must be a number"),
        ("01.1", None, TypeError, r"^answer = None, must be a number"),
        ("01.1", [0.2], TypeError, r"^answer = \[0.2\], must be a number"),
        ("01.1", 1j, TypeError, r"^answer = 1j, must be a number"),
        ("01.1", sympy.Symbol("x"), TypeError, r"^answer = x, must be a number"),
        ("01.1", len, TypeError, r"^answer = <built-in function len>, must be a number"),
        ("00.1", 0.3, TypeError, r"^answer = 0.3, must be a function, such as lambda p: "),
        ("04.1", "p", TypeError, r"^answer = 'p', must be a function, such as lambda p, β: "),
        ("04.1", lambda p: p, ValueError, r"^answer\(0.6, 1\) raises TypeError: "),
        ("00.1", divided, ValueError, r"^answer\(0.6\) raises ZeroDivisionError: "),
        ("00.1", lambda p: "p", TypeError, r"^answer\(0.6\) = 'p', must be a number"),
        ("00.1", lambda p: p * math.nan, ValueError, r"^answer\(0.6\) = nan, must be a number"),
        ("00.2", [0.5, 0.5], ValueError, r"^answer has shape \(2,\), must be "),
        ("00.2", [0.5, 0.5, 0.5, 0.5], ValueError, r"^answer sums to 2, must sum to 1"),
        ("00.2", [CHANGES], ValueError, r"^answer has shape \(1, 4\), must be \(4,\)"),
        ("00.2", "no", TypeError, r"^answer"),
        ("02.1", "every", TypeError, r"^answer = 'every', must be two words"),
        ("02.1", {"every", "yes"}, TypeError, r"must be two words"),
        ("02.1", ["every"], ValueError, r"^answer has 1 entries, must have 2"),
        ("02.1", ["all", "yes"], ValueError, r"^answer\[0\] = 'all', must be one of: every, some"),
        ("05.1", 3, TypeError, r"^answer = 3, must be your pair"),
        ("05.1", ("a", "b"), ValueError, r"^answer names the pair .*, must name some of: \(2, 0\)"),
        ("05.1", ["ca", "xy"], ValueError, r"^answer names the pair 'xy'"),
        ("04.2", [3], ValueError, r"^answer names the pair 3, "),
    ],
)
def test_nonsense_is_refused(name: Any, answer: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        check(name, answer)


def test_a_formula_that_is_right_at_some_points_is_told_where() -> None:
    verdict = check("00.1", lambda p: 1 - p if p < 0.65 else 0.5)
    assert verdict.level == "warm"
    assert (
        "At p = 0.6 your formula is right. At p = 0.7 your formula gives 0.5. That is too large."
        in (verdict.why)
    )
    verdict = check("04.1", lambda p, beta: -1.0)
    assert verdict.level == "cold"
    assert "At p = 0.6 and β = 1 your formula gives -1. That is too small." in verdict.why


def test_a_number_may_be_larger_than_any_float() -> None:
    assert "too large" in check("01.1", 10**400).why
    assert check("01.1", -(10**400)).level == "cold"


def test_dots_in_a_function_are_an_open_answer() -> None:
    assert check("00.1", lambda p: ...) == check("00.1", ...)


def test_what_is_shown_is_valid_html() -> None:
    nasty = Verdict("00.1", "cold", "<script>alert(1)</script> & \x00")
    for verdict in (nasty, *(check(name, "?") for name in NAMES)):
        html = verdict._repr_html_()
        assert len(ElementTree.fromstring(html)) == 1
    assert "<script>" not in nasty._repr_html_()
    assert check("05.2", ...)._repr_html_() == (
        "<p><strong>Your turn.</strong> Put your β in the place of the dots, and run the cell. "
        "check(&quot;05.2&quot;, &quot;?&quot;) gives the answer.</p>"
    )


def test_so_many_zeros_are_asked_for_that_less_than_one_percent_is_left() -> None:
    assert check("03.1", 199.0).level == "warm"
    assert check("03.1", 200.0).level == "right"


def test_no_pair_at_all_is_no_half_of_the_answer() -> None:
    assert check("04.2", []).why.startswith("You chose no pair.")
