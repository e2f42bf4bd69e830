"""One context of each kind, for data with very many small contexts.

Most prompts of a preference file have two answers and one comparison. Contexts are alike if they
differ only in the names and the order of their actions, and in a factor that all their weights
share. A loss moves alike contexts equally far from π_ref, so one of them is solved for all.

The actions of each context are ordered by their wins and losses. If two contexts are then equal,
number by number, they are alike. Where this order leaves two actions tied, alike contexts may be
written differently. Each of them is then solved, which costs nothing but time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from psipo_explore._checks import Array, Indices, Mask
from psipo_explore.comparisons import Comparisons

_EXACT = 2.0**53  # float64 holds all whole numbers below it
_ROUNDS = 2  # an action is ranked by its opponents, and these by theirs
_LOSS = 0.6180339887498949  # beside a win of 1, so that wins and losses do not cancel
# the terms that columns add to an angle do not cancel either
_FACTORS = (0.9510565162951535, 0.6180339887498949, 0.7320508075688772)


@dataclass(frozen=True)
class AlikeContexts:
    """Contexts that stand for all contexts like them.

    Parameters
    ----------
    data : Comparisons
        The comparisons of these contexts.
    pi_ref : ndarray, shape (K,), optional
        Reference policy of their actions; by default, it is uniform in each context.
    times : ndarray of int, shape (contexts,)
        How many contexts each of them stands for, itself included. They are numbered as by
        `data.by_context`.
    """

    data: Comparisons
    pi_ref: Array | None
    times: Indices

    @classmethod
    def of(cls, data: Comparisons, pi_ref: Array | None) -> AlikeContexts:
        """Keep the first context of each kind. The comparisons must be merged."""
        first_alike = _first_alike(data, pi_ref)
        return cls._kept(data, pi_ref, np.bincount(first_alike, minlength=first_alike.size))

    @classmethod
    def each(cls, data: Comparisons, pi_ref: Array | None) -> AlikeContexts:
        """Keep every context, whether or not others are like it."""
        return cls._kept(data, pi_ref, np.ones(data.by_context.n_groups, dtype=np.intp))

    @classmethod
    def _kept(cls, data: Comparisons, pi_ref: Array | None, times: Indices) -> AlikeContexts:
        """Keep the contexts that stand for at least one."""
        if times.all():
            return cls(data, pi_ref, times)
        here = (times > 0)[data.by_context.group]
        number = np.cumsum(here) - 1
        inside = here[data.winners]
        kept = Comparisons(
            number[data.winners[inside]],
            number[data.losers[inside]],
            tuple(data.actions[y] for y in np.flatnonzero(here).tolist()),
            data.weights[inside],
            data.contexts[here],
        )
        return cls(kept, None if pi_ref is None else pi_ref[here], times[times > 0])

    @property
    def times_of_action(self) -> Indices:
        """How many contexts the context of each action stands for, shape (K,)."""
        return self.times[self.data.by_context.group]

    def count_contexts(self, actions: Mask | Indices, *, at_least: int = 1) -> int:
        """Count the contexts that hold at least so many of some actions."""
        held = np.bincount(self.data.by_context.group[actions], minlength=self.times.size)
        return int(self.times[held >= at_least].sum())


def _first_alike(data: Comparisons, pi_ref: Array | None) -> Indices:
    """Return the number of the first context that is like each context, shape (contexts,)."""
    comparisons, actions = _written(data, pi_ref)
    fingerprints = comparisons.fingerprints() + actions.fingerprints()
    _, first, kind = np.unique(fingerprints, return_index=True, return_inverse=True)
    guess = first[kind]
    # equal fingerprints prove nothing
    alike = comparisons.has_rows_of(guess) & actions.has_rows_of(guess)
    return np.where(alike, guess, np.arange(guess.size))


@dataclass(frozen=True)
class _Table:
    """Rows of numbers, several for each context.

    Parameters
    ----------
    n_contexts : int
        Number of contexts, which may have no row.
    context : ndarray of int, shape (R,)
        Context of each row, in ascending order.
    columns : sequence of ndarray, shape (R,) each
        The numbers in the rows, at least 0.
    """

    n_contexts: int
    context: Indices
    columns: Sequence[Array | Indices]

    def fingerprints(self) -> Array:
        """Return a number for each context, which is equal for equal rows, shape (contexts,)."""
        angles = np.zeros(self.context.size)
        for column, factor in zip(self.columns, _FACTORS, strict=False):
            angles += factor * np.log1p(column)
        return np.asarray(np.bincount(self.context, np.cos(angles), self.n_contexts))

    def has_rows_of(self, others: Indices) -> Mask:
        """Whether each context has the same rows as another one, shape (contexts,)."""
        n_rows = np.bincount(self.context, minlength=self.n_contexts)
        first_row = np.cumsum(n_rows) - n_rows
        same = np.asarray(n_rows == n_rows[others])
        if self.columns:
            row = np.flatnonzero(same[self.context])
            context = self.context[row]
            other_row = row + (first_row[others] - first_row)[context]
            for column in self.columns:
                same[context[column[row] != column[other_row]]] = False
        return same


def _written(data: Comparisons, pi_ref: Array | None) -> tuple[_Table, _Table]:
    """Write down the comparisons and the actions of each context, without names.

    A row of the first table gives the places of the winner and the loser in their context, and the
    weight. A row of the second one gives π_ref of the action in that place, if it is not uniform.
    """
    group, n_contexts, n_actions = data.by_context.group, data.by_context.n_groups, data.n_actions
    weights = _as_multiples(data)
    order = _by_rank(data, weights, pi_ref)
    place = np.empty(n_actions, dtype=np.intp)
    place[order] = np.arange(n_actions)
    actions = _Table(n_contexts, group[order], () if pi_ref is None else (pi_ref[order],))
    winners, losers = place[data.winners], place[data.losers]
    by_place = np.argsort(winners * n_actions + losers, kind="stable")
    winners, losers = winners[by_place], losers[by_place]
    context = actions.context[winners]
    size = np.bincount(group)
    first_place = (np.cumsum(size) - size)[context]
    columns = (winners - first_place, losers - first_place, weights[by_place])
    return _Table(n_contexts, context, columns), actions


def _as_multiples(data: Comparisons) -> Array:
    """Return weights as multiples of the least in their context, if that is exact.

    It is exact if all of them are whole multiples. The weights of other contexts stay as they are.
    """
    context = data.by_context.group[data.winners]
    least = np.full(data.by_context.n_groups, np.inf)
    np.minimum.at(least, context, data.weights)
    with np.errstate(over="ignore"):
        multiples = data.weights / least[context]
    whole = (np.fmod(data.weights, least[context]) == 0) & (multiples < _EXACT)
    exact = np.ones(least.size, dtype=bool)
    exact[context[~whole]] = False
    return np.where(exact[context], multiples, data.weights)


def _by_rank(data: Comparisons, weights: Array, pi_ref: Array | None) -> Indices:
    """Sort the actions by context, and those of a context by rank, shape (K,).

    The rank rises with each win and falls with each loss, a little more or less as the rank of the
    opponent was before.
    """
    n_actions, log_weights = data.n_actions, np.log1p(weights)
    rank = np.zeros(n_actions) if pi_ref is None else pi_ref
    for _ in range(_ROUNDS):
        wins = 2 + np.cos(rank[data.losers] + log_weights)
        losses = 2 + np.cos(rank[data.winners] + log_weights)
        rise = np.bincount(data.winners, wins, n_actions)
        rank = rank + rise - _LOSS * np.bincount(data.losers, losses, n_actions)
    # a context's actions stay within a quarter of its number
    return np.argsort(data.by_context.group - rank / (4 * (1 + np.abs(rank))), kind="stable")
