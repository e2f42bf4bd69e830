"""Damped Newton steps that minimise Σ w φ(x[winner] − x[loser]) + ridge ‖x‖²/2, for convex φ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from psipo_explore._blocks import Blocks
from psipo_explore._checks import Array
from psipo_explore._damping import is_quadratic, safe_share
from psipo_explore._laplacians import Pulls, Springs, Tree
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss

# a margin in the tail of φ grows by only 1 per step, and weights of 1e300 lead to margins of 700
_STEPS = 10_000
_FEW_STEPS = 100  # a plain solve that takes more steps does not converge
_GRADIENT = 1e-12  # gradient to be reached, as a share of the pulls on its action
_GRADIENT_AT_REST = 1e-9  # the same share, accepted if rounding prevents a smaller one
_MOVE = 1e-6  # a larger relative move of a margin shows that a point is not the minimum
_MOVE_AT_REST = 1e-8  # Newton's method squares a move, so the next one is below float64's precision
_SHARP = 1e-12  # relative rounding of a margin that the plain solve may leave
_ALIKE = 1e-4  # curvatures above this share of the largest one let a plain linear solve be accurate
_MANY = 2000  # with more actions, the faster plain solve is tried before the careful one
_UNLIKE = 1e300  # largest ratio of two weights that can be represented side by side
# beyond this ratio of a ridge and a weight, float64 loses digits of the smaller one
_LOST = 1e307
_EPS = float(np.finfo(float).eps)


def convex_potential(
    data: Comparisons, loss: MarginLoss, blocks: Blocks, *, ridge: float = 0.0
) -> Array:
    """Return the x that minimises the objective over the comparisons inside the blocks.

    These comparisons connect each block, and x has mean 0 on it.

    Raises
    ------
    ValueError
        If two weights of one component, or a ridge and a weight, are too far apart for float64.
    RuntimeError
        If the steps stop short of the minimum, or rounding alone would move a margin.
    """
    start = np.zeros(data.n_actions)
    plain = _Objective.over(data, loss, blocks, ridge, along_tree=False)
    if data.n_actions > _MANY:
        last = _newton(plain, start, at_most=_FEW_STEPS)
        if not plain.failure(last) and plain.blur(last) <= _SHARP:
            return last.x
        if last.imbalance <= _GRADIENT_AT_REST:
            start = last.x
    careful = replace(plain, along_tree=True)
    last = _newton(careful, start, at_most=_STEPS)
    if failure := careful.failure(last):
        raise RuntimeError(
            f"{'the reward was not fitted' if ridge else f'{loss.name} was not minimised'}: {failure}"
        )
    return last.x


def _newton(objective: _Objective, x: Array, *, at_most: int) -> _Iterate:
    """Take damped Newton steps from x until they settle, or until no step is possible."""
    current = objective.at(x, move=np.inf)
    for _ in range(at_most):
        step = objective.newton_step(current)
        if step is None:
            break
        moves = objective.margins(step)
        previous, current = (
            current,
            objective.at(
                current.x + safe_share(objective.loss, current.curvature, moves) * step,
                objective.largest_move(current, moves),
            ),
        )
        if current.settled(previous):
            break
    return current


class _Iterate(NamedTuple):
    """A point of the descent, with the values that the stopping rule needs."""

    x: Array
    margins: Array
    pull: Array  # w φ' for each comparison
    curvature: Array  # w φ'' for each comparison
    alike: bool  # whether the curvatures within each component are of similar size
    gradient: Array  # derivative of the objective for each action
    imbalance: float  # the largest share that a gradient has of the pulls on its action
    move: float  # the largest relative move of a margin in the full Newton step that led here

    def settled(self, previous: _Iterate) -> bool:
        """Whether the last step and the gradient are small enough to stop.

        Larger values are accepted, within limits, if they no longer fall because of rounding.
        """
        rests = self.move <= _MOVE_AT_REST or previous.move / 2 <= self.move <= _MOVE
        stalls = previous.imbalance / 2 <= self.imbalance <= _GRADIENT_AT_REST
        return rests and (self.imbalance <= _GRADIENT or stalls)


@dataclass(frozen=True)
class _Objective:
    """The objective, scaled so that the largest weight of each component is from ½ to 1."""

    loss: MarginLoss
    springs: Springs
    weights: Array
    along_tree: bool  # whether unlike curvatures are solved along a spanning tree, which is slower

    @classmethod
    def over(
        cls, data: Comparisons, loss: MarginLoss, blocks: Blocks, ridge: float, *, along_tree: bool
    ) -> _Objective:
        winners, losers, weights = blocks.fields_inside(data)
        component = blocks.of_action
        here = component[winners]
        largest = np.zeros(data.n_actions)
        np.maximum.at(largest, here, weights)
        _refuse_unlike(weights, largest[here])
        _, exponent = np.frexp(largest)
        # division by a power of 2 is exact, so that whole numbers stay exact
        share = np.ldexp(weights, -exponent[here])
        _refuse_lost_ridge(ridge, largest[largest > 0])
        ridges = np.ldexp(np.full(data.n_actions, ridge), -exponent[component])
        return cls(loss, Springs(winners, losers, component, ridges), share, along_tree)

    def margins(self, x: Array) -> Array:
        return x[self.springs.winners] - x[self.springs.losers]

    def at(self, x: Array, move: float) -> _Iterate:
        """Compute the derivatives at x, and keep the move of the step that led there."""
        x, h = self.springs.centred(x), self.margins(x)
        pull, curvature = (
            self.weights * self.loss.phi_slope(h),
            self.weights * self.loss.phi_curvature(h),
        )
        ridge = self.springs.ridge
        gradient = self.springs.sum_at_actions(pull) + ridge * x
        pulls = self.springs.total_at_actions(np.abs(pull) + curvature) + ridge * (1 + np.abs(x))
        share = np.divide(np.abs(gradient), pulls, out=np.zeros_like(gradient), where=pulls > 0)
        alike = self._alike(curvature)
        return _Iterate(x, h, pull, curvature, alike, gradient, float(share.max()), move)

    def newton_step(self, at: _Iterate) -> Array | None:
        """Return the Newton step, or None if its matrix is singular or rounding dominates it."""
        if not at.alike and (tree := self._tree(at)):
            return tree.step()
        try:
            step = -self.springs.solve(
                at.curvature, at.gradient, exactly=is_quadratic(self.loss), alike=at.alike
            )
        except RuntimeError:
            return None
        if at.alike or at.imbalance > _GRADIENT:
            return step
        rounded = self.largest_move(at, self.margins(step)) > max(_MOVE, at.move / 2)
        return None if rounded else step

    def largest_move(self, at: _Iterate, moves: Array) -> float:
        """Return the largest relative move of a margin, or 0 if one step reaches the minimum."""
        if is_quadratic(self.loss) and at.alike:
            return 0.0
        return float((np.abs(moves) / (1 + np.abs(at.margins))).max(initial=0.0))

    def failure(self, last: _Iterate) -> str:
        """Return why the last point is not the minimum, or an empty text if it is."""
        at_rest = last.imbalance <= _GRADIENT_AT_REST
        if at_rest and self.blur(last) > _MOVE:
            return (
                f"the gradient is down to {last.imbalance:.2g}, but its rounding alone would move "
                "a margin, because the smallest curvature of a comparison is only "
                f"{last.curvature.min() / last.curvature.max():.2g} of the largest"
            )
        if not at_rest or last.move > _MOVE:
            return (
                f"a gradient is still {last.imbalance:.2g} of the pulls that meet in its action, "
                f"and a margin moved by {last.move:.2g} in the last step"
            )
        return ""

    def blur(self, at: _Iterate) -> float:
        """Estimate how far rounding in the gradient may move a margin."""
        if at.alike:
            return 0.0
        if tree := self._tree(at):
            return float(tree.blur.max(initial=0.0))
        pulls = self.springs.total_at_actions(np.abs(at.pull) + at.curvature)
        noise = _EPS * pulls * np.random.default_rng(0).standard_normal(at.x.size)
        try:
            moved = self.springs.solve(at.curvature, noise, exactly=False, alike=False)
        except RuntimeError:
            return np.inf
        return self.largest_move(at, self.margins(moved))

    def _tree(self, at: _Iterate) -> Tree | None:
        if not self.along_tree:
            return None
        x = np.abs(at.x)
        in_margin = x[self.springs.winners] + x[self.springs.losers]
        limit, tail = self._slope_parts(at)
        tail = self.weights * tail
        rounding = 2 * _EPS * (np.abs(tail) + at.curvature * in_margin)
        return self.springs.tree(at.x, Pulls(self.weights, limit, tail, rounding, at.curvature))

    def _slope_parts(self, at: _Iterate) -> tuple[Array, Array]:
        h = at.margins
        if self.loss.phi_slope_parts is None:
            return np.zeros_like(h), self.loss.phi_slope(h)
        return self.loss.phi_slope_parts(h)

    def _alike(self, curvature: Array) -> bool:
        """Whether the curvatures within each component are of similar size."""
        if curvature.min(initial=np.inf) > _ALIKE * curvature.max(initial=0.0):
            return True
        component = self.springs.component[self.springs.winners]
        largest = np.zeros(self.springs.n_actions)
        np.maximum.at(largest, component, curvature)
        return bool((curvature > _ALIKE * largest[component]).all())


def _refuse_unlike(weights: Array, most: Array) -> None:
    """Refuse a weight that is too small beside the largest weight of its component."""
    lost = weights < most / _UNLIKE
    if lost.any():
        least = int(np.where(lost, weights, np.inf).argmin())
        raise ValueError(
            f"data has weights of {weights[least]:g} and {most[least]:g} tied together, "
            f"must not differ by more than a factor of {_UNLIKE:g}"
        )


def _refuse_lost_ridge(ridge: float, weights: Array) -> None:
    """Refuse a ridge that is too small or too large beside a component's largest weight."""
    lost = (ridge > 0) & ((ridge / _LOST > weights) | (ridge < weights / _LOST))
    if lost.any():
        raise ValueError(
            f"ridge = {ridge:g} beside a weight of {weights[lost][0]:g}, must be within a factor "
            f"of {_LOST:g} of it"
        )
