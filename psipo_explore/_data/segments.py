"""Sums over groups of actions, such as contexts, along the last axis and without a loop."""

from __future__ import annotations

import numpy as np

from psipo_explore._checks import Array, Indices


class Segments:
    """Groups of entries along the last axis; entries with equal labels form a group.

    Attributes
    ----------
    group : ndarray of int, shape (K,)
        Number of each entry's group. The groups are numbered from 0 on, in the order of their labels.
    """

    def __init__(self, labels: Indices) -> None:
        in_order = bool((labels[1:] >= labels[:-1]).all())
        # A slice of everything copies nothing.
        self._order = slice(None) if in_order else np.argsort(labels, kind="stable")
        ordered = labels[self._order]
        begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        self._starts = np.flatnonzero(begins)
        self.group = np.empty(labels.size, dtype=np.intp)
        self.group[self._order] = np.cumsum(begins) - 1

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return self._starts.size

    def sum(self, values: Array) -> Array:
        """Return the total of each entry's group, in the shape of values."""
        return self._to_entries(self._totals(values))

    def less_log_mean(self, u: Array, log_weights: Array) -> Array:
        """Subtract log Σ exp(log_weights + u), summed over each group, from u.

        A group without weight, in which all log_weights are −∞, is left as it is. The largest u is
        subtracted first, by itself, so that small differences survive however large u is.
        """
        u = u - self._to_entries(self._largest(np.where(np.isneginf(log_weights), -np.inf, u)))
        terms = log_weights + u
        largest = self._largest(terms)
        total = self._totals(np.exp(terms - self._to_entries(largest)))
        log_total = np.log(np.where(total > 0, total, 1.0))
        return np.asarray(u - self._to_entries(largest) - self._to_entries(log_total))

    def _totals(self, values: Array) -> Array:
        return np.asarray(np.add.reduceat(values[..., self._order], self._starts, axis=-1))

    def _largest(self, values: Array) -> Array:
        largest = np.maximum.reduceat(values[..., self._order], self._starts, axis=-1)
        return np.where(np.isfinite(largest), largest, 0.0)

    def _to_entries(self, of_groups: Array) -> Array:
        return of_groups.take(self.group, axis=-1)
