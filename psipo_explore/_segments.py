"""Sums over groups of actions (contexts, blocks), along the last axis, without a loop over groups."""

from __future__ import annotations

import numpy as np

from psipo_explore._checks import Array, Indices


class Segments:
    """Groups of the last axis, by a whole number for each of its entries."""

    def __init__(self, labels: Indices) -> None:
        self._order = np.argsort(labels, kind="stable")
        ordered = labels[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self._group = np.empty(labels.size, dtype=np.intp)
        self._group[self._order] = np.repeat(np.arange(self._starts.size), np.diff([*self._starts, labels.size]))

    def sum(self, values: Array) -> Array:
        """Each entry's group total, in the shape of values."""
        return np.asarray(np.add.reduceat(values[..., self._order], self._starts, axis=-1)[..., self._group])

    def log_total(self, log_weights: Array) -> Array:
        """Logarithm of each entry's group total; 0 where a whole group weighs nothing."""
        largest = np.maximum.reduceat(log_weights[..., self._order], self._starts, axis=-1)[..., self._group]
        largest = np.where(np.isfinite(largest), largest, 0.0)
        total = self.sum(np.exp(log_weights - largest))
        return np.asarray(np.where(total > 0, largest + np.log(np.where(total > 0, total, 1.0)), 0.0))
