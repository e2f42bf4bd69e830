"""Least-distance programmes: the shortest v with rows · v ≥ bounds (Lawson and Hanson 1974).

SciPy's non-negative least squares solves them. Where no v exists, its multipliers prove it
(Farkas): they are non-negative, rows are combined to 0 by them, and bounds to a positive number.
Its answer is checked each time, and found anew if it is wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.optimize import lsq_linear, nnls

from psipo_explore._checks import Array, Indices
from psipo_explore._row_space import lengths

_CONTRADICTION = 1e-10  # a shortest v longer than the inverse of this counts as none
_BEARS = 1e-9  # share of the largest multiplier above which a row surely is part of a contradiction
_MISSED = 1e-9  # share of its bound by which a row may miss it
_ROUNDING = 1e-14  # the same, as a share of the length of v
_OPTIMAL = 1e-12  # a derivative below this share of the multipliers counts as 0
_AT_ONCE = 50  # violated rows that enter the programme in one round, or d if that is more
_ROUNDS = 10_000
NOTHING: Indices = np.array([], np.intp)


class LeastDistance(NamedTuple):
    """The shortest v, or None if there is none, and the numbers of the rows that bear on it.

    A positive combination of the bearing rows is v, or 0 if there is none.
    """

    v: Array | None
    bearing: Indices


def least_distance(rows: Array, bounds: Array, guess: Indices = NOTHING) -> LeastDistance:
    """Find the shortest v with rows · v ≥ bounds ≥ 0.

    Only the rows that are violated most enter the programme, some more in each round, and those
    that do not bear leave it. So it stays small however many rows there are. A guess of the rows
    that bear saves rounds.
    """
    size = lengths(rows)
    impossible = np.flatnonzero((size == 0) & (bounds > 0))
    if impossible.size:
        return LeastDistance(None, impossible)
    size = np.where(size > 0, size, 1.0)
    unit = float((bounds / size).max())
    v, bearing, active = np.zeros(rows.shape[1]), guess, NOTHING
    for _ in range(_ROUNDS):
        entering = _most_violated(rows, size, bounds, v)
        last, active = active, np.union1d(bearing, entering)
        if not entering.size or np.array_equal(active, last):
            v = _held_exactly(rows[bearing], bounds[bearing])
            entering = _most_violated(rows, size, bounds, v)
            if np.isin(entering, active).all():
                return LeastDistance(v, bearing)
            active = np.union1d(bearing, entering)
        of_unit_length = rows[active] / size[active, np.newaxis]
        multipliers, distance = _multipliers(of_unit_length, bounds[active] / size[active] / unit)
        if distance <= _CONTRADICTION:
            return LeastDistance(None, active[multipliers > _BEARS * multipliers.max()])
        bears = multipliers > 0
        bearing = active[bears]
        v = of_unit_length[bears].T @ multipliers[bears] / distance**2 * unit
    raise RuntimeError(
        f"the least-distance programme stopped after {_ROUNDS} rounds: a row still misses its "
        f"bound by {float((bounds - rows @ v).max()):.2g}"
    )


def _most_violated(rows: Array, size: Array, bounds: Array, v: Array) -> Indices:
    """Return the numbers of the rows that miss their bounds most, for their size."""
    missed = bounds - rows @ v
    allowed = _MISSED * bounds + _ROUNDING * float(np.linalg.norm(v)) * size
    violated = np.flatnonzero(missed > allowed)
    worst = np.argsort(-missed[violated] / size[violated], kind="stable")
    return np.asarray(violated[worst[: max(_AT_ONCE, v.size)]])


def _multipliers(rows: Array, bounds: Array) -> tuple[Array, float]:
    """Return multipliers λ ≥ 0 of which v is a multiple of Σ λ rows, and a distance.

    The distance is 0 if there is no v, and 1/√(1 + ‖v‖²) otherwise.
    """
    n, d = rows.shape
    system = np.vstack([rows.T, bounds])
    target = np.append(np.zeros(d), 1.0)
    multipliers = nnls(system, target, maxiter=100 * (n + d))[0]
    if not _is_nearest(system, target, multipliers):
        # SciPy 1.15 to 1.17 can return a wrong answer without a word (its issue 25389).
        found = lsq_linear(system, target, (0, np.inf), method="bvls", tol=1e-15)
        multipliers = np.where(found.active_mask == 0, found.x, 0.0)
    return multipliers, float(np.linalg.norm(target - system @ multipliers))


def _is_nearest(system: Array, target: Array, multipliers: Array) -> bool:
    """Tell whether no other multipliers ≥ 0 bring system · multipliers nearer to the target."""
    gain = system.T @ (target - system @ multipliers)
    wrong = np.where(multipliers > 0, np.abs(gain), gain)
    return bool(wrong.max() <= _OPTIMAL * (1 + multipliers.sum()))


def _held_exactly(rows: Array, bounds: Array) -> Array:
    """Return the shortest v with rows · v = bounds, which has one, to the last digit."""
    q, r, order = qr(rows.T, mode="economic", pivoting=True)
    size = np.abs(np.diagonal(r))
    rank = int((size > np.finfo(float).eps * max(rows.shape) * size.max(initial=0.0)).sum())
    kept = order[:rank]
    return np.asarray(q[:, :rank] @ solve_triangular(r[:rank, :rank], bounds[kept], trans="T"))
