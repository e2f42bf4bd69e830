"""Finite data: who beat whom, how often.

`Comparisons` holds (winner, loser) pairs with weights; it is made of pairs, of a table of counts or of a CSV file, and
gives counts and empirical preferences p̂ back. What cannot be a comparison is refused with its place in the input.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._files import csv_rows, weight_of
from psipo_explore._tables import html_table


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Pairs (winner, loser) of actions, each with a weight: the data of §5.4 of arXiv:2310.12036.

    Parameters
    ----------
    winners, losers : array_like of int, shape (N,)
        Index of the preferred and of the other action of each comparison.
    actions : sequence of str, length K
        Labels; an action is identified by its context and its label.
    weights : array_like, shape (N,)
        How often each comparison was made, or how much it counts; positive.
    contexts : array_like of int, shape (K,)
        The context each action belongs to; actions are compared within one context.

    Raises
    ------
    ValueError
        If lengths differ, an index is out of range, an action meets itself or one of another context, or a weight is
        not positive.

    Examples
    --------
    >>> data = Comparisons.from_pairs([("a", "b"), ("a", "b"), ("b", "a")])
    >>> data.win_table()
    array([[0., 2.],
           [1., 0.]])
    """

    winners: Indices
    losers: Indices
    actions: tuple[str, ...]
    weights: Array
    contexts: Indices

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "actions", tuple(self.actions))
        set_field(self, "contexts", _indices("contexts", self.contexts))
        for name in ("winners", "losers"):
            set_field(self, name, _indices(name, getattr(self, name)))
        set_field(self, "weights", checks.positive("weights", self.weights))
        with np.errstate(over="ignore"):
            if np.isinf(np.sum(self.weights)):
                raise ValueError("weights sum to more than float64 holds")
        self._check_lengths()
        self._check_pairs()

    def _check_lengths(self) -> None:
        if len(self.contexts) != self.n_actions:
            raise ValueError(f"contexts has {len(self.contexts)} entries, must have one for each of {self.n_actions} actions")
        identities = list(zip(self.contexts.tolist(), self.actions, strict=True))
        if len(set(identities)) < len(identities):
            twice = next(label for i, (_, label) in enumerate(identities) if identities[i] in identities[:i])
            raise ValueError(f"actions names {twice!r} twice in one context, must name each action once")
        for name in ("losers", "weights"):
            if getattr(self, name).shape != self.winners.shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, must be that of winners, {self.winners.shape}")

    def _check_pairs(self) -> None:
        for name in ("winners", "losers"):
            index = getattr(self, name)
            outside = (index < 0) | (index >= self.n_actions)
            checks.refuse_where(outside, name, index, f"must be the index of one of {checks.actions(self.n_actions)}")
        checks.refuse_where(self.winners == self.losers, "losers", self.losers, "must differ from its winner")
        strangers = self.contexts[self.winners] != self.contexts[self.losers]
        checks.refuse_where(strangers, "losers", self.losers, "must be of the same context as its winner")

    @classmethod
    def from_pairs(
        cls,
        pairs: Iterable[tuple[Hashable, Hashable]],
        *,
        actions: Sequence[Hashable] | None = None,
        weights: ArrayLike | None = None,
    ) -> Comparisons:
        """Make comparisons of (winner, loser) labels.

        Parameters
        ----------
        pairs : iterable of (label, label)
            Winner and loser of each comparison.
        actions : sequence of labels, optional
            All actions in the order wanted, some perhaps never compared; by default in order of appearance.
        weights : array_like, shape (N,), optional
            How often each comparison was made; 1 by default. A weight of 0 leaves the comparison out.

        Returns
        -------
        Comparisons
            In a single context.

        Raises
        ------
        ValueError
            If there is no pair, a pair sets a label against itself, or a label is not among the actions.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b"), ("b", "c")]).actions
        ('a', 'b', 'c')
        """
        rows = [_pair(k, pair) for k, pair in enumerate(pairs)]
        if not rows:
            raise ValueError("pairs is empty, must hold at least one (winner, loser)")
        counts = np.ones(len(rows)) if weights is None else checks.real("weights", weights)
        if counts.shape != (len(rows),):
            raise ValueError(f"weights has shape {counts.shape}, must be ({len(rows)},), one for each pair")
        checks.refuse_where(~((counts >= 0) & np.isfinite(counts)), "weights", counts, "must be finite and at least 0")
        if not counts.any():
            raise ValueError("weights are all 0, must leave at least one comparison")
        labels = list(actions) if actions is not None else list(dict.fromkeys(label for pair in rows for label in pair))
        index = {label: i for i, label in enumerate(labels)}
        for k, pair in enumerate(rows):
            for label in pair:
                if label not in index:
                    raise ValueError(f"pairs[{k}] names {label}, which is not among the actions {', '.join(map(str, labels))}")
        ends = np.array([[index[winner], index[loser]] for winner, loser in rows], dtype=np.intp)
        made = counts > 0
        return cls(ends[made, 0], ends[made, 1], tuple(map(str, labels)), counts[made], np.zeros(len(labels), dtype=np.intp))

    @classmethod
    def from_table(cls, wins: ArrayLike, *, actions: Sequence[Hashable] | None = None) -> Comparisons:
        """Make comparisons of a table of counts.

        Parameters
        ----------
        wins : array_like, shape (K, K)
            Entry [y, y'] is how often y beat y'; at least 0, and 0 on the diagonal.
        actions : sequence of labels, length K, optional
            By default "0", "1", …, as the table is indexed.

        Returns
        -------
        Comparisons
            One for each positive count.

        Raises
        ------
        ValueError
            If wins is not square, or a count is negative, not finite, or of an action against itself.

        Examples
        --------
        >>> Comparisons.from_table([[0, 3], [1, 0]], actions=("a", "b")).preferences()
        array([[0.5 , 0.75],
               [0.25, 0.5 ]])
        """
        counts = checks.finite("wins", wins)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] == 0:
            raise ValueError(f"wins has shape {counts.shape}, must be (K, K) with K ≥ 1 actions")
        checks.refuse_where(counts < 0, "wins", counts, "must be at least 0", -counts)
        on_diagonal = np.eye(len(counts), dtype=bool) & (counts > 0)
        checks.refuse_where(on_diagonal, "wins", counts, "must be 0: an action cannot beat itself")
        labels = tuple(range(len(counts))) if actions is None else tuple(actions)
        if len(labels) != len(counts):
            raise ValueError(f"actions has {len(labels)} labels, must have {len(counts)}, one for each row of wins")
        winners, losers = np.nonzero(counts)
        return cls(winners, losers, tuple(map(str, labels)), counts[winners, losers], np.zeros(len(labels), dtype=np.intp))

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        winner: str,
        loser: str,
        context: str | None = None,
        weight: str | None = None,
    ) -> Comparisons:
        """Read comparisons from a CSV file with a header, one comparison a line.

        Parameters
        ----------
        path : path
            A UTF-8 file, with or without byte-order mark, with any line ends; blanks around cells are dropped.
        winner, loser : str
            Names of the columns that hold the labels.
        context : str, optional
            Name of the column that holds the context (the prompt); by default all share one.
        weight : str, optional
            Name of the column that says how often; by default each line counts once. Lines of weight 0 only name actions.

        Returns
        -------
        Comparisons
            Actions in order of appearance.

        Raises
        ------
        ValueError
            With file and line: a missing column, an empty cell, a bad weight, a self-comparison, a byte that is not UTF-8.

        Examples
        --------
        >>> from psipo_explore.datasets import CITATIONS_CSV
        >>> data = Comparisons.from_csv(CITATIONS_CSV, winner="cited", loser="citing", weight="citations")
        >>> data.n_actions, data.weights.sum()
        (4, np.float64(3727.0))
        """
        columns = {"winner": winner, "loser": loser, "context": context, "weight": weight}
        index: dict[tuple[str, str], int] = {}
        contexts: dict[str, int] = {}
        ends, counts = [], []
        for place, cells in csv_rows(Path(path), {role: name for role, name in columns.items() if name is not None}):
            where = cells.get("context", "")
            contexts.setdefault(where, len(contexts))
            if cells["winner"] == cells["loser"]:
                raise ValueError(f"{place}: winner and loser are both {cells['winner']!r}, must differ")
            pair = [index.setdefault((where, cells[role]), len(index)) for role in ("winner", "loser")]
            count = weight_of(place, cells["weight"]) if "weight" in cells else 1.0
            if count > 0:
                ends.append(pair)
                counts.append(count)
        if not ends:
            raise ValueError(f"{Path(path).name} holds no comparison, must have a header and at least one line below it")
        pairs = np.array(ends, dtype=np.intp)
        labels = tuple(label for _, label in index)
        return cls(pairs[:, 0], pairs[:, 1], labels, np.array(counts), np.array([contexts[where] for where, _ in index]))

    @property
    def n_actions(self) -> int:
        """K, over all contexts."""
        return len(self.actions)

    def win_table(self) -> Array:
        """How often each action beat each other one.

        Returns
        -------
        ndarray, shape (K, K)
            Entry [y, y'] is the summed weight of the comparisons that y won against y'.
        """
        wins = np.zeros((self.n_actions, self.n_actions))
        np.add.at(wins, (self.winners, self.losers), self.weights)
        return wins

    def preferences(self, *, prior: float = 0.0) -> Array:
        """Empirical preferences p̂(y ≻ y'): the share of their comparisons that y won.

        Parameters
        ----------
        prior : float
            Added to the wins of either side of each pair; 0 leaves sure things sure.

        Returns
        -------
        ndarray, shape (K, K)
            A table that `optimal_policy` takes.

        Raises
        ------
        ValueError
            If prior is negative, or 0 while some pair was never compared, or the actions have several contexts.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b")]).preferences(prior=1.0)
        array([[0.5       , 0.66666667],
               [0.33333333, 0.5       ]])
        """
        if len(set(self.contexts.tolist())) > 1:
            raise ValueError(
                f"contexts are {len(set(self.contexts.tolist()))}, must be one: answers to two prompts have no preference"
            )
        prior = checks.scalar("prior", prior)
        if prior < 0:
            raise ValueError(f"prior = {prior:g}, must be at least 0")
        wins = self.win_table() + prior
        total = wins + wins.T
        np.fill_diagonal(total, 1.0)
        if (total == 0).any():
            missing = np.argwhere(np.triu(total == 0))
            y, other = missing[0]
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise ValueError(
                f"prior = 0 leaves pairs that were never compared without a preference: "
                f"{self.actions[y]} and {self.actions[other]}{more}; must be positive"
            )
        p = wins / total
        np.fill_diagonal(p, 0.5)
        return p

    def __repr__(self) -> str:
        total = f"{self.weights.sum():g}"
        return f"Comparisons({checks.actions(self.n_actions)}, {len(self.winners)} pairs, total weight {total})"

    def _repr_html_(self) -> str:
        shown = slice(0, 12)
        names = self.actions[shown]
        wins = self.win_table()[shown, shown] if self.n_actions <= 2000 else np.empty((0, 0))
        rows = [[name, *(f"{count:g}" for count in row)] for name, row in zip(names, wins, strict=False)]
        return html_table(["winner ╲ loser", *names], rows, caption=repr(self))


def _indices(name: str, values: ArrayLike) -> Indices:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, must have one axis")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} holds {array.dtype} values, must be integers")
    return array.astype(np.intp)


def _pair(k: int, pair: Any) -> tuple[Hashable, Hashable]:
    if not isinstance(pair, Sequence | np.ndarray) or isinstance(pair, str) or len(pair) != 2:
        raise ValueError(f"pairs[{k}] = {pair!r}, must be (winner, loser)")
    winner, loser = pair
    if winner == loser:
        raise ValueError(f"pairs[{k}] = ({winner!r}, {loser!r}), an action cannot beat itself")
    return winner, loser
