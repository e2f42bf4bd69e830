"""Sums over groups of actions, such as contexts, along the last axis and without a loop."""

from __future__ import annotations

import numpy as np

from psipo_explore._checks import Array, Indices


class Segments:
    """Groups of entries along the last axis; entries with equal labels form a group."""

    def __init__(self, labels: Indices) -> None:
        self._order = np.argsort(labels, kind="stable")
        ordered = labels[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self._group = np.empty(labels.size, dtype=np.intp)
        self._group[self._order] = np.repeat(
            np.arange(self._starts.size), np.diff([*self._starts, labels.size])
        )

    def sum(self, values: Array) -> Array:
        """Return the total of each entry's group, in the shape of values."""
        return np.asarray(
            np.add.reduceat(values[..., self._order], self._starts, axis=-1)[..., self._group]
        )

    def less_log_mean(self, u: Array, log_weights: Array) -> Array:
        """Subtract log Σ exp(log_weights + u), summed over each group, from u.

        A group without weight, in which all log_weights are −∞, is left as it is. The largest u is
        subtracted first, by itself, so that small differences survive however large u is.
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
