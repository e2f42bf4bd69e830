"""Batches of comparisons for simulated training, for several data sets and seeds at once.

They are drawn with replacement, and the draws of a seed do not depend on the other seeds or data
sets. A batch at least as large as its data set is stored as the number of times that each
comparison was drawn, which gives the same gradient with fewer terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from psipo_explore._checks import Array, Indices
from psipo_explore.comparisons import Comparisons

_Scalar = TypeVar("_Scalar", bound=np.generic)
_NUMBERS = 1 << 20  # most random numbers held at once, unless a single step needs more
_FEW = 8  # with up to so many comparisons, comparing with each share is faster than a search


class Chunk(NamedTuple):
    """Batches of all data sets side by side, for n_steps consecutive steps.

    `pairs` has shape (n_steps or 1, 2, seeds or 1, width); its second axis is winners, then losers.
    The K actions of data set d are numbered from d·K on. `weights` has shape (n_steps or 1,
    seeds or 1, width), and those of each data set sum to 1. An axis of length 1 holds what is
    common to all steps or seeds.
    """

    n_steps: int
    pairs: Indices
    weights: Array


def batches(
    data_sets: Sequence[Comparisons], batch_size: int | None, seeds: Sequence[int], steps: int
) -> Iterator[Chunk]:
    """Yield the batches of all steps in chunks; with batch_size None, each batch is all data."""
    # The axes are winner or loser, and comparison.
    pairs = [
        np.stack([data.winners, data.losers]) + d * data.n_actions
        for d, data in enumerate(data_sets)
    ]
    if batch_size is None:
        yield _chunk(steps, pairs, [_all(data.weights) for data in data_sets])
        return
    generators = [np.random.default_rng(seed) for seed in seeds]
    most_steps = max(1, _NUMBERS // (len(seeds) * batch_size))
    for start in range(0, steps, most_steps):
        n_steps = min(most_steps, steps - start)
        # The axes are step, seed, and place in the batch.
        uniform = np.stack([rng.random((n_steps, batch_size)) for rng in generators], axis=1)
        draw = _once_for_equal(partial(_drawn, uniform))
        yield _chunk(n_steps, pairs, [draw(data.weights) for data in data_sets])


def _chunk(n_steps: int, pairs: Sequence[Indices], drawn: Sequence[_Batches]) -> Chunk:
    """Join the batches of the data sets, given the pairs of each."""
    taken = [
        np.stack([winners[which], losers[which]], axis=1)
        for (winners, losers), (which, _) in zip(pairs, drawn, strict=True)
    ]
    return Chunk(n_steps, _side_by_side(taken), _side_by_side([weights for _, weights in drawn]))


def _side_by_side(of_data_sets: Sequence[npt.NDArray[_Scalar]]) -> npt.NDArray[_Scalar]:
    """Join arrays along the last axis, after broadcasting them over steps and seeds."""
    leading = np.broadcast_shapes(*(one.shape[:-1] for one in of_data_sets))
    return np.concatenate(
        [np.broadcast_to(one, (*leading, one.shape[-1])) for one in of_data_sets], axis=-1
    )


class _Batches(NamedTuple):
    """Batches of one data set: the comparisons in them, and the weight of each.

    Both have shape (n_steps or 1, seeds or 1, width).
    """

    which: Indices
    weights: Array


def _once_for_equal(draw: Callable[[Array], _Batches]) -> Callable[[Array], _Batches]:
    """Let data sets of equal weights share one drawing, as they draw the same."""
    drawn: dict[bytes, _Batches] = {}

    def once(weights: Array) -> _Batches:
        key = weights.tobytes()
        if key not in drawn:
            drawn[key] = draw(weights)
        return drawn[key]

    return once


def _all(weights: Array) -> _Batches:
    every = np.arange(weights.size)[np.newaxis, np.newaxis]
    return _Batches(every, (weights / weights.sum())[np.newaxis, np.newaxis])


def _drawn(uniform: Array, weights: Array) -> _Batches:
    """Draw the batches of one data set, given random numbers of shape (n_steps, seeds, batch size).

    - If the data set is larger than a batch, they hold the comparisons drawn, of equal weights.
    - Otherwise they hold all comparisons, each weighted by the share of the draws that fell on it.
    """
    share = np.cumsum(weights) / weights.sum()
    share[-1] = 1.0
    batch_size = uniform.shape[-1]
    if weights.size > batch_size:
        which = np.searchsorted(share, uniform, side="right")
        return _Batches(which, np.full((1, 1, batch_size), 1 / batch_size))
    count = _counts_of_few if weights.size <= _FEW else _counts
    return _Batches(_all(weights).which, count(share, uniform) / batch_size)


def _counts(share: Array, uniform: Array) -> Indices:
    """Count how often each comparison is in each batch, given their cumulative shares.

    The last axis of `uniform` runs over the draws of a batch. In the result, it runs over the
    comparisons.
    """
    which = np.searchsorted(share, uniform, side="right")
    n_batches = which[..., 0].size
    batch = np.arange(n_batches).reshape(*which.shape[:-1], 1)
    counts = np.bincount((batch * share.size + which).ravel(), minlength=n_batches * share.size)
    return counts.reshape(*which.shape[:-1], share.size)


def _counts_of_few(share: Array, uniform: Array) -> Indices:
    """Return the same as `_counts`, in less time if there are few comparisons."""
    up_to = np.count_nonzero(uniform[..., np.newaxis, :] < share[:, np.newaxis], axis=-1)
    return np.asarray(np.diff(up_to, axis=-1, prepend=0))
