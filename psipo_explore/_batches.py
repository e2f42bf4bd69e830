"""Batches of comparisons for simulated training, for several data sets and seeds at once.

They are drawn with replacement, and the draws of a seed do not depend on the other seeds or data
sets. A batch at least as large as its data set is stored as the number of times that each
comparison was drawn, which gives the same gradient with fewer terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from psipo_explore._checks import Array, Indices
from psipo_explore.comparisons import Comparisons

_Scalar = TypeVar("_Scalar", bound=np.generic)
_NUMBERS = 1 << 20  # most random numbers held at once, unless a single step needs more


class Chunk(NamedTuple):
    """Batches for n_steps consecutive steps.

    `pairs` has shape (n_steps or 1, 2, data sets, seeds or 1, width); its second axis is winners,
    then losers. `weights` has shape (n_steps or 1, data sets, seeds or 1, width) and sums to 1 over
    its last axis. An axis of length 1 holds what is common to all steps or seeds.
    """

    n_steps: int
    pairs: Indices
    weights: Array


def batches(
    data_sets: Sequence[Comparisons], batch_size: int | None, seeds: Sequence[int], steps: int
) -> Iterator[Chunk]:
    """Yield the batches of all steps in chunks; with batch_size None, each batch is all data."""
    if batch_size is None:
        yield _all_data(data_sets, steps)
        return
    width = max(min(data.winners.size, batch_size) for data in data_sets)
    generators = [np.random.default_rng(seed) for seed in seeds]
    most_steps = max(1, _NUMBERS // (len(seeds) * batch_size))
    for start in range(0, steps, most_steps):
        n_steps = min(most_steps, steps - start)
        # The axes are step, seed, and place in the batch.
        uniform = np.stack([rng.random((n_steps, batch_size)) for rng in generators], axis=1)
        pairs, weights = zip(*(_drawn(data, uniform, width) for data in data_sets), strict=True)
        yield Chunk(n_steps, _side_by_side(pairs, axis=2), _side_by_side(weights, axis=1))


def _all_data(data_sets: Sequence[Comparisons], steps: int) -> Chunk:
    width = max(data.winners.size for data in data_sets)
    # The axes are winner or loser, data set, and comparison.
    pairs = np.stack([_padded(_pairs(data), width) for data in data_sets], axis=1)
    # The axes are data set and comparison.
    shares = np.stack([_padded(data.weights / data.weights.sum(), width) for data in data_sets])
    return Chunk(steps, pairs[np.newaxis, :, :, np.newaxis], shares[np.newaxis, :, np.newaxis])


def _drawn(data: Comparisons, uniform: Array, width: int) -> tuple[Indices, Array]:
    """Draw the batches of one data set, given random numbers of shape (n_steps, seeds, batch size).

    Return pairs of shape (n_steps or 1, 2, seeds or 1, width), and weights of shape
    (n_steps or 1, seeds or 1, width):

    - If the data set is larger than a batch, the pairs drawn, each with the same weight. `width` is
      the batch size then.
    - Otherwise the pairs of the data set, each weighted by the share of the draws that fell on it.
    """
    share = np.cumsum(data.weights) / data.weights.sum()
    share[-1] = 1.0
    which = np.searchsorted(share, uniform, side="right")
    batch_size = uniform.shape[-1]
    if data.winners.size > batch_size:
        pairs = _pairs(data)[:, which].swapaxes(0, 1)
        return pairs, np.full((1, 1, width), 1 / batch_size)
    times_drawn = _counts(which, data.winners.size)
    pairs = _padded(_pairs(data), width)[np.newaxis, :, np.newaxis]
    return pairs, _padded(times_drawn / batch_size, width)


def _side_by_side(of_data_sets: Sequence[npt.NDArray[_Scalar]], axis: int) -> npt.NDArray[_Scalar]:
    """Stack the arrays of all data sets, after broadcasting them over steps and seeds."""
    return np.stack(np.broadcast_arrays(*of_data_sets), axis=axis)


def _pairs(data: Comparisons) -> Indices:
    return np.stack([data.winners, data.losers])


def _padded(values: npt.NDArray[_Scalar], width: int) -> npt.NDArray[_Scalar]:
    """Append zeros along the last axis, so that data sets of different lengths can be stacked.

    As pairs with weights, the zeros are comparisons of action 0 with itself that weigh nothing.
    """
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, width - values.shape[-1])])


def _counts(which: Indices, n_comparisons: int) -> Indices:
    """Count how often each comparison is in each batch.

    The last axis of `which` runs over the draws of a batch. In the result, it runs over the
    comparisons.
    """
    n_batches = which[..., 0].size
    batch = np.arange(n_batches).reshape(*which.shape[:-1], 1)
    counts = np.bincount(
        (batch * n_comparisons + which).ravel(), minlength=n_batches * n_comparisons
    )
    return counts.reshape(*which.shape[:-1], n_comparisons)
