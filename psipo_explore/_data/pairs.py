"""Reading and checking the pairs of actions that `Comparisons` is made from.

Labels become indices, and the errors name the pair or the entry that is wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices, Mask
from psipo_explore._data.segments import Segments


def counted_pairs(
    pairs: Iterable[tuple[Hashable, Hashable]],
    actions: Sequence[Hashable] | None,
    weights: ArrayLike | None,
) -> tuple[Indices, Indices, list[Hashable], Array]:
    """Return the winners and losers of pairs of labels, the labels that they index, and weights.

    Pairs of weight 0 are left out, but their labels are kept.
    """
    rows = _checked_rows(pairs)
    counts = _checked_counts(weights, len(rows))
    labels = list(_named_in(rows) if actions is None else checks.as_labels(actions))
    winners, losers = _indices(rows, labels).T
    counted = counts > 0
    return winners[counted], losers[counted], labels, counts[counted]


def _checked_rows(pairs: Iterable[Any]) -> list[tuple[Hashable, Hashable]]:
    if isinstance(pairs, Mapping):
        raise TypeError(
            "pairs is a mapping, must be a sequence: give its keys, and its values as weights"
        )
    rows = [_pair(k, pair) for k, pair in enumerate(_rows(pairs))]
    if not rows:
        raise ValueError("pairs is empty, must hold at least one (winner, loser)")
    return rows


def _checked_counts(weights: ArrayLike | None, n_pairs: int) -> Array:
    counts = np.ones(n_pairs) if weights is None else checks.as_real("weights", weights)
    if counts.shape != (n_pairs,):
        raise ValueError(
            f"weights has shape {counts.shape}, must be ({n_pairs},), one for each pair"
        )
    refused = ~((counts >= 0) & np.isfinite(counts))
    checks.refuse_where(refused, "weights", counts, "must be finite and at least 0")
    if not counts.any():
        raise ValueError("weights are all 0, must leave at least one comparison")
    return counts


def _named_in(rows: Iterable[tuple[Hashable, Hashable]]) -> Iterable[Hashable]:
    """Return each label once, in order of first appearance."""
    return dict.fromkeys(label for pair in rows for label in pair)


def _indices(rows: list[tuple[Hashable, Hashable]], labels: list[Hashable]) -> Indices:
    """Return the index of each pair's winner and loser among the labels, shape (pairs, 2)."""
    index = {label: i for i, label in enumerate(labels)}
    for k, pair in enumerate(rows):
        for label in pair:
            if label not in index:
                raise ValueError(
                    f"pairs[{k}] names {checks.cut(label)}, which is not among the actions "
                    f"{checks.listed(labels)}"
                )
    return np.array([[index[winner], index[loser]] for winner, loser in rows], dtype=np.intp)


def _rows(pairs: Iterable[Any]) -> Iterable[Any]:
    """Iterate over the pairs, which are the rows if a DataFrame is given.

    Iterating over a DataFrame itself would give the names of its columns.
    """
    if not (hasattr(pairs, "columns") and hasattr(pairs, "itertuples")):
        try:
            return iter(pairs)
        except TypeError:
            raise TypeError(f"pairs = {checks.shown(pairs)}, must be a sequence") from None
    if len(pairs.columns) != 2:
        raise ValueError(
            f"pairs has columns {checks.listed(list(pairs.columns))}, must have two, winners and losers"
        )
    rows: Iterable[Any] = pairs.itertuples(index=False, name=None)
    return rows


def _pair(k: int, pair: Any) -> tuple[Hashable, Hashable]:
    is_sequence = isinstance(pair, Sequence) and not isinstance(pair, str)
    if not (
        (is_sequence and len(pair) == 2) or (isinstance(pair, np.ndarray) and pair.shape == (2,))
    ):
        raise ValueError(f"pairs[{k}] = {checks.shown(pair)}, must be (winner, loser)")
    winner, loser = pair
    if not (_is_label(winner) and _is_label(loser)):
        raise ValueError(
            f"pairs[{k}] = ({checks.shown(winner)}, {checks.shown(loser)}), must be two labels"
        )
    if winner == loser:
        raise ValueError(
            f"pairs[{k}] = ({checks.shown(winner)}, {checks.shown(loser)}), an action cannot beat itself"
        )
    return winner, loser


def _is_label(value: Any) -> bool:
    """Whether a value is hashable and not missing, that is, not None, NaN or pandas' NA."""
    try:
        hash(value)
        return value is not None and bool(value == value)
    except TypeError:
        return False


def check_lengths(
    actions: tuple[str, ...], contexts: Indices, winners: Indices, losers: Indices, weights: Array
) -> None:
    """Refuse fields of `Comparisons` whose lengths or labels do not fit together."""
    if not actions:
        raise ValueError("actions is empty, must name at least one")
    if len(contexts) != len(actions):
        raise ValueError(
            f"contexts has {len(contexts)} entries, must have one for each of {len(actions)} actions"
        )
    # Labels that differ in all contexts need no look at the contexts, which takes longer.
    if len(set(actions)) < len(actions):
        _refuse_repeated_identities(contexts, actions)
    for name, field in {"losers": losers, "weights": weights}.items():
        if field.shape != winners.shape:
            raise ValueError(
                f"{name} has shape {field.shape}, must be that of winners, {winners.shape}"
            )


def _refuse_repeated_identities(contexts: Indices, actions: tuple[str, ...]) -> None:
    number = {label: k for k, label in enumerate(dict.fromkeys(actions))}
    labels = np.fromiter(map(number.__getitem__, actions), np.intp, len(actions))
    order = np.lexsort((labels, contexts))
    as_before = (np.diff(labels[order]) == 0) & (np.diff(contexts[order]) == 0)
    if as_before.any():
        twice = actions[order[1:][as_before].min()]
        raise ValueError(
            f"actions names {checks.shown(twice)} twice in one context, must name each action once"
        )


def check_pairs(contexts: Indices, by_context: Segments, winners: Indices, losers: Indices) -> None:
    """Refuse comparisons that are not between two different actions of one context.

    If there are several actions, a context that holds only one of them is refused too.
    """
    n_actions = contexts.size
    for name, index in {"winners": winners, "losers": losers}.items():
        outside = (index < 0) | (index >= n_actions)
        checks.refuse_where(
            outside, name, index, f"must be the index of one of {checks.actions(n_actions)}"
        )
    checks.refuse_where(winners == losers, "losers", losers, "must differ from its winner")
    strangers = contexts[winners] != contexts[losers]
    checks.refuse_where(strangers, "losers", losers, "must be of the same context as its winner")
    alone = (by_context.sum(np.ones(n_actions)) == 1) & (n_actions > 1)
    checks.refuse_where(
        alone, "contexts", contexts, "must hold more than one action: there is nothing to compare"
    )


def as_ties(given: Any, winners: Indices, losers: Indices, weights: Array) -> Mask:
    """Check that each tie is two comparisons that follow each other, one each way."""
    ties = np.asarray(given)
    if ties.shape != winners.shape or ties.dtype != np.bool_:
        raise ValueError(
            f"ties has shape {ties.shape} and type {ties.dtype}, must be one bool for each comparison"
        )
    first, second = np.flatnonzero(ties)[::2], np.flatnonzero(ties)[1::2]
    if (
        first.size != second.size
        or (
            (second != first + 1)
            | (winners[first] != losers[second])
            | (losers[first] != winners[second])
            | (weights[first] != weights[second])
        ).any()
    ):
        raise ValueError("ties must mark two comparisons in a row, one each way, of equal weight")
    return ties


def pairs_in_contexts(
    pairs: Iterable[tuple[Hashable, Hashable]],
    contexts: Sequence[Hashable],
    weights: ArrayLike | None,
) -> tuple[Indices, Indices, tuple[str, ...], Array, Indices]:
    """Return the fields of `Comparisons` for pairs of labels, each pair in a context."""
    rows = _checked_rows(pairs)
    where = list(contexts)
    if len(where) != len(rows):
        raise ValueError(
            f"contexts has {len(where)} entries, must have one for each of {len(rows)} pairs"
        )
    counts = _checked_counts(weights, len(rows))
    ends = [(context, label) for context, pair in zip(where, rows, strict=True) for label in pair]
    number = {end: i for i, end in enumerate(dict.fromkeys(ends))}
    winners, losers = np.array([number[end] for end in ends], np.intp).reshape(-1, 2).T
    of_context = {context: i for i, context in enumerate(dict.fromkeys(where))}
    counted = counts > 0
    return (
        winners[counted],
        losers[counted],
        tuple(str(label) for _, label in number),
        counts[counted],
        np.array([of_context[context] for context, _ in number], np.intp),
    )
