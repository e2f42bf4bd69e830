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
from psipo_explore._row_space import RowSpace
from psipo_explore._separation import Separation, separated_rows
from psipo_explore._tables import SHOWN, html_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss
from psipo_explore.minimisers import infimum, shares

__all__ = ["LogLinearMinimum", "minimise_log_linear"]

_TIED = 1e-6  # answers whose φ·v̂ differ by less than this share of the margin 1 stay together
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
        if self.policy.ndim > 1:
            return f"<p>LogLinearMinimum: {status}; policies of shape {self.policy.shape}</p>"
        columns = zip(self.actions, self.policy, self.log_ratio, self.vanishing, strict=True)
        rows = [
            [name, f"{pi:.6g}", f"{ratio:.6g}", "vanishes" if gone else ""]
            for name, pi, ratio, gone in list(columns)[:SHOWN]
        ]
        return html_table(
            ["action", "π", "log π − log π_ref", ""],
            rows,
            caption=f"loss {self.loss:.6g}: {status}",
        )


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
        IPO, SQUARED, DPO, cdpo(…) or EXPONENTIAL.
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
        to 1e100, features is not a finite array of K rows or tells no winner from its loser, or
        pi_ref is not a distribution in each context or excludes an action that was compared.
    TypeError
        If data is not Comparisons, or loss is not a MarginLoss.
    RuntimeError
        If a solver stops short; the message says what it reached.

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
    if not data.winners.size:
        raise ValueError("data holds no comparison, must hold at least one")
    beta = checks.as_beta_in_training(beta)
    phi = checks.as_dense("features", checks.as_features(features, data.n_actions))
    checks.require_fits("beta", (*beta.shape, max(phi.shape)))
    reference = data.reference(pi_ref)
    pairs = _Pairs.of(data)
    z = phi[pairs.winners] - phi[pairs.losers]
    if not z.any():
        raise ValueError(
            "features are the same for the winner and the loser of each comparison: nothing can be "
            "learned from them"
        )

    tied = pairs.in_cycles(data) if np.isposinf(loss.best_x) else np.ones(len(z), dtype=bool)
    separated, bearing = separated_rows(z, tied)
    fitted = ~separated
    space = RowSpace(z[fitted])
    u = newton(z[fitted] @ space.to_weights, pairs.share[fitted], loss)
    psi = space.inside(space.to_weights @ u)

    # Only differences within a context count, and small ones must survive beside a large φ.
    phi = phi - phi[_first_of_context(data)]
    scores = phi @ psi
    direction = np.zeros_like(psi)
    vanishing = np.zeros(data.n_actions, dtype=bool)
    behind = vanishing
    if separated.any():
        separation = Separation(z[separated], bearing, space)
        direction = separation.least_direction()
        behind = _behind(data, phi @ direction, reference > 0)
        loses = np.zeros_like(vanishing)
        loses[pairs.losers[separated]] = True
        vanishing = loses | _forced_out(data, phi, separation, behind & ~loses, reference > 0)
    refuse_what_rounding_decides(
        np.where(behind, -np.inf, scores),
        _ROUNDING * (1 + np.abs(phi) @ np.abs(psi)),
        beta,
        data.contexts,
    )
    with np.errstate(divide="ignore"):
        log_reference = np.where(behind, -np.inf, np.log(reference))
    theta = psi / beta[..., np.newaxis]
    log_ratio = data.by_context.less_log_mean(scores / beta[..., np.newaxis], log_reference)
    return LogLinearMinimum(
        theta=theta,
        policy=np.exp(log_ratio + log_reference),
        log_ratio=np.where(behind, -np.inf, log_ratio),
        attained=not separated.any(),
        unique=space.contains(_differences_within(data, phi, ~vanishing & (reference > 0))),
        vanishing=vanishing,
        separated=separated[pairs.of_comparison],
        direction=direction,
        loss=infimum(loss, beta, z[fitted] @ psi, pairs.share[fitted]),
        actions=data.actions,
    )


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


def _behind(data: Comparisons, lead: Array, possible: Mask) -> Mask:
    """Return the actions that fall behind the best possible action of their context."""
    best = np.full(data.by_context.n_groups, -np.inf)
    np.maximum.at(best, data.by_context.group[possible], lead[possible])
    return best[data.by_context.group] - lead > _TIED


def _forced_out(
    data: Comparisons, phi: Array, separation: Separation, asked: Mask, possible: Mask
) -> Mask:
    """Return which of the actions that are asked for are on top along no separating direction.

    Each direction that is found spares all actions that it keeps on top, not only the one for
    which it was made.
    """
    forced = asked.copy()
    context = data.by_context.group
    for y in np.flatnonzero(asked):
        if not forced[y]:
            continue
        rivals = phi[(context == context[y]) & possible] - phi[y]
        direction = separation.sparing(rivals)
        if direction is not None:
            forced &= _behind(data, phi @ direction, possible)
            forced[y] = False
    return forced


def _differences_within(data: Comparisons, phi: Array, live: Mask) -> Array:
    """Return the differences of features of live actions that are neighbours in their context."""
    order = np.flatnonzero(live)
    order = order[np.argsort(data.contexts[order], kind="stable")]
    first, second = order[:-1], order[1:]
    same = data.contexts[first] == data.contexts[second]
    return np.asarray(phi[second[same]] - phi[first[same]])
