"""Ψ from a typed formula: SymPy finds its limits, slope, symmetry and LaTeX.

If SymPy fails, takes too long or contradicts the numbers, limits, slope and symmetry are found
numerically, as in `Psi.from_callable`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import thread_time
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from scipy import special

from psipo_explore._checks import Array
from psipo_explore._psi.formula_error import FormulaError
from psipo_explore._psi.formulas import Piece, evaluate, expression, q, read_formula
from psipo_explore._psi.numerical import Function, is_odd, limit, require_limits

_SECONDS = 2.0  # of work that SymPy may take for one formula
_DIGITS = 50
_DENSE = np.linspace(1e-6, 1 - 1e-6, 30_011)
_IN_NUMPY = {
    # These are given by name because modules=["scipy"] would import all of SciPy, and because SymPy
    # would solve inequalities to write out Heaviside.
    "erf": special.erf,
    "erfinv": special.erfinv,
    "Heaviside": lambda x, at_zero=0.5: np.heaviside(x, at_zero),
}


def _limit(node: Piece, end: int) -> sp.Expr:
    """Return the limit of the formula at an end of (0, 1).

    All operations are continuous, so the limit of f(g) is f(limit of g). Where that is
    undetermined, such as ∞ − ∞, SymPy computes the limit.
    """
    if node.operation is None:
        return sp.Integer(end) if node.constant is None else node.constant
    arguments = [_limit(argument, end) for argument in node.arguments]
    undetermined = node.is_power and arguments[1] == 0 and node.arguments[1].constant is None
    found = sp.nan if undetermined else node.operation.symbolic(*arguments)
    return found if _is_limit(found) else sp.limit(expression(node), q, end, "-" if end else "+")


def _is_limit(found: sp.Expr) -> bool:
    return bool(found.is_number and found.is_extended_real) and not isinstance(
        found, sp.AccumBounds
    )


def _is_constant(f: sp.Expr) -> bool:
    """Whether an expression has the same value at five fractions, to about 40 digits."""
    values = [f.evalf(_DIGITS, subs={q: sp.Rational(k, 23)}) for k in (2, 3, 5, 7, 11)]
    return all(
        abs(value - values[0]) <= 10 ** (10 - _DIGITS) * (1 + abs(values[0])) for value in values
    )


class _OscillatesError(ValueError):
    """The formula oscillates near the end of [0, 1] that is the exception's argument."""


class _OutOfTimeError(BaseException):
    """The time limit was reached. This is no Exception, because SymPy would catch one."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `_OutOfTimeError` inside the block once its thread has worked for so many seconds.

    The error comes at the next call of a Python function. Unlike a signal, this works in any
    thread.
    """
    end, before = thread_time() + seconds, sys.gettrace()

    def watch(
        frame: FrameType, event: str, argument: Any
    ) -> None:  # pragma: no cover - coverage cannot trace a tracer
        if thread_time() > end and "weakref" not in frame.f_code.co_filename:
            # In a callback of weakref, Python would only print the error and go on.
            raise _OutOfTimeError

    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)


class Facts(NamedTuple):
    """All that a Ψ is made of, and the column at which its formula begins."""

    function: Function
    column: int
    at_zero: float
    at_one: float
    odd: bool
    latex: str
    slope: Function | None


def _symbolically(formula: Piece) -> Facts | None:
    """Return the facts that SymPy finds, or None if it fails, is too slow or is evidently wrong."""
    function = partial(evaluate, formula)
    try:
        with _at_most(_SECONDS):
            f = expression(formula)
            at_zero, at_one = (_limit(formula, end) for end in (0, 1))
            for end, found in enumerate((at_zero, at_one)):
                if isinstance(found, sp.AccumBounds):
                    raise _OscillatesError(end)
            slope = sp.lambdify(q, sp.diff(f, q), modules=[_IN_NUMPY, "numpy"])
            ends = float(at_zero), float(at_one)
            odd = is_odd(function, *ends) and _is_constant(f + f.subs(q, 1 - q))
            facts = Facts(function, formula.column, *ends, odd, sp.latex(f), _silent(slope))
        require_limits(function, *ends)
        return facts
    except _OscillatesError:
        raise
    except (Exception, _OutOfTimeError):  # SymPy raises errors of many types
        return None


def _numerically(formula: Piece, text: str) -> Facts:
    function = partial(evaluate, formula)
    try:
        at_zero, at_one = (limit(function, end) for end in (0.0, 1.0))
    except ValueError as error:
        raise FormulaError(f"the formula is no Ψ: {error}", text, formula.column) from error
    odd = is_odd(function, at_zero, at_one)
    return Facts(
        function, formula.column, at_zero, at_one, odd, rf"\mathrm{{{formula.words}}}", None
    )


def _silent(slope: Function) -> Function:
    def silent(at: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(slope(at), dtype=np.float64), at.shape)

    return silent


def _require_rising(values: Array, slopes: Array, text: str) -> None:
    """Refuse a formula whose slope is negative by more than rounding, on a dense grid.

    The slope shows a fall that is too narrow for a comparison of values on a coarser grid.
    """
    bad = slopes < -1e-9 * (np.nanmedian(np.abs(slopes)) + np.abs(values))
    if bad.any():
        k = int(np.argmin(np.where(bad, slopes, np.inf)))
        raise FormulaError(
            f"the formula falls at q = {_DENSE[k]:.4g}, where its slope is {slopes[k]:.3g}, must "
            "not decrease",
            text,
            1,
        )


def facts_of(text: str) -> Facts:
    """Read a typed formula, and find the facts that make it a Ψ.

    Raises
    ------
    FormulaError
        If the text is not a formula, or the formula oscillates, decreases or has no known limit.
    """
    formula = read_formula(text)
    try:
        facts = _symbolically(formula) or _numerically(formula, text)
    except _OscillatesError as end:
        sentence = f"{formula.words} oscillates as q nears {end}, must tend to a limit"
        raise FormulaError(sentence, text, formula.column) from None
    values = np.asarray(facts.function(_DENSE))
    _require_rising(
        values,
        np.asarray(facts.slope(_DENSE) if facts.slope else np.gradient(values, _DENSE)),
        text,
    )
    return facts
