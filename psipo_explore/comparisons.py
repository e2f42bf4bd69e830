"""Finite data: who beat whom, how often.

`Comparisons` holds (winner, loser) pairs with weights; it is made of pairs, of a table of counts or
of a file, and gives counts and empirical preferences p̂ back. What cannot be a comparison is
refused with its place in the input.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._data.files import csv_rows, indexed, jsonl_rows
from psipo_explore._data.graphs import components
from psipo_explore._data.pairs import check_lengths, check_pairs, counted_pairs
from psipo_explore._data.segments import Segments
from psipo_explore._tables import html_table
from psipo_explore.preferences import meeting_weights

__all__ = ["Comparisons"]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Pairs (winner, loser) of actions, each with a weight: the data of §5.4 of arXiv:2310.12036.

    Parameters
    ----------
    winners, losers : array_like of int, shape (N,)
        Index of the preferred and of the other action of each comparison.
    actions : sequence, length K
        Labels, kept as text; an action is identified by its context and its label.
    weights : array_like, shape (N,)
        How often each comparison was made, or how much it counts; positive.
    contexts : array_like of int, shape (K,)
        The context each action belongs to; actions are compared within one context.

    Raises
    ------
    ValueError
        If lengths differ, an index is out of range, a weight is not positive, an action meets
        itself or another context's, or one of several contexts has a single action.

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
        set_field(self, "actions", tuple(map(str, checks.labels(self.actions))))
        for name in ("winners", "losers", "contexts"):
            set_field(self, name, checks.indices(name, getattr(self, name)))
        set_field(self, "weights", checks.weights(self.weights))
        check_lengths(self.actions, self.contexts, self.winners, self.losers, self.weights)
        check_pairs(self.contexts, self.winners, self.losers)

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
            Winner and loser of each comparison; the rows of a DataFrame with two columns.
        actions : sequence of labels, optional
            All actions in the order wanted, some perhaps never compared; by default in order of
            appearance.
        weights : array_like, shape (N,), optional
            How often each comparison was made; 1 by default. A weight of 0 leaves the comparison
            out.

        Returns
        -------
        Comparisons
            In a single context.

        Raises
        ------
        ValueError
            If there is no pair, a pair sets a label against itself, or a label is not among the
            actions.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b"), ("b", "c")]).actions
        ('a', 'b', 'c')
        """
        winners, losers, labels, counts = counted_pairs(pairs, actions, weights)
        return cls._in_one_context(winners, losers, labels, counts)

    @classmethod
    def from_table(
        cls, wins: ArrayLike, *, actions: Sequence[Hashable] | None = None
    ) -> Comparisons:
        """Make comparisons of a table of counts.

        Parameters
        ----------
        wins : array_like, shape (K, K)
            Entry [y, y'] is how often y beat y'; at least 0, and 0 on the diagonal. Of a pandas
            DataFrame the columns are put in the order of the rows' names.
        actions : sequence of labels, length K, optional
            By default the names of a DataFrame, or "0", "1", …, as the table is indexed.

        Returns
        -------
        Comparisons
            One for each positive count.

        Raises
        ------
        ValueError
            If wins is not square, its rows and columns have different names, or a count is
            negative, not finite, or of an action against itself.

        Examples
        --------
        >>> Comparisons.from_table([[0, 3], [1, 0]], actions=("a", "b")).preferences()
        array([[0.5 , 0.75],
               [0.25, 0.5 ]])
        """
        counts, names = checks.aligned("wins", wins)
        counts = checks.finite("wins", counts)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] == 0:
            raise ValueError(f"wins has shape {counts.shape}, must be (K, K) with K ≥ 1 actions")
        checks.refuse_where(counts < 0, "wins", counts, "must be at least 0", -counts)
        on_diagonal = np.eye(len(counts), dtype=bool) & (counts > 0)
        checks.refuse_where(on_diagonal, "wins", counts, "must be 0: an action cannot beat itself")
        labels = checks.labels(names if actions is None else actions)
        if len(labels) != len(counts):
            raise ValueError(
                f"actions has {len(labels)} labels, must have {len(counts)}, one for each row of wins"
            )
        winners, losers = np.nonzero(counts)
        return cls._in_one_context(winners, losers, labels, counts[winners, losers])

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
            A UTF-8 file, with or without byte-order mark, with any line ends; blanks around cells
            are dropped.
        winner, loser : str
            Names of the columns that hold the labels.
        context : str, optional
            Name of the column that holds the context (the prompt); by default all share one.
        weight : str, optional
            Name of the column that says how often; by default each line counts once. Lines of
            weight 0 only name actions.

        Returns
        -------
        Comparisons
            Actions in order of appearance.

        Raises
        ------
        ValueError
            With file and line: a missing column, an empty cell, a bad weight, a self-comparison, a
            byte that is not UTF-8.

        Examples
        --------
        >>> from psipo_explore.datasets import CITATIONS_CSV
        >>> data = Comparisons.from_csv(CITATIONS_CSV, winner="cited", loser="citing", weight="citations")
        >>> data.n_actions, data.weights.sum()
        (4, np.float64(3727.0))
        """
        columns = {"winner": winner, "loser": loser, "context": context, "weight": weight}
        path = checks.path(path)
        rows = csv_rows(path, {role: name for role, name in columns.items() if name is not None})
        return cls(*indexed(path.name, rows))

    @classmethod
    def from_jsonl(cls, path: str | os.PathLike[str]) -> Comparisons:
        """Read preference data as TRL users have it: a JSON object a line, with prompt, chosen and
        rejected.

        Parameters
        ----------
        path : path
            A UTF-8 file; each field a string, or a list of chat messages {"role": …, "content": …}.

        Returns
        -------
        Comparisons
            One context for each prompt; an action is an answer to it.

        Raises
        ------
        ValueError
            With file and line: what is not JSON, lacks a field, or has chosen equal to rejected.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.NamedTemporaryFile("r+", suffix=".jsonl") as file:
        ...     _ = Path(file.name).write_text('{"prompt": "2 + 2", "chosen": "4", "rejected": "5"}')
        ...     Comparisons.from_jsonl(file.name).actions
        ('4', '5')
        """
        path = checks.path(path)
        return cls(*indexed(path.name, jsonl_rows(path)))

    @classmethod
    def from_preferences(cls, p: ArrayLike, *, mu: ArrayLike | None = None) -> Comparisons:
        """The population behind all samples: every pair both ways round, weighted by μ(y) μ(y') p(y
        ≻ y').

        Parameters
        ----------
        p : array_like, shape (K, K)
            Preferences, p + pᵀ = 1; a DataFrame's names are kept.
        mu : array_like, shape (K,), optional
            Distribution that both answers are drawn from; uniform by default.

        Returns
        -------
        Comparisons
            Without pairs of weight 0 or of an action with itself.

        Raises
        ------
        ValueError
            If p is no single table of preferences, or mu no distribution over its actions.

        Examples
        --------
        >>> Comparisons.from_preferences([[0.5, 0.8], [0.2, 0.5]]).weights
        array([0.2 , 0.05])
        """
        weights, names = meeting_weights(p, mu)
        winners, losers = np.nonzero(weights)
        return cls._in_one_context(winners, losers, names, weights[winners, losers])

    @classmethod
    def sample(
        cls, p: ArrayLike, n: int, *, rng: np.random.Generator, mu: ArrayLike | None = None
    ) -> Comparisons:
        """Draw comparisons of two different answers from μ, each won by y with probability p(y ≻
        y').

        Parameters
        ----------
        p : array_like, shape (K, K)
            Preferences, p + pᵀ = 1; a DataFrame's names are kept.
        n : int
            How many comparisons, at least 1.
        rng : numpy.random.Generator
            Source of the draws.
        mu : array_like, shape (K,), optional
            Distribution of the answers; uniform by default.

        Returns
        -------
        Comparisons
            n of them, each of weight 1, in the order drawn.

        Raises
        ------
        ValueError
            If p is no single table of preferences, n is less than 1, or mu allows one action only.

        Examples
        --------
        >>> len(Comparisons.sample([[0.5, 0.8], [0.2, 0.5]], 5, rng=np.random.default_rng(0)).winners)
        5
        """
        checks.instance(
            "rng", rng, np.random.Generator, "a Generator, such as numpy.random.default_rng(0)"
        )
        weights, names = meeting_weights(p, mu)
        if not weights.any():
            raise ValueError(
                "mu gives all its mass to one action, must allow two different answers"
            )
        n = checks.count("n", n)
        checks.require_fits("n", (n,))
        drawn = rng.choice(weights.size, size=n, p=weights.ravel() / weights.sum())
        winners, losers = np.unravel_index(drawn, weights.shape)
        return cls._in_one_context(winners, losers, names, np.ones(winners.size))

    @classmethod
    def _in_one_context(
        cls, winners: Indices, losers: Indices, labels: Sequence[Hashable], weights: Array
    ) -> Comparisons:
        return cls(
            winners, losers, tuple(map(str, labels)), weights, np.zeros(len(labels), dtype=np.intp)
        )

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

        Raises
        ------
        ValueError
            If the actions are so many that the table does not fit into memory.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b"), ("a", "b"), ("b", "a")]).win_table()
        array([[0., 2.],
               [1., 0.]])
        """
        checks.require_fits("actions", (self.n_actions, self.n_actions))
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
            If prior is negative, or 0 while some pair was never compared, or the actions have
            several contexts.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b")]).preferences(prior=1.0)
        array([[0.5       , 0.66666667],
               [0.33333333, 0.5       ]])
        """
        if np.ptp(self.contexts) > 0:
            raise ValueError(
                "contexts are more than one, must be one: between answers to two prompts there is "
                "no preference"
            )
        prior = checks.scalar("prior", prior)
        if prior < 0:
            raise ValueError(f"prior = {prior:g}, must be at least 0")
        with np.errstate(over="ignore"):
            wins = self.win_table() + prior
            total = wins + wins.T
        if np.isinf(total).any():
            raise ValueError(f"prior = {prior:g} and the weights sum to more than float64 holds")
        np.fill_diagonal(total, 1.0)
        if (total == 0).any():
            never = np.argwhere(np.triu(total == 0))
            first = " and ".join(checks.cut(self.actions[y]) for y in never[0])
            which = f"{first} (and {len(never) - 1} more)" if len(never) > 1 else first
            raise ValueError(
                f"prior = 0 leaves pairs that were never compared without a preference: {which}; "
                "must be positive"
            )
        p = wins / total
        np.fill_diagonal(p, 0.5)
        return p

    @property
    def strong_components(self) -> Indices:
        """Number of the strong component of each action, shape (K,), in the graph with an edge from
        winner to loser.
        """
        return components(self.winners, self.losers, self.n_actions, "strong")

    @property
    def components(self) -> Indices:
        """Number of the connected component of each action, shape (K,), whoever won."""
        return components(self.winners, self.losers, self.n_actions, "weak")

    @cached_property
    def by_context(self) -> Segments:
        """Sums over the actions of each context."""
        return Segments(self.contexts)

    def reference(self, pi_ref: ArrayLike | None = None) -> Array:
        """The reference policy over these actions: a distribution in each context.

        Parameters
        ----------
        pi_ref : array_like, shape (K,), optional
            π_ref, which sums to 1 in each context within 1e-6; by default uniform in each.

        Returns
        -------
        ndarray, shape (K,)
            π_ref, divided by its sum in each context.

        Raises
        ------
        ValueError
            If pi_ref is no distribution in some context, or 0 for an action that was compared.

        Examples
        --------
        >>> Comparisons([0], [1], ("a", "b", "c", "d"), [1.0], [0, 0, 1, 1]).reference([0.9, 0.1, 0.5, 0.5])
        array([0.9, 0.1, 0.5, 0.5])
        """
        if pi_ref is None:
            return 1 / self.by_context.sum(np.ones(self.n_actions))
        given = checks.real("pi_ref", pi_ref)
        if given.shape != (self.n_actions,):
            raise ValueError(
                f"pi_ref has shape {given.shape}, must be ({self.n_actions},), one entry for each action"
            )
        checks.refuse_where(
            ~((given >= 0) & np.isfinite(given)), "pi_ref", given, "must be a probability", -given
        )
        total = self.by_context.sum(given)
        off = np.abs(total - 1) > checks.POLICY_TOLERANCE
        if off.any():
            y = int(np.argmax(np.abs(total - 1)))
            raise ValueError(
                f"pi_ref sums to {total[y]:.12g} in context {self.contexts[y]}, must sum to 1 in each"
            )
        compared = np.zeros(self.n_actions, dtype=bool)
        compared[self.winners] = compared[self.losers] = True
        excluded = compared & (given == 0)
        if excluded.any():
            y = int(np.argmax(excluded))
            raise ValueError(
                f"pi_ref[{y}] = 0, must be positive: {checks.shown(self.actions[y])} was compared"
            )
        return np.asarray(given / total)

    def merged(self) -> Comparisons:
        """The same data with one entry for each (winner, loser), weights added.

        Returns
        -------
        Comparisons
            Entries in the order of their winners, then of their losers.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "b")]).merged().weights
        array([2., 1.])
        """
        key = self.winners * self.n_actions + self.losers
        distinct, entry = np.unique(key, return_inverse=True)
        winners, losers = np.divmod(distinct, self.n_actions)
        weights = np.bincount(entry, self.weights).astype(np.float64)
        return Comparisons(winners, losers, self.actions, weights, self.contexts)

    def __repr__(self) -> str:
        return (
            f"Comparisons({checks.actions(self.n_actions)}, {len(self.winners)} pairs, total "
            f"weight {self.weights.sum():g})"
        )

    def _repr_html_(self) -> str:
        names = self.actions[:12]
        wins = self.win_table()[:12, :12] if self.n_actions <= 2000 else np.empty(0)
        rows = [
            [name, *(f"{count:g}" for count in row)] for name, row in zip(names, wins, strict=False)
        ]
        return html_table(["winner ╲ loser", *names], rows, caption=repr(self))
