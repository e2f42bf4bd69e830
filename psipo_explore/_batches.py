"""Batches of comparisons for simulated training: drawn with replacement, for several data sets and
seeds at once.

The draws of a seed are the same whatever is drawn beside them. Where a batch is at least as large
as the data, how often each comparison was drawn says all of it, in fewer terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from psipo_explore._checks import Array, Indices
from psipo_explore.comparisons import Comparisons

_Scalar = TypeVar("_Scalar", bound=np.generic)
_NUMBERS = 1 << 20  # random numbers held at once


def batches(
    tables: Sequence[Comparisons], batch_size: int | None, seeds: Sequence[int], steps: int
) -> Iterator[tuple[int, Indices, Array]]:
    """Yield (n, pairs, weights) for the next n steps.

    pairs has shape (n or 1, 2, data sets, seeds or 1, width), winners and losers; weights has shape
    (n or 1, data sets, seeds or 1, width) and sums to 1 over its last axis.
    """
    if batch_size is None:
        width = max(table.winners.size for table in tables)
        pairs = np.stack([_padded(_pairs(table), width) for table in tables], axis=1)
        weights = np.stack(
            [_padded(table.weights / table.weights.sum(), width) for table in tables]
        )
        yield steps, pairs[np.newaxis, :, :, np.newaxis], weights[np.newaxis, :, np.newaxis]
        return
    width = max(min(table.winners.size, batch_size) for table in tables)
    generators = [np.random.default_rng(seed) for seed in seeds]
    most = max(1, _NUMBERS // (len(seeds) * batch_size))
    for start in range(0, steps, most):
        n = min(most, steps - start)
        uniform = np.stack([rng.random((n, batch_size)) for rng in generators], axis=1)
        drawn = [_drawn(table, uniform, width) for table in tables]
        pairs_of, weights_of = (np.broadcast_arrays(*parts) for parts in zip(*drawn, strict=True))
        yield n, np.stack(pairs_of, axis=2), np.stack(weights_of, axis=1)


def _drawn(table: Comparisons, uniform: Array, width: int) -> tuple[Indices, Array]:
    """Pairs of shape (n or 1, 2, seeds or 1, width) and weights without the 2, for numbers of shape
    (n, seeds, batch).
    """
    share = np.cumsum(table.weights) / table.weights.sum()
    share[-1] = 1.0
    which = np.searchsorted(share, uniform, side="right")
    batch_size = uniform.shape[-1]
    if table.winners.size > batch_size:
        return _pairs(table)[:, which].swapaxes(0, 1), np.full((1, 1, width), 1 / batch_size)
    times_drawn = _counts(which, table.winners.size)
    return _padded(_pairs(table), width)[np.newaxis, :, np.newaxis], _padded(
        times_drawn / batch_size, width
    )


def _pairs(table: Comparisons) -> Indices:
    return np.stack([table.winners, table.losers])


def _padded(values: npt.NDArray[_Scalar], width: int) -> npt.NDArray[_Scalar]:
    """Zeros after the values: comparisons of weight 0 of an action with itself, so that data sets
    fit side by side.
    """
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, width - values.shape[-1])])


def _counts(which: Indices, n_comparisons: int) -> Indices:
    """How often each comparison is in each batch; batches are the last axis."""
    n_batches = which[..., 0].size
    batch = np.arange(n_batches).reshape(*which.shape[:-1], 1)
    counts = np.bincount(
        (batch * n_comparisons + which).ravel(), minlength=n_batches * n_comparisons
    )
    return counts.reshape(*which.shape[:-1], n_comparisons)
