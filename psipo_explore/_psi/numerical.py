"""Numerical facts about a function that is to be a Ψ: limits, monotonicity, symmetry and slope.

They are found or checked by evaluating the function on a grid, because nothing else is known of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike
from psipo_explore._tables import printable

Function = Callable[[Array], ArrayLike]

_SPECIAL_IN_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "${}_%#& "},
        "\\": r"\backslash{}",
        "^": r"\hat{\ }",
        "~": r"\sim{}",
        **dict.fromkeys("\t\n\r", r"\ "),
    }
)

_TAILS = np.exp2(-np.arange(1.0, 53.0))
# For every q of the grid, 1 − q is a point of the grid too, without rounding.
_GRID = np.unique(np.concatenate([_TAILS, 1 - _TAILS, np.arange(1, 512) / 512]))
# Two sequences towards each end of [0, 1]; the second comes nearer to 0. Next to 1, float64 is too
# coarse for a nearer one, so both are the same.
_APPROACHES = {0.0: (_TAILS, np.exp2(-np.arange(2.0, 1000.0, 16.0))), 1.0: (1 - _TAILS, 1 - _TAILS)}
# Thresholds for the ratio of a function's change over the last eight steps of a sequence to its
# change over the eight steps before. If each step halves the distance to the end, the ratio is
# 2^(−8a) for q^a, 1 for log q, about 1.2 for (log q)² and about 0.8 for log(−log q). The thresholds
# leave room for rounding.
_SETTLES = 0.3
_LIKE_A_LOGARITHM = 0.99
_RUNS_OFF = 1.05
_AWAY_FROM_ENDS = np.abs(_GRID - 0.5) <= 0.5 - 2.0**-12
_ROUNDING = 1e-12
_ODD_WITHIN = 1e-9


def latex_of(name: str) -> str:
    """Write the function of that name at q in LaTeX, with special characters escaped."""
    return r"\mathrm{" + printable(str(name)).translate(_SPECIAL_IN_LATEX) + "}(q)"


def vectorised(f: Callable[..., ArrayLike]) -> Function:
    """Return the function in a form that takes arrays.

    If f takes only single numbers, the result is NaN where f raises an arithmetic or value error,
    as math.log does at 0.
    """
    if not callable(f):
        raise TypeError(f"f = {checks.shown(f)}, must be a function of q")

    def one(q: float) -> float:
        try:
            return float(f(float(q)))  # type: ignore[arg-type]
        except (ArithmeticError, ValueError):
            return np.nan

    def silent(q: Array) -> Array:
        with np.errstate(all="ignore"):
            values = np.asarray(f(np.array(q)))
        if values.dtype.kind not in "biuf":
            raise TypeError(f"f gives {checks.cut(values.dtype)} values, must give real numbers")
        return values.astype(np.float64)

    try:
        takes_arrays = all(
            silent(q).shape in [(), q.shape]
            for q in (np.array(0.25), np.array([0.25, 0.75]), np.full((2, 3), 0.5))
        )
    except Exception:  # a function of single numbers may raise anything when given an array
        takes_arrays = False
    function = silent if takes_arrays else np.vectorize(one, otypes=[np.float64])
    try:
        with np.errstate(all="ignore"):
            function(np.array([0.5]))
    except Exception as error:
        raise TypeError(
            f"f = {checks.shown(f)} fails at q = 0.5 ({checks.cut(error)}), must give a number"
        ) from error
    return function


def on_grid(argument: str, function: Function) -> Array:
    """Return the function's values on the grid, and refuse values that are not finite."""
    try:
        values = np.broadcast_to(np.asarray(function(_GRID.copy()), dtype=np.float64), _GRID.shape)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise TypeError(
            f"{argument} does not take arrays ({checks.cut(error)}), must be elementwise; or use "
            "Psi.from_callable"
        ) from error
    if not np.isfinite(values).all():
        k = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{argument} gives {values[k]:g} at q = {_GRID[k]:.6g}, must be finite inside (0, 1)"
        )
    return values


@dataclass(frozen=True)
class _Tail:
    """A function's last value on a sequence towards an end, and its changes shortly before it."""

    last: float
    early: float  # total change over the eight steps before the last eight
    late: float  # total change over the last eight steps

    @classmethod
    def of(cls, function: Function, approach: Array) -> _Tail:
        with np.errstate(all="ignore"):
            values = np.broadcast_to(
                np.asarray(function(approach.copy()), dtype=np.float64), approach.shape
            )
            moves = np.abs(np.diff(values))
        moves = np.where(moves > _ROUNDING * np.abs(values[1:]), moves, 0.0)
        return cls(float(values[-1]), float(moves[-16:-8].sum()), float(moves[-8:].sum()))

    @property
    def settles(self) -> bool:
        return self.late <= _SETTLES * self.early

    @property
    def runs_off(self) -> bool:
        return self.late > _RUNS_OFF * self.early or not np.isfinite(self.last)

    @property
    def like_a_logarithm(self) -> bool:
        return self.late >= _LIKE_A_LOGARITHM * self.early > 0


def limit(function: Function, end: float) -> float:
    """Return the limit of f at an end of [0, 1], which is infinite if f runs off.

    If f has a value at the end and does not run off, that value is the limit. If f runs off, its
    value at the end is mere rounding and is ignored.
    """
    at_end = float(np.asarray(function(np.asarray(end))))
    near, far = (_Tail.of(function, approach) for approach in _APPROACHES[end])
    agree = near.runs_off == far.runs_off
    if agree and not far.runs_off and not np.isnan(at_end):
        return at_end
    if agree and far.settles:
        return far.last
    if agree and (far.runs_off or far.like_a_logarithm):
        return np.inf if end else -np.inf
    raise ValueError(
        f"f's limit as q nears {end:g} cannot be told: make f accurate there, or say its limit in "
        "Psi(…)"
    )


def require_limits(function: Function, at_zero: float, at_one: float) -> None:
    """Refuse claimed limits that the function's values contradict.

    Where the function settles, the claimed limit must be the value at which it settles. Where the
    function runs off, the claimed limit must be infinite.
    """
    middle = float(np.asarray(function(np.asarray(0.5))))
    for name, end, claimed in (("at_zero", 0.0, at_zero), ("at_one", 1.0, at_one)):
        near, far = (_Tail.of(function, approach) for approach in _APPROACHES[end])
        slack = 4 * far.late + 1e-9 * np.abs(far.last) + _ROUNDING * np.abs(middle)
        if near.settles and far.settles and not np.abs(claimed - far.last) <= slack:
            raise ValueError(
                f"{name} = {claimed:g}, but the function settles at {far.last:g} as q nears {end:g}"
            )
        if near.runs_off and far.runs_off and np.isfinite(claimed):
            raise ValueError(f"{name} = {claimed:g}, but the function runs off as q nears {end:g}")


def require_non_decreasing(
    argument: str, function: Function, at_zero: float, at_one: float
) -> None:
    """Refuse a function that decreases between two neighbours on the grid, limits included.

    A value on the grid that is not finite, or a limit that is NaN, is refused too.
    """
    if np.isnan(at_zero) or np.isnan(at_one):
        raise ValueError(f"at_zero = {at_zero:g}, at_one = {at_one:g}, must be numbers or ±inf")
    q = np.concatenate([[0.0], _GRID, [1.0]])
    values = np.concatenate([[at_zero], on_grid(argument, function), [at_one]])
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    fall = values[:-1] - values[1:]
    if (fall > _ROUNDING * np.maximum(size[:-1], size[1:])).any():
        k = int(np.argmax(fall))
        raise ValueError(
            f"{argument} decreases from {values[k]:.6g} at q = {q[k]:.6g} to {values[k + 1]:.6g} "
            f"at q = {q[k + 1]:.6g}, "
            "must not decrease"
        )


def is_odd(function: Function, at_zero: float, at_one: float) -> bool:
    """Whether Ψ(q) + Ψ(1−q) is constant, as far as the grid without its tails and the ends tell.

    The tails are left out because a formula in q, such as cot(πq), may lose all its digits there as
    q nears 1.
    """
    inside = on_grid("function", function)[_AWAY_FROM_ENDS]
    values = np.concatenate([[at_zero], inside, [at_one]])
    if np.isinf(at_zero) or np.isinf(at_one):
        if at_zero != -at_one:
            return False
        values = inside
    mirrored = values[::-1]
    doubled = 2 * values[values.size // 2]
    off = np.abs(values + mirrored - doubled)
    return bool((off <= _ODD_WITHIN * np.maximum(np.abs(values), np.abs(mirrored))).all())


def numerical_slope(psi: Function, q: Array) -> Array:
    """Return Ψ' by finite differences, or inf if they do not settle at an end."""
    from scipy.differentiate import derivative  # imported here because the import is slow

    # Near the ends, steps to both sides would leave [0, 1] or be lost in rounding.
    one_sided = (q < 1e-290) | (q > 1 - 1e-8)
    with np.errstate(invalid="ignore"):
        found = derivative(
            psi,
            q,
            initial_step=np.where(one_sided, 0.25, np.minimum(q, 1 - q) / 2),
            step_direction=np.where(one_sided, np.where(q < 0.5, 1, -1), 0),
        )
    settled = found.error <= 1e-6 * (1 + np.abs(found.df))
    return np.where(one_sided & ~settled, np.inf, np.maximum(found.df, 0.0))[()]
