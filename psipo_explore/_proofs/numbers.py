"""Values of expressions at a point, to many digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add, mul

import mpmath
import numpy as np
import sympy as sp

Function = Callable[[mpmath.mpf], mpmath.mpf]
Operation = Callable[[mpmath.mpf, mpmath.mpf], mpmath.mpf]

_FUNCTIONS = {sp.exp: mpmath.exp, sp.log: mpmath.log, sp.Abs: abs}
_OPERATIONS: dict[type[sp.Basic], Operation] = {sp.Add: add, sp.Mul: mul, sp.Pow: pow}
_CONSTANTS = {sp.pi: mpmath.mp.pi, sp.E: mpmath.mp.e}


def rising_function(rng: np.random.Generator) -> Function:
    """Return a random rising function as an example of Ψ.

    That Ψ rises is all that is known about it.
    """
    a, b = (mpmath.mpf(number) for number in rng.uniform(0.1, 3, size=2))
    return lambda q: a * q + b * q**3


def number(
    expression: sp.Expr, point: Mapping[sp.Dummy, mpmath.mpf], psi: Function = abs
) -> mpmath.mpf:
    """Return the value in mpmath's current precision, or NaN if a divisor is rounded to 0."""
    values: dict[sp.Expr, mpmath.mpf] = dict(point)

    def value(part: sp.Expr) -> mpmath.mpf:
        if part not in values:
            values[part] = computed(part)
        return values[part]

    def computed(part: sp.Expr) -> mpmath.mpf:
        if part.is_Rational:
            return mpmath.mpf(part.p) / part.q
        if part in _CONSTANTS:
            return +_CONSTANTS[part]
        arguments = [value(argument) for argument in part.args]
        if part.func in _OPERATIONS:
            return reduce(_OPERATIONS[part.func], arguments)
        return _FUNCTIONS.get(part.func, psi)(*arguments)

    try:
        return value(expression)
    except ZeroDivisionError:  # a divisor close to 0 is rounded to 0
        return mpmath.mpf("nan")
