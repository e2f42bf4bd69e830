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
        self._group[self._order] = np.repeat(
            np.arange(self._starts.size), np.diff([*self._starts, labels.size])
        )

    def sum(self, values: Array) -> Array:
        """Each entry's group total, in the shape of values."""
        return np.asarray(
            np.add.reduceat(values[..., self._order], self._starts, axis=-1)[..., self._group]
        )

    def less_log_mean(self, u: Array, log_weights: Array) -> Array:
        """Subtract log Σ exp(log_weights + u) of each group from u; from a group that weighs
        nothing, 0.

        The largest u goes first, alone, so that small differences survive however large u is.
        """
        u = u - self._largest(np.where(np.isneginf(log_weights), -np.inf, u))
        terms = log_weights + u
        largest = self._largest(terms)
        total = self.sum(np.exp(terms - largest))
        return np.asarray(u - largest - np.log(np.where(total > 0, total, 1.0)))

    def _largest(self, values: Array) -> Array:
        largest = np.maximum.reduceat(values[..., self._order], self._starts, axis=-1)[
            ..., self._group
        ]
        return np.where(np.isfinite(largest), largest, 0.0)
