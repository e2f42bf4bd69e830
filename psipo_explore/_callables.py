"""What must hold of a function that is to be a Ψ: its limits found, its monotonicity and its symmetry checked on a grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from psipo_explore._checks import Array, ArrayLike

Function = Callable[[Array], ArrayLike]

_TAILS = 2.0 ** -np.arange(1, 53)
_GRID = np.unique(np.concatenate([_TAILS, 1 - _TAILS, np.arange(1, 512) / 512]))  # its mirror images are exact in float64
_ROUNDING = 1e-12
_ODD_WITHIN = 1e-9


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


def on_grid(argument: str, function: Function) -> Array:
    """Values on the grid, all of them finite."""
    values = np.broadcast_to(np.asarray(function(_GRID), dtype=np.float64), _GRID.shape)
    if not np.isfinite(values).all():
        k = int(np.argmin(np.isfinite(values)))
        raise ValueError(f"{argument} gives {values[k]:g} at q = {_GRID[k]:.6g}, must be finite inside (0, 1)")
    return values


def limit(function: Function, end: float) -> float:
    """What f returns at the end of [0, 1], or, if that is NaN, what it tends to there, if that can be told."""
    at_end = float(np.asarray(function(np.asarray(end))))
    if not np.isnan(at_end):
        return at_end
    approach = np.asarray(function(np.abs(end - _TAILS)), dtype=np.float64)
    steps = np.diff(approach)
    early, late = np.abs(steps[-16:-8]).sum(), np.abs(steps[-8:]).sum()
    if late >= 0.95 * early > 0:
        return float(np.copysign(np.inf, steps[-1]))
    if late > 0.3 * early:
        raise ValueError(f"f({end:g}) is not a number and f tends to its limit too slowly: make it return its limit there")
    return float(approach[-1])


def require_non_decreasing(argument: str, function: Function, at_zero: float, at_one: float) -> None:
    """Refuse a function that is not finite on (0, 1) or decreases between two points of the grid, limits included."""
    if np.isnan(at_zero) or np.isnan(at_one):
        raise ValueError(f"at_zero = {at_zero:g}, at_one = {at_one:g}, must be numbers or ±inf")
    q = np.concatenate([[0.0], _GRID, [1.0]])
    values = np.concatenate([[at_zero], on_grid(argument, function), [at_one]])
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    fall = values[:-1] - values[1:]
    if (fall > _ROUNDING * np.maximum(size[:-1], size[1:])).any():
        k = int(np.argmax(fall))
        raise ValueError(
            f"{argument} decreases from {values[k]:.6g} at q = {q[k]:.6g} to {values[k + 1]:.6g} at q = {q[k + 1]:.6g}, "
            "must not decrease"
        )


def is_odd(function: Function, at_zero: float, at_one: float) -> bool:
    """Whether Ψ(q) + Ψ(1−q) is constant on the grid and at the ends."""
    inside = on_grid("function", function)
    values = np.concatenate([[at_zero], inside, [at_one]])
    if np.isinf(at_zero) or np.isinf(at_one):
        if at_zero != -at_one:
            return False
        values = inside
    mirrored = values[::-1]
    doubled = 2 * values[values.size // 2]
    off = np.abs(values + mirrored - doubled)
    return bool((off <= _ODD_WITHIN * np.maximum(np.abs(values), np.abs(mirrored))).all())
