"""Typed formulas: SymPy's results are right, and no text is ever executed.

Text that is not a formula is refused with the column of the mistake.
"""

import pickle
import string
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from measures import EPS
from numpy.testing import assert_allclose, assert_array_equal

from psipo_explore import IDENTITY, LOGIT, Psi, folded_power, optimal_policy, psi, tournament
from psipo_explore._psi import symbolic
from psipo_explore._psi.formulas import read_formula
from psipo_explore.psi import LOG, PROBIT, FormulaError

INSIDE = np.linspace(0.001, 0.999, 201)


def refusal(reader: Callable[[str], object], text: str) -> FormulaError | None:
    try:
        reader(text)
    except FormulaError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "psi"),
    [
        ("log(q/(1-q))", LOGIT),
        ("logit(q)", LOGIT),
        ("ln(q) - ln(1 - q)", LOGIT),
        ("q", IDENTITY),
        ("probit(q)", PROBIT),
        ("log(q)", LOG),
        ("(q**0.3 - (1-q)**0.3)/0.3", folded_power(0.3)),
        ("q**2/2 - (1 - q)**2/2", folded_power(2.0)),
    ],
)
def test_a_typed_psi_is_the_one_in_the_package(text: str, psi: Psi) -> None:
    typed = Psi.from_formula(text)
    assert_allclose([typed.at_zero, typed.at_one], [psi.at_zero, psi.at_one], rtol=EPS)
    assert typed.odd == psi.odd
    assert_allclose(typed(INSIDE), psi(INSIDE), rtol=1e-13, atol=1e-13)
    assert_allclose(typed.derivative(INSIDE), psi.derivative(INSIDE), rtol=1e-12)
    p = tournament([(0, 1), (1, 2)], n_actions=3, q=0.9)
    assert_allclose(optimal_policy(p, typed, 0.3), optimal_policy(p, psi, 0.3), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "at_zero", "at_one", "odd", "latex"),
    [
        (
            "atan(log(q/(1-q)))",
            "-pi/2",
            "pi/2",
            True,
            r"\operatorname{atan}{\left(\log{\left(\frac{q}{1 - q} \right)} \right)}",
        ),
        ("-1/log(q/2)", "0", "1/log(2)", False, r"- \frac{1}{\log{\left(\frac{q}{2} \right)}}"),
        ("(q-1)/log(q)", "0", "1", False, r"\frac{q - 1}{\log{\left(q \right)}}"),
        ("clip(logit(q), -3, 3)", "-3", "3", True, None),
        ("clip(q, 0.6, 0.4)", "6/mpf(10)", "6/mpf(10)", True, None),
        ("log(1+exp(50*(q-0.5)))", "log(1+exp(-25))", "log(1+exp(25))", False, None),
        ("min(q, 0.5)", "0", "1/2", False, None),
        ("exp(-1/q)", "0", "exp(-1)", False, r"e^{- \frac{1}{q}}"),
        ("tan(pi*(q-1/2))", "-inf", "inf", True, None),
        ("-log(-log(q))", "-inf", "inf", False, None),
        ("-cos(pi*q)", "-1", "1", True, r"- \cos{\left(\pi q \right)}"),
        ("(1+q)**q", "1", "2", False, r"\left(q + 1\right)^{q}"),
        ("abs(q-0.5)*(q-0.5)", "-1/mpf(4)", "1/mpf(4)", True, None),
        ("sqrt(q)/(1+sqrt(q))", "0", "1/mpf(2)", False, None),
        ("sigmoid(8*q-4)", "1/(1+exp(4))", "1/(1+exp(-4))", True, None),
        ("tanh(2*q)+asinh(q)", "0", "tanh(2)+asinh(1)", False, None),
        ("q**(0.01/log(q))", "exp(mpf(1)/100)", "exp(mpf(1)/100)", True, None),
        ("e**q + 0*pi", "1", "e", False, "e^{q}"),
        ("1/3", "1/mpf(3)", "1/mpf(3)", True, r"\frac{1}{3}"),
        (" +q ", "0", "1", True, "q"),
    ],
)
def test_limits_oddness_and_latex_are_found_symbolically(
    text: str, at_zero: str, at_one: str, odd: bool, latex: str | None
) -> None:
    psi = Psi.from_formula(text)
    for found, exact in ((psi.at_zero, at_zero), (psi.at_one, at_one)):
        assert_allclose(found, float(eval(exact, vars(mpmath))), rtol=EPS)
    assert r"\mathrm" not in psi.latex  # this appears only where SymPy could not do it
    assert psi.odd == odd
    assert psi.bounded == bool(np.isfinite([psi.at_zero, psi.at_one]).all())
    assert latex is None or psi.latex == latex
    assert psi.name == text.strip()


@pytest.mark.parametrize(
    "text", ["q + 1e-12*q**2", "q + 0.001*sin(23*pi*q)", "q + 1e-10*(q-0.5)**4"]
)
def test_what_is_almost_odd_is_not(text: str) -> None:
    assert not Psi.from_formula(text).odd


@pytest.mark.parametrize(
    "text",
    ["sqrt(q)", "clip(logit(q), -3, 3)", "atan(3*q)", "erf(q)", "max(q, sqrt(q)/2)", "asin(2*q-1)"],
)
def test_slopes_are_those_of_the_values(text: str) -> None:
    psi = Psi.from_formula(text)
    numerical = Psi(text, psi, latex="", at_zero=psi.at_zero, at_one=psi.at_one)
    q = np.array([0.03, 0.3, 0.41, 0.8, 0.97])
    assert_allclose(psi.derivative(q), numerical.derivative(q), rtol=1e-6, atol=1e-9)
    assert not np.isnan(psi.derivative([0.0, 1.0])).any()


def read_anew(text: str) -> Psi:
    psi._read.cache_clear()
    return Psi.from_formula(text)


def test_the_same_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, refused = Psi.from_formula("q**3"), refusal(Psi.from_formula, "-q**3")
    monkeypatch.setattr(symbolic, "facts_of", lambda text: pytest.fail(text))
    assert Psi.from_formula("q**3") is first
    assert str(refusal(Psi.from_formula, "-q**3")) == str(refused)


@pytest.mark.parametrize("text", ["log(q/(1-q))", "atan(q)", "clip(logit(q), -3, 3)", "sqrt(q)"])
def test_without_time_for_sympy_the_same_is_found_numerically(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_sympy = Psi.from_formula(text)
    monkeypatch.setattr(symbolic, "_SECONDS", 0.0)
    numerical = read_anew(text)
    assert numerical.latex != by_sympy.latex
    assert_allclose(
        [numerical.at_zero, numerical.at_one], [by_sympy.at_zero, by_sympy.at_one], rtol=1e-12
    )
    assert numerical.odd == by_sympy.odd
    assert_array_equal(numerical(INSIDE), by_sympy(INSIDE))
    assert_allclose(numerical.derivative([0.2, 0.7]), by_sympy.derivative([0.2, 0.7]), rtol=1e-6)
    with pytest.raises(FormulaError, match="must not decrease"):
        read_anew("q - 2*sin(30*q)/30")


def test_without_time_for_sympy_what_has_no_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbolic, "_SECONDS", 0.0)
    with pytest.raises(
        FormulaError, match=r"the formula is no Ψ: f's limit as q nears 0 cannot be told"
    ):
        read_anew("q + sin(1/q)")


@pytest.mark.parametrize(
    "text",
    [
        "log(q/(1-q))",
        "erf(q)",
        "erfinv(q)",
        "max(q, 0.3)",
        "q**q + 2*q",
        "(q - 1)/log(q)",
        "sin(1/q)",
        "q**0",
    ],
)
def test_a_deadline_changes_nothing_that_is_found_in_time(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> tuple[object, ...]:
        try:
            psi = read_anew(text)
        except FormulaError as error:
            return (str(error),)
        return psi.at_zero, psi.at_one, psi.odd, psi.latex, psi.derivative(0.3)

    in_time = found()
    monkeypatch.setattr(symbolic, "_at_most", lambda _: nullcontext())
    assert found() == in_time


def test_a_stopped_search_leaves_the_tracer_as_it_was() -> None:
    def tracer(*_: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        read_anew("atan(q)")
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("__import__('os')", 1, "__import__ is not known, the functions are abs, acos"),
        ("q + __import__('os').system('ls')", 5, "attribute"),
        ("q.real", 1, "an attribute"),
        ("q + (1).__class__", 5, "an attribute"),
        ("lambda: q", 1, "a lambda"),
        ("'q'", 1, "'q' is not a number"),
        ("f'{q}'", 1, "a string"),
        ("q*b'x'", 3, "is not a number"),
        ("(q:=1)", 2, "an assignment"),
        ("q = 1", 3, "cannot be read from here"),
        ("q" * 10_000, 201, "10000 characters, must have at most 200"),
        ("q**10**10", 4, r"the exponent 10\*\*10 reaches 1e\+10, must be from -100 to 100"),
        ("9**9**9", 4, "the exponent"),
        ("q**(1000*q)", 5, "the exponent"),
        ("1 + 1/0", 5, "1/0 is not finite for any q"),
        ("q + log(-1)", 5, r"log\(-1\) is not a real number for any q"),
        ("1/(q - 0.5)", 1, "is not finite at q = 0.5,"),
        ("sqrt(q - 0.25)", 1, "is not a real number at q = 0.00195"),
        (
            "ｑ",
            1,
            "fullwidth latin small letter q is not a plain character of the keyboard, did you mean q",
        ),
        ("1 − q", 3, "minus sign .* did you mean -"),
        ("lоg(q)", 2, "cyrillic small letter o"),
        ("q\x00", 2, "an unnamed character"),
        ("q\n+1", 2, "an unnamed character"),
        ("", 1, "nothing is there, must be a formula in q"),
        ("   ", 1, "nothing is there"),
        ("(q", 1, r"cannot be read from here \('\(' was never closed\)"),
        ("  q)", 4, "unmatched"),
        ("q +", 4, "cannot be read from here"),
        ("2(1-q)", 1, r"a product is written with \*"),
        ("q(1-q)", 1, r"a product is written with \*"),
        ("(q)(q)", 2, r"a product is written with \*"),
        ("3q", 1, "cannot be read"),
        ("q^2", 2, r"a power is written \*\*, not \^"),
        ("(q + 1) ^ 2", 9, r"a power is written \*\*"),
        ("q % 2", 3, "% is not read"),
        ("q // 2", 3, "// is not read"),
        ("~q", 1, "not or ~ is not read"),
        ("q < 1", 1, "a comparison"),
        ("q if q else 1", 1, "if/else"),
        ("q and q", 1, "and/or"),
        ("q, 1", 1, "a comma outside"),
        ("[q]", 1, "a list in brackets"),
        ("{q}", 1, "a set"),
        ("q[0]", 1, "an index"),
        ("[x for x in q]", 1, "Python's ListComp"),
        ("log", 1, r"log is a function, must be called: log\(q\)"),
        ("1 + x", 5, "x is not known, the variable is q"),
        ("foo(q)", 1, "foo is not known, the functions are"),
        ("log(q, 2)", 1, "log is given 2, must be given 1 argument"),
        ("clip(q)", 1, "clip is given 1, must be given 3 arguments"),
        ("log(x=q)", 5, "arguments have no names"),
        ("max(*q, 1)", 5, "a star"),
        ("True", 1, "True is not a number"),
        ("1j*q", 1, "1j is not a number"),
        ("1e400", 1, "must be 0 or from 1e-15 to 1e15"),
        ("1e-20*q", 1, "must be 0 or from 1e-15"),
        ("-q", 1, "the formula falls at q = .*, must not decrease"),
        ("q*log(q)", 1, "falls at"),
        ("q + sin(10000*q)/5000", 1, "falls at"),
        ("q + 2e-9*sin(1e9*q)", 1, "falls at"),
        ("sin(1/q)", 1, r"sin\(1/q\) oscillates as q nears 0, must tend to a limit"),
        ("cos(1/(1-q))", 1, "oscillates as q nears 1"),
        ("exp(exp(exp(exp(q))))", 1, "is not finite at q = 0.6"),
        ("q + exp(-1e8*q)", 1, "the formula is no Ψ: function decreases from 0.47"),
        ("(" * 150, 150, "cannot be read"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(FormulaError, match=words) as refused:
        Psi.from_formula(text)
    error = refused.value
    assert error.column == column
    said = str(error).splitlines()
    assert said[0] == f"text, column {column}: {error.sentence}"
    assert len(said) == 3
    assert all(len(line) < 80 for line in said[1:])
    if 40 > column <= len(text):
        assert said[2].index("^") - 4 == column - 1


def test_a_refusal_survives_a_process_pool() -> None:
    refused = refusal(Psi.from_formula, "q + q^2")
    assert str(pickle.loads(pickle.dumps(refused))) == str(refused)


@pytest.mark.parametrize("wrong", [None, 3, b"q", ["q"]])
def test_what_is_no_text_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^text = .*, must be a formula in q"):
        Psi.from_formula(wrong)  # type: ignore[arg-type]


_HEARD: list[str] = []
_LISTENING = False
_FORBIDDEN = {"exec", "import", "open", "os.system", "subprocess.Popen", "socket.connect"}


def _listen(event: str, _: object) -> None:
    if _LISTENING and event in _FORBIDDEN:
        _HEARD.append(event)


sys.addaudithook(_listen)  # stays for the whole process, because hooks cannot be removed


@contextmanager
def nothing_executed() -> Iterator[None]:
    global _LISTENING
    _HEARD.clear()
    _LISTENING = True
    try:
        yield
    finally:
        _LISTENING = False
    assert _HEARD == []


def test_the_watch_over_execution_can_fail() -> None:
    with pytest.raises(AssertionError), nothing_executed():
        eval("1 + 1")


TOKENS = [
    "q",
    "log",
    "exp",
    "clip",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "**",
    "^",
    ".",
    "0.5",
    "2",
    "1e9",
    "pi",
    "__import__",
    "'os'",
]
TOKENS += [
    "lambda",
    ":",
    ":=",
    "=",
    "[",
    "]",
    "{",
    "}",
    "if",
    "else",
    "for",
    "in",
    "not",
    "@",
    "~",
    "eval",
    "exec",
    "open",
    "\\",
    "#",
]


@given(
    st.text(max_size=300)
    | st.text(string.printable, max_size=60)
    | st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join)
    | st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)
)
@example("__import__('os').system('true')")
@example("exec('import os')")
@example("open('/etc/passwd')")
def test_any_text_is_a_formula_or_refused_and_never_executed(text: str) -> None:
    with nothing_executed():
        refused = refusal(read_formula, text)
    assert refused is None or (1 <= refused.column <= len(text) + 1 and refused.sentence)


CALLS = [
    "log({})",
    "exp({})",
    "sqrt({})",
    "abs({})",
    "atan({})",
    "tanh({})",
    "sin({})",
    "tan({})",
    "erf({})",
    "probit({})",
    "logit({})",
]
PAIRS = [
    "({} + {})",
    "({} - {})",
    "({} * {})",
    "({} / {})",
    "({} ** {})",
    "min({}, {})",
    "max({}, {})",
]
FORMULAS = st.recursive(
    st.sampled_from(["q", "q", "q", "(1-q)", "2", "0.5", "3", "1e-3", "pi", "0"]),
    lambda inner: (
        st.builds(str.format, st.sampled_from(CALLS), inner)
        | st.builds(str.format, st.sampled_from(PAIRS), inner, inner)
    ),
    max_leaves=6,
)


@given(FORMULAS)
def test_any_formula_is_a_psi_or_refused_in_words(text: str) -> None:
    refused = refusal(Psi.from_formula, text)
    if refused:
        assert any(word in refused.sentence for word in ("must", "cannot", "settles"))
        return
    psi = Psi.from_formula(text)
    values = psi(np.concatenate([[0.0], INSIDE, [1.0]]))
    assert not np.isnan(values).any()
    assert (np.diff(values) >= -1e-9 * np.maximum(1, np.abs(values[1:]))).all()
