"""The exact minimiser of an empirical loss, or the limit of minimising policies if there is none.

Every accepted loss is a convex function of the differences of x = β(log π − log π_ref) over the
comparisons, so one sparse solve serves all β. The comparison graph decides beforehand whether a
minimum exists (Ford 1957).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._blocks import Blocks, blocks_of
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore._corrected_counts import CorrectedCounts
from psipo_explore._data.segments import Segments
from psipo_explore._exact_sums import refuse_what_rounding_decides
from psipo_explore._potentials import convex_potential
from psipo_explore._tables import minimum_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO, MarginLoss

__all__ = ["Minimum", "minimise"]

_SOLVED = 1e-12  # error that the solver may leave in a potential x, as a share of 1 + |x|


@dataclass(frozen=True, eq=False)
class Minimum:
    """The policy at which the loss of a data set is least, and whether it attains the infimum.

    The loss is Eq. 4 of arXiv:2310.12036 for DPO, and Eq. 17 for IPO.

    Parameters
    ----------
    policy : ndarray, shape (..., K)
        The minimiser, or the limit of minimising policies; it sums to 1 in each context.
    log_ratio : ndarray, shape (..., K)
        log policy − log π_ref; −inf where an action vanishes.
    attained : bool
        Whether the loss of some policy equals the infimum.
    unique : bool
        Whether the loss determines the policy. If it does not, policy is the one closest to π_ref
        in KL(π ‖ π_ref) of those that the loss allows.
    vanishing : ndarray of bool, shape (K,)
        Actions whose probability goes to 0 along every minimising sequence, at every β.
    loss : ndarray, shape (...)
        Infimum of the weighted mean loss.
    actions : tuple of str
        Labels of the actions.
    blocks, contexts : ndarray of int, shape (K,)
        Numbers of each action's block and context. The loss fixes the ratios of probabilities
        inside each block, and a policy sums to 1 in each context.

    Examples
    --------
    >>> from psipo_explore import D1, DPO
    >>> fit = minimise(D1, DPO, beta=2.0)
    >>> fit.attained, fit.unique, fit.vanishing
    (False, True, array([False,  True,  True]))
    """

    policy: Array
    log_ratio: Array
    attained: bool
    unique: bool
    vanishing: Mask
    loss: Array
    actions: tuple[str, ...]
    blocks: Indices
    contexts: Indices

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Least and greatest probability that the loss allows each action, shape (..., K) each.

        Both equal `policy` in a context where the loss determines it. Elsewhere the least is 0, and
        the greatest is the action's share of its block. Minimisers may come arbitrarily close to
        these bounds without attaining them.

        Examples
        --------
        >>> from psipo_explore import D3, IPO
        >>> minimise(D3, IPO, beta=1.0).bounds
        (array([0., 0., 0.]), array([0.5, 0.5, 1. ]))
        """
        block, context = Segments(self.blocks), Segments(self.contexts)
        of_block = block.sum(self.policy)
        possible = of_block > 0
        share = np.divide(self.policy, of_block, out=np.zeros_like(self.policy), where=possible)
        size = block.sum(np.ones(self.blocks.size))
        possible_blocks = np.rint(context.sum(possible / size))
        fixed = possible_blocks == 1
        return np.where(fixed, self.policy, 0.0), np.where(fixed, self.policy, share)

    def _repr_html_(self) -> str:
        status = (
            f"{'attained' if self.attained else 'not attained'}, "
            f"{'unique' if self.unique else 'not unique'}"
        )
        return minimum_table(self, status)


def minimise(
    data: Comparisons, loss: MarginLoss, beta: ArrayLike, *, pi_ref: ArrayLike | None = None
) -> Minimum:
    """Minimise the weighted mean of a loss over comparisons, exactly.

    This is the optimum that training on `data` approaches. IPO's loss is Eq. 17 of
    arXiv:2310.12036, DPO's is Eq. 4. The optimum of DPO is the Bradley–Terry fit; it is attained if
    and only if every connected component of the comparisons is strongly connected.

    Parameters
    ----------
    data : Comparisons
        The data set to fit.
    loss : MarginLoss
        IPO, SQUARED, DPO, odpo(…), cdpo(…), EXPONENTIAL, or robust_dpo(…) where it is bounded
        below; the others have no well-defined minimiser.
    beta : array_like, shape (...)
        Strength of the KL term; larger stays closer to pi_ref.
    pi_ref : array_like, shape (K,), optional
        Reference policy, which sums to 1 in each context; uniform by default.

    Returns
    -------
    Minimum
        The axes of beta come first in policy, log_ratio and loss.

    Raises
    ------
    ValueError
        If data holds no comparison, the loss has no well-defined minimiser or is not bounded below
        on data, beta is not from 1e-100 to 1e100, pi_ref is not a distribution in each context or
        excludes an action that was compared, or beta is so small that rounding would decide between
        two actions.
    TypeError
        If data is not Comparisons, or loss is not a MarginLoss.
    RuntimeError
        If the solver stops short of the minimum; the message gives the gradient that it reached.

    Examples
    --------
    >>> from psipo_explore import D1, DPO, IPO
    >>> minimise(D1, IPO, beta=1.0).policy.round(3)
    array([0.448, 0.321, 0.23 ])
    >>> fit = minimise(D1, DPO, beta=1.0)
    >>> fit.policy, fit.attained, fit.vanishing
    (array([1., 0., 0.]), False, array([False,  True,  True]))
    """
    checks.require_instance(
        "data", data, Comparisons, "Comparisons, such as Comparisons.from_pairs(…)"
    )
    checks.require_instance("loss", loss, MarginLoss, "a MarginLoss, such as IPO or DPO")
    if loss.no_minimiser:
        raise ValueError(
            f"loss '{loss.name}' has no well-defined minimiser: {loss.no_minimiser}; it can be trained"
        )
    if not data.winners.size:
        raise ValueError(
            "data holds no comparison, must hold at least one: without any there is no loss"
        )
    beta = checks.as_beta_in_training(beta)
    checks.require_fits("beta", (*beta.shape, data.n_actions))
    reference = data.reference(pi_ref)

    if loss.flipped:
        counts = CorrectedCounts.of(data, loss.flipped)
        if counts.non_negative:
            return minimise(counts.as_comparisons(data), DPO, beta, pi_ref=reference)
    blocks = blocks_of(data, loss)
    x = convex_potential(data, loss, blocks)
    scores = np.where(blocks.vanishing, -np.inf, x)
    refuse_what_rounding_decides(scores, _SOLVED * (1 + np.abs(x)), beta, blocks.of_action)
    inside = blocks.inside
    margins = x[data.winners[inside]] - x[data.losers[inside]]
    log_ratio = _closest_to_reference(x / beta[..., np.newaxis], blocks, reference, data)
    with np.errstate(divide="ignore"):
        policy = np.exp(log_ratio + np.log(reference))
    return Minimum(
        policy=policy,
        log_ratio=log_ratio,
        attained=bool(inside.all()),
        unique=_distinct(blocks.of_action[~blocks.vanishing & (reference > 0)])
        == data.by_context.n_groups,
        vanishing=blocks.vanishing,
        loss=infimum(loss, beta, margins, shares(data.weights)[inside]),
        actions=data.actions,
        blocks=blocks.of_action,
        contexts=data.contexts,
    )


def _distinct(numbers: Indices) -> int:
    """Count different whole numbers that are small, which takes no sorting."""
    return int(np.count_nonzero(np.bincount(numbers)))


def _closest_to_reference(u: Array, blocks: Blocks, reference: Array, data: Comparisons) -> Array:
    """Return log π − log π_ref of the π closest to π_ref that has u's differences in each block.

    Let q be the conditional distribution inside a block B, which u determines. The closest policy
    gives B a weight proportional to π_ref(B) exp(−KL(q ‖ π_ref(·|B))). Subtracting E_q[u] from u in
    each block yields these weights.
    """
    with np.errstate(divide="ignore"):
        log_reference = np.where(blocks.vanishing, -np.inf, np.log(reference))
    block = Segments(blocks.of_action)
    u = block.less_log_mean(u, log_reference)
    q = np.exp(log_reference + u)
    settled = u - block.sum(np.where(q > 0, q * u, 0.0))
    return np.where(
        blocks.vanishing, -np.inf, data.by_context.less_log_mean(settled, log_reference)
    )


def shares(weights: Array) -> Array:
    """Return positive weights divided by their sum, even where the sum would overflow."""
    relative = weights / weights.max()
    return np.asarray(relative / relative.sum())


def infimum(loss: MarginLoss, beta: Array, x: Array, share: Array) -> Array:
    """Return the infimum of the weighted mean loss, given x = βh where the margin stays finite.

    The shares of these comparisons may sum to less than 1. In the limit, the margins of the others
    are infinite, and their loss is 0.
    """
    mean = share @ loss.phi(x)
    return np.asarray(
        mean / beta**2 if loss.per_beta_squared else np.broadcast_to(mean, beta.shape)
    )[()]
