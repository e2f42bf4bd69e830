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

from psipo_explore import LOGIT, citations, exercises, optimal_policy
from psipo_explore._exercises.kinds import Formula, Number, Pairs, Words
from psipo_explore.exercises import _EXERCISES, Verdict, _asked, check
from psipo_explore.site import kernel

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
    ratio = factor
    if (asked.low, asked.high) == (0, 1):  # of odds
        ratio *= (1 - asked.truth) / (1 - x)
    level = "right" if 0.99 < factor < 1.01 else "warm" if 0.5 < ratio < 2 else "cold"
    assert verdict.level == level
    size = "small" if factor < 1 else "large"
    how_far = {"warm": f"near, but too {size}", "cold": f"far off, and too {size}"}
    assert level == "right" or verdict.why == f"Your number is {how_far[level]}. {asked.hint}"


@pytest.mark.parametrize(
    ("p", "level"),
    [(0.5, "cold"), (0.78, "cold"), (0.8, "warm"), (0.93, "warm"), (0.94, "cold"), (0.0, "cold")],
)
def test_a_probability_is_near_if_its_odds_are(p: float, level: str) -> None:
    """The odds of the answer, σ(2), are e²."""
    assert check("09.1", p).level == level
    assert "factor" not in check("09.1", p).why


def test_a_fraction_that_is_turned_round_is_no_matter_of_size() -> None:
    assert check("05.2", 1.336).why.startswith("You turned the fraction round.")


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
    ("name", "answer", "why"),
    [
        ("01.1", math.nan, "nan is no number. This cell takes a number, your λ."),
        ("01.1", "0.2", "'0.2' is no number. This"),
        ("01.1", True, "True is no number. This"),
        ("01.1", None, "None is no number. This"),
        ("01.1", [0.2], "[0.2] is no number. This"),
        ("01.1", 1j, "1j is no number. This"),
        ("01.1", sympy.Symbol("x"), "x is no number. This"),
        ("01.1", len, "<built-in function len> is no number. This"),
        (
            "00.1",
            0.3,
            "0.3 is no function. This cell takes a function of p, such as lambda p: 0.5.",
        ),
        (
            "04.1",
            "p",
            "'p' is no function. This cell takes a function of p and β, such as lambda p, β: 0.5.",
        ),
        ("04.1", lambda p: p, "Your function cannot be called with p and β alone. This"),
        ("00.1", lambda p, beta: p, "Your function cannot be called with p alone. This"),
        (
            "00.1",
            divided,
            "At p = 0.6 your function raises ZeroDivisionError: ",
        ),
        ("00.1", lambda p: "p", "At p = 0.6 your function gives 'p', which is no number. This"),
        ("00.1", lambda p: p * math.nan, "At p = 0.6 your function gives nan, which is no number."),
        (
            "00.1",
            lambda p: [p, 1],
            "At p = 0.6 your function gives [np.float64(0.6), 1], which is no",
        ),
        (
            "00.2",
            [0.5, 0.5],
            "Your answer has the shape (2,), and not (4,). This cell takes a π_ref,",
        ),
        ("00.2", [0.5, 0.5, 0.5, 0.5], "Your answer sums to 2. It must sum to 1. This"),
        ("00.2", [1.5, -0.5, 0.0, 0.0], "Your answer[1] = -0.5. It must be a probability. This"),
        ("00.2", [CHANGES], "Your answer has the shape (1, 4), and not (4,). This"),
        ("00.2", "no", "'no' is no list of numbers. This"),
        ("00.2", None, "None is no list of numbers. This"),
        ("00.2", [[1], [1, 2]], "[[1], [1, 2]] is no list of numbers. This"),
        ("02.1", "every", "'every' is no list of words. This cell takes two words, such as"),
        ("02.1", {"yes"}, "{'yes'} is no list of words. This cell takes two words, such as"),
        ("02.1", ["every"], "Your list has 1 entries, and not 2. This"),
        ("02.1", ["all", "yes"], "Word 1 is all, and not one of these: every, some. This"),
        ("02.1", np.eye(2), "Word 1 is [1.0, 0.0], and not one of these: every, some. This"),
        ("05.1", 3, '3 names no pair. This cell takes your pair, such as ("b", "a").'),
        (
            "05.1",
            ("a", "b"),
            "('a', 'b') is none of the pairs that may be chosen: (2, 0), (2, 1), ",
        ),
        ("05.1", ["ca", "xy"], "'xy' is none of the pairs that may be chosen: "),
        ("04.2", [3], "3 is none of the pairs that may be chosen: "),
        ("04.2", np.array(3), "3 names no pair. This"),
    ],
)
def test_an_answer_of_another_kind_is_told_what_the_cell_takes(
    name: str, answer: Any, why: str
) -> None:
    verdict = check(name, answer)
    assert verdict.level == "unfit"
    assert verdict.why.startswith(why)
    assert repr(verdict).startswith("Not an answer yet. ")


class Unreadable:
    """An object that cannot be written, counted or compared."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__
    __len__ = __float__ = __iter__ = __array__ = __repr__  # type: ignore[assignment]


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_raises(name: str) -> None:
    things = ["", b"", 0, 1j, None, math.nan, {}, [], (), set(), [[]], [None, None], [[1], 2]]
    things += [np.zeros((2, 2)), np.array(None), np.array([]), Unreadable(), [Unreadable()] * 2]
    things += [
        int,
        print,
        np.exp,
        sympy.Symbol,
        lambda: 0,
        lambda *at: Unreadable(),
        lambda *at: at,
    ]
    for thing in things:
        verdict = check(name, thing)
        assert verdict.why.endswith((".", "?"))
        assert verdict.level in ("unfit", "cold", "warm")


@pytest.mark.parametrize("name", ["3.1", "11.1", 3.1, None, ["01.1"]])
def test_an_exercise_that_does_not_exist_is_refused_with_all_that_do(name: Any) -> None:
    with pytest.raises(ValueError, match=r"^exercise = .*, must be one of 00\.1, ") as refusal:
        check(name, ...)
    assert str(refusal.value).endswith(", ".join(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_the_site_says_where_an_answer_is_typed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "_OPEN", kernel._TYPED_ELSEWHERE)
    verdict = check(name, ...)
    assert verdict.level == "open"
    takes = _asked(name).takes
    assert (
        verdict.why == f"In the notebook, you type your answer in the place of the dots: {takes}."
    )


def test_the_sentence_of_the_site_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exercises, "_OPEN", kernel._TYPED_ELSEWHERE)
    assert repr(check("04.1", ...)) == (
        "Your turn. In the notebook, you type your answer in the place of the dots: "
        "a function of p and β, such as lambda p, β: 0.5."
    )


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
