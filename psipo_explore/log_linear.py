"""Exact minimisers of losses over log-linear policies, whose answers and prompts share weights.

π_θ(y) ∝ π_ref(y) exp(φ(y)·θ) in each context. Where the loss of comparisons has no minimum, the
limit along descent's direction is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Mask
from psipo_explore._linear_fits import RowSpace, least_squares, newton
from psipo_explore._separation import (
    can_be_spared,
    least_direction,
    null_basis,
    separated_rows,
)
from psipo_explore._tables import SHOWN, html_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import IPO, SQUARED, MarginLoss

__all__ = ["LogLinearMinimum", "minimise_log_linear"]

_TIED = 1e-6  # answers whose φ·v̂ differ by less than this share of the margin 1 stay together


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
    phi = checks.as_features(features, data.n_actions)
    reference = data.reference(pi_ref)
    z = phi[data.winners] - phi[data.losers]
    if not z.any():
        raise ValueError(
            "features are the same for the winner and the loser of each comparison: nothing can be "
            "learned from them"
        )

    separated = (
        separated_rows(z) if np.isposinf(loss.best_x) else np.zeros(data.winners.size, dtype=bool)
    )
    fitted = ~separated
    space = RowSpace(z[fitted])
    if loss in (IPO, SQUARED):
        psi = least_squares(space, data.weights[fitted], loss.best_x)
    else:
        psi = newton(space, data.weights[fitted], loss)
    basis = null_basis(z[fitted])
    direction = least_direction(z[separated], basis) if separated.any() else np.zeros(phi.shape[1])
    lead = phi @ direction
    behind = _largest_in_context(data, lead, reference > 0) - lead > _TIED
    vanishing = _vanishing(data, phi, z[separated], basis, behind, separated)

    theta = psi / beta[..., np.newaxis]
    with np.errstate(divide="ignore"):
        log_reference = np.where(behind, -np.inf, np.log(reference))
    log_ratio = np.where(
        behind, -np.inf, data.by_context.less_log_mean(theta @ phi.T, log_reference)
    )
    with np.errstate(divide="ignore"):
        policy = np.exp(log_ratio + np.log(reference))
    return LogLinearMinimum(
        theta=theta,
        policy=policy,
        log_ratio=log_ratio,
        attained=not separated.any(),
        unique=_settled(data, phi, ~vanishing & (reference > 0), space),
        vanishing=vanishing,
        separated=separated,
        direction=direction,
        loss=_infimum(data, loss, beta, z[fitted] @ psi, fitted),
        actions=data.actions,
    )


def _largest_in_context(data: Comparisons, values: Array, possible: Mask) -> Array:
    """Return the largest value in the context of each action, over the possible ones."""
    largest = np.full(data.contexts.max() + 1, -np.inf)
    np.maximum.at(largest, data.contexts[possible], values[possible])
    return np.asarray(largest[data.contexts])


def _vanishing(
    data: Comparisons, phi: Array, z: Array, basis: Array, behind: Mask, separated: Mask
) -> Mask:
    """Return which actions are forced out: no direction that separates the rest spares them.

    Only those that fall behind along one such direction need to be asked, and those that lose a
    separated comparison need not.
    """
    forced = np.zeros(data.n_actions, dtype=bool)
    forced[data.losers[separated]] = True
    for y in np.flatnonzero(behind & ~forced):
        rivals = phi[data.contexts == data.contexts[y]] - phi[y]
        forced[y] = not can_be_spared(z, basis, rivals)
    return forced


def _settled(data: Comparisons, phi: Array, live: Mask, space: RowSpace) -> bool:
    """Whether the comparisons fix all differences of features of live actions in each context."""
    order = np.flatnonzero(live)
    order = order[np.argsort(data.contexts[order], kind="stable")]
    same = data.contexts[order[1:]] == data.contexts[order[:-1]]
    return space.contains((phi[order[1:]] - phi[order[:-1]])[same])


def _infimum(data: Comparisons, loss: MarginLoss, beta: Array, x: Array, fitted: Mask) -> Array:
    """Return the infimum of the weighted mean loss, to which separated comparisons add nothing."""
    largest = data.weights.max()
    share = data.weights[fitted] / largest / (data.weights / largest).sum()
    mean = share @ loss.phi(x)
    return np.asarray(
        mean / beta**2 if loss.per_beta_squared else np.broadcast_to(mean, beta.shape)
    )[()]
