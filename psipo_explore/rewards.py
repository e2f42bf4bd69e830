"""The reward that RLHF's first stage fits: Bradley–Terry by maximum likelihood, with a ridge, or
stopped early.

Without either, rewards on one-sided data run off to −∞, and RLHF collapses as DPO does; a reward
that underfits is what keeps it from doing so (§4.2 of arXiv:2310.12036).
"""

from __future__ import annotations

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._blocks import Blocks, blocks_of
from psipo_explore._checks import Array
from psipo_explore._potentials import convex_potential
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO

__all__ = ["fit_reward"]


def fit_reward(data: Comparisons, *, ridge: float = 0.0, steps: int | None = None) -> Array:
    """Reward of each action that explains the comparisons best: the maximum of Σ w log σ(r[winner]
    − r[loser]).

    The first stage of RLHF, Eq. 2 of arXiv:2310.12036. `gibbs_policy(fit_reward(data), beta)` is
    DPO's minimiser. Each context must have a single group of actions that is never beaten from
    outside: of two such groups, among them actions that never played, no comparison says how they
    compare.

    Parameters
    ----------
    data : Comparisons
        Who beat whom.
    ridge : float
        Precision of a Gaussian prior on each reward, ridge · r²/2 added to the summed loss. It
        keeps every reward finite and ties groups that never met: the mean of each is 0.
    steps : int, optional
        Stop after so many steps of gradient descent from 0, of size 1/L with L twice the largest
        weight that meets in one action over four; by default go to the maximum. Groups that never
        met stay where they began, with mean 0.

    Returns
    -------
    ndarray, shape (K,)
        Rewards in nats of log-odds, their mean 0 in each context (over the finite ones); −inf for
        actions that lose to a group that is never beaten from outside, unless ridge or steps holds
        them.

    Raises
    ------
    ValueError
        If ridge is negative, steps is given beside a ridge, or, without either, two groups of one
        context are never beaten from outside.
    RuntimeError
        If the solver stops short of the maximum, with the gradient it reached.

    Examples
    --------
    >>> from psipo_explore import D1, citations
    >>> fit_reward(citations()).round(2)
    array([ 0.79, -2.16,  0.31,  1.06])
    >>> fit_reward(D1), fit_reward(D1, ridge=1.0)[0].round(2)
    (array([  0., -inf, -inf]), np.float64(0.59))
    """
    checks.instance("data", data, Comparisons, "Comparisons, such as Comparisons.from_pairs(…)")
    ridge = checks.scalar("ridge", ridge)
    if ridge < 0:
        raise ValueError(f"ridge = {ridge:g}, must be at least 0")
    if steps is not None:
        if ridge:
            raise ValueError(
                f"steps = {steps} beside ridge = {ridge:g}, must be given alone: both hold the reward back"
            )
        return _centred(_descended(data, checks.count("steps", steps)), data)
    if ridge:
        return _centred(
            convex_potential(data, DPO, np.ones(data.winners.size, dtype=bool), ridge=ridge), data
        )
    blocks = blocks_of(data, DPO)
    _require_one_source(data, blocks)
    return _centred(
        np.where(blocks.vanishing, -np.inf, convex_potential(data, DPO, blocks.inside)), data
    )


def _require_one_source(data: Comparisons, blocks: Blocks) -> None:
    """Refuse data that leave the scales of two groups of one context apart."""
    unbeaten = np.flatnonzero(~blocks.vanishing)
    one_of_each = unbeaten[np.unique(blocks.of_action[unbeaten], return_index=True)[1]]
    one_of_each = one_of_each[np.argsort(data.contexts[one_of_each], kind="stable")]
    tied = np.diff(data.contexts[one_of_each]) != 0
    if not tied.all():
        k = int(np.argmin(tied))
        pair = " and ".join(checks.cut(data.actions[y]) for y in one_of_each[k : k + 2])
        raise ValueError(
            f"data does not say how the rewards of {pair} compare: neither is in a group that "
            "others ever beat. "
            "It must have one such group in each context; or give a ridge, which ties them"
        )


def _descended(data: Comparisons, steps: int) -> Array:
    n, r = data.n_actions, np.zeros(data.n_actions)
    if not data.winners.size:
        return r
    weights = data.weights / data.weights.max()  # one factor in all of them changes no step
    met = np.bincount(data.winners, weights, n) + np.bincount(data.losers, weights, n)
    rate = 2 / met.max()  # σ' ≤ ¼, and a graph Laplacian is at most twice its largest degree
    for _ in range(steps):
        pull = weights * DPO.phi_slope(r[data.winners] - r[data.losers])
        r -= rate * (np.bincount(data.winners, pull, n) - np.bincount(data.losers, pull, n))
    return r


def _centred(r: Array, data: Comparisons) -> Array:
    sum_in_context, finite = data.by_context.sum, np.isfinite(r)
    mean = sum_in_context(np.where(finite, r, 0.0)) / sum_in_context(finite.astype(np.float64))
    return np.asarray(r - mean)
