"""The first stage of RLHF: a Bradley–Terry reward, fitted by maximum likelihood.

On one-sided data the fitted rewards tend to −∞, and RLHF then collapses as DPO does. A ridge or
early stopping prevents that, because the reward underfits (§4.2 of arXiv:2310.12036).
"""

from __future__ import annotations

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._blocks import Blocks, blocks_of, whole_components
from psipo_explore._checks import Array
from psipo_explore._potentials import convex_potential
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import DPO

__all__ = ["fit_reward"]


def fit_reward(data: Comparisons, *, ridge: float = 0.0, steps: int | None = None) -> Array:
    """Fit the reward of each action by maximum likelihood under Bradley–Terry.

    The reward maximises Σ w log σ(r[winner] − r[loser]), as in the first stage of RLHF (Eq. 2 of
    arXiv:2310.12036). `gibbs_policy(fit_reward(data), beta)` is the minimiser of DPO's loss.

    In each context, only one strongly connected component may be free of losses to actions outside
    it. If there were two, no comparison would tell how the rewards of one compare with those of the
    other. An action that was never compared is such a component by itself.

    Parameters
    ----------
    data : Comparisons
        The comparisons that the reward explains.
    ridge : float
        Precision of a Gaussian prior on each reward: ridge · r²/2 is added to the summed loss. It
        keeps every reward finite, and gives each connected component a mean reward of 0.
    steps : int, optional
        Number of steps of gradient descent from 0; by default, the maximum itself is computed. The
        step size is 1/L, where L is half the largest total weight of one action's comparisons.
        Each connected component keeps a mean reward of 0.

    Returns
    -------
    ndarray, shape (K,)
        Rewards in nats of log-odds. In each context, the finite ones have mean 0. Without ridge
        and steps, a reward is −inf outside the component that never lost to others.

    Raises
    ------
    ValueError
        If ridge is negative, steps is less than 1, both are given, or, without either, two
        components of one context never lost to actions outside them.
    RuntimeError
        If the solver stops short of the maximum. The message gives the gradient that it reached.

    Examples
    --------
    >>> from psipo_explore import D1, citations
    >>> fit_reward(citations()).round(2)
    array([ 0.79, -2.16,  0.31,  1.06])
    >>> fit_reward(D1), fit_reward(D1, ridge=1.0)[0].round(2)
    (array([  0., -inf, -inf]), np.float64(0.59))
    """
    checks.require_instance(
        "data", data, Comparisons, "Comparisons, such as Comparisons.from_pairs(…)"
    )
    ridge = checks.as_scalar("ridge", ridge)
    if ridge < 0:
        raise ValueError(f"ridge = {ridge:g}, must be at least 0")
    if steps is not None:
        if ridge:
            raise ValueError(
                f"steps = {steps} beside ridge = {ridge:g}, must be given alone: both hold the reward back"
            )
        return _centred(_descended(data, checks.as_count("steps", steps)), data)
    if ridge:
        return _centred(convex_potential(data, DPO, whole_components(data), ridge=ridge), data)
    blocks = blocks_of(data, DPO)
    _require_one_source(data, blocks)
    return _centred(np.where(blocks.vanishing, -np.inf, convex_potential(data, DPO, blocks)), data)


def _require_one_source(data: Comparisons, blocks: Blocks) -> None:
    """Refuse data in which two components of one context never lost to actions outside them."""
    unbeaten = np.flatnonzero(~blocks.vanishing)
    one_of_each = unbeaten[np.unique(blocks.of_action[unbeaten], return_index=True)[1]]
    one_of_each = one_of_each[np.argsort(data.contexts[one_of_each], kind="stable")]
    tied = np.diff(data.contexts[one_of_each]) != 0
    if not tied.all():
        k = int(np.argmin(tied))
        pair = " and ".join(checks.cut(data.actions[y]) for y in one_of_each[k : k + 2])
        raise ValueError(
            f"data does not say how the rewards of {pair} compare: both are in groups that never "
            "lost to other actions. Each context must have only one such group; otherwise give a "
            "ridge"
        )


def _descended(data: Comparisons, steps: int) -> Array:
    n, r = data.n_actions, np.zeros(data.n_actions)
    if not data.winners.size:
        return r
    weights = data.weights / data.weights.max()  # avoids overflow, and leaves all steps the same
    met = np.bincount(data.winners, weights, n) + np.bincount(data.losers, weights, n)
    # 1/L, since σ' ≤ ¼ and a graph Laplacian's eigenvalues are at most twice its largest degree
    rate = 2 / met.max()
    for _ in range(steps):
        pull = weights * DPO.phi_slope(r[data.winners] - r[data.losers])
        r -= rate * (np.bincount(data.winners, pull, n) - np.bincount(data.losers, pull, n))
    return r


def _centred(r: Array, data: Comparisons) -> Array:
    sum_in_context, finite = data.by_context.sum, np.isfinite(r)
    mean = sum_in_context(np.where(finite, r, 0.0)) / sum_in_context(finite.astype(np.float64))
    return np.asarray(r - mean)
