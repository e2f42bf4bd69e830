"""What `Comparisons` takes for pairs of actions, and what it refuses with its place: labels become indices, fields must fit."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike, Indices
from psipo_explore._segments import Segments

if TYPE_CHECKING:
    from psipo_explore.comparisons import Comparisons


def counted_pairs(
    pairs: Iterable[tuple[Hashable, Hashable]], actions: Sequence[Hashable] | None, weights: ArrayLike | None
) -> tuple[Indices, Indices, list[Hashable], Array]:
    """Winners and losers as indices into the labels, the labels, and how often each pair counts; weights of 0 leave it out."""
    if isinstance(pairs, Mapping):
        raise TypeError("pairs is a mapping, must be a sequence: give its keys, and its values as weights")
    rows = [_pair(k, pair) for k, pair in enumerate(_rows(pairs))]
    if not rows:
        raise ValueError("pairs is empty, must hold at least one (winner, loser)")
    counts = np.ones(len(rows)) if weights is None else checks.real("weights", weights)
    if counts.shape != (len(rows),):
        raise ValueError(f"weights has shape {counts.shape}, must be ({len(rows)},), one for each pair")
    checks.refuse_where(~((counts >= 0) & np.isfinite(counts)), "weights", counts, "must be finite and at least 0")
    if not counts.any():
        raise ValueError("weights are all 0, must leave at least one comparison")
    labels = list(checks.labels(actions) if actions is not None else dict.fromkeys(label for pair in rows for label in pair))
    index = {label: i for i, label in enumerate(labels)}
    for k, pair in enumerate(rows):
        for label in pair:
            if label not in index:
                raise ValueError(f"pairs[{k}] names {checks.cut(label)}, which is not among the actions {checks.listed(labels)}")
    ends = np.array([[index[winner], index[loser]] for winner, loser in rows], dtype=np.intp)
    ends, counts = ends[counts > 0], counts[counts > 0]
    return ends[:, 0], ends[:, 1], labels, counts


def _rows(pairs: Iterable[Any]) -> Iterable[Any]:
    """A DataFrame's rows, which as an iterable gives its columns' names; anything else as it is."""
    if not (hasattr(pairs, "columns") and hasattr(pairs, "itertuples")):
        try:
            return iter(pairs)
        except TypeError:
            raise TypeError(f"pairs = {checks.shown(pairs)}, must be a sequence") from None
    if len(pairs.columns) != 2:
        raise ValueError(f"pairs has columns {checks.listed(list(pairs.columns))}, must have two, winners and losers")
    rows: Iterable[Any] = pairs.itertuples(index=False, name=None)
    return rows


def _pair(k: int, pair: Any) -> tuple[Hashable, Hashable]:
    is_sequence = isinstance(pair, Sequence) and not isinstance(pair, str)
    if not ((is_sequence and len(pair) == 2) or (isinstance(pair, np.ndarray) and pair.shape == (2,))):
        raise ValueError(f"pairs[{k}] = {checks.shown(pair)}, must be (winner, loser)")
    winner, loser = pair
    if not (_is_label(winner) and _is_label(loser)):
        raise ValueError(f"pairs[{k}] = ({checks.shown(winner)}, {checks.shown(loser)}), must be two labels")
    if winner == loser:
        raise ValueError(f"pairs[{k}] = ({checks.shown(winner)}, {checks.shown(loser)}), an action cannot beat itself")
    return winner, loser


def _is_label(value: Any) -> bool:
    """Whether a value is there (not None, NaN or pandas' NA) and can be told from others."""
    try:
        hash(value)
        return value is not None and bool(value == value)
    except TypeError:
        return False


def check_lengths(data: Comparisons) -> None:
    """Refuse fields that do not fit together."""
    if not data.actions:
        raise ValueError("actions is empty, must name at least one")
    if len(data.contexts) != data.n_actions:
        raise ValueError(f"contexts has {len(data.contexts)} entries, must have one for each of {data.n_actions} actions")
    identities = list(zip(data.contexts.tolist(), data.actions, strict=True))
    if len(set(identities)) < len(identities):
        twice = next(label for i, (_, label) in enumerate(identities) if identities[i] in identities[:i])
        raise ValueError(f"actions names {checks.shown(twice)} twice in one context, must name each action once")
    for name in ("losers", "weights"):
        if getattr(data, name).shape != data.winners.shape:
            raise ValueError(f"{name} has shape {getattr(data, name).shape}, must be that of winners, {data.winners.shape}")


def check_pairs(data: Comparisons) -> None:
    """Refuse indices that are no comparison of two actions of one context."""
    for name in ("winners", "losers"):
        index = getattr(data, name)
        outside = (index < 0) | (index >= data.n_actions)
        checks.refuse_where(outside, name, index, f"must be the index of one of {checks.actions(data.n_actions)}")
    checks.refuse_where(data.winners == data.losers, "losers", data.losers, "must differ from its winner")
    strangers = data.contexts[data.winners] != data.contexts[data.losers]
    checks.refuse_where(strangers, "losers", data.losers, "must be of the same context as its winner")
    alone = (Segments(data.contexts).sum(np.ones(data.n_actions)) == 1) & (data.n_actions > 1)
    checks.refuse_where(alone, "contexts", data.contexts, "must hold more than one action: there is nothing to compare")
