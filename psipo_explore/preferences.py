"""p*(y ≻ y'): tables of preference probabilities, shape (..., K, K), entry [y, y'] the chance that
y beats y'.

A table holds each pair twice, p and 1 − p, and so keeps its precision near certainty: a pair is
certain if and only if the smaller of the two is exactly 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.special import expit

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike

__all__ = ["bradley_terry", "tournament"]


def bradley_terry(rewards: ArrayLike) -> Array:
    """Preferences that rewards explain: p(y ≻ y') = σ(r(y) − r(y')).

    The Bradley–Terry model, Eq. 1 of arXiv:2310.12036. Rewards that differ by more than 745 round
    to a certain preference; `gibbs_policy` and `expected_psi_bradley_terry` take rewards as they
    are.

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
        If a reward is NaN or infinite, their differences overflow, or the table does not fit into
        memory.

    Examples
    --------
    >>> bradley_terry([1.0, 0.0])
    array([[0.5       , 0.73105858],
           [0.26894142, 0.5       ]])
    """
    r = checks.rewards(rewards)
    checks.require_fits(
        "rewards", (*r.shape, r.shape[-1]), "; expected_psi_bradley_terry makes no table"
    )
    return np.asarray(expit(r[..., :, np.newaxis] - r[..., np.newaxis, :]))


def tournament(
    pairs: Sequence[tuple[int, int]] | ArrayLike, n_actions: int, q: ArrayLike = 1.0
) -> Array:
    """Preferences in which each listed winner beats its loser with probability q, and all other
    pairs are even.

    Tables for the arguments of §4.2 of arXiv:2310.12036 (one certain pair) and for cycles.

    Parameters
    ----------
    pairs : array_like of int, shape (N, 2)
        (winner, loser), each from 0 to n_actions − 1; no pair both ways.
    n_actions : int
        K, at least 1.
    q : array_like, shape (...)
        Probability that a listed winner wins; an array gives a table for each of its entries.

    Returns
    -------
    ndarray, shape (..., K, K)
        Entry [y, y'] is the probability that y beats y'.

    Raises
    ------
    ValueError
        If a pair names an action that does not exist, sets an action against itself, or contradicts
        another pair, or the table does not fit into memory.

    Examples
    --------
    >>> tournament([(0, 1)], 2, q=0.9)
    array([[0.5, 0.9],
           [0.1, 0.5]])
    """
    n_actions = checks.count("n_actions", n_actions)
    checks.require_fits("n_actions", (n_actions, n_actions))
    winners, losers = _winners_and_losers(pairs, n_actions)
    q = checks.probabilities("q", q)[..., np.newaxis]
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
    """How often y meets y' and beats it, μ(y) μ(y') p(y ≻ y') off the diagonal, shape (K, K); and
    the actions' names.
    """
    values, names = checks.aligned("p", p)
    table = checks.preference_table(values)
    if table.ndim != 2:
        raise ValueError(f"p has shape {table.shape}, must be a single table (K, K)")
    share = checks.policy("mu", mu, len(table), of="p")
    if share.ndim != 1:
        raise ValueError(f"mu has shape {share.shape}, must be ({len(table)},)")
    weights = share[:, np.newaxis] * share * table
    np.fill_diagonal(weights, 0.0)
    return weights, names
