"""Which comparisons shared weights can separate.

Z has one row for each comparison, φ(winner) − φ(loser). A row is separated if some v has Zv ≥ 0
and is positive on that row (Albert and Anderson 1984). A loss that falls for ever pays nothing for
such rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices, Mask
from psipo_explore._least_distance import NOTHING, least_distance
from psipo_explore._row_space import RowSpace, of_unit_length

_IN_SPAN = 1e-10  # a unit row with less than this outside a span lies in it


class Separated(NamedTuple):
    """Which rows are separated, shape (N,), and which of these bear on a separating direction."""

    rows: Mask
    bearing: Indices


def separated_rows(z: Array, tied: Mask) -> Separated:
    """Return the largest support of Zv over all v with Zv ≥ 0.

    Each round asks for a v that is positive on all rows that are left. Where there is none, some
    rows contradict each other: a positive combination of them is 0, so each v with Zv ≥ 0 is 0 on
    them. These rows are tied, and so are all rows in their span (facial reduction).

    Parameters
    ----------
    z : ndarray, shape (N, d)
    tied : ndarray of bool, shape (N,)
        Rows that are known not to be separated.
    """
    left = ~tied
    if not left.any():
        return Separated(left, NOTHING)
    rows, _ = of_unit_length(z / _column_sizes(z))
    rest = RowSpace(rows[tied]).outside(rows)
    while True:
        outside, size = of_unit_length(rest)
        left &= size > _IN_SPAN
        if not left.any():
            return Separated(left, NOTHING)
        found = least_distance(outside[left], np.ones(int(left.sum())))
        if found.v is not None:
            return Separated(left, found.bearing)
        contradicting = np.flatnonzero(left)[found.bearing]
        left[contradicting] = False
        rest = RowSpace(outside[contradicting]).outside(rest)


def _column_sizes(z: Array) -> Array:
    sizes = np.abs(z).max(axis=0, initial=0.0)
    return np.where(sizes > 0, sizes, 1.0)


class Separation:
    """The directions v that separate all separated rows, Z_S v ≥ 1, and keep the rest, Z_Sᶜ v = 0.

    Parameters
    ----------
    z : ndarray, shape (number of separated rows, d)
    bearing : ndarray of int
        Rows that are likely to bear on a direction.
    tied : RowSpace
        Row space of the other rows, on which v must vanish.
    """

    def __init__(self, z: Array, bearing: Indices, tied: RowSpace) -> None:
        self._tied = tied
        self._rows, size = of_unit_length(tied.outside(z))
        self._shortest = float(size.min())
        self._bounds = self._shortest / size
        self._bearing = bearing

    def least_direction(self) -> Array:
        """Return the shortest of these directions, shape (d,)."""
        found = least_distance(self._rows, self._bounds, self._bearing)
        self._bearing = found.bearing
        if found.v is None:
            raise RuntimeError(
                "the features are so nearly dependent that float64 cannot tell which comparisons "
                f"are separated: {found.bearing.size} of them contradict each other"
            )
        return found.v / self._shortest

    def sparing(self, rivals: Array) -> Array | None:
        """Return one of these directions that keeps an answer on top, or None if none does.

        Rivals are φ(y') − φ(y), shape (number of rivals, d).
        """
        ahead, size = of_unit_length(self._tied.outside(rivals))
        ahead = ahead[size > _IN_SPAN * np.linalg.norm(rivals, axis=1)]
        rows = np.vstack([self._rows, -ahead])
        bounds = np.append(self._bounds, np.zeros(len(ahead)))
        return least_distance(rows, bounds, self._bearing).v
