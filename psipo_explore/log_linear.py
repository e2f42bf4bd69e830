"""Exact minimisers of losses over log-linear policies, whose answers and prompts share weights.

π_θ(y) ∝ π_ref(y) exp(φ(y)·θ) in each context. Where the loss of comparisons has no minimum, the
limit along descent's direction is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore._exact_sums import refuse_what_rounding_decides
from psipo_explore._linear_fits import newton
from psipo_explore._row_space import (
    RowSpace,
    largest,
    lengths,
    power_of_2,
    units_of_columns,
)
from psipo_explore._separation import Separation, separated_rows
from psipo_explore._tables import minimum_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss
from psipo_explore.minimisers import infimum, shares

__all__ = ["LogLinearMinimum", "minimise_log_linear"]

_TIED = 1e-6  # answers whose φ·v̂ differ by less than this share of the margin 1 stay together
_LARGE = 1000.0  # features larger than this beside their differences have lost digits
_SQUARES_FIT = (1e-60, 1e60)  # sizes of which squares, and their products, stay in float64
_NEGLIGIBLE = 1e-10  # error of a log-ratio that needs no closer look
_ROUNDING = 1e-12  # error that the solver may leave in a score φ·ψ, as a share of its terms


@dataclass(frozen=True, eq=False)
class LogLinearMinimum:
    """The log-linear policy at which a loss is least, or the limit of policies where there is none.

    Parameters
    ----------
    theta : ndarray, shape (..., d)
        The shortest θ that minimises the loss of the comparisons that are not separated.
    policy : ndarray, shape (..., K)
        π_θ; where comparisons are separated, the limit of π at θ + t · direction for t → ∞.
    log_ratio : ndarray, shape (..., K)
        log policy − log π_ref; −inf where the limit is 0.
    attained : bool
        Whether the loss of some policy equals the infimum; that is, no comparison is separated.
    unique : bool
        Whether all minimising sequences have the same limit.
    vanishing : ndarray of bool, shape (K,)
        Actions whose probability goes to 0 along every minimising sequence, at every β.
    separated : ndarray of bool, shape (N,)
        Comparisons that some direction satisfies more and more while it breaks none.
    direction : ndarray, shape (d,)
        The shortest v with φ(winner)·v ≥ φ(loser)·v + 1 for each separated comparison and equality
        for the others, into which gradient descent turns; zeros if no comparison is separated.
    loss : ndarray, shape (...)
        Infimum of the weighted mean loss.
    actions : tuple of str
        Labels of the actions.

    Examples
    --------
    >>> from psipo_explore import DPO
    >>> data = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
    >>> fit = minimise_log_linear(data, DPO, 1.0, [[1.0], [0.0], [2.0]])
    >>> fit.policy, fit.vanishing
    (array([0., 0., 1.]), array([ True,  True, False]))
    """

    theta: Array
    policy: Array
    log_ratio: Array
    attained: bool
    unique: bool
    vanishing: Mask
    separated: Mask
    direction: Array
    loss: Array
    actions: tuple[str, ...]

    def _repr_html_(self) -> str:
        status = (
            f"{'attained' if self.attained else 'not attained'}, "
            f"{'unique' if self.unique else 'not unique'}; "
            f"{self.separated.sum()} of {self.separated.size} comparisons are separated"
        )
        return minimum_table(self, status)


def minimise_log_linear(
    data: Comparisons,
    loss: MarginLoss,
    beta: ArrayLike,
    features: Any,
    *,
    pi_ref: ArrayLike | None = None,
) -> LogLinearMinimum:
    """Minimise the weighted mean of a loss over policies π_ref(y) exp(φ(y)·θ), exactly.

    IPO's loss is Eq. 17 of arXiv:2310.12036, DPO's is Eq. 4. Answers that share weights move
    together, so that a chosen answer can become less likely.

    Parameters
    ----------
    data : Comparisons
        The data set to fit.
    loss : MarginLoss
        IPO, SQUARED, DPO, odpo(…), cdpo(…) or EXPONENTIAL.
    beta : array_like, shape (...)
        Strength of the KL term; larger stays closer to pi_ref.
    features : array_like or scipy.sparse array, shape (K, d)
        φ(y) of each action. Only differences within a context count.
    pi_ref : array_like, shape (K,), optional
        Reference policy, which sums to 1 in each context; uniform by default.

    Returns
    -------
    LogLinearMinimum
        The axes of beta come first in theta, policy, log_ratio and loss.

    Raises
    ------
    ValueError
        If data holds no comparison, the loss has no exact minimiser here, beta is not from 1e-100
        to 1e100 or is so small that rounding would decide between two actions, features is not a
        finite array of K rows or tells no winner from its loser, or pi_ref is not a distribution
        in each context or excludes an action that was compared.
    TypeError
        If data is not Comparisons, or loss is not a MarginLoss.
    RuntimeError
        If a solver stops short; the message says what it reached.

    Notes
    -----
    A comparison is separated if some direction raises its margin and lowers none. Only differences
    of features above 1e-10 of their size count. Each answer that falls behind along descent without
    losing a separated comparison is asked whether it is forced out, which takes some milliseconds.
    Sparse features are made dense here; `train` leaves them sparse.

    Examples
    --------
    >>> from psipo_explore import IPO
    >>> data = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
    >>> minimise_log_linear(data, IPO, [10.0, 0.1], [[1.0], [0.0], [2.0]]).policy.round(3)
    array([[0.333, 0.317, 0.35 ],
           [0.007, 0.   , 0.993]])
    """
    checks.require_instance(
        "data", data, Comparisons, "Comparisons, such as Comparisons.from_pairs(…)"
    )
    checks.require_instance("loss", loss, MarginLoss, "a MarginLoss, such as IPO or DPO")
    if loss.no_minimiser or loss.flipped:
        why = loss.no_minimiser or "with shared weights, it may have no lower bound"
        raise ValueError(
            f"loss '{loss.name}' has no exact minimiser here: {why}; it can be trained"
        )
    beta = checks.as_beta_in_training(beta)
    seen = Seen.of(data, features, pi_ref)
    checks.require_fits("beta", (*beta.shape, max(seen.phi.shape)))
    fate = seen.fate() if np.isposinf(loss.best_x) else seen.fate_without_separation()

    fitted = ~fate.separated
    z, share = seen.z if fitted.all() else seen.z[fitted], seen.pairs.share[fitted]
    design = fate.space.design(z)
    u = newton(design, share, loss)
    psi = fate.space.in_units(seen.units).shortest(u)
    live = ~fate.vanishing & (seen.reference > 0)
    unique = fate.space.is_everything or fate.space.contains(seen.differences_among(live))
    weights, scores = seen.scores(psi, fate.space.weights(u) if unique else None, live)
    rounding = _ROUNDING * (1 + lengths(seen.phi) * np.linalg.norm(weights))
    if rounding.max() > _NEGLIGIBLE * beta.min(initial=np.inf):
        rounding = _ROUNDING * (1 + np.abs(seen.phi) @ np.abs(weights))  # a closer bound
        candidates = np.where(fate.behind, -np.inf, scores)
        refuse_what_rounding_decides(candidates, rounding, beta, data.contexts)
    with np.errstate(over="ignore"):
        theta, direction = psi / beta[..., np.newaxis] / seen.unit, fate.direction / seen.unit
    if not (np.isfinite(theta).all() and np.isfinite(direction).all()):
        raise ValueError(
            f"features are at most {2 * seen.unit:.2g} in size, must be larger: θ leaves the range "
            "of float64"
        )
    with np.errstate(divide="ignore"):
        log_reference = np.where(fate.behind, -np.inf, np.log(seen.reference))
    log_ratio = data.by_context.less_log_mean(scores / beta[..., np.newaxis], log_reference)
    return LogLinearMinimum(
        theta=theta,
        policy=np.exp(log_ratio + log_reference),
        log_ratio=np.where(fate.behind, -np.inf, log_ratio),
        attained=not fate.separated.any(),
        unique=unique,
        vanishing=fate.vanishing,
        separated=fate.separated[seen.pairs.of_comparison],
        direction=direction,
        loss=infimum(loss, beta, design @ u, share),
        actions=data.actions,
    )


class Fate(NamedTuple):
    """What becomes of comparisons and answers under a loss that falls for ever, at every β.

    The fields are those of `LogLinearMinimum`, but `separated` has one entry for each pair.
    """

    separated: Mask
    space: RowSpace  # of the pairs that are not separated, as `Seen` has them
    direction: Array
    behind: Mask  # answers that fall behind along the direction
    vanishing: Mask


@dataclass(frozen=True)
class Seen:
    """Comparisons as the features see them.

    Parameters
    ----------
    data : Comparisons
    phi : ndarray, shape (K, d)
        Features of each action, less those of the first action of its context if these are large,
        in units.
    reference : ndarray, shape (K,)
        π_ref.
    pairs : _Pairs
        The distinct pairs of winner and loser.
    z : ndarray, shape (number of pairs, d)
        φ(winner) − φ(loser), in units.
    units : ndarray, shape (d,)
        What phi and z are divided by: powers of 2, so that all features are alike in size in z.
        What is decided about them, and the policy, then depend on nobody's choice of units.
    unit : float
        What they are divided by besides: a power of 2, or 1 if their squares fit into float64.
    """

    data: Comparisons
    phi: Array
    reference: Array
    pairs: _Pairs
    z: Array
    units: Array
    unit: float

    @classmethod
    def of(cls, data: Comparisons, features: Any, pi_ref: ArrayLike | None) -> Seen:
        """Check the arguments, and raise the errors that `minimise_log_linear` names."""
        if not data.winners.size:
            raise ValueError("data holds no comparison, must hold at least one")
        phi = checks.as_dense("features", checks.as_features(features, data.n_actions))
        reference = data.reference(pi_ref)
        pairs = _Pairs.of(data)
        unit, size = 1.0, largest(phi)
        if not _SQUARES_FIT[0] < size < _SQUARES_FIT[1]:
            unit = float(power_of_2(size))
            phi /= unit
        z = phi[pairs.winners]
        z -= phi[pairs.losers]
        if not z.any():
            raise ValueError(
                "features are the same for the winner and the loser of each comparison: nothing "
                "can be learned from them"
            )
        units = units_of_columns(z, phi)
        if not (units == 1).all():
            phi /= units
            z /= units
        if (largest(phi, axis=0) > _LARGE * largest(z, axis=0))[z.any(axis=0)].any():
            phi -= phi[_first_of_context(data)]  # small differences must survive beside a large φ
        return cls(data, phi, reference, pairs, z, units, unit)

    def fate_without_separation(self) -> Fate:
        """Return what becomes of the comparisons under a loss that rises again: nothing vanishes."""
        none = np.zeros(self.data.n_actions, dtype=bool)
        separated = np.zeros(len(self.z), dtype=bool)
        return Fate(separated, RowSpace(self.z), np.zeros(self.phi.shape[1]), none, none)

    def fate(self) -> Fate:
        """Find which pairs are separated, and what becomes of the answers."""
        separated, bearing = separated_rows(self.z, self.pairs.in_cycles(self.data))
        if not separated.any():
            return self.fate_without_separation()
        rows, space = self.z[separated], RowSpace(self.z[~separated])
        given = Separation(rows * self.units, bearing, space.in_units(self.units))
        direction = given.least_direction()  # which does depend on units
        self._require_separates(direction * self.units, separated)
        behind = self._behind(self.phi @ (direction * self.units))
        vanishing = np.zeros(self.data.n_actions, dtype=bool)
        vanishing[self.pairs.losers[separated]] = True
        vanishing |= self._forced_out(Separation(rows, bearing, space), behind & ~vanishing)
        return Fate(separated, space, direction, behind, vanishing)

    def _require_separates(self, direction: Array, separated: Mask) -> None:
        """Refuse features so nearly dependent that a direction is lost in rounding."""
        missed = np.abs(
            np.where(separated, np.minimum(self.z @ direction - 1, 0), self.z @ direction)
        )
        if missed.max() > _TIED:
            raise RuntimeError(
                "the features are so nearly dependent, or their units differ so much, that float64 "
                f"finds no direction: a margin misses its bound by {missed.max():.2g}"
            )

    def _behind(self, lead: Array) -> Mask:
        """Return the actions that fall behind the best one of their context."""
        possible = self.reference > 0
        context = self.data.by_context.group
        best = np.full(self.data.by_context.n_groups, -np.inf)
        np.maximum.at(best, context[possible], lead[possible])
        return np.asarray(best[context] - lead > _TIED)

    def _forced_out(self, separation: Separation, asked: Mask) -> Mask:
        """Return which of the actions that are asked for are on top along no separating direction.

        Each direction that is found spares all actions that it keeps on top, not only the one for
        which it was made.
        """
        forced = asked.copy()
        context, possible = self.data.by_context.group, self.reference > 0
        for y in np.flatnonzero(asked):
            if not forced[y]:
                continue
            rivals = self.phi[(context == context[y]) & possible] - self.phi[y]
            direction = separation.sparing(rivals)
            if direction is not None:
                forced &= self._behind(self.phi @ direction)
                forced[y] = False
        return forced

    def scores(self, shortest: Array, same: Array | None, live: Mask) -> tuple[Array, Array]:
        """Return weights in units, shape (d,), and the scores φ·ψ that they give, shape (K,).

        The shortest weights depend on the features' units, and with features that depend on each
        other they round differently. If other weights are given that leave live actions the same
        policy, these are taken for them.
        """
        shortest = shortest * self.units
        if same is None:
            return shortest, self.phi @ shortest
        scores, rest = self.phi @ same, self.phi @ (shortest - same)
        group = self.data.by_context.group
        rest -= np.bincount(group, live * rest)[group] / np.bincount(group, live)[group]
        return same, np.where(live, scores, scores + rest)

    def differences_among(self, live: Mask) -> Array:
        """Return the differences of features of live actions that are neighbours in their context."""
        order = np.flatnonzero(live)
        order = order[np.argsort(self.data.contexts[order], kind="stable")]
        first, second = order[:-1], order[1:]
        same = self.data.contexts[first] == self.data.contexts[second]
        return np.asarray(self.phi[second[same]] - self.phi[first[same]])


class _Pairs(NamedTuple):
    """The distinct pairs of winner and loser, with their shares of the weights."""

    winners: Indices
    losers: Indices
    share: Array
    of_comparison: Indices  # the pair of each comparison, shape (N,)

    @classmethod
    def of(cls, data: Comparisons) -> _Pairs:
        key = data.winners * data.n_actions + data.losers
        distinct, of_comparison = np.unique(key, return_inverse=True)
        winners, losers = np.divmod(distinct, data.n_actions)
        share = np.bincount(of_comparison, shares(data.weights)).astype(np.float64)
        return cls(winners, losers, share, of_comparison)

    def in_cycles(self, data: Comparisons) -> Mask:
        """Return which pairs lie in a cycle of comparisons, and therefore in a strong component.

        Around a cycle, the differences of features sum to 0, whatever the features. So no direction
        separates a pair in it.
        """
        component = data.strong_components
        return np.asarray(component[self.winners] == component[self.losers])


def _first_of_context(data: Comparisons) -> Indices:
    """Return the first action in the context of each action, shape (K,)."""
    _, first = np.unique(data.by_context.group, return_index=True)
    return np.asarray(first[data.by_context.group])
