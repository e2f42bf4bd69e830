"""The x that minimises Σ w φ(x[winner] − x[loser]) + ridge ‖x‖²/2, for convex φ, by Newton's method on sparse Laplacians.

The second derivative is a graph Laplacian: conjugate gradients solve it where the graph is well knit, a grounded
factorisation where it is a chain or a grid. A quadratic φ takes one step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from psipo_explore._checks import Array, Indices, Mask
from psipo_explore._graphs import components
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss

_STEPS = 100
_CG_STEPS = 3000
_CG_RESIDUAL = 1e-9  # of a Newton step, which the next one mends
_CG_RESIDUAL_QUADRATIC = 1e-14  # of the only step
_THIN = 5.5  # entries of the Laplacian for each action up to which it is a chain or a grid
_GRADIENT = 1e-12  # of the weight that meets in one action
_GRADIENT_AT_REST = 1e-9  # accepted where rounding lets no step do better
_ROUNDING = 1e-12  # of an objective that sums over millions of comparisons


def convex_potential(data: Comparisons, loss: MarginLoss, inside: Mask, *, ridge: float = 0.0) -> Array:
    """Minimise over the comparisons that are inside; the mean of x is 0 on each component they leave."""
    n = data.n_actions
    winners, losers, weights = data.winners[inside], data.losers[inside], data.weights[inside]
    scale = weights.max() if weights.size else 1.0
    weights, ridge = weights / scale, ridge / scale
    component = components(winners, losers, n, "weak")
    degree = np.maximum(np.bincount(winners, weights, n) + np.bincount(losers, weights, n), 1e-300)

    def objective(x: Array) -> float:
        return float(weights @ loss.phi(x[winners] - x[losers]) + ridge * (x @ x) / 2)

    def gradient(x: Array) -> Array:
        pull = weights * loss.phi_slope(x[winners] - x[losers])
        return np.asarray(np.bincount(winners, pull, n) - np.bincount(losers, pull, n) + ridge * x)

    quadratic = np.ptp(loss.phi_curvature(np.array([-1.0, 0.0, 1.0]))) == 0
    residual = _CG_RESIDUAL_QUADRATIC if quadratic else _CG_RESIDUAL
    x = np.zeros(n)
    for _ in range(_STEPS):
        g = gradient(x)
        if (np.abs(g) <= _GRADIENT * degree).all():
            break
        curvature = weights * loss.phi_curvature(x[winners] - x[losers])
        step = -_solve_laplacian(winners, losers, curvature, g, component, ridge, residual)
        moved = _descend(objective, x, step, float(g @ step))
        if moved is x:
            break
        x = moved if ridge else _centred(moved, component)
    worst = float(np.max(np.abs(gradient(x)) / degree))
    if worst > _GRADIENT_AT_REST:
        raise RuntimeError(
            f"{loss.name} was not minimised: a gradient is still {worst:.2g} of the weight that meets in its action"
        )
    return x


def _descend(objective: Callable[[Array], float], x: Array, step: Array, slope: float) -> Array:
    """Move x along the step as far as that lowers the objective; x itself comes back where rounding lets nothing do so."""
    before = objective(x)
    length = 1.0
    while length > 1e-10:
        moved = x + length * step
        if objective(moved) <= before + 1e-4 * length * slope + _ROUNDING * abs(before):
            return moved
        length /= 2
    return x


def _centred(x: Array, component: Indices) -> Array:
    size = np.bincount(component)
    return np.asarray(x - (np.bincount(component, x) / size)[component])


def _solve_laplacian(
    winners: Indices, losers: Indices, w: Array, b: Array, component: Indices, ridge: float, residual: float
) -> Array:
    from scipy import sparse

    n = b.size
    diagonal = np.bincount(winners, w, n) + np.bincount(losers, w, n) + ridge
    rows, columns = (np.concatenate([*ends, np.arange(n)]) for ends in ((winners, losers), (losers, winners)))
    matrix = sparse.coo_array((np.concatenate([-w, -w, diagonal]), (rows, columns)), shape=(n, n)).tocsr()
    if matrix.nnz <= _THIN * n:
        return _solve_grounded(matrix.tocsc(), b, component, ridge)
    inverse = np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1.0), 0.0)
    preconditioner = sparse.diags_array(inverse)
    if not ridge:
        b = _centred(b, component)  # what rounding adds to b outside the Laplacian's range no step can take away
    solution, failed = sparse.linalg.cg(matrix, b, rtol=residual, atol=0.0, maxiter=_CG_STEPS, M=preconditioner)
    return np.asarray(solution) if not failed else _solve_grounded(matrix.tocsc(), b, component, ridge)


def _solve_grounded(matrix: Any, b: Array, component: Indices, ridge: float) -> Array:
    """By factorisation, one action of each component held at 0, unless a ridge holds them all."""
    from scipy import sparse

    keep = np.ones(b.size, dtype=bool)
    if not ridge:
        keep[np.unique(component, return_index=True)[1]] = False
    x = np.zeros(b.size)
    options = {"SymmetricMode": True}
    factors = sparse.linalg.splu(matrix[keep][:, keep], permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    x[keep] = factors.solve(b[keep])
    return x
