"""The reader that turns the equations of a derivation into equations for K actions.

An equation is read part by part: indices and K become numbers, defined symbols become their
definitions, and all others become fresh symbols. Only known functions are read, and only where they
are real, so that no claim is proved beyond its domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import sympy as sp

from psipo_explore._checks import actions
from psipo_explore._proofs.domains import REAL, Domain, assumes_at_most
from psipo_explore._proofs.identities import Psi, Ratios

K = sp.Symbol("K", integer=True, positive=True)
y, other = sp.symbols("y y'", integer=True, positive=True)
INDICES = (y, other)

At = Mapping[sp.Symbol, sp.Integer]

_KNOWN = "exact numbers, +, ·, powers, Σ, ∂, exp, log, σ, Ψ and |·|"


class sigma(sp.Function):  # type: ignore[misc]  # noqa: N801, it prints as σ
    """The logistic function."""

    def doit(self, **hints: Any) -> sp.Expr:
        """Write it out as 1/(1 + e⁻ˣ)."""
        return 1 / (1 + sp.exp(-self.args[0].doit(**hints)))


def choices(equation: sp.Basic, k: int) -> Iterator[At]:
    """Yield every choice of values for the free indices of the equation.

    SymPy's `free_symbols` would miss an index that occurs only in ∂/∂π(y).
    """
    bound = {limit[0] for total in equation.atoms(sp.Sum) for limit in total.limits}
    free = [index for index in INDICES if index in equation.atoms(sp.Symbol) - bound]
    for chosen in product(range(1, k + 1), repeat=len(free)):
        yield dict(zip(free, map(sp.Integer, chosen), strict=True))


class Reader:
    """Reader of expressions for k actions, which knows the kinds and meanings of symbols."""

    def __init__(self, kinds: Mapping[sp.Basic, str], k: int) -> None:
        self.k, self.kinds = k, kinds
        self.domain = Domain(kinds, k)
        self.meaning: dict[sp.Basic, sp.Expr] = dict(self.domain.fresh)
        self.parameters = self.domain.parameters
        self.ratios = Ratios(self.parameters, self.domain.relations)

    def read(self, expression: sp.Expr, at: At) -> sp.Expr:
        """Return the expression in fresh symbols, real for every value that they can take."""
        if expression in at:
            return at[expression]
        if expression == K:
            return sp.Integer(self.k)
        if expression in INDICES:
            raise ValueError(
                f"uses {expression} with no value, must be free on both sides, or summed over"
            )
        if type(expression) in (sp.Symbol, sp.Dummy):
            return self._meaning_of(expression)
        if expression.is_Rational or expression in (sp.pi, sp.E):
            return expression
        if expression.func not in _READERS:
            raise ValueError(f"has {expression}, must be written by {_KNOWN}")
        return _READERS[expression.func](self, expression, at)

    def define(self, equation: sp.Eq) -> None:
        """Give the left side its meaning for every choice of its indices."""
        left, right = equation.args
        if left in self.kinds:
            self._choose(left, self.read(right, {}))
            return
        for at in choices(left, self.k):
            value = self.read(right, at)
            self._require_assumed(left, value)
            self.meaning[left.xreplace(at)] = value

    def is_free(self, symbol: sp.Basic) -> bool:
        """Whether the symbol has a kind and no value has been chosen for it.

        A symbol with a chosen value may be just another name of a different symbol.
        """
        return symbol in self.domain.fresh and self.meaning[symbol] == self.domain.fresh[symbol]

    def require_sign(self, value: sp.Expr, said: sp.Expr, wanted: str) -> None:
        """Refuse a value that cannot be shown to be "positive" or "other than 0", as wanted."""
        sign = self.ratios.sign(value)
        if sign is None or (wanted == "positive" and sign < 0):
            raise ValueError(
                f"needs {said} to be {wanted} for all values of its symbols, which cannot be shown"
            )

    def _choose(self, symbol: sp.Symbol, value: sp.Expr) -> None:
        """Choose a value for a symbol that may have any value of its kind.

        Whatever was proved for all values holds for the chosen one.
        """
        free = self.meaning[symbol]
        if value.has(free):
            raise ValueError(
                f"goes round in a circle: {symbol} must be chosen by what does not depend on it"
            )
        if self.kinds[symbol] != "real":
            self.require_sign(value, symbol, "positive")
        if self.kinds[symbol] == "probability":
            self.require_sign(1 - value, 1 - symbol, "positive")
        self.meaning = {known: said.xreplace({free: value}) for known, said in self.meaning.items()}
        del self.parameters[free]

    def _require_assumed(self, left: sp.Expr, value: sp.Expr) -> None:
        if not assumes_at_most(left.base if isinstance(left, sp.Indexed) else left, REAL):
            self.require_sign(value, left, "positive")

    def _meaning_of(self, symbol: sp.Basic) -> sp.Expr:
        if symbol not in self.meaning:
            raise ValueError(f"uses {symbol}, which is neither defined nor of a kind")
        return self.meaning[symbol]

    def _arguments(self, expression: sp.Expr, at: At) -> list[sp.Expr]:
        return [self.read(argument, at) for argument in expression.args]

    def _indexed(self, expression: sp.Indexed, at: At) -> sp.Expr:
        return self._meaning_of(
            expression.base[tuple(self.read(index, at) for index in expression.indices)]
        )

    def _as_it_stands(self, expression: sp.Expr, at: At) -> sp.Expr:
        return expression.func(*self._arguments(expression, at))

    def _power(self, expression: sp.Pow, at: At) -> sp.Expr:
        base, exponent = self._arguments(expression, at)
        if exponent == sp.Rational(1, 2) and base.is_Pow and base.exp == 2:
            return self._size_of(base.base)
        if not exponent.is_Integer:
            self.require_sign(base, expression.base, "positive")
        elif exponent < 0:
            self.require_sign(base, expression.base, "other than 0")
        return base**exponent

    def _logarithm(self, expression: sp.Expr, at: At) -> sp.Expr:
        (argument,) = self._arguments(expression, at)
        self.require_sign(argument, expression.args[0], "positive")
        return sp.log(argument)

    def _size(self, expression: sp.Expr, at: At) -> sp.Expr:
        return self._size_of(*self._arguments(expression, at))

    def _size_of(self, value: sp.Expr) -> sp.Expr:
        sign = self.ratios.sign(value)
        return sign * value if sign else sp.Abs(value)

    def _logistic(self, expression: sp.Expr, at: At) -> sp.Expr:
        return sigma(*self._arguments(expression, at)).doit()

    def _psi(self, expression: sp.Expr, at: At) -> sp.Expr:
        (argument,) = self._arguments(expression, at)
        self.require_sign(argument, expression.args[0], "positive")
        self.require_sign(1 - argument, 1 - expression.args[0], "positive")
        return Psi(argument)

    def _sum(self, expression: sp.Sum, at: At) -> sp.Expr:
        *inner, (index, *ends) = expression.limits
        if index in at or index in self.meaning or index == K or not assumes_at_most(index, y):
            raise ValueError(
                f"sums over {index}, which must have no other meaning and assume no more than y does"
            )
        numbers = [self.read(end, at) for end in ends]
        if len(numbers) != 2 or not all(n.is_Integer for n in numbers) or numbers[0] > numbers[1]:
            raise ValueError(f"has {expression}, which must have a term for {actions(self.k)}")
        term = sp.Sum(expression.function, *inner) if inner else expression.function
        each = map(sp.Integer, range(numbers[0], numbers[1] + 1))
        return sp.Add(*(self.read(term, {**at, index: n}) for n in each))

    def _derivative(self, expression: sp.Derivative, at: At) -> sp.Expr:
        """Return the partial derivative, which holds all other entries of a distribution fixed.

        The method of Lagrange multipliers requires this.
        """
        value = self.read(expression.expr, at)
        for variable, times in expression.variable_count:
            symbol = self.read(variable, at)
            if not self.is_free(variable.xreplace(dict(at))) or not times.is_Integer:
                raise ValueError(f"has {expression}, which must be by a symbol that has a kind")
            value = sp.diff(value, symbol, times)
        if value.has(sp.Derivative, sp.Subs, sp.sign):
            raise ValueError(f"has {expression}, but Ψ and |·| need not have a slope")
        return value


_READERS = {
    sp.Indexed: Reader._indexed,
    sp.Add: Reader._as_it_stands,
    sp.Mul: Reader._as_it_stands,
    sp.exp: Reader._as_it_stands,
    sp.Abs: Reader._size,
    sp.Pow: Reader._power,
    sp.log: Reader._logarithm,
    sigma: Reader._logistic,
    Psi: Reader._psi,
    sp.Sum: Reader._sum,
    sp.Derivative: Reader._derivative,
}
