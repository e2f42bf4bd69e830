"""Derivations: chains of definitions and claims that SymPy and random numbers check.

An equation holds over K actions, numbered 1 to K; its free indices y and y' stand for each of them. To check a claim, K and
the indices are numbers, sums, derivatives and definitions are written out, and both sides are compared, first at random
points, then symbolically.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from psipo_explore._checks import actions

_DIGITS = 40
_NEAR = (10, 100, 1000)  # digits: how near a limit is approached
_POINTS = 3

K = sp.Symbol("K", integer=True, positive=True)
y, other = sp.symbols("y y'", integer=True, positive=True)
Psi = sp.Function("Psi")


class sigma(sp.Function):  # type: ignore[misc]  # noqa: N801, it prints as σ
    """The logistic function."""

    def doit(self, **hints: Any) -> sp.Expr:
        """Write it out: 1/(1 + e⁻ˣ)."""
        return 1 / (1 + sp.exp(-self.args[0].doit(**hints)))


@dataclass(frozen=True)
class Step:
    """One line of a derivation, as App. A.1 of arXiv:2310.12036 has them.

    Parameters
    ----------
    sentence : str
        What is said, in words.
    equation : sympy.Eq
        What is said, in symbols: over K actions, with free indices y and y' where it holds for each action.
    defines : bool
        Whether the left side is a symbol, or one symbol for each action, that this step gives its meaning; else the
        equation is claimed.

    Examples
    --------
    >>> Step("The sum of one and one is", sp.Eq(1 + sp.Symbol("x"), 2, evaluate=False)).equation
    Eq(x + 1, 2)
    """

    sentence: str
    equation: sp.Eq
    defines: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.equation, sp.Eq):
            raise TypeError(f"equation = {self.equation!r}, must be a sympy.Eq; if it became True by itself, give evaluate=False")

    def _repr_markdown_(self) -> str:
        return f"{self.sentence}\n\n$${_latex(self.equation)}$$"


@dataclass(frozen=True)
class Derivation:
    """A chain of steps, such as the proofs of App. A.1 of arXiv:2310.12036, and what its symbols stand for.

    Parameters
    ----------
    title : str
        What is derived.
    source : str
        Where the paper does so.
    steps : tuple of Step
        In order; a claim rests on the definitions before it.
    kinds : mapping
        What each symbol is that no step has defined yet: "real", "positive", "probability", "distribution" or "preferences".
    sizes : tuple of int
        Numbers of actions K for which `check` proves every step.

    Examples
    --------
    >>> beta = sp.Symbol("beta", positive=True)
    >>> step = Step("A logarithm undoes an exponential.", sp.Eq(sp.log(sp.exp(beta)), beta, evaluate=False))
    >>> Derivation("Logarithms", "school", (step,), {beta: "positive"}, sizes=(1,)).check()
    'Logarithms: 1 claim proved by SymPy, confirmed at 3 random points.'
    """

    title: str
    source: str
    steps: tuple[Step, ...]
    kinds: Mapping[sp.Basic, str]
    sizes: tuple[int, ...] = (1, 2, 3)

    @property
    def claims(self) -> tuple[Step, ...]:
        """The steps that are claimed, not defined."""
        return tuple(step for step in self.steps if not step.defines)

    def check(self, *, seed: int = 0) -> str:
        """Prove every claim symbolically, compare both sides at random points, and say so.

        Parameters
        ----------
        seed : int
            Of the random points.

        Returns
        -------
        str
            How many claims were proved, and for which K.

        Raises
        ------
        ValueError
            If a claim fails, with its number, its sentence, and the point where its sides differ.

        Examples
        --------
        >>> from psipo_explore.symbolic import collapse
        >>> collapse().check()
        'The collapse: 7 claims proved by SymPy, confirmed at 3 random points.'
        """
        rng = np.random.default_rng(seed)
        for k in self.sizes:
            setting, definitions = _Setting(self.kinds, k), tuple[sp.Eq, ...]()
            for number, step in enumerate(self.steps, 1):
                for claim in _instances(step.equation, k) if not step.defines else ():
                    setting.require(claim, definitions, f"step {number} ({step.sentence})", rng)
                definitions = _with_meaning(definitions, step)
        claims = f"{len(self.claims)} claims" if len(self.claims) > 1 else "1 claim"
        sizes = f" for K = {', '.join(map(str, self.sizes))}" if len(self.sizes) > 1 else ""
        return f"{self.title}: {claims} proved by SymPy{sizes}, confirmed at {_POINTS} random points."

    def with_equation(self, number: int, equation: sp.Eq) -> Derivation:
        """The same derivation with another equation at one step; see what `check` says to it.

        Parameters
        ----------
        number : int
            Of the step, from 1.
        equation : sympy.Eq
            What it is to say instead.

        Returns
        -------
        Derivation
            This one is as it was.

        Raises
        ------
        ValueError
            If no step has that number.

        Examples
        --------
        >>> from psipo_explore.symbolic import rlhf
        >>> wrong = rlhf().with_equation(2, sp.Eq(sp.Symbol("x"), 1)).steps[1]
        >>> wrong.sentence, wrong.equation
        ('One of the two is preferred.', Eq(x, 1))
        """
        if not 1 <= number <= len(self.steps):
            raise ValueError(f"number = {number}, must be from 1 to {len(self.steps)}")
        steps = list(self.steps)
        steps[number - 1] = replace(steps[number - 1], equation=equation)
        return replace(self, steps=tuple(steps))

    def _repr_markdown_(self) -> str:
        lines = [f"**{self.title}** ({self.source})"]
        lines += [f"**{number}.** {step._repr_markdown_()}" for number, step in enumerate(self.steps, 1)]
        return "\n\n".join(lines)


def _instances(equation: sp.Eq, k: int) -> Iterator[sp.Eq]:
    """The equation for every choice of its free indices."""
    indices = [index for index in (y, other) if index in equation.free_symbols]
    for chosen in product(range(1, k + 1), repeat=len(indices)):
        yield equation.subs(dict(zip(indices, chosen, strict=True)))


def _with_meaning(definitions: tuple[sp.Eq, ...], step: Step) -> tuple[sp.Eq, ...]:
    """The definitions after a step, last first: its own, or, once it is proved what a defined symbol is, that in its place."""
    known = {definition.lhs for definition in definitions}
    if not step.defines and (step.equation.lhs not in known or _name(step.equation.lhs) in map(_name, _parts(step.equation.rhs))):
        return definitions
    return (step.equation, *(definition for definition in definitions if definition.lhs != step.equation.lhs))


def _name(symbol: sp.Basic) -> sp.Basic:
    """Of an indexed symbol its base, so that g[1] and g[y] have one name."""
    return symbol.base if isinstance(symbol, sp.Indexed) else symbol


def _parts(expression: sp.Expr) -> set[sp.Basic]:
    return set(expression.atoms(sp.Symbol, sp.Indexed))


class _Setting:
    """K actions, and what the undefined symbols may be."""

    def __init__(self, kinds: Mapping[sp.Basic, str], k: int) -> None:
        self.k = k
        self.meaning: dict[sp.Basic, sp.Expr] = {}
        self.draws: list[tuple[tuple[sp.Symbol, ...], str]] = []
        for symbol, kind in kinds.items():
            if isinstance(symbol, sp.IndexedBase):
                self._spread(symbol, kind)
            else:
                self.draws.append(((symbol,), kind))

    def _spread(self, base: sp.IndexedBase, kind: str) -> None:
        """Give each action, or pair of actions, a plain symbol; what is fixed by the others is written in them."""
        each = range(1, self.k + 1)
        if kind == "preferences":
            for i, j in product(each, each):
                above = sp.Symbol(f"{base.label}_{min(i, j)}{max(i, j)}", positive=True)
                self.meaning[base[i, j]] = sp.Rational(1, 2) if i == j else above if i < j else 1 - above
                if i < j:
                    self.draws.append(((above,), "probability"))
            return
        free = self.k - 1 if kind == "distribution" else self.k
        symbols = tuple(sp.Symbol(f"{base.label}_{i}", positive=kind != "real", real=True) for i in range(1, free + 1))
        self.meaning.update({base[i]: symbol for i, symbol in enumerate(symbols, 1)})
        if kind == "distribution":
            self.meaning[base[self.k]] = 1 - sum(symbols)
            self.draws.append((symbols, kind))
        else:
            self.draws.extend(((symbol,), kind) for symbol in symbols)

    def written_out(self, expression: sp.Expr, definitions: tuple[sp.Eq, ...]) -> sp.Expr:
        """The expression with definitions, sums and derivatives written out."""
        for _ in range(len(definitions) + 2):
            before = expression
            for definition in definitions:
                expression = _replaced(expression, definition.lhs, definition.rhs)
            expression = expression.subs(K, self.k).replace(sp.Sum, _term_by_term).doit()
            if expression == before:
                return self._known(expression.xreplace(self.meaning))
        raise ValueError("definitions go round in a circle, must rest on what has been said before")

    def _known(self, expression: sp.Expr) -> sp.Expr:
        known = {symbol for symbols, _ in self.draws for symbol in symbols}
        unknown = sorted(str(symbol) for symbol in expression.free_symbols - known)
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is neither defined nor of a kind, must be one of the two")
        return expression

    def point(self, rng: np.random.Generator) -> dict[sp.Symbol, sp.Rational]:
        """Random values of all plain symbols."""
        values: dict[sp.Symbol, sp.Rational] = {}
        for symbols, kind in self.draws:
            parts = [sp.Rational(int(n), 1000) for n in rng.integers(50, 950, size=len(symbols) + 1)]
            total = sum(parts)
            for symbol, part in zip(symbols, parts, strict=False):
                values[symbol] = {"distribution": part / total, "probability": part, "positive": 3 * part}.get(kind, 6 * part - 3)
        return values

    def require(self, claim: sp.Eq, definitions: tuple[sp.Eq, ...], name: str, rng: np.random.Generator) -> None:
        """Refuse a claim whose sides differ at a random point, or that SymPy cannot prove."""
        left, right = claim.lhs, self.written_out(claim.rhs, definitions)
        limit = isinstance(left, sp.Limit)
        left = (
            left.func(self.written_out(left.args[0], definitions), *left.args[1:])
            if limit
            else self.written_out(left, definitions)
        )
        for _ in range(_POINTS):
            at, some = self.point(rng), _some_function(rng)
            sides = [_at(side.replace(Psi, some), at, exactly=limit) for side in (left, right)]
            if not (_tends(*sides) if limit else _close(*sides)):
                where = ", ".join(f"{symbol} = {value}" for symbol, value in at.items())
                is_not = " does not tend to " if limit else " is not "
                found = is_not.join(str(side if isinstance(side, sp.Limit) else side.evalf(8)) for side in sides)
                raise ValueError(f"{name} does not hold for {actions(self.k)}: where {where}, {found}")
        if not _equal(left.doit(), right):
            raise ValueError(f"{name} holds at random points for {actions(self.k)}, but SymPy cannot prove it")


def _replaced(expression: sp.Expr, left: sp.Basic, right: sp.Expr) -> sp.Expr:
    """The expression with a definition put in: for a symbol, or for an indexed symbol at every number."""
    if not isinstance(left, sp.Indexed):
        return expression.subs(left, right)
    return expression.replace(
        lambda e: isinstance(e, sp.Indexed) and e.base == left.base and all(i.is_Integer for i in e.indices),
        lambda e: right.subs(dict(zip(left.indices, e.indices, strict=True))),
    )


def _term_by_term(summand: sp.Expr, *limits: sp.Tuple) -> sp.Expr:
    """A sum whose limits are numbers, for which SymPy would seek a closed form."""
    terms = [summand]
    for index, first, last in limits:
        terms = [term.subs(index, n) for term in terms for n in range(int(first), int(last) + 1)]
    return sp.Add(*terms)


def _some_function(rng: np.random.Generator) -> sp.Lambda:
    """A rising function to put in for Ψ, where nothing more is known of it."""
    q = sp.Symbol("q")
    a, b = (sp.Rational(int(n), 100) for n in rng.integers(10, 300, size=2))
    return sp.Lambda(q, a * q + b * q**3)


def _at(side: sp.Expr, at: Mapping[sp.Symbol, sp.Rational], *, exactly: bool) -> sp.Expr:
    """A side of an equation at a point; a limit with all but its own variable put in."""
    if isinstance(side, sp.Limit):
        expression, variable, *where = side.args
        return sp.Limit(expression.subs({symbol: value for symbol, value in at.items() if symbol != variable}), variable, *where)
    return side.subs(at) if exactly else side.evalf(_DIGITS, subs=at)


def _close(left: sp.Expr, right: sp.Expr) -> bool:
    left, right = left.evalf(_DIGITS), right.evalf(_DIGITS)
    if not (left.is_finite and right.is_finite):
        return False
    return bool(abs(left - right) <= sp.Float(10) ** (10 - _DIGITS) * (1 + abs(right)))


def _tends(limit: sp.Limit, value: sp.Expr) -> bool:
    """Whether the numbers near the end come ever nearer to the value, or run off ever further."""
    expression, variable, end, direction = limit.args
    side = -1 if str(direction) == "-" else 1
    near = [expression.evalf(n + _DIGITS, subs={variable: end + sp.Rational(side, 10**n)}) for n in _NEAR]
    if value.is_infinite:
        return bool(0 < 25 * near[0] < 5 * near[1] < near[2])
    off = [abs(found - value.evalf(n + _DIGITS)) for found, n in zip(near, _NEAR, strict=True)]
    return bool(off[2] <= off[1] <= off[0] and off[2] <= sp.Float(10) ** -20)


def _equal(left: sp.Expr, right: sp.Expr) -> bool:
    """Whether SymPy proves it, of real numbers: of themselves, or of their exponentials."""
    if right.is_infinite:
        return bool(left == right)
    difference = sp.expand(sp.expand_log(left - right, force=True))
    return bool(difference == 0 or sp.simplify(difference) == 0 or sp.simplify(sp.exp(left - right)) == 1)


def _latex(equation: sp.Eq) -> str:
    """LaTeX in the paper's symbols, such as π(y) and p(y ≻ y'), named so that SymPy puts β before them, and y before y'."""

    def words(e: sp.Indexed) -> sp.Symbol:
        between = r" \succ " if e.base.label.name == "p" else ", "
        return sp.Symbol(f"{{}}{sp.latex(e.base.label)}({between.join(map(sp.latex, e.indices))})".replace("'", r"^{\prime}"))

    return str(sp.latex(equation.replace(lambda e: isinstance(e, sp.Indexed), words)))
