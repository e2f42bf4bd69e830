"""The exact minimiser of an empirical loss, or, where there is none, the limit that minimising
sequences share.

In x = β(log π − log π_ref) every accepted loss is a convex function of differences over the
comparisons, so one sparse solve serves all β. Whether a minimum exists is read off the comparison
graph before anything is solved (Ford 1957).
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
from psipo_explore._tables import SHOWN, html_table
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO, MarginLoss

__all__ = ["Minimum", "minimise"]

_SOLVED = 1e-12  # of a potential: how near the solver comes to the minimum


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where the loss of a data set (Eq. 4 and 17 of arXiv:2310.12036) is least, and whether it is
    attained there.

    Parameters
    ----------
    policy : ndarray, shape (..., K)
        The minimiser, or the limit of minimising policies; normalised within each context.
    log_ratio : ndarray, shape (..., K)
        log policy − log π_ref; −inf where vanishing.
    attained : bool
        Whether a policy has the infimum as its loss.
    unique : bool
        Whether the loss leaves no choice; where it does, policy is the choice closest to π_ref in
        KL(π ‖ π_ref).
    vanishing : ndarray of bool, shape (K,)
        Actions whose probability goes to 0 along every minimising sequence, at every β.
    loss : ndarray, shape (...)
        Infimum of the weighted mean loss.
    actions : tuple of str
        Labels.
    blocks, contexts : ndarray of int, shape (K,)
        The loss fixes ratios of probabilities inside each block, and a policy sums to 1 in each
        context.

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
        """Least and greatest probability that the loss leaves each action, two arrays of shape
        (..., K).

        Both are policy where nothing is open. Otherwise the least is 0 and the greatest is the
        action's share of its block, neither of which a minimiser need attain.

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
        if self.policy.ndim > 1:
            return f"<p>Minimum: {status}; policies of shape {self.policy.shape}</p>"
        columns = list(zip(self.actions, self.policy, self.log_ratio, self.vanishing, strict=True))[
            :SHOWN
        ]
        rows = [
            [name, f"{pi:.6g}", f"{ratio:.6g}", "vanishes" if gone else ""]
            for name, pi, ratio, gone in columns
        ]
        caption = f"loss {self.loss:.6g}: {status}"
        if len(self.actions) > SHOWN:
            caption += f"; the first {SHOWN} of {len(self.actions)} actions"
        return html_table(["action", "π", "log π − log π_ref", ""], rows, caption=caption)


def minimise(
    data: Comparisons, loss: MarginLoss, beta: ArrayLike, *, pi_ref: ArrayLike | None = None
) -> Minimum:
    """Minimise the weighted mean of a loss over comparisons, exactly.

    The optimum that training on `data` heads for: Eq. 17 of arXiv:2310.12036 for IPO, Eq. 4 for
    DPO. For DPO it is the Bradley–Terry fit, attained if and only if every connected component of
    the comparisons is strongly connected.

    Parameters
    ----------
    data : Comparisons
        Who beat whom.
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
        beta's axes lead policy, log_ratio and loss.

    Raises
    ------
    ValueError
        If there is no comparison, the loss has no well-defined minimiser or is not bounded below,
        pi_ref excludes an action that was compared, or beta is so small that rounding would decide
        between two actions.
    RuntimeError
        If the solver stops short of the minimum, with the gradient it reached.

    Examples
    --------
    >>> from psipo_explore import D1, DPO, IPO
    >>> minimise(D1, IPO, beta=1.0).policy.round(3)
    array([0.448, 0.321, 0.23 ])
    >>> fit = minimise(D1, DPO, beta=1.0)
    >>> fit.policy, fit.attained, fit.vanishing
    (array([1., 0., 0.]), False, array([False,  True,  True]))
    """
    checks.instance("data", data, Comparisons, "Comparisons, such as Comparisons.from_pairs(…)")
    checks.instance("loss", loss, MarginLoss, "a MarginLoss, such as IPO or DPO")
    if loss.no_minimiser:
        raise ValueError(
            f"loss '{loss.name}' has no well-defined minimiser: {loss.no_minimiser}; it can be trained"
        )
    if not data.winners.size:
        raise ValueError(
            "data holds no comparison, must hold at least one: without any there is no loss"
        )
    beta = checks.beta_in_training(beta)
    checks.require_fits("beta", (*beta.shape, data.n_actions))
    reference = data.reference(pi_ref)

    if loss.flipped:
        counts = CorrectedCounts.of(data, loss.flipped)
        if counts.non_negative:
            return minimise(counts.as_comparisons(data), DPO, beta, pi_ref=reference)
    blocks = blocks_of(data, loss)
    x = convex_potential(data, loss, blocks.inside)
    scores = np.where(blocks.vanishing, -np.inf, x)
    refuse_what_rounding_decides(scores, _SOLVED * (1 + np.abs(x)), beta, blocks.of_action)
    log_ratio = _closest_to_reference(x / beta[..., np.newaxis], blocks, reference, data)
    with np.errstate(divide="ignore"):
        policy = np.exp(log_ratio + np.log(reference))
    return Minimum(
        policy=policy,
        log_ratio=log_ratio,
        attained=bool(blocks.inside.all()),
        unique=np.unique(blocks.of_action[~blocks.vanishing & (reference > 0)]).size
        == np.unique(data.contexts).size,
        vanishing=blocks.vanishing,
        loss=_infimum(data, loss, beta, x, blocks.inside),
        actions=data.actions,
        blocks=blocks.of_action,
        contexts=data.contexts,
    )


def _closest_to_reference(u: Array, blocks: Blocks, reference: Array, data: Comparisons) -> Array:
    """Log π − log π_ref of the π closest to π_ref among those with u's differences inside each
    block.

    Block B with inner law q gets weight ∝ π_ref(B) exp(−KL(q ‖ π_ref(·|B))), which is to say that
    E_q[u] is taken off u.
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


def _infimum(data: Comparisons, loss: MarginLoss, beta: Array, x: Array, inside: Mask) -> Array:
    """Weighted mean loss at x, comparisons that are not inside costing what an infinite margin
    costs, nothing.
    """
    phi = loss.phi(x[data.winners[inside]] - x[data.losers[inside]])
    weights = data.weights / data.weights.max()
    mean = (weights / weights.sum())[inside] @ phi
    return np.asarray(
        mean / beta**2 if loss.per_beta_squared else np.broadcast_to(mean, beta.shape)
    )[()]
