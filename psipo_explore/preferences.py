"""Tables of preference probabilities p*(y ≻ y').

A table has shape (..., K, K), and its entry [y, y'] is the probability that y beats y'. It holds
p and 1 − p for each pair, so that precision near certainty is kept: a pair is certain if and only
if the smaller of the two is exactly 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.special import expit

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike

__all__ = ["bradley_terry", "tournament"]


def bradley_terry(rewards: ArrayLike) -> Array:
    """Make a table of Bradley–Terry preferences, p(y ≻ y') = σ(r(y) − r(y')).

    Eq. 1 of arXiv:2310.12036. If two rewards differ by more than 745, their preference rounds to
    certainty. `gibbs_policy` and `expected_psi_bradley_terry` avoid this, because they take the
    rewards themselves.

    Parameters
    ----------
    rewards : array_like, shape (..., K)
        Reward of each action, finite, in nats of log-odds.

    Returns
    -------
    ndarray, shape (..., K, K)
        Entry [y, y'] is the probability that y beats y'.

    Raises
    ------
    ValueError
        If a reward is NaN or infinite, if a difference of rewards overflows, or if the table does
        not fit into memory.

    Examples
    --------
    >>> bradley_terry([1.0, 0.0])
    array([[0.5       , 0.73105858],
           [0.26894142, 0.5       ]])
    """
    r = checks.as_rewards(rewards)
    checks.require_fits(
        "rewards", (*r.shape, r.shape[-1]), "; expected_psi_bradley_terry makes no table"
    )
    return np.asarray(expit(r[..., :, np.newaxis] - r[..., np.newaxis, :]))


def tournament(
    pairs: Sequence[tuple[int, int]] | ArrayLike, n_actions: int, q: ArrayLike = 1.0
) -> Array:
    """Make a table in which each listed winner beats its loser with probability q.

    All other pairs are even. One pair with q = 1 is the example of §4.2 of arXiv:2310.12036, and
    pairs that form a circle make cyclic preferences.

    Parameters
    ----------
    pairs : array_like of int, shape (N, 2)
        Rows (winner, loser) of actions from 0 to n_actions − 1. No pair may be listed both ways.
    n_actions : int
        Number of actions K, at least 1.
    q : array_like, shape (...)
        Probability that a listed winner wins. An array gives one table for each entry.

    Returns
    -------
    ndarray, shape (..., K, K)
        Entry [y, y'] is the probability that y beats y'.

    Raises
    ------
    ValueError
        If a pair names an action that does not exist, sets an action against itself, or contradicts
        another pair; if n_actions is less than 1, if an entry of q is not a probability, or if the
        table does not fit into memory.
    TypeError
        If pairs are not integers or n_actions is not a whole number.

    Examples
    --------
    >>> tournament([(0, 1)], 2, q=0.9)
    array([[0.5, 0.9],
           [0.1, 0.5]])
    """
    n_actions = checks.as_count("n_actions", n_actions)
    checks.require_fits("n_actions", (n_actions, n_actions))
    winners, losers = _winners_and_losers(pairs, n_actions)
    q = checks.as_probabilities("q", q)[..., np.newaxis]
    checks.require_fits("q", (*q.shape[:-1], n_actions, n_actions))
    table = np.full((*q.shape[:-1], n_actions, n_actions), 0.5)
    table[..., winners, losers] = q
    table[..., losers, winners] = 1 - q
    return table


def _winners_and_losers(
    pairs: Sequence[tuple[int, int]] | ArrayLike, n_actions: int
) -> tuple[checks.Indices, checks.Indices]:
    array = checks.as_array("pairs", pairs, "(N, 2): a winner and a loser each")
    if array.size == 0:
        array = np.empty((0, 2), dtype=np.intp)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"pairs has shape {array.shape}, must be (N, 2): a winner and a loser each"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"pairs holds {checks.cut(array.dtype)} values, must be integers from 0 to {n_actions - 1}"
        )
    winners, losers = array.astype(np.intp).T
    outside = np.any((array < 0) | (array >= n_actions), axis=1)
    _refuse_pair(outside, array, f"must be from 0 to {n_actions - 1}")
    _refuse_pair(winners == losers, array, "an action cannot beat itself")
    seen = np.zeros((n_actions, n_actions), dtype=bool)
    seen[winners, losers] = True
    _refuse_pair(seen[losers, winners], array, "contradicts the same pair the other way round")
    return winners, losers


def _refuse_pair(bad: checks.Mask, pairs: checks.Indices, why: str) -> None:
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(f"pairs[{k}] = ({pairs[k, 0]}, {pairs[k, 1]}), {why}")


def meeting_weights(p: ArrayLike, mu: ArrayLike | None) -> tuple[Array, Sequence[Hashable]]:
    """Return how often y meets and beats y' if μ draws both, and the names of the actions.

    The weights are μ(y) μ(y') p(y ≻ y') off the diagonal and 0 on it, shape (K, K).
    """
    values, names = checks.as_labelled_square("p", p)
    table = checks.as_preference_table(values)
    if table.ndim != 2:
        raise ValueError(f"p has shape {table.shape}, must be a single table (K, K)")
    share = checks.as_policy("mu", mu, len(table), of="p")
    if share.ndim != 1:
        raise ValueError(f"mu has shape {share.shape}, must be ({len(table)},)")
    weights = share[:, np.newaxis] * share * table
    np.fill_diagonal(weights, 0.0)
    return weights, names
