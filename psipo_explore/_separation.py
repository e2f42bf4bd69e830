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
from psipo_explore._row_space import RowSpace, lengths

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
    left, size = ~tied, lengths(z)
    rest = RowSpace(z[tied]).outside(z)
    while True:
        left &= lengths(rest) > _IN_SPAN * size
        if not left.any():
            return Separated(left, NOTHING)
        remaining = rest if left.all() else rest[left]
        found = least_distance(remaining, lengths(remaining))
        if found.v is not None:
            return Separated(left, found.bearing)
        left[np.flatnonzero(left)[found.bearing]] = False
        more = RowSpace(remaining[found.bearing])
        if more.is_everything:
            return Separated(np.zeros_like(left), NOTHING)
        rest = more.outside(rest)


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
        self._rows = tied.outside(z)
        self._bearing = bearing

    def least_direction(self) -> Array:
        """Return the shortest of these directions, shape (d,)."""
        found = least_distance(self._rows, np.ones(len(self._rows)), self._bearing)
        self._bearing = found.bearing
        if found.v is None:
            raise RuntimeError(
                "the features are so nearly dependent, or their units differ so much, that float64 "
                f"finds no direction: {found.bearing.size} comparisons contradict each other"
            )
        return self._tied.without_margins(found.v)

    def sparing(self, rivals: Array) -> Array | None:
        """Return one of these directions that keeps an answer on top, or None if none does.

        Rivals are φ(y') − φ(y), shape (number of rivals, d).
        """
        ahead = self._tied.outside(rivals)
        ahead = ahead[lengths(ahead) > _IN_SPAN * lengths(rivals)]
        rows = np.vstack([self._rows, -ahead])
        bounds = np.append(np.ones(len(self._rows)), np.zeros(len(ahead)))
        v = least_distance(rows, bounds, self._bearing).v
        return None if v is None else self._tied.without_margins(v)
