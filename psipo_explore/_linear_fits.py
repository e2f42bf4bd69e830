"""Weighted fits of margins x = Zψ: least squares, and Newton's method for other convex losses."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lstsq

from psipo_explore._checks import Array
from psipo_explore.losses import MarginLoss

_IS_ZERO = 1e-10  # relative size of a singular value that counts as 0
_STEPS = 500
_AT_REST = 1e-14  # the largest relative move of a margin in a Newton step
_NO_BETTER = 1e-9  # a larger one, accepted if rounding prevents a smaller one


class RowSpace:
    """Coordinates of the weights that margins depend on: ψ = to_weights · u, in which Z has unit columns."""

    def __init__(self, z: Array) -> None:
        if not len(z):
            z = np.zeros((1, z.shape[1]))
        triangle = np.linalg.qr(z, mode="r") if z.shape[0] > z.shape[1] else z
        _, sizes, rows = np.linalg.svd(triangle, full_matrices=False)
        rank = int((sizes > _IS_ZERO * max(sizes[0], np.finfo(float).tiny)).sum())
        self.rows = rows[:rank]
        self.to_weights = rows[:rank].T / sizes[:rank]
        self.design = z @ self.to_weights

    def contains(self, vectors: Array) -> bool:
        """Whether all vectors lie in the row space."""
        rest = vectors - vectors @ self.rows.T @ self.rows
        size = np.linalg.norm(vectors, axis=-1, keepdims=True)
        return bool((np.abs(rest) <= 1e-8 * np.maximum(size, 1e-300)).all())


def least_squares(space: RowSpace, weights: Array, target: float) -> Array:
    """Return the shortest ψ that minimises Σ w (x − target)², where x = Zψ."""
    root = np.sqrt(weights)
    u, *_ = lstsq(
        root[:, np.newaxis] * space.design, root * target, lapack_driver="gelsy", check_finite=False
    )
    return np.asarray(space.to_weights @ u)


def newton(space: RowSpace, weights: Array, loss: MarginLoss) -> Array:
    """Return the shortest ψ that minimises Σ w φ(x), where x = Zψ.

    |φ'''| ≤ φ'' holds for every accepted φ. A step that would move a margin by r is therefore
    shortened to log(1 + r), which descends from anywhere.
    """
    design = space.design
    u = np.zeros(design.shape[1])
    if not u.size:
        return np.asarray(space.to_weights @ u)
    weights = weights / weights.max()
    last_move = np.inf
    for _ in range(_STEPS):
        x = design @ u
        pull, curvature = weights * loss.phi_slope(x), weights * loss.phi_curvature(x)
        step = _solved(design, curvature, design.T @ pull)
        moves = design @ step
        u = u - _damping(curvature, moves) * step
        move = float((np.abs(moves) / (1 + np.abs(x))).max())
        if move <= _AT_REST or last_move / 2 <= move <= _NO_BETTER:
            return np.asarray(space.to_weights @ u)
        last_move = move
    raise RuntimeError(
        f"{loss.name} was not minimised: after {_STEPS} steps a margin still moves by {move:.1g}"
    )


def _solved(design: Array, curvature: Array, gradient: Array) -> Array:
    """Return the Newton step, Hessian⁻¹ gradient."""
    hessian = (design * curvature[:, np.newaxis]).T @ design
    try:
        return np.asarray(cho_solve(cho_factor(hessian, check_finite=False), gradient))
    except np.linalg.LinAlgError:
        solution, *_ = lstsq(hessian, gradient)
        return np.asarray(solution)


def _damping(curvature: Array, moves: Array) -> float:
    """Return the share of a full Newton step that is sure to descend."""
    sizes = np.abs(moves)
    largest = float(sizes.max(initial=0.0))
    if largest < 4 and curvature @ (np.expm1(sizes) - sizes) <= curvature @ sizes**2:
        return 1.0
    return float(np.log1p(largest) / largest)
