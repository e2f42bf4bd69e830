"""Algebra that proves two expressions equal, or one positive, for all values of their symbols.

An expression is written as a ratio of polynomials, in which each exponential, logarithm, root and
unknown function becomes a symbol of its own. If the numerator of a difference is the zero
polynomial, the two expressions are equal wherever they are defined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp

Psi = sp.Function("Psi")
_LARGEST_POWER = 100  # of an exponential, since polynomials of a high degree take too long
_SMALL_PRIMES = 10_000  # the logarithm of a whole number is split over primes up to this


class Ratios:
    """Ratios of polynomials that stand for expressions.

    The caller guarantees that each expression is real everywhere: no denominator is 0, and each
    logarithm and root is of a positive number. Nothing else is assumed, so a logarithm is split
    only over factors whose sign is known. `parameters` covers all values of the symbols and thus
    decides signs. `relations` expresses the symbols that are determined by others.
    """

    def __init__(
        self, parameters: Mapping[sp.Dummy, sp.Expr], relations: Mapping[sp.Dummy, sp.Expr]
    ) -> None:
        self._parameters, self._relations = parameters, relations
        self._ratios: dict[sp.Expr, sp.Expr] = {}
        self._symbols: dict[sp.Expr, sp.Dummy] = {}
        # the argument of each symbol that stands for a logarithm
        self._argument_of: dict[sp.Dummy, sp.Expr] = {}
        # the logarithm of each symbol that stands for an exponential or a root
        self._logarithm_of: dict[sp.Dummy, sp.Expr] = {}
        # the exponential or root itself, as SymPy writes it
        self._power_of: dict[sp.Dummy, sp.Expr] = {}

    def equal(self, left: sp.Expr, right: sp.Expr) -> bool:
        """Whether the difference is zero as a ratio of polynomials."""
        numerator, _ = sp.fraction(sp.together(self.ratio(left) - self.ratio(right)))
        return bool(sp.expand(numerator) == 0 or sp.expand(numerator.xreplace(self._power_of)) == 0)

    def sign(self, expression: sp.Expr) -> int | None:
        """Return 1 if it is always positive, -1 if always negative, None if neither is shown."""
        seen = _sign_seen(expression)
        if seen is not None:
            return seen
        above, below = map(self._sign_of_factor, sp.fraction(sp.cancel(self.ratio(expression))))
        return above * below if above and below else None

    def ratio(self, expression: sp.Expr) -> sp.Expr:
        """Return the ratio of polynomials that stands for the expression."""
        if expression not in self._ratios:
            self._ratios[expression] = self._written(expression)
        return self._ratios[expression]

    def _written(self, expression: sp.Expr) -> sp.Expr:
        if isinstance(expression, sp.Add | sp.Mul):
            return expression.func(*map(self.ratio, expression.args))
        if isinstance(expression, sp.Pow):
            base, exponent = expression.args
            if exponent.is_Integer:
                return self.ratio(base) ** exponent
            return self._exponential(self.ratio(exponent) * self._logarithm(self.ratio(base)))
        if isinstance(expression, sp.exp):
            return self._exponential(self.ratio(expression.args[0]))
        if expression is sp.E:
            return self._exponential(sp.Integer(1))
        if isinstance(expression, sp.log):
            return self._logarithm(self.ratio(expression.args[0]))
        if isinstance(expression, Psi | sp.Abs):
            whole = expression.func(sp.cancel(self.ratio(expression.args[0])))
            return self._symbol(
                whole, **{"real" if expression.func == Psi else "nonnegative": True}
            )
        return self._relations.get(expression, expression)

    def _symbol(self, meaning: sp.Expr, **assumptions: bool) -> sp.Dummy:
        return self._symbols.setdefault(meaning, sp.Dummy(**assumptions))

    def _exponential(self, exponent: sp.Expr) -> sp.Expr:
        """Write an exponential as a product of powers, one for each term of the exponent."""
        numerator, denominator = sp.fraction(sp.cancel(exponent))
        product = sp.Integer(1)
        for term in sp.Add.make_args(sp.expand(numerator)):
            share, whole = sp.cancel(term / denominator).as_coeff_Mul()
            product *= self._power_of_e(whole, share)
        return product

    def _power_of_e(self, whole: sp.Expr, share: sp.Rational) -> sp.Expr:
        """Write exp(share · whole) as an integer power, so that exp(2x) becomes exp(x)²."""
        argument = self._argument_of.get(whole)
        if argument is not None and share.is_Integer:
            return argument**share
        power = share.p if abs(share.p) <= _LARGEST_POWER else sp.sign(share)
        part = share / power
        symbol = self._symbol(sp.exp(part * whole, evaluate=False), positive=True)
        self._logarithm_of[symbol] = part * whole
        self._power_of[symbol] = sp.exp(part * whole) if argument is None else argument**part
        return symbol**power

    def _logarithm(self, argument: sp.Expr) -> sp.Expr:
        """Write a logarithm as a sum over the factors of known sign, plus one for the rest."""
        total, left_over = sp.Integer(0), sp.Integer(1)
        for factor, power in _factors(argument):
            if factor.is_Integer:
                total += power * self._logarithm_of_integer(abs(factor))
                left_over *= sp.sign(factor)
            elif factor in self._logarithm_of:
                total += power * self._logarithm_of[factor]
            elif (sign := self._sign_of_factor(factor)) is not None:
                total += power * self._logarithm_as_symbol(sp.expand(sign * factor))
                left_over *= sign if power % 2 else 1
            else:
                left_over *= factor**power
        return total if left_over == 1 else total + self._logarithm_as_symbol(sp.cancel(left_over))

    def _logarithm_of_integer(self, n: sp.Integer) -> sp.Expr:
        primes = sp.factorint(n, limit=_SMALL_PRIMES)
        return sp.Add(
            *(
                power * self._logarithm_as_symbol(sp.Integer(prime))
                for prime, power in primes.items()
            )
        )

    def _logarithm_as_symbol(self, argument: sp.Expr) -> sp.Dummy:
        symbol = self._symbol(sp.log(argument, evaluate=False), real=True)
        self._argument_of[symbol] = argument
        return symbol

    def _sign_of_factor(self, factor: sp.Expr) -> int | None:
        """Return the sign that SymPy finds, with the symbols as they are or in parameters."""
        seen = _sign_seen(factor)
        if seen is not None:
            return seen
        above, below = map(_sign_seen, sp.fraction(sp.cancel(factor.xreplace(self._parameters))))
        return above * below if above and below else None


def _sign_seen(expression: sp.Expr) -> int | None:
    return 1 if expression.is_positive else -1 if expression.is_negative else None


def _factors(ratio: sp.Expr) -> Iterator[tuple[sp.Expr, int]]:
    """Yield integers and irreducible polynomials with their powers, negative in the denominator."""
    for part, side in zip(sp.fraction(sp.cancel(ratio)), (1, -1), strict=True):
        content, factors = sp.factor_list(part)
        yield sp.Integer(content.p), side
        yield sp.Integer(content.q), -side
        for factor, power in factors:
            yield factor, side * power
