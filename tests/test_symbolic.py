"""Every derivation of the package holds, and a falsified step does not."""

import pytest
import sympy as sp

from psipo_explore import symbolic
from psipo_explore._derivations import sigma
from psipo_explore.symbolic import Derivation, Step

DERIVATIONS = [symbolic.closed_form(), symbolic.rlhf(), symbolic.collapse(), symbolic.ipo()]
every_derivation = pytest.mark.parametrize("derivation", DERIVATIONS, ids=lambda derivation: derivation.title)
CLAIMS = [(d, n) for d in DERIVATIONS for n, step in enumerate(d.steps, 1) if not step.defines]
x, beta = sp.Symbol("x", real=True), symbolic.beta


@every_derivation
def test_every_claim_is_proved(derivation: Derivation) -> None:
    said = derivation.check()
    assert said.startswith(f"{derivation.title}: {len(derivation.claims)} claims proved by SymPy")


@pytest.mark.parametrize(("derivation", "number"), CLAIMS, ids=lambda value: getattr(value, "title", value))
@pytest.mark.parametrize("off", [1, sp.Rational(1, 10**9)])
def test_a_falsified_claim_is_found_where_it_stands(derivation: Derivation, number: int, off: sp.Rational) -> None:
    claim = derivation.steps[number - 1].equation
    false = sp.Eq(claim.lhs, claim.rhs + off if claim.rhs.is_finite is not False else off)
    with pytest.raises(ValueError, match=rf"^step {number} \("):
        derivation.with_equation(number, false).check()


def of(derivation: Derivation, number: int) -> sp.Eq:
    return derivation.steps[number - 1].equation


@pytest.mark.parametrize(
    ("derivation", "number", "change"),
    [
        (symbolic.closed_form(), 1, lambda right: 2 * right),
        (symbolic.closed_form(), 3, lambda right: 2 * right),
        (symbolic.closed_form(), 5, lambda right: 2 * right),
        (symbolic.closed_form(), 6, lambda right: right + beta),
        (symbolic.rlhf(), 1, lambda right: right**2),
        (symbolic.rlhf(), 4, lambda right: right / 2),
        (symbolic.rlhf(), 7, lambda right: right + 1),
        (symbolic.rlhf(), 11, lambda right: -right),
        (symbolic.collapse(), 1, lambda right: 2 * right),
        (symbolic.ipo(), 1, lambda right: 2 * right),
        (symbolic.ipo(), 6, lambda right: 2 * right),
        (symbolic.ipo(), 8, lambda right: right.xreplace({symbolic.p[symbolic.y, symbolic.other]: sp.Rational(1, 2)})),
    ],
)
def test_a_falsified_definition_breaks_a_later_claim(derivation: Derivation, number: int, change: object) -> None:
    definition = of(derivation, number)
    with pytest.raises(ValueError, match=r"^step \d+ \(") as refused:
        derivation.with_equation(number, sp.Eq(definition.lhs, change(definition.rhs))).check()  # type: ignore[operator]
    assert int(str(refused.value).split()[1]) > number


def chain(*claims: sp.Eq, **kinds: str) -> Derivation:
    steps = tuple(Step(f"claim {n}", claim) for n, claim in enumerate(claims))
    return Derivation("A chain", "here", steps, {x: "real", beta: "positive", **kinds}, sizes=(1,))


def test_what_fails_is_told_with_the_point_and_both_sides() -> None:
    with pytest.raises(ValueError, match=r"^step 2 \(claim 1\) does not hold for 1 action: where x = .*, beta = .*, .* is not "):
        chain(sp.Eq(sigma(x), 1 - sigma(-x)), sp.Eq(sigma(x), 1 - sigma(x))).check()


def test_limits_are_tried_by_coming_near() -> None:
    for right in (sp.oo, 1, beta + sp.Rational(1, 10**9)):
        with pytest.raises(ValueError, match=r"does not tend to"):
            chain(sp.Eq(sp.Limit(beta * sp.exp(-1 / x), x, 0, "-").subs(x, -x), right)).check()


def test_what_holds_but_cannot_be_proved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sp, "simplify", lambda expression: expression)
    with pytest.raises(ValueError, match=r"^step 1 \(claim 0\) holds at random points for 1 action, but SymPy cannot prove it"):
        chain(sp.Eq(sigma(x), 1 - sigma(-x))).check()


def test_a_claim_rests_on_the_definitions_before_it_alone() -> None:
    two = sp.Symbol("two", positive=True)
    used, defined = Step("used", sp.Eq(two, 2, evaluate=False)), Step("defined", sp.Eq(two, 2, evaluate=False), defines=True)
    before, after = (
        Derivation("Two", "here", steps, {two: "positive"}, sizes=(1,)) for steps in ((used, defined), (defined, used))
    )
    with pytest.raises(ValueError, match=r"^step 1"):
        before.check()
    assert after.check()


def test_definitions_that_go_round_in_a_circle_are_refused() -> None:
    a, b = sp.symbols("a b")
    steps = (Step("a", sp.Eq(a, b + 1), defines=True), Step("b", sp.Eq(b, a + 1), defines=True), Step("claim", sp.Eq(a, 0)))
    with pytest.raises(ValueError, match=r"^definitions go round in a circle"):
        Derivation("A circle", "nowhere", steps, {}, sizes=(1,)).check()


def test_a_claim_of_a_symbol_by_itself_is_no_definition() -> None:
    a = sp.Symbol("a")
    steps = (Step("a", sp.Eq(a, x), defines=True), Step("claim", sp.Eq(a, 2 * a - x)), Step("claim", sp.Eq(a, x)))
    assert Derivation("Itself", "here", steps, {x: "real"}, sizes=(1,)).check()


def test_what_is_no_equation_or_of_unknown_symbols_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^equation = True, must be a sympy.Eq"):
        Step("x is x", sp.Eq(x, x))
    with pytest.raises(ValueError, match=r"^w is neither defined nor of a kind"):
        chain(sp.Eq(x, sp.Symbol("w"))).check()


def test_sides_that_are_no_numbers_are_not_equal() -> None:
    with pytest.raises(ValueError, match=r"^step 1 \(claim 0\) does not hold"):
        chain(sp.Eq(1 / (x - x * sp.Integer(1) + 0 * beta + (beta - beta)), sp.zoo, evaluate=False)).check()


@pytest.mark.parametrize("number", [0, -1, 12])
def test_a_step_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=rf"^number = {number}, must be from 1 to 11$"):
        symbolic.closed_form().with_equation(number, sp.Eq(sp.Symbol("x"), 1))


@every_derivation
def test_shown_as_text_and_formulas(derivation: Derivation) -> None:
    shown = derivation._repr_markdown_()
    for step in derivation.steps:
        assert step.sentence in shown
        assert step._repr_markdown_() in shown
    assert shown.count("$$") == 2 * len(derivation.steps)


def test_formulas_are_in_the_paper_s_symbols() -> None:
    assert (
        symbolic.rlhf()
        .steps[0]
        ._repr_markdown_()
        .endswith(r"$${}p(y \succ y^{\prime}) = \sigma{\left({}r(y) - {}r(y^{\prime}) \right)}$$")
    )
