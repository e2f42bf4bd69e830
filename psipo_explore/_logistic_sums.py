"""Sums Σ_j μ_j σ(r_i − r_j) for every i, in O(K) memory and near-linear time.

The nearest poles of σ are at distance π from the real line, so sixteen Chebyshev nodes represent it
to 5e-15 on a bin of width 1, both as a function of r_i and as a function of r_j. The rewards in a
crowded bin are therefore replaced by its nodes, the remaining sums are computed directly, and
rewards that differ by more than 40 count as a certain preference because σ(−40) is 4e-18.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import expit

from psipo_explore._checks import Array, Indices

_DEGREE = 16
_CERTAIN = 41.0  # rewards in bins that are further apart than this differ by more than 40
# np.bincount adds numbers one by one, and a long sum collects rounding errors. Each sum is split
# into this many parts to keep them small.
_PARTS = 256
_BLOCK_POINTS = 1 << 14  # points that fit into a processor's cache with what is computed for them
_BLOCK = 1 << 18  # values of σ held at once, which take 2 MB
_BLOCK_ROWS = 1024

_NODES = chebyshev.chebpts1(_DEGREE)
_TO_COEFFICIENTS = 2 / _DEGREE * chebyshev.chebvander(_NODES, _DEGREE - 1)
_TO_COEFFICIENTS[:, 0] /= 2


def win_rates(r: Array, mu: Array) -> Array:
    """Return E_{j∼μ}[σ(r_i − r_j)] for every i, with an error below 2e-14.

    The rewards r and the distribution μ of the opponents have shape (K,).
    """
    bin_floor = np.floor(r)
    # A point is kept as its bin's floor and its place within the bin. Where rewards are large, the
    # sum of both would lose the digits of the place.
    within = r - bin_floor
    floors, bin_of, crowd = _distinct(bin_floor)
    in_crowd = (crowd > _DEGREE)[bin_of]
    lone = np.flatnonzero(~in_crowd)
    floors, crowd_bin, _ = _distinct(bin_floor[in_crowd])

    x = 2 * within[in_crowd] - 1
    weights = np.concatenate(
        [_spread_over_nodes(x, mu[in_crowd], crowd_bin, floors.size), mu[lone]]
    )
    at_points = _sums_at_points(
        np.concatenate([np.repeat(floors, _DEGREE), bin_floor[lone]]),
        np.concatenate([np.tile((_NODES + 1) / 2, floors.size), within[lone]]),
        weights,
    )
    rates = np.empty_like(r)
    rates[in_crowd] = _interpolate(x, at_points[: floors.size * _DEGREE], crowd_bin)
    rates[lone] = at_points[floors.size * _DEGREE :]
    return rates


def _distinct(floors: Array) -> tuple[Array, Indices, Indices]:
    """Return the distinct floors in order, where each floor is among them, and how often each is.

    Floors that lie close together are counted and need not be sorted.
    """
    if not floors.size or np.ptp(floors) > floors.size:
        return np.unique(floors, return_inverse=True, return_counts=True)
    from_lowest = (floors - floors.min()).astype(np.intp)
    counts = np.bincount(from_lowest)
    there = np.flatnonzero(counts)
    place = np.zeros(counts.size, dtype=np.intp)
    place[there] = np.arange(there.size)
    return floors.min() + there, place[from_lowest], counts[there]


def _spread_over_nodes(x: Array, mu: Array, bin_of: Indices, n_bins: int) -> Array:
    """Return weights at the nodes that sum smooth functions as the weights mu at x do."""
    moments = np.zeros((n_bins, _DEGREE))
    for block in _blocks(x.size, at_least=n_bins * _PARTS):
        moments += _moments(x[block], mu[block], bin_of[block], n_bins)
    return np.asarray(moments @ _TO_COEFFICIENTS.T).ravel()


def _moments(x: Array, mu: Array, bin_of: Indices, n_bins: int) -> Array:
    """Return Σ_j mu_j T_d(x_j) over the points of each bin, for each degree d."""
    part_of = bin_of * _PARTS + np.arange(x.size) % _PARTS
    parts = (np.bincount(part_of, mu * t, n_bins * _PARTS) for t in _chebyshev_polynomials(x))
    return np.stack([part.reshape(-1, _PARTS).sum(1) for part in parts], axis=-1)


def _interpolate(x: Array, at_nodes: Array, bin_of: Indices) -> Array:
    """Return the value at each point x, given the values at the nodes of each bin."""
    coefficients = at_nodes.reshape(-1, _DEGREE) @ _TO_COEFFICIENTS
    values = np.zeros_like(x)
    for block in _blocks(x.size):
        for of_bin, t in zip(coefficients.T, _chebyshev_polynomials(x[block]), strict=True):
            values[block] += of_bin.take(bin_of[block]) * t
    return values


def _blocks(n: int, at_least: int = 0) -> Iterator[slice]:
    """Divide n points into blocks, each of at least so many."""
    size = max(_BLOCK_POINTS, at_least)
    return (slice(start, start + size) for start in range(0, n, size))


def _chebyshev_polynomials(x: Array) -> Iterator[Array]:
    """Yield T_0(x), T_1(x), …, one at a time to save memory.

    All sixteen together would be the largest array of the whole computation.
    """
    twice_x = 2 * x
    previous, current, following = np.ones_like(x), x.copy(), np.empty_like(x)
    for _ in range(_DEGREE):
        yield previous
        np.multiply(twice_x, current, out=following)
        np.subtract(following, previous, out=following)
        previous, current, following = current, following, previous


def _sums_at_points(floors: Array, within: Array, weights: Array) -> Array:
    """Return Σ_j w_j σ(x_i − x_j) at each point x = floor + within.

    Near points are summed directly. Points far below count with their total weight, because σ is 1
    there, and points far above do not count, because σ is 0.
    """
    order = np.lexsort((within, floors))
    f, t, w = floors[order], within[order], weights[order]
    total_below = np.concatenate([[0.0], np.cumsum(w, dtype=np.longdouble)]).astype(np.float64)
    first = np.searchsorted(f, f - _CERTAIN, side="left")
    last = np.searchsorted(f, f + _CERTAIN, side="right")

    sums = np.empty_like(weights)
    start = 0
    while start < f.size:
        low = first[start]
        widths = last[start : start + _BLOCK_ROWS] - low
        entries = widths * np.arange(1, widths.size + 1)
        stop = start + max(1, int(np.searchsorted(entries, _BLOCK)))
        rows, near = slice(start, stop), slice(low, last[stop - 1])
        gaps = (f[rows, np.newaxis] - f[near]) + (t[rows, np.newaxis] - t[near])
        sums[order[rows]] = total_below[low] + expit(gaps) @ w[near]
        start = stop
    return sums
