"""False claims are never proved, however true they look, but true claims like them are."""

import pytest
import sympy as sp

from psipo_explore._derivations import K, Psi, other, sigma, y
from psipo_explore.symbolic import Derivation, Step

pytestmark = pytest.mark.slow

x, z, a, b = sp.symbols("x z a b")
real, positive = sp.Symbol("r", real=True), sp.Symbol("t", positive=True)
g, h, m, p = map(sp.IndexedBase, "ghmp")
s = sp.IndexedBase("s", positive=True)
half = sp.Rational(1, 2)
Line = tuple[sp.Rel | tuple[sp.Rel], ...]


def eq(left: object, right: object) -> sp.Eq:
    return sp.Eq(left, right, evaluate=False)


def total(term: sp.Expr, *indices: sp.Symbol) -> sp.Sum:
    return sp.Sum(term, *((index, 1, K) for index in indices))


def define(left: object, right: object) -> tuple[sp.Eq]:
    return (eq(left, right),)


def chain(
    steps: Line, kinds: dict[sp.Basic, str], sizes: tuple[int, ...] = (1, 2, 3)
) -> Derivation:
    """Return a derivation that claims the equations; those in a tuple are its definitions."""
    made = (
        Step("It is so.", *step, defines=True)
        if isinstance(step, tuple)
        else Step("It is so.", step)
        for step in steps
    )
    return Derivation("A chain", "here", tuple(made), kinds, sizes)


def limit(of: sp.Expr, variable: sp.Symbol, end: object, direction: str) -> sp.Limit:
    return sp.Limit(of, variable, end, direction)


REAL, POSITIVE, SHARE = (
    {x: "real", z: "real"},
    {x: "positive", z: "positive"},
    {x: "probability", z: "probability"},
)

FALSE: dict[str, tuple[Line, dict[sp.Basic, str]]] = {
    # Signs
    "a logarithm of a square": ((eq(sp.log(real**2), 2 * sp.log(real)),), {real: "real"}),
    "a logarithm of a product": (
        (eq(sp.log(x * z), sp.log(x) + sp.log(z)),),
        {x: "real", z: "positive"},
    ),
    "a logarithm of a quotient": ((eq(sp.log(x / z), sp.log(x) - sp.log(z)),), REAL),
    "a root of a square": ((eq(sp.sqrt(x**2), x),), REAL),
    "a root of a product": ((eq(sp.sqrt(x * z), sp.sqrt(x) * sp.sqrt(z)),), REAL),
    "a power of a power": ((eq((x**4) ** sp.Rational(1, 4), x),), REAL),
    "an absolute value without its sign": ((eq(sp.Abs(x), x),), REAL),
    "an exponential of a logarithm": ((eq(sp.exp(sp.log(x), evaluate=False), x),), REAL),
    "a logarithm where it is not real": (
        (eq(sp.log(x - 1) - sp.log(1 - x), sp.log(x - 1) - sp.log(1 - x)),),
        SHARE,
    ),
    "log-odds beyond certainty": ((eq(sp.log(x / (1 - x)), sp.log(x) - sp.log(1 - x)),), POSITIVE),
    "log-odds turned round": ((eq(sp.log(x / (1 - x)), sp.log((1 - x) / x)),), SHARE),
    # Expressions without a value
    "a quotient by zero": ((eq(sp.Mul(x, 1 / x, evaluate=False), 1),), REAL),
    "a fraction cancelled at its pole": (
        (eq((x**2 - 7) / (x - sp.sqrt(7)), x + sp.sqrt(7)),),
        REAL,
    ),
    "a quotient by a difference": ((eq((x**2 - z**2) / (x - z), x + z),), POSITIVE),
    "infinite sides": ((eq(x + sp.zoo, sp.zoo),), REAL),
    "sides that are no numbers": ((eq(sp.nan, sp.nan),), REAL),
    "infinity by itself": ((eq(sp.oo, sp.oo),), REAL),
    # Functions that jump, turn round or leave the real numbers
    "a floor": ((eq(sp.floor(x), 0),), SHARE),
    "a step far out": ((eq(sp.Heaviside(x - 10**6), 0),), REAL),
    "a sign": ((eq(sp.sign(x), 1),), REAL),
    "a piece far out": ((eq(sp.Piecewise((0, x < 10**6), (1, True)), 0),), REAL),
    "a maximum far out": ((eq(sp.Max(x, -(10**6)), x),), REAL),
    "an arc of a tangent": ((eq(sp.atan(sp.tan(x)), x),), REAL),
    "an arc of a cosine": ((eq(sp.acos(sp.cos(x)), x),), REAL),
    "a logarithm of an imaginary power": ((eq(sp.log(sp.exp(sp.I * x)), sp.I * x),), REAL),
    "exponentials alike, exponents not": ((eq(2 * sp.pi * sp.I, 0),), REAL),
    "a relation inside": ((eq(sp.Piecewise((x, sp.Gt(x, z)), (z, True)), x),), REAL),
    "matrices": ((eq(sp.Matrix([[x]]), sp.Matrix([[x]])),), REAL),
    "truth values": ((eq(sp.true, sp.true),), REAL),
    # Claims that are almost true
    "a difference of 1e-60": ((eq(x + sp.Rational(1, 10**60), x),), REAL),
    "a number that rounds": ((eq(x + 1e-30 + 1.0, x + 1.0),), REAL),
    "rational numbers alone": (
        (eq(sp.sqrt(2) * x, sp.Rational(14142135623730950488, 10**19) * x),),
        REAL,
    ),
    "large numbers alone": ((sp.Lt(x, 10**6),), POSITIVE),
    "small numbers alone": ((sp.Gt(x, sp.Rational(1, 10**9)),), POSITIVE),
    "one half alone": ((eq(x, 1 - x),), SHARE),
    # Inequalities
    "a square above zero": ((sp.Gt(x**2, 0),), REAL),
    "a mean above another": ((sp.Gt((x + z) ** 2, 4 * x * z),), POSITIVE),
    "an order of two": ((sp.Gt(x, z),), POSITIVE),
    "an inequality the wrong way": ((sp.Lt(x, 0),), POSITIVE),
    "an inequality that is an equation": ((sp.Gt(sigma(x) + sigma(-x), 1),), REAL),
    "a share above all": ((sp.Gt(x, 1),), SHARE),
    # Limits
    "a limit that is wrong": ((eq(limit(sp.exp(-1 / x), x, 0, "+"), 1),), POSITIVE),
    "a limit of the wrong sign": ((eq(limit(sp.log(x), x, 0, "+"), sp.oo),), POSITIVE),
    "a limit from the wrong side": ((eq(limit(1 / x, x, 0, "-"), sp.oo),), REAL),
    "a limit from both sides": ((eq(limit(sp.Abs(x) / x, x, 0, "+-"), 1),), REAL),
    "a limit from outside": ((eq(limit(x**2, x, 1, "+"), 1),), SHARE),
    "a limit that swings": ((eq(limit(sp.sin(1 / x), x, 0, "+"), 0),), POSITIVE),
    "a limit with its own variable": ((eq(limit(x + z, x, 0, "+"), x + z),), POSITIVE),
    "a limit below infinity": ((eq(limit(x / (1 + x), x, sp.oo, "-"), sp.oo),), POSITIVE),
    "a limit of Ψ": ((eq(limit(Psi(x), x, half, "+"), Psi(half)),), SHARE),
    "a limit of what is defined by Ψ": (
        (define(a, Psi(x)), eq(limit(a, x, half, "+"), Psi(half))),
        SHARE,
    ),
    "a limit inside a sum": ((eq(1 + limit(x, x, 0, "+"), 1),), POSITIVE),
    "a limit that is less": ((sp.Lt(limit(x, x, 0, "+"), 1),), POSITIVE),
    "a limit of what does not move": ((eq(limit(K * z, K, sp.oo, "-"), sp.oo),), POSITIVE),
    "a limit at a symbol": ((eq(limit(x, x, z, "+"), z),), POSITIVE),
    # Properties of Ψ that are not given
    "Ψ is odd": ((eq(Psi(x) + Psi(1 - x), 2 * Psi(half)),), SHARE),
    "Ψ is the identity": ((eq(Psi(x), x),), SHARE),
    "Ψ rises": ((sp.Gt(Psi((1 + x) / 2), Psi(x / 2)),), SHARE),
    "Ψ outside its domain": ((eq(Psi(2 * x), Psi(2 * x)),), SHARE),
    "Ψ has a slope": ((eq(sp.Derivative(Psi(x), x), sp.Derivative(Psi(x), x)),), SHARE),
    "another function": ((eq(sp.Function("f")(x), sp.Function("f")(x)),), REAL),
    # Symbols
    "a kind that is misspelt": ((eq(sp.sqrt(x**2), x),), {x: "postive"}),
    "a symbol that assumes more": ((eq(sp.sqrt(positive**2), positive),), {positive: "real"}),
    "an indexed symbol that assumes more": ((eq(sp.sqrt(s[y] ** 2), s[y]),), {s: "real"}),
    "a defined indexed symbol that assumes more": (
        (define(s[y], g[y]), eq(sp.sqrt(s[y] ** 2), s[y])),
        {g: "real"},
    ),
    "a symbol that is whole": (
        (eq(sp.cos(sp.pi * sp.Symbol("n", even=True)), 1),),
        {sp.Symbol("n", even=True): "real"},
    ),
    "a symbol that does not commute": (
        (eq(sp.Symbol("c", commutative=False), sp.Symbol("c", commutative=False)),),
        {sp.Symbol("c", commutative=False): "real"},
    ),
    "a symbol of no kind": ((eq(sp.Symbol("w"), sp.Symbol("w")),), REAL),
    "two symbols that look alike": (
        (eq(x * sp.Symbol("x", positive=True), x**2),),
        {x: "real", sp.Symbol("x", positive=True): "positive"},
    ),
    "one number as a distribution": ((eq(x, 1),), {x: "distribution"}),
    "a number of actions that is chosen": ((eq(x, x),), {K: "real", x: "real"}),
    "an entry with a kind": ((eq(sp.Abs(g[1]), g[1]),), {g: "real", g[1]: "positive"}),
    # Definitions
    "two definitions": ((define(a, 1), eq(a, 1), define(a, 2), eq(a, 2)), {}),
    "two definitions of an indexed symbol": (
        (define(h[y], 1), define(h[other], 2), eq(h[y], 2)),
        {},
    ),
    "a definition by itself": ((define(a, a + 1), eq(a, a + 1)), {}),
    "a choice by itself": ((define(x, x + 1), eq(x, x + 1)), REAL),
    "a choice by what depends on it": ((define(a, x + 1), define(x, a), eq(x, x + 1)), REAL),
    "a choice outside its kind": ((define(x, -1), eq(sp.sqrt(x**2), x)), POSITIVE),
    "a choice that is certain": ((define(x, 1), eq(x, 1)), SHARE),
    "a choice for a distribution": ((define(m[y], 1), eq(total(m[y], y), K)), {m: "distribution"}),
    "a choice that comes too late": ((eq(x, 2), define(x, 2)), POSITIVE),
    "a definition by what comes later": ((define(a, b + 1), define(b, 2), eq(a, 3)), {}),
    "a definition of a sum": ((define(x + z, 3), eq(x + z, 3)), REAL),
    "a definition of a number": ((define(sp.Integer(2), 3), eq(x + 2, x + 3)), REAL),
    "a definition of one entry": ((define(h[1], 3), eq(h[1], 3)), {}),
    "a definition of the diagonal": ((define(h[y, y], 3), eq(h[y, y], 3)), {}),
    "a definition of the number of actions": ((define(K, 2), eq(K, 2)), {}),
    "a definition of an index": ((define(y, 2), eq(y, 2)), {}),
    "a definition of Ψ": ((define(Psi(x), x), eq(Psi(x), x)), SHARE),
    "a definition with a free index": ((define(a, g[y]), eq(a, g[y])), {g: "real"}),
    "a definition by an inequality": (((sp.Gt(a, 0),), sp.Gt(a, 0)), {}),
    "a defined symbol that assumes more": (
        (define(positive, x), eq(sp.sqrt(positive**2), positive)),
        REAL,
    ),
    "a defined symbol that is whole": (
        (
            define(sp.Symbol("n", integer=True), x),
            eq(sp.cos(2 * sp.pi * sp.Symbol("n", integer=True)), 1),
        ),
        REAL,
    ),
    "a slope by a defined symbol": ((define(a, x**2), eq(sp.Derivative(a, a), 0)), REAL),
    "a slope by a chosen symbol": (
        (define(a, x**2), define(x, 3), eq(sp.Derivative(a, x), 0)),
        REAL,
    ),
    "a slope by a name of another symbol": (
        (define(x, z), eq(sp.Derivative(x * z, x), 2 * z)),
        REAL,
    ),
    "a slope by a defined name": ((define(a, x), eq(sp.Derivative(a * x, a), 2 * x)), REAL),
    "a slope of a size": ((eq(sp.Derivative(sp.Abs(x), x), sp.Derivative(sp.Abs(x), x)),), REAL),
    # Indices
    "an entry that is not there": ((eq(g[4], g[4]),), {g: "real"}),
    "an index that is free and summed over": ((eq(total(g[y], y), K * g[y]),), {g: "real"}),
    "a slope at one action alone": (
        (define(a, total(g[y] ** 2, y)), eq(sp.Derivative(a, g[y]), 0)),
        {g: "real"},
    ),
    "a slope through a definition": (
        (
            define(h[y], g[y] ** 2),
            define(a, total(h[y], y)),
            eq(sp.Derivative(a, g[y]), 3 * sp.Derivative(a, g[y])),
        ),
        {g: "real"},
    ),
    "a sum over nothing": ((eq(sp.Sum(g[y], (y, 2, 0)), -g[1]),), {g: "real"}),
    "a sum over too much": ((eq(sp.Sum(g[y], (y, 1, K + 1)), total(g[y], y)),), {g: "real"}),
    "a sum over even numbers": (
        (
            eq(
                total(
                    (-1) ** sp.Symbol("i", even=True, positive=True),
                    sp.Symbol("i", even=True, positive=True),
                ),
                K,
            ),
        ),
        {},
    ),
    "a sum over a symbol with a kind": ((eq(total(x, x), K * x),), REAL),
    "all actions are alike": ((eq(g[y], g[other]),), {g: "real"}),
    "the mirror of a preference": ((eq(p[y, other], p[other, y]),), {p: "preferences"}),
    "a pair above one": ((sp.Gt(p[y, other] + p[other, y], 1),), {p: "preferences"}),
    "a pair that is certain": ((eq(p[y, other] * p[other, y], 0),), {p: "preferences"}),
    "a distribution is even": ((eq(m[y], 1 / K),), {m: "distribution"}),
    "a distribution sums to two": ((eq(total(m[y], y), 2),), {m: "distribution"}),
    "what is true of one action": ((eq(m[y], 1),), {m: "distribution"}),
    "what is true of two actions": ((eq(total(p[y, other], y, other), 2),), {p: "preferences"}),
}


@pytest.mark.parametrize("name", FALSE)
def test_no_falsehood_is_proved(name: str) -> None:
    steps, kinds = FALSE[name]
    with pytest.raises((ValueError, TypeError)):
        chain(steps, kinds).check()


@pytest.mark.parametrize(
    "name", [name for name in FALSE if name.startswith(("a logarithm", "a root", "a power"))]
)
def test_no_seed_proves_a_falsehood(name: str) -> None:
    """Try many seeds, because a seed may draw numbers of only one sign."""
    steps, kinds = FALSE[name]
    for seed in range(30):
        with pytest.raises(ValueError, match=r"^step 1 "):
            chain(steps, kinds).check(seed=seed)


HELD: dict[str, tuple[Line, dict[sp.Basic, str]]] = {
    "a logarithm of a square": ((eq(sp.log(x**2), 2 * sp.log(x)),), POSITIVE),
    "a logarithm of a product": ((eq(sp.log(x * z), sp.log(x) + sp.log(z)),), POSITIVE),
    "a logarithm of a size": ((eq(sp.log(x**2 + 1), 2 * sp.log(sp.sqrt(x**2 + 1))),), REAL),
    "a logarithm of a negative product": (
        (eq(sp.log((x - 1) * (z - 1)), sp.log(1 - x) + sp.log(1 - z)),),
        SHARE,
    ),
    "a logarithm that is not spread": (
        (eq(2 * sp.log(x**2 + x + 1 + sp.Abs(x)), sp.log((x**2 + x + 1 + sp.Abs(x)) ** 2)),),
        POSITIVE,
    ),
    "a logarithm of factors of either sign": (
        (eq(sp.log(z * (x**4 + x**2 + 1)), sp.log(z) + sp.log(x**4 + x**2 + 1)),),
        {x: "real", z: "positive"},
    ),
    "a logarithm of numbers": ((eq(sp.log(6) - sp.log(4), sp.log(3) - sp.log(2)),), {}),
    "a root of a square": ((eq(sp.sqrt(x**2), sp.Abs(x)),), REAL),
    "a root of a square of what is known": ((eq(sp.sqrt((x - 1) ** 2), 1 - x),), SHARE),
    "a root of a product": ((eq(sp.sqrt(x * z), sp.sqrt(x) * sp.sqrt(z)),), POSITIVE),
    "a square of roots": ((eq((sp.sqrt(x) + 1) ** 2, x + 2 * sp.sqrt(x) + 1),), POSITIVE),
    "a power of a power": ((eq((x**4) ** sp.Rational(1, 4), x),), POSITIVE),
    "a power of two": ((eq(2**x * 4**x, 8**x),), REAL),
    "a square with π": ((eq((sp.pi + x) ** 2, sp.pi**2 + 2 * sp.pi * x + x**2),), REAL),
    "an exponential of a sum": ((eq(sp.exp(x + z + 1), sp.E * sp.exp(x) * sp.exp(z)),), REAL),
    "an exponential of a logarithm": ((eq(sp.exp(sp.log(x), evaluate=False), x),), POSITIVE),
    "halves of an exponent": (
        (eq(sp.exp(x) + sp.exp(x / 2), (sp.exp(x / 2) + 1) * sp.exp(x / 2)),),
        REAL,
    ),
    "σ of both signs": (
        (eq(sigma(x), 1 - sigma(-x)), eq(sigma(x) * (1 - sigma(x)), sigma(x) * sigma(-x))),
        REAL,
    ),
    "σ and its slope": ((eq(sp.Derivative(sigma(x), x), sigma(x) * sigma(-x)),), REAL),
    "σ and log-odds": ((eq(sigma(sp.log(x / (1 - x))), x),), SHARE),
    "log-odds of σ": ((eq(sp.log(sigma(x) / (1 - sigma(x))), x),), REAL),
    "log-odds": (
        (
            eq(sp.log(x / (1 - x)), sp.log(x) - sp.log(1 - x)),
            eq(sp.log(x / (1 - x)), -sp.log((1 - x) / x)),
        ),
        SHARE,
    ),
    "a quotient": ((eq((x**2 - z**2) / (x + z), x - z),), POSITIVE),
    "an inequality": ((sp.Gt(1 / x, 1), sp.Lt(x * (1 - x), x)), SHARE),
    "an exponential is positive": (
        (sp.Gt(sp.exp(x), 0), sp.Lt(sigma(x), 1), sp.Gt(sp.Abs(x) + 1, 0, evaluate=False)),
        REAL,
    ),
    "Ψ at the same place": ((eq(Psi(1 - x), Psi((1 - x**2) / (1 + x))),), SHARE),
    "a limit": (
        (eq(limit(x * sp.log(x), x, 0, "+"), 0), eq(limit(sp.log(x), x, 0, "+"), -sp.oo)),
        POSITIVE,
    ),
    "a limit at infinity": (
        (eq(limit(x / (1 + x**2), x, sp.oo, "-"), 0), eq(limit(-x, x, -sp.oo, "+"), sp.oo)),
        REAL,
    ),
    "a limit from each side": (
        (
            eq(limit(sp.Abs(x) / x, x, 0, "+"), 1),
            eq(limit(sp.Abs(x) / x, x, 0, "-"), -1),
            eq(limit(x * z, x, 1, "+-"), z),
        ),
        REAL,
    ),
    "a definition": ((define(a, x + 1), define(b, 2 * a), eq(b, 2 * x + 2)), REAL),
    "a definition of a positive symbol": (
        (define(positive, sp.exp(x)), eq(sp.log(positive), x)),
        REAL,
    ),
    "a choice": (
        (define(a, x**2), eq(a, x * x), define(x, z + 1), eq(a, z**2 + 2 * z + 1)),
        POSITIVE,
    ),
    "a choice of a probability": ((define(x, 1 - z), eq(sp.log(1 - x), sp.log(z))), SHARE),
    "a definition for each action": (
        (define(h[y], g[y] - g[1]), eq(h[1], 0), eq(h[y] - h[other], g[y] - g[other])),
        {g: "real"},
    ),
    "a definition that is positive": (
        (define(s[y], sp.exp(g[y])), eq(sp.log(s[y]), g[y])),
        {g: "real"},
    ),
    "a slope in each action": (
        (define(a, total(g[y] ** 2, y)), eq(sp.Derivative(a, g[y]), 2 * g[y])),
        {g: "real"},
    ),
    "a slope in an entry": (
        (eq(sp.Derivative(total(m[other], other), m[y]), 1),),
        {m: "distribution"},
    ),
    "a sum of sums": (
        (
            eq(total(g[y] * g[other], y, other), total(g[y], y) ** 2),
            eq(total(y, y), K * (K + 1) / 2),
        ),
        {g: "real"},
    ),
    "a distribution": (
        (eq(total(m[y], y), 1), sp.Lt(total(m[y], y), 2), sp.Gt(m[y], 0)),
        {m: "distribution"},
    ),
    "preferences": (
        (
            eq(p[y, other] + p[other, y], 1),
            eq(p[y, y], half),
            eq(total(p[y, other], y, other), K**2 / 2),
            sp.Lt(p[y, other], 1),
        ),
        {p: "preferences"},
    ),
    "probabilities for each action": ((sp.Lt(g[y] * g[other], g[y]),), {g: "probability"}),
}


@pytest.mark.parametrize("name", HELD)
def test_what_holds_is_proved(name: str) -> None:
    steps, kinds = HELD[name]
    assert "proved by SymPy" in chain(steps, kinds).check()
