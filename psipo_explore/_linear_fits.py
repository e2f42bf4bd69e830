"""Weighted fits of margins x = Zψ by Newton's method, for convex losses φ(x)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve, lstsq

from psipo_explore._checks import Array, Indices
from psipo_explore._damping import safe_share
from psipo_explore._row_space import scaled_factor
from psipo_explore.losses import MarginLoss

_STEPS = 2000  # in the tail of φ, a margin grows by only 1 in each step
_AT_REST = 1e-14  # the largest relative move of a margin in a Newton step
_SHRINKS = 0.05  # while a step is this share of the last one, the Hessian need not be made anew
_NO_BETTER = 1e-9  # a larger move, accepted if rounding prevents a smaller one
_UNBALANCED = 1e-9  # share of the pulls on a weight that may be left of its gradient
_ROWS = 2000  # of the design that are weighted at a time
_ENOUGH = 1e-4  # share of the descent that the slope promises, which a longer step has to bring


def newton(design: Array, weights: Array, loss: MarginLoss) -> Array:
    """Return the u that minimises Σ w φ(x), where x = design · u, shape (r,).

    The columns of the design, shape (N, r), are independent.
    """
    u = np.zeros(design.shape[1])
    if not u.size:
        return u
    weights = weights / weights.max()
    x, hessian, move, last_move = np.zeros(len(design)), None, np.inf, np.inf
    for _ in range(_STEPS):
        slow = move > _SHRINKS * last_move
        if slow:
            x = design @ u
        pull, curvature = weights * loss.phi_slope(x), weights * loss.phi_curvature(x)
        if hessian is None or slow:
            hessian = _Hessian(design, curvature)
        step = hessian.step(pull)
        moves = design @ step
        last_move, move = move, float((np.abs(moves) / (1 + np.abs(x))).max())
        share = safe_share(loss, curvature, moves)
        if share < 1:
            share = _longest_share(weights, loss, x, moves, share)
        u, x = u + share * step, x + share * moves
        rests = move <= _AT_REST or last_move / 2 <= move <= _NO_BETTER
        if rests and _imbalance(design, pull, curvature) <= _UNBALANCED:
            return u
    raise RuntimeError(
        f"{loss.name} was not minimised: after {_STEPS} steps a margin still moves by {move:.1g}, "
        f"and a gradient is {_imbalance(design, pull, curvature):.1g} of the pulls on its weight"
    )


def _longest_share(weights: Array, loss: MarginLoss, x: Array, moves: Array, safe: float) -> float:
    """Return the longest of 1, ½, ¼, … of a step that descends enough, or the safe share.

    The safe share is far too short where a margin is large but has no curvature left.
    """
    here, slope = weights @ loss.phi(x), weights @ (loss.phi_slope(x) * moves)
    share = 1.0
    with np.errstate(over="ignore"):
        while share > safe:
            if weights @ loss.phi(x + share * moves) <= here + _ENOUGH * share * slope:
                return share
            share /= 2
    return safe


class _Hessian:
    """The matrix designᵀ C design, factorised once for all steps that it gives."""

    def __init__(self, design: Array, curvature: Array) -> None:
        self._design = design
        self._root = np.sqrt(curvature)
        gram = np.zeros((design.shape[1], design.shape[1]))
        for first in range(0, len(design), _ROWS):  # so many rows stay in the processor's cache
            rows = slice(first, first + _ROWS)
            scaled = self._scaled(rows)
            gram += scaled.T @ scaled
        self._factor = scaled_factor(gram)

    def _scaled(self, rows: slice | Indices) -> Array:
        return np.asarray(self._design[rows] * self._root[rows, np.newaxis])

    def step(self, pull: Array) -> Array:
        """Return the Newton step, −(designᵀ C design)⁻¹ designᵀ pull."""
        if self._factor:
            size, factor = self._factor
            gradient = self._design.T @ pull
            return np.asarray(-cho_solve((factor, False), gradient / size) / size)
        # Rows in falling order make Householder's QR accurate in each row, however unlike they are
        # (Cox and Higham 1998).
        order = np.argsort(-self._root)
        root = self._root[order]
        target = np.divide(pull[order], root, out=np.zeros_like(root), where=root > 0)
        step, *_ = lstsq(self._scaled(order), -target, lapack_driver="gelsy")
        return np.asarray(step)


def _imbalance(design: Array, pull: Array, curvature: Array) -> float:
    """Return the largest share that a gradient has of the pulls on its weight."""
    gradient = np.abs(design.T @ pull)
    pulls = np.abs(design).T @ (np.abs(pull) + curvature)
    return float(np.divide(gradient, pulls, out=np.zeros_like(pulls), where=pulls > 0).max())
