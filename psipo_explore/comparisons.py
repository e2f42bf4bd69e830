"""Comparisons of actions: who beat whom, and how often.

`Comparisons` is made from pairs, counts, a file or preferences, and returns win counts and
empirical preferences p̂. Input that is not a comparison raises an error that names its place, so
that one bad line in a large file can be found.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore._data.asked import Asked, Options
from psipo_explore._data.graphs import components
from psipo_explore._data.pairs import (
    as_ties,
    check_lengths,
    check_pairs,
    counted_pairs,
    pairs_in_contexts,
)
from psipo_explore._data.reading import Fields, read_columns, read_files, read_records
from psipo_explore._data.segments import Segments
from psipo_explore._tables import html_table
from psipo_explore.preferences import meeting_weights

__all__ = ["Comparisons"]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Weighted comparisons of actions, such as the data sets in §5.4 of arXiv:2310.12036.

    Parameters
    ----------
    winners, losers : array_like of int, shape (N,)
        Index of the preferred action and of the other action in each comparison.
    actions : sequence, length K
        Labels of the actions, kept as text. A context and a label together identify an action.
    weights : array_like, shape (N,)
        How often each comparison was made, or how much it counts; positive.
    contexts : array_like of int, shape (K,)
        Context of each action. Only actions of the same context are compared.
    ties : array_like of bool, shape (N,), optional
        Which comparisons are one half of a tie. A tie is two comparisons that follow each other,
        one each way; each has half its weight. By default, there are no ties.

    Raises
    ------
    ValueError
        If lengths differ, a tie is not two comparisons, one each way, there is no action, two
        actions of one context have the same label, an
        index is out of range, a weight is not positive, an action is compared with itself or with
        an action of another context, or one of several contexts has a single action.

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
    ties: Mask | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "actions", tuple(map(str, checks.as_labels(self.actions))))
        for name in ("winners", "losers", "contexts"):
            set_field(self, name, checks.as_indices(name, getattr(self, name)))
        set_field(self, "weights", checks.as_weights(self.weights))
        check_lengths(self.actions, self.contexts, self.winners, self.losers, self.weights)
        check_pairs(self.contexts, self.by_context, self.winners, self.losers)
        if self.ties is not None:
            set_field(self, "ties", as_ties(self.ties, self.winners, self.losers, self.weights))

    @classmethod
    def from_pairs(
        cls,
        pairs: Iterable[tuple[Hashable, Hashable]],
        *,
        actions: Sequence[Hashable] | None = None,
        weights: ArrayLike | None = None,
        contexts: Sequence[Hashable] | None = None,
    ) -> Comparisons:
        """Make comparisons from (winner, loser) pairs of labels.

        Parameters
        ----------
        pairs : iterable of (label, label)
            Winner and loser of each comparison. A DataFrame with two columns has one comparison in
            each row.
        actions : sequence of labels, optional
            All actions in the wanted order, including any that were never compared. By default,
            the labels of the pairs in order of appearance.
        weights : array_like, shape (N,), optional
            How often each comparison was made; 1 by default. A comparison of weight 0 is left out.
        contexts : sequence of labels, length N, optional
            Context of each pair, such as its prompt. The same label in two contexts is two actions.
            By default, all pairs are in one context.

        Returns
        -------
        Comparisons
            The actions are in order of appearance, or in the order of `actions`.

        Raises
        ------
        ValueError
            If there is no pair, a pair compares a label with itself, a label is not among the
            actions, a weight is negative or not finite, all weights are 0, contexts has another
            length than pairs, or both actions and contexts are given.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b"), ("b", "c")]).actions
        ('a', 'b', 'c')
        >>> Comparisons.from_pairs([("a", "b"), ("b", "a")], contexts=["x", "z"]).contexts
        array([0, 0, 1, 1])
        """
        if contexts is not None:
            if actions is not None:
                raise ValueError("actions and contexts: give one of them; contexts have their own")
            return cls(*pairs_in_contexts(pairs, contexts, weights))
        winners, losers, labels, counts = counted_pairs(pairs, actions, weights)
        return cls._in_one_context(winners, losers, labels, counts)

    @classmethod
    def from_table(
        cls, wins: ArrayLike, *, actions: Sequence[Hashable] | None = None
    ) -> Comparisons:
        """Make comparisons from a square array of win counts.

        Parameters
        ----------
        wins : array_like, shape (K, K)
            Entry [y, y'] is how often y beat y'; at least 0, and 0 on the diagonal. The columns of
            a pandas DataFrame are put in the order of its rows.
        actions : sequence of labels, length K, optional
            By default, the row names of a DataFrame, or the indices "0", "1", … of another array.

        Returns
        -------
        Comparisons
            One comparison for each positive count, which is its weight.

        Raises
        ------
        ValueError
            If wins is not square, its rows and columns have different names, a count is negative
            or not finite, an action beats itself, or actions does not have K labels.

        Examples
        --------
        >>> Comparisons.from_table([[0, 3], [1, 0]], actions=("a", "b")).preferences()
        array([[0.5 , 0.75],
               [0.25, 0.5 ]])
        """
        counts, names = checks.as_labelled_square("wins", wins)
        counts = checks.as_finite("wins", counts)
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.shape[0] == 0:
            raise ValueError(f"wins has shape {counts.shape}, must be (K, K) with K ≥ 1 actions")
        checks.refuse_where(counts < 0, "wins", counts, "must be at least 0", -counts)
        on_diagonal = np.eye(len(counts), dtype=bool) & (counts > 0)
        checks.refuse_where(on_diagonal, "wins", counts, "must be 0: an action cannot beat itself")
        labels = checks.as_labels(names if actions is None else actions)
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
        """Read comparisons from a CSV file with a header and one comparison per row.

        Parameters
        ----------
        path : path
            A UTF-8 file, with or without a byte-order mark, with any line endings. Spaces around
            the content of a cell are dropped.
        winner, loser : str
            Names of the columns that hold the labels.
        context : str, optional
            Name of the column that holds the context (the prompt). By default, all actions share
            one context.
        weight : str, optional
            Name of the column that says how often each comparison was made. By default, each row
            counts once. A row of weight 0 only adds its two actions.

        Returns
        -------
        Comparisons
            The actions are in order of appearance.

        Raises
        ------
        ValueError
            If a column is missing, winner or loser names a column of outcomes or of answers that
            such a column judges, a cell is empty, a weight is not a number of at least 0, a row
            compares a label with itself, a byte is not UTF-8, or the file holds no comparison. The
            message names the file and, where there is one, the line.

        Examples
        --------
        >>> from psipo_explore.datasets import CITATIONS_CSV
        >>> data = Comparisons.from_csv(CITATIONS_CSV, winner="cited", loser="citing", weight="citations")
        >>> data.n_actions, data.weights.sum()
        (4, np.float64(3727.0))
        """
        columns = {"winner": winner, "loser": loser, "context": context, "weight": weight}
        named = {role: name for role, name in columns.items() if name is not None}
        return cls._of(read_columns(checks.as_path(path), named))

    @classmethod
    def from_jsonl(cls, path: str | os.PathLike[str]) -> Comparisons:
        """Read comparisons from a JSON Lines file in the preference format of TRL.

        Each line is a JSON object with the fields prompt, chosen and rejected. If the answers are
        lists of messages, all lines may omit prompt. The prompt is then the list of messages with
        which both answers begin.

        Parameters
        ----------
        path : path
            A UTF-8 file. Each field is a string, or a list of chat messages
            {"role": …, "content": …}.

        Returns
        -------
        Comparisons
            Each prompt is a context, and the answers to it are its actions.

        Raises
        ------
        ValueError
            If a line is not a JSON object, lacks a field, has a field that is empty or of another
            kind than in the first line, or has chosen equal to rejected, or if the file holds no
            comparison. The message names the file and, where there is one, the line.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.NamedTemporaryFile("r+", suffix=".jsonl") as file:
        ...     _ = Path(file.name).write_text('{"prompt": "2 + 2", "chosen": "4", "rejected": "5"}')
        ...     Comparisons.from_jsonl(file.name).actions
        ('4', '5')
        """
        asked = Asked.of()
        return cls._of(read_files([checks.as_path(path)], asked, format="jsonl").fields)

    @classmethod
    def from_file(
        cls,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        format: str | None = None,
        skip_bad: bool = False,
        **options: Unpack[Options],
    ) -> Comparisons:
        r"""Read comparisons from preference files of any kind that `psipo diagnose` reads.

        Parameters
        ----------
        paths : path or sequence of paths
            Files, or folders of files, that are one data set; "-" is standard input. JSON Lines, a
            JSON array, CSV, TSV, each also packed by gzip, xz, bzip2 or zstd, and Parquet are told
            by their content.
        format : str, optional
            What the files are, instead of telling it by their content: "jsonl", "json", "csv",
            "tsv" or "parquet".
        skip_bad : bool
            Whether to leave out the records that cannot be read, instead of refusing them.
        **options
            What holds the prompt, the answers and the outcome, as `from_records` describes it.

        Returns
        -------
        Comparisons
            Each prompt is a context, and the answers to it are its actions. A tie is half a win
            each way. Records whose two answers are the same are left out.

        Raises
        ------
        ValueError
            If a file is of no container or shape known here, or a record cannot be read. The
            message names the file, the line, and the way to go.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.NamedTemporaryFile("r+") as file:
        ...     _ = Path(file.name).write_text("model_a,model_b,winner\noak,elm,model_a\n")
        ...     Comparisons.from_file(file.name).actions
        ('oak', 'elm')
        """
        asked = Asked.of(**options)
        return cls._of(
            read_files(checks.as_paths(paths), asked, format=format, skip_bad=skip_bad).fields
        )

    @classmethod
    def from_records(
        cls, records: Iterable[Mapping[str, Any]], **options: Unpack[Options]
    ) -> Comparisons:
        """Make comparisons from preference records: mappings from fields to values.

        Parameters
        ----------
        records : iterable of mappings
            A list, a stream of the `datasets` package, or a table of pandas or Polars.
        **options
            `shape`, the name of one of the shapes that `psipo diagnose --shapes` lists, to insist
            on it; or the names of fields: `prompt` (one or several), `chosen` and `rejected`; or
            `answers` (two) with `outcome`, and the words `first`, `second` and `tie` that the
            outcome may be. `weight` names a field that says how often each judgement was made.
            `ties` is "half" (half a win each way, the default), "drop" or "error". By default, the
            shape is recognised by the fields of the first record.

        Returns
        -------
        Comparisons
            Each prompt is a context, and the answers to it are its actions. Records whose two
            answers are the same are left out.

        Raises
        ------
        ValueError
            If the records have no shape known here, one of them cannot be read, or none holds a
            comparison.
        TypeError
            If records is not an iterable of mappings.

        Examples
        --------
        >>> record = {"prompt": "2 + 2", "chosen": "4", "rejected": ["5", "22"]}
        >>> Comparisons.from_records([record]).actions
        ('4', '5', '22')
        """
        return cls._of(read_records(records, Asked.of(**options)).fields)

    @classmethod
    def _of(cls, fields: Fields) -> Comparisons:
        """Take over what was read, of which only the weights may be too small or too large."""
        return cls._unchecked(**{**vars(fields), "weights": checks.as_weights(fields.weights)})

    @classmethod
    def _unchecked(cls, **fields: Any) -> Comparisons:
        """Return comparisons with these fields, which are known to fit together."""
        result = object.__new__(cls)
        vars(result).update(fields)
        return result

    @classmethod
    def from_preferences(cls, p: ArrayLike, *, mu: ArrayLike | None = None) -> Comparisons:
        """Make the comparisons that an infinite sample would hold, in their expected proportions.

        The comparison that y wins against y' has the weight μ(y) μ(y') p(y ≻ y').

        Parameters
        ----------
        p : array_like, shape (K, K)
            Preferences, with p + pᵀ = 1. The names of a DataFrame are kept.
        mu : array_like, shape (K,), optional
            Distribution from which both actions are drawn; uniform by default.

        Returns
        -------
        Comparisons
            Comparisons of two different actions, without those of weight 0.

        Raises
        ------
        ValueError
            If p is not a single preference table, or mu is not a distribution over its actions.

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
        """Draw comparisons of two different actions at random.

        Both actions are drawn from μ, given that they differ. Then y wins against y' with
        probability p(y ≻ y').

        Parameters
        ----------
        p : array_like, shape (K, K)
            Preferences, with p + pᵀ = 1. The names of a DataFrame are kept.
        n : int
            Number of comparisons, at least 1.
        rng : numpy.random.Generator
            Source of the random draws.
        mu : array_like, shape (K,), optional
            Distribution from which both actions are drawn; uniform by default.

        Returns
        -------
        Comparisons
            n comparisons, each of weight 1, in the order in which they were drawn.

        Raises
        ------
        ValueError
            If p is not a single preference table, mu is not a distribution over its actions or
            gives all its mass to one of them, or n is less than 1 or too large for memory.

        Examples
        --------
        >>> len(Comparisons.sample([[0.5, 0.8], [0.2, 0.5]], 5, rng=np.random.default_rng(0)).winners)
        5
        """
        checks.require_instance(
            "rng", rng, np.random.Generator, "a Generator, such as numpy.random.default_rng(0)"
        )
        weights, names = meeting_weights(p, mu)
        if not weights.any():
            raise ValueError(
                "mu gives all its mass to one action, must allow two different answers"
            )
        n = checks.as_count("n", n)
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
        """Number of actions K, over all contexts."""
        return len(self.actions)

    def win_table(self) -> Array:
        """Count the wins of each action against each other action.

        Returns
        -------
        ndarray, shape (K, K)
            Entry [y, y'] is the total weight of the comparisons that y won against y'.

        Raises
        ------
        ValueError
            If there are so many actions that the array does not fit into memory.

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
        """Estimate the preferences p̂(y ≻ y') by the share of comparisons that y won against y'.

        Parameters
        ----------
        prior : float
            Number of wins added to each side of each pair. With 0, a side that always won has a
            preference of exactly 1.

        Returns
        -------
        ndarray, shape (K, K)
            A preference table, as `optimal_policy` takes it.

        Raises
        ------
        ValueError
            If the actions are in several contexts, prior is negative, prior is 0 and some pair was
            never compared, or prior and the weights sum to more than float64 can represent.

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
        prior = checks.as_scalar("prior", prior)
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
        """Strongly connected component of each action, as a number, shape (K,).

        The graph has an edge from each winner to its loser.
        """
        return components(self.winners, self.losers, self.n_actions, "strong")

    @property
    def components(self) -> Indices:
        """Connected component of each action, as a number, shape (K,), whoever won."""
        return components(self.winners, self.losers, self.n_actions, "weak")

    @cached_property
    def by_context(self) -> Segments:
        """Segments that sum over the actions of each context."""
        return Segments(self.contexts)

    def reference(self, pi_ref: ArrayLike | None = None) -> Array:
        """Check and normalise a reference policy, which is a distribution in each context.

        Parameters
        ----------
        pi_ref : array_like, shape (K,), optional
            π_ref, which must sum to 1 in each context within 1e-6. By default, it is uniform in
            each context.

        Returns
        -------
        ndarray, shape (K,)
            π_ref, divided by its sum in each context.

        Raises
        ------
        ValueError
            If pi_ref does not have K entries, is not a distribution in some context, or is 0 for
            an action that was compared.

        Examples
        --------
        >>> Comparisons([0], [1], ("a", "b", "c", "d"), [1.0], [0, 0, 1, 1]).reference([0.9, 0.1, 0.5, 0.5])
        array([0.9, 0.1, 0.5, 0.5])
        """
        if pi_ref is None:
            return 1 / self.by_context.sum(np.ones(self.n_actions))
        given = checks.as_real("pi_ref", pi_ref)
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
        """Merge all comparisons with the same winner and loser, and add their weights.

        Returns
        -------
        Comparisons
            The comparisons are sorted by winner, then by loser.

        Examples
        --------
        >>> Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "b")]).merged().weights
        array([2., 1.])
        """
        key = self.winners * self.n_actions + self.losers
        distinct, entry = np.unique(key, return_inverse=True)
        winners, losers = np.divmod(distinct, self.n_actions)
        weights = np.bincount(entry, self.weights).astype(np.float64)
        return self._with_pairs(winners, losers, weights)

    def _with_pairs(self, winners: Indices, losers: Indices, weights: Array) -> Comparisons:
        """Return other comparisons of the same actions, without checking them."""
        return self._unchecked(
            winners=winners,
            losers=losers,
            actions=self.actions,
            weights=weights,
            contexts=self.contexts.copy(),
            ties=None,
            by_context=self.by_context,
        )

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
