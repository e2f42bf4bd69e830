"""Every derivation of the package is proved, and a falsified step is not."""

import pytest
import sympy as sp

from psipo_explore import symbolic
from psipo_explore._derivations import sigma
from psipo_explore.symbolic import Derivation, Step

DERIVATIONS = [
    symbolic.closed_form(),
    symbolic.rlhf(),
    symbolic.collapse(),
    symbolic.ipo(),
    symbolic.f_tilt(),
    symbolic.no_leash_holds(),
]
every_derivation = pytest.mark.parametrize(
    "derivation", DERIVATIONS, ids=lambda derivation: derivation.title
)
CLAIMS = [(d, n) for d in DERIVATIONS for n, step in enumerate(d.steps, 1) if not step.defines]
x, beta = sp.Symbol("x", real=True), symbolic.beta


@every_derivation
def test_every_claim_is_proved(derivation: Derivation) -> None:
    said = derivation.check()
    assert said.startswith(f"{derivation.title}: {len(derivation.claims)} claims proved by SymPy")


@pytest.mark.parametrize(
    ("derivation", "number"), CLAIMS, ids=lambda value: getattr(value, "title", value)
)
@pytest.mark.parametrize(
    "off", [1, pytest.param(sp.Rational(1, 10**9), marks=pytest.mark.slow)], ids=["much", "little"]
)
def test_a_falsified_claim_is_found_where_it_stands(
    derivation: Derivation, number: int, off: sp.Rational
) -> None:
    claim = derivation.steps[number - 1].equation
    false = sp.Eq(
        claim.lhs, claim.rhs + off if claim.rhs.is_finite is not False else off, evaluate=False
    )
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
        (symbolic.f_tilt(), 1, lambda right: 2 * right),
        (symbolic.f_tilt(), 2, lambda right: right + 1),
        (symbolic.no_leash_holds(), 1, lambda right: -right),
        (symbolic.no_leash_holds(), 6, lambda right: right + 1),
        (symbolic.ipo(), 1, lambda right: 2 * right),
        (symbolic.ipo(), 6, lambda right: 2 * right),
        (
            symbolic.ipo(),
            8,
            lambda right: right.xreplace(
                {symbolic.p[symbolic.y, symbolic.other]: sp.Rational(1, 2)}
            ),
        ),
    ],
)
def test_a_falsified_definition_breaks_a_later_claim(
    derivation: Derivation, number: int, change: object
) -> None:
    definition = of(derivation, number)
    with pytest.raises(ValueError, match=r"^step \d+ \(") as refused:
        derivation.with_equation(number, sp.Eq(definition.lhs, change(definition.rhs))).check()  # type: ignore[operator]
    assert int(str(refused.value).split()[1]) > number


def test_both_losses_have_one_slope_and_no_other() -> None:
    slopes = of(symbolic.ipo(), 11)
    with pytest.raises(ValueError, match=r"^step 11 \("):
        symbolic.ipo().with_equation(11, sp.Eq(slopes.lhs, 2 * slopes.rhs)).check()


def chain(*claims: sp.Eq, **kinds: str) -> Derivation:
    steps = tuple(Step(f"claim {n}", claim) for n, claim in enumerate(claims))
    return Derivation("A chain", "here", steps, {x: "real", beta: "positive", **kinds}, sizes=(1,))


def test_what_fails_is_told_with_the_point_and_both_sides() -> None:
    with pytest.raises(
        ValueError,
        match=r"^step 2 \(claim 1\) does not hold for 1 action: where x = .*, beta = .*, .* is not ",
    ):
        chain(sp.Eq(sigma(x), 1 - sigma(-x)), sp.Eq(sigma(x), 1 - sigma(x))).check()


def test_limits_are_tried_by_coming_near() -> None:
    grows = sp.Limit(beta * (1 + sp.exp(1 / x)), x, 0, "-")
    assert chain(sp.Eq(grows, beta)).check()
    for right in (sp.oo, 1, beta + sp.Rational(1, 10**9)):
        with pytest.raises(
            ValueError, match=r"^step 1 \(claim 0\) does not hold for 1 action: .* does not tend to"
        ):
            chain(sp.Eq(grows, right)).check()


def test_what_holds_but_cannot_be_proved_is_refused() -> None:
    nearly = sp.Rational(1, 10**60)
    for claim in (
        sp.Eq(x, x + nearly, evaluate=False),
        sp.Gt(beta, nearly),
        sp.Lt(beta, 1 / nearly),
    ):
        with pytest.raises(
            ValueError,
            match=r"^step 1 \(claim 0\) is not refuted at 12 points for 1 action, but SymPy cannot",
        ):
            chain(claim).check()


@pytest.mark.parametrize(
    ("claim", "words"),
    [(sp.Gt(x, x, evaluate=False), "greater"), (sp.Lt(beta, beta, evaluate=False), "less")],
)
def test_an_inequality_of_equals_does_not_hold(claim: sp.Rel, words: str) -> None:
    message = (
        rf"^step 1 \(claim 0\) does not hold for 1 action: the left side is not {words} than "
        rf"the right side, which it equals$"
    )
    with pytest.raises(ValueError, match=message):
        chain(claim).check()


@pytest.mark.parametrize("found", [sp.zoo, sp.AccumBounds(0, 1), NotImplementedError])
def test_a_limit_that_sympy_does_not_find_is_not_proved(
    monkeypatch: pytest.MonkeyPatch, found: object
) -> None:
    def limit(*_: object) -> object:
        if isinstance(found, sp.Basic):
            return found
        raise NotImplementedError

    monkeypatch.setattr(sp, "limit", limit)
    with pytest.raises(
        ValueError,
        match=r"^step 1 \(claim 0\) is not refuted at 12 points for 1 action, but SymPy cannot",
    ):
        chain(sp.Eq(sp.Limit(x, x, 0, "+"), 0)).check()


def test_a_claim_rests_on_the_definitions_before_it_alone() -> None:
    two = sp.Symbol("two", positive=True)
    used, defined = (
        Step("used", sp.Eq(two, 2, evaluate=False)),
        Step("defined", sp.Eq(two, 2, evaluate=False), defines=True),
    )
    before, after = (
        Derivation("Two", "here", steps, {two: "positive"}, sizes=(1,))
        for steps in ((used, defined), (defined, used))
    )
    with pytest.raises(ValueError, match=r"^step 1"):
        before.check()
    assert after.check()


def test_definitions_that_go_round_in_a_circle_are_refused() -> None:
    a, b = sp.symbols("a b")
    steps = (
        Step("a", sp.Eq(a, b + 1), defines=True),
        Step("b", sp.Eq(b, a + 1), defines=True),
        Step("claim", sp.Eq(a, 0)),
    )
    with pytest.raises(
        ValueError, match=r"^step 1 \(a\) uses b, which is neither defined nor of a kind"
    ):
        Derivation("A circle", "nowhere", steps, {}, sizes=(1,)).check()
    with pytest.raises(
        ValueError,
        match=r"^step 2 \(b\) goes round in a circle: b must be chosen by what does not depend on it",
    ):
        Derivation("A circle", "nowhere", steps, {b: "real"}, sizes=(1,)).check()


def test_a_claim_of_a_symbol_by_itself_is_no_definition() -> None:
    a = sp.Symbol("a")
    steps = (
        Step("a", sp.Eq(a, x), defines=True),
        Step("claim", sp.Eq(a, 2 * a - x)),
        Step("claim", sp.Eq(a, x)),
    )
    assert Derivation("Itself", "here", steps, {x: "real"}, sizes=(1,)).check()


def test_what_is_no_equation_or_of_unknown_symbols_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^equation = True, must be a sympy.Eq"):
        Step("x is x", sp.Eq(x, x))
    with pytest.raises(
        ValueError, match=r"^step 1 \(claim 0\) uses w, which is neither defined nor of a kind"
    ):
        chain(sp.Eq(x, sp.Symbol("w"))).check()


def test_sides_that_are_no_numbers_are_not_equal() -> None:
    with pytest.raises(
        ValueError, match=r"^step 1 \(claim 0\) has zoo, must be written by exact numbers"
    ):
        chain(sp.Eq(sp.zoo, sp.zoo, evaluate=False)).check()
    with pytest.raises(
        ValueError,
        match=r"^step 1 \(claim 0\) needs x to be other than 0 for all values of its symbols",
    ):
        chain(sp.Eq(1 / x, 1 / x, evaluate=False)).check()


def test_digits_that_run_out_are_no_proof() -> None:
    true = sp.Eq(1 / (1 - sigma(1000 * x)), 1 / sigma(-1000 * x), evaluate=False)
    with pytest.raises(
        ValueError,
        match=r"^step 1 \(claim 0\) needs more than 400 digits: where x = .* is rounded to 0",
    ):
        chain(true).check()


@pytest.mark.parametrize("number", [0, -1, 15])
def test_a_step_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=rf"^number = {number}, must be from 1 to 14$"):
        symbolic.closed_form().with_equation(number, sp.Eq(sp.Symbol("x"), 1))


ONE = sp.Eq(x, 1)
GIVEN = {"title": "A chain", "source": "here", "steps": (Step("claim", ONE),), "kinds": {x: "real"}}


@pytest.mark.parametrize(
    ("field", "value", "refused"),
    [
        ("title", 1, r"^title = 1, must be a text"),
        ("source", None, r"^source = None, must be a text"),
        ("proves", 1, r"^proves = 1, must be a text"),
        ("steps", [], r"^steps = \[\], must be a tuple of Step"),
        ("steps", (), r"^steps claim nothing, must hold at least one claim"),
        ("steps", (Step("one", ONE, defines=True),), r"^steps claim nothing"),
        ("steps", (ONE,), r"^steps\[0\] = Eq\(x, 1\), must be a Step"),
        (
            "steps",
            (
                Step("one", ONE, defines=True),
                Step("two", sp.Eq(x, 2), defines=True),
                Step("three", ONE),
            ),
            r"^steps define x",
        ),
        (
            "steps",
            (Step("one", sp.Eq(sp.Symbol("x"), 1)),),
            r"^steps hold 2 different symbols that are written x",
        ),
        ("kinds", "real", r"^kinds = 'real', must be a mapping"),
        ("kinds", {"x": "real"}, r"^kinds has 'x', must be a sympy.Symbol or IndexedBase"),
        (
            "kinds",
            {x: "postive"},
            r"^kinds\[x\] = 'postive', must be one of real, positive, probability",
        ),
        (
            "kinds",
            {x: "preferences"},
            r"^kinds\[x\] = 'preferences', must be the kind of an IndexedBase",
        ),
        (
            "kinds",
            {beta: "real"},
            r"^kinds\[beta\] = 'real', must not be less than beta assumes by itself",
        ),
        ("sizes", (), r"^sizes = \(\), must be different numbers of actions, at least one"),
        ("sizes", (2, 2), r"^sizes = \(2, 2\), must be different"),
        ("sizes", (1, 0), r"^sizes\[1\] = 0, must be at least 1"),
        ("sizes", (1.5,), r"^sizes\[0\] = 1.5, must be a whole number"),
        ("sizes", 2, r"^sizes = 2, must be a tuple"),
    ],
)
def test_a_derivation_refuses_what_it_cannot_be_made_of(
    field: str, value: object, refused: str
) -> None:
    assert Derivation(**{**GIVEN, "sizes": (2,)})
    with pytest.raises((ValueError, TypeError), match=refused):
        Derivation(**{**GIVEN, field: value})


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"sentence": 1}, r"^sentence = 1, must be a text"),
        ({"equation": sp.Ge(x, 1)}, r"^equation = x >= 1, must be a sympy.Eq, Gt or Lt"),
        ({"defines": 1}, r"^defines = 1, must be True or False"),
        (
            {"equation": sp.Eq(x + 1, 2 * x), "defines": True},
            r"^equation = Eq\(x \+ 1, 2\*x\), must define a symbol",
        ),
        (
            {"equation": sp.Eq(symbolic.g[1], x), "defines": True},
            r"^equation = Eq\(g\[1\], x\), must define a symbol, or one for each",
        ),
        (
            {"equation": sp.Eq(sp.Symbol("n", integer=True), x), "defines": True},
            r"^equation defines n, which must be assumed",
        ),
    ],
)
def test_a_step_refuses_what_it_cannot_be_made_of(fields: dict[str, object], refused: str) -> None:
    with pytest.raises((ValueError, TypeError), match=refused):
        Step(**{"sentence": "claim", "equation": ONE, **fields})


def test_a_check_says_how_many_claims_it_proved_and_for_which_numbers_of_actions() -> None:
    kinds = {symbolic.mu: "distribution", x: "real"}
    share = Step("positive", sp.Gt(symbolic.mu[symbolic.y], 0))
    plain = Step("itself", sp.Eq(x + 1, 1 + x, evaluate=False))
    assert (
        Derivation("One", "here", (plain,), kinds).check()
        == "One: 1 claim proved by SymPy, confirmed at 12 points."
    )
    said = Derivation("Two", "here", (share, plain), kinds, sizes=(2,)).check()
    assert said == "Two: 2 claims proved by SymPy for K = 2, confirmed at 12 points."


def test_a_point_is_drawn_by_the_seed() -> None:
    def where(seed: int) -> str:
        with pytest.raises(ValueError, match="does not hold") as refused:
            chain(sp.Eq(x, 0)).check(seed=seed)
        return str(refused.value)

    assert where(1) == where(1) != where(2)
    with pytest.raises(ValueError, match=r"^seed = -1, must be at least 0"):
        chain(ONE).check(seed=-1)


def test_the_kinds_are_the_derivation_s_own() -> None:
    kinds = {x: "real"}
    derivation = Derivation("A chain", "here", (Step("claim", sp.Eq(x, sp.Abs(x))),), kinds)
    kinds[x] = "positive"
    with pytest.raises(ValueError, match="does not hold"):
        derivation.check()


@every_derivation
def test_it_says_what_it_proves_and_what_it_does_not(derivation: Derivation) -> None:
    shown = derivation._repr_markdown_()
    assert (
        f"*Proved:* {derivation.proves}\n\n*Not proved:* {derivation.leaves_open}\n\n**1.**"
        in shown
    )
    assert "ore actions" in derivation.leaves_open
    assert (
        "With 1, 2 or 3 actions" if derivation.sizes == (1, 2, 3) else "With two actions"
    ) in derivation.proves


def test_what_no_other_policy_reaches_is_claimed_and_checked() -> None:
    """Check the claim that the bracket t − 1 − log t is 0 only at t = 1.

    It follows because the slope of the bracket has one sign below 1 and the other above.
    """
    steps = symbolic.closed_form().steps
    assert [type(step.equation) for step in steps[10:13]] == [sp.Eq, sp.Gt, sp.Lt]
    for number in (12, 13):
        turned = {sp.Gt: sp.Lt, sp.Lt: sp.Gt}[type(steps[number - 1].equation)](
            *steps[number - 1].equation.args
        )
        with pytest.raises(ValueError, match=rf"^step {number} \("):
            symbolic.closed_form().with_equation(number, turned).check()


def test_a_derivation_without_a_word_on_its_scope_shows_none() -> None:
    assert "roved" not in chain(ONE)._repr_markdown_()


@every_derivation
def test_shown_as_text_and_formulas(derivation: Derivation) -> None:
    shown = derivation._repr_markdown_()
    for step in derivation.steps:
        assert step.sentence in shown
        assert step._repr_markdown_() in shown
    assert shown.count("$$") == 2 * len(derivation.steps)


def test_a_long_formula_is_cut_into_lines() -> None:
    steps = symbolic.ipo().steps
    short, long = (steps[number - 1]._repr_markdown_() for number in (5, 8))
    assert "aligned" not in short
    assert long.count(r"\\ & \;\; +") == 1
    assert long.count(r"\begin{aligned}& L_{16} \\ & = ") == long.count(r"\end{aligned}$$") == 1
    left, right = steps[8]._repr_markdown_().split(r" \\ & = ")
    assert left.count(r"\sum") == right.count(r"\sum") == 1


def test_formulas_are_in_the_paper_s_symbols() -> None:
    assert (
        symbolic.rlhf()
        .steps[0]
        ._repr_markdown_()
        .endswith(r"$${}p(y \succ y^{\prime}) = \sigma{\left({}r(y) - {}r(y^{\prime}) \right)}$$")
    )
