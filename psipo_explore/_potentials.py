"""The x that minimises Σ w φ(x[winner] − x[loser]) + ridge ‖x‖²/2, for convex φ, by Newton's method on sparse Laplacians.

The second derivative is a graph Laplacian: conjugate gradients solve it where the graph is well knit, a grounded
factorisation where it is a chain or a grid. A quadratic φ takes one step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices, Mask
from psipo_explore._graphs import components
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss

_STEPS = 1000  # in its tail a Bradley–Terry margin grows by 1 a step
_CG_STEPS = 3000
_CG_RESIDUAL = 1e-9  # of a Newton step, which the next one mends
_CG_RESIDUAL_QUADRATIC = 1e-14  # of the only step
_THIN = 5.5  # entries of the Laplacian for each action up to which it is a chain or a grid
_FEW = 100  # actions whose Laplacian is factorised at once, however unlike its weights are
_GRADIENT = 1e-12  # of the pulls that meet in one action
_GRADIENT_AT_REST = 1e-9  # accepted where rounding lets no step do better
_MOVE = 1e-6  # of a margin, in a Newton step: the next one is beyond float64
_ALIKE = 1e-6  # share of the largest weight down to which a linear solve is taken at its word
_EPS = float(np.finfo(float).eps)
_ROUNDING = 1e-12  # of an objective that sums over millions of comparisons


def convex_potential(data: Comparisons, loss: MarginLoss, inside: Mask, *, ridge: float = 0.0) -> Array:
    """Minimise over the comparisons that are inside; the mean of x is 0 on each component they leave."""
    sum_of_losses = _Sum.over(data, loss, inside, ridge)
    x, worst, last_move = np.zeros(data.n_actions), np.inf, np.inf
    at = sum_of_losses.derivatives(x)
    for _ in range(_STEPS):
        before, worst = worst, _largest_share(at.gradient, at.whole)
        if last_move <= _MOVE and (worst <= _GRADIENT or before / 2 <= worst <= _GRADIENT_AT_REST):
            break
        try:
            step = -sum_of_losses.solve(at.curvature, at.gradient)
        except RuntimeError:  # the factor is singular
            break
        last_move = 0.0 if sum_of_losses.solved_at_once else sum_of_losses.largest_move(x, step)
        moved = _descend(sum_of_losses.value, x, step, float(at.gradient @ step))
        if moved is x:
            break
        x = moved if ridge else _centred(moved, sum_of_losses.component)
        at = sum_of_losses.derivatives(x)
    what = "the reward was not fitted" if ridge else f"{loss.name} was not minimised"
    if worst > _GRADIENT_AT_REST or last_move > _MOVE:
        raise RuntimeError(
            f"{what}: a gradient is still {worst:.2g} of the pulls that meet in its action, "
            f"and a margin moved by {last_move:.2g} in the last step"
        )
    if sum_of_losses.drowns_in_rounding(x, at):
        raise RuntimeError(
            f"{what}: the gradient is down to {worst:.2g}, but its rounding alone would move a margin, "
            f"for some comparisons pull by {at.curvature.min() / at.curvature.max():.2g} of what others do"
        )
    return x


class _Derivatives(NamedTuple):
    """At one x: of each action the gradient and what it is the balance of, of each comparison the second derivative."""

    gradient: Array
    whole: Array
    curvature: Array


@dataclass(frozen=True)
class _Sum:
    """Σ w φ(x[winner] − x[loser]) + ridge ‖x‖²/2, scaled to a largest weight of 1, in each component if no ridge joins them."""

    loss: MarginLoss
    winners: Indices
    losers: Indices
    weights: Array
    ridge: float
    component: Indices

    @classmethod
    def over(cls, data: Comparisons, loss: MarginLoss, inside: Mask, ridge: float) -> _Sum:
        winners, losers, weights = data.winners[inside], data.losers[inside], data.weights[inside]
        component = components(winners, losers, data.n_actions, "weak")
        largest = np.zeros(data.n_actions)
        np.maximum.at(largest, component[winners], weights)
        scale = np.full(data.n_actions, weights.max(initial=0.0) or 1.0) if ridge else largest
        return cls(loss, winners, losers, weights / scale[component[winners]], ridge / float(scale[0] or 1.0), component)

    @property
    def quadratic(self) -> bool:
        return bool(np.ptp(self.loss.phi_curvature(np.array([-1.0, 0.0, 1.0]))) == 0)

    @property
    def solved_at_once(self) -> bool:
        return self.quadratic and bool((self.weights > _ALIKE).all())

    def value(self, x: Array) -> float:
        with np.errstate(over="ignore"):  # inf is not a descent
            return float(self.weights @ self.loss.phi(x[self.winners] - x[self.losers]) + self.ridge * (x @ x) / 2)

    def derivatives(self, x: Array) -> _Derivatives:
        h = x[self.winners] - x[self.losers]
        pull, curvature = self.weights * self.loss.phi_slope(h), self.weights * self.loss.phi_curvature(h)
        won, lost = np.bincount(self.winners, pull, x.size), np.bincount(self.losers, pull, x.size)
        size = np.abs(pull) + curvature
        whole = np.bincount(self.winners, size, x.size) + np.bincount(self.losers, size, x.size)
        return _Derivatives(won - lost + self.ridge * x, whole + self.ridge * (1 + np.abs(x)), curvature)

    def solve(self, curvature: Array, b: Array) -> Array:
        residual = _CG_RESIDUAL_QUADRATIC if self.quadratic else _CG_RESIDUAL
        return _solve_laplacian(self.winners, self.losers, curvature, b, self.component, self.ridge, residual)

    def largest_move(self, x: Array, step: Array) -> float:
        moves = np.abs(step[self.winners] - step[self.losers]) / (1 + np.abs(x[self.winners] - x[self.losers]))
        return float(moves.max(initial=0.0))

    def drowns_in_rounding(self, x: Array, at: _Derivatives) -> bool:
        """Whether rounding the gradient would move a margin, as it does where parts hang together by a thread."""
        if (at.curvature > _ALIKE * at.curvature.max(initial=0.0)).all():
            return False
        noise = _EPS * at.whole * np.random.default_rng(0).standard_normal(x.size)
        try:
            return self.largest_move(x, self.solve(at.curvature, noise)) > _MOVE
        except RuntimeError:
            return True


def _largest_share(gradient: Array, whole: Array) -> float:
    share = np.divide(np.abs(gradient), whole, out=np.zeros_like(gradient), where=whole > 0)
    return float(share.max())


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
    if n <= _FEW or matrix.nnz <= _THIN * n:
        return _solve_grounded(matrix.tocsc(), b, component, ridge)
    inverse = np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1.0), 0.0)
    preconditioner = sparse.diags_array(inverse)
    if not ridge:
        b = _centred(b, component)  # what rounding adds to b outside the Laplacian's range no step can take away
    solution, failed = sparse.linalg.cg(matrix, b, rtol=residual, atol=0.0, maxiter=_CG_STEPS, M=preconditioner)
    return np.asarray(solution) if not failed else _solve_grounded(matrix.tocsc(), b, component, ridge)


def _solve_grounded(matrix: Any, b: Array, component: Indices, ridge: float) -> Array:
    """By factorisation, the best-knit action of each component held at 0, unless a ridge holds them all."""
    from scipy import sparse

    keep = np.ones(b.size, dtype=bool)
    if not ridge:
        by_component = np.lexsort((-matrix.diagonal(), component))
        keep[by_component[np.unique(component[by_component], return_index=True)[1]]] = False
    x = np.zeros(b.size)
    options = {"SymmetricMode": True}
    factors = sparse.linalg.splu(matrix[keep][:, keep], permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    x[keep] = factors.solve(b[keep])
    return x
