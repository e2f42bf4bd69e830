"""What must hold of a function that is to be a Ψ: its limits found, its monotonicity and its symmetry checked on a grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from psipo_explore._checks import Array, ArrayLike

Function = Callable[[Array], ArrayLike]

_TAILS = 2.0 ** -np.arange(1, 53)
_GRID = np.unique(np.concatenate([_TAILS, 1 - _TAILS, np.arange(1, 512) / 512]))  # its mirror images are exact in float64
_ROUNDING = 1e-12


def vectorised(f: Callable[..., ArrayLike]) -> Function:
    """The same function on arrays, NaN where it raises or warns for a single number, such as math.log at 0."""

    def one(q: float) -> float:
        try:
            return float(f(float(q)))  # type: ignore[arg-type]
        except (ArithmeticError, ValueError):
            return np.nan

    def silent(q: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(f(q), dtype=np.float64)

    try:
        takes_arrays = silent(np.array([0.25, 0.75])).shape in [(), (2,)]
    except (TypeError, ValueError):
        takes_arrays = False
    return silent if takes_arrays else np.vectorize(one, otypes=[np.float64])


def limit(function: Function, end: float) -> float:
    """What the function returns at the end of [0, 1], or, if that is NaN, what it tends to there."""
    at_end = float(np.asarray(function(np.asarray(end))))
    if not np.isnan(at_end):
        return at_end
    approach = np.asarray(function(np.abs(end - _TAILS)), dtype=np.float64)
    steps = np.diff(approach)
    early, late = np.abs(steps[-16:-8]).sum(), np.abs(steps[-8:]).sum()
    if late <= 0.75 * early or late <= _ROUNDING * np.abs(approach[-1]):
        return float(approach[-1])
    if late >= 0.95 * early:
        return float(np.copysign(np.inf, steps[-1]))
    raise ValueError(f"f({end:g}) is not a number and f tends to its limit too slowly: make it return its limit there")


def require_non_decreasing(argument: str, function: Function, at_zero: float, at_one: float) -> None:
    """Refuse a function that is not finite on (0, 1) or decreases between two points of the grid, limits included."""
    inside = np.broadcast_to(np.asarray(function(_GRID), dtype=np.float64), _GRID.shape)
    if not np.isfinite(inside).all():
        k = int(np.argmin(np.isfinite(inside)))
        raise ValueError(f"{argument} gives {inside[k]:g} at q = {_GRID[k]:.6g}, must be finite inside (0, 1)")
    q = np.concatenate([[0.0], _GRID, [1.0]])
    values = np.concatenate([[at_zero], inside, [at_one]])
    if np.isnan(values).any():
        raise ValueError(f"at_zero = {at_zero:g}, at_one = {at_one:g}, must be numbers or ±inf")
    fall = values[:-1] - values[1:]
    slack = _ROUNDING * np.maximum(1, np.abs(inside).max())
    if (fall > slack).any():
        k = int(np.argmax(fall))
        raise ValueError(
            f"{argument} decreases from {values[k]:.6g} at q = {q[k]:.6g} to {values[k + 1]:.6g} at q = {q[k + 1]:.6g}, "
            "must not decrease"
        )


def is_odd(function: Function, at_zero: float, at_one: float) -> bool:
    """Whether Ψ(q) + Ψ(1−q) is constant on the grid, whose mirror images are exact in float64, and at the ends."""
    values = np.broadcast_to(np.asarray(function(_GRID), dtype=np.float64), _GRID.shape)
    doubled = 2 * values[_GRID == 0.5]
    slack = 1e-9 * np.maximum(1, np.abs(values).max())
    if np.isinf(at_zero) or np.isinf(at_one):
        ends_mirror = at_zero == -at_one
    else:
        ends_mirror = bool(np.abs(at_zero + at_one - doubled) <= slack)
    return bool(ends_mirror and (np.abs(values + values[::-1] - doubled) <= slack).all())
