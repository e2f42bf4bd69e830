"""Sums almost without rounding error, so that equal sums come out equal.

`refuse_what_rounding_decides` raises an error where rounding would still decide a policy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, Indices

_EPS = float(np.finfo(float).eps)
_DIGITS = 53  # bits in the significand of a float64
_FEW_ULPS = 4 * _EPS
_MATTERS = 1e-6  # smallest change of a log-ratio that matters
_NOTHING_LEFT = 745.0  # nats below the largest score at which a probability rounds to 0


def exact_sum(terms: Array) -> Array:
    """Sum over the last axis almost without rounding error.

    Each term is split into a high part and a low part. The high parts add up exactly, and the low
    parts are so small that their rounding hardly matters. This is the error-free extraction of
    Rump, Ogita and Oishi (2008), "Accurate floating-point summation".
    """
    _, exponent = np.frexp(np.abs(terms).max(-1, keepdims=True))
    below_one = np.ldexp(terms, -exponent)
    big = 2.0 ** (int(terms.shape[-1]).bit_length() + 1)
    high = (below_one + big) - big
    return np.asarray(np.ldexp(high.sum(-1) + (below_one - high).sum(-1), exponent[..., 0]))


def exact_sums(sums: Callable[[Array], Array], n_terms: int, values: Array) -> Array:
    """Compute sums of many values to 2 ulp, however much cancels in them.

    Parameters
    ----------
    sums : callable
        The sums as a linear map, whose matrix has the entries −1, 0 and 1.
    n_terms : int
        The largest number of values that one sum adds up.
    values : ndarray
        The values to which the map is applied, from −1 to 1.
    """
    total: Array | float = 0.0
    for digit in reversed(_digits_of_sums(sums, n_terms, values)):
        total = (digit + total) / _base(n_terms)
    return np.asarray(total)


def order_of_rates(signs: Array, mu: Array) -> Indices:
    """Rank the rates Σ_y' signs[y, y'] μ(y') in ascending order; equal rates share a rank.

    The rates are computed exactly. Two neighbours are equal if they differ by at most a few ulp of
    the largest mass that has different signs in the two rates, because the masses themselves may
    have been rounded by that much.

    Parameters
    ----------
    signs : ndarray, shape (..., K, K)
        1 where y surely beats y', −1 where it surely loses, else 0.
    mu : ndarray, shape (..., K)
        Probability of each opponent y'.
    """
    mu = np.broadcast_to(mu, signs.shape[:-1])
    k = mu.shape[-1]
    digits = _digits_of_sums(
        lambda masses: np.matmul(signs, masses[..., np.newaxis])[..., 0], k, mu
    )
    order = np.lexsort(digits[::-1])
    ascending = [np.take_along_axis(digit, order, -1) for digit in digits]
    steps = sum(
        np.diff(digit) * _base(k) ** -place for place, digit in enumerate(ascending, start=1)
    )
    sorted_signs = np.take_along_axis(signs, order[..., np.newaxis], -2)
    counted_by_one = np.diff(sorted_signs, axis=-2) != 0
    largest = np.where(counted_by_one, mu[..., np.newaxis, :], 0.0).max(-1)
    place = np.zeros(order.shape, dtype=np.intp)
    np.put_along_axis(place, order[..., 1:], np.cumsum(steps > _FEW_ULPS * largest, axis=-1), -1)
    return place


def _base(n_terms: int) -> float:
    """Return a power of 2 such that n_terms whole numbers below it add up exactly."""
    return 2.0 ** (_DIGITS - n_terms.bit_length())


def _digits_of_sums(sums: Callable[[Array], Array], n_terms: int, values: Array) -> list[Array]:
    """Write each sum as d₁/B + d₂/B² + …, and return the digits d₁, d₂, ….

    All digits but the first lie between −B/2 and B/2, so that equal sums have equal digits.
    """
    base = _base(n_terms)
    digits: list[Array] = []
    left = values
    while left.any() or not digits:
        left = left * base
        whole = np.trunc(left)
        digits.append(sums(whole))
        left = left - whole
    for k in range(len(digits) - 1, 0, -1):
        carried = np.floor(digits[k] / base + 0.5)
        digits[k] = digits[k] - carried * base
        digits[k - 1] = digits[k - 1] + carried
    return digits


def refuse_what_rounding_decides(
    scores: Array, rounding: Array, beta: Array, blocks: Indices | None = None
) -> None:
    """Refuse a β so small that rounding in the scores would decide the policy.

    That is so if two scores of one block differ by no more than rounding may have caused, if β
    makes this difference matter, and if the actions keep any probability at all.

    Parameters
    ----------
    scores, rounding : ndarray, shape (..., K)
        Score of each action, −inf if it has no chance, and how far rounding may have moved it.
    beta : ndarray, shape (...)
        Strength of the KL term, by which differences of scores are divided.
    blocks : ndarray of int, shape (K,), optional
        Block of each action. Only scores of the same block are compared; by default, all are.
    """
    if _MATTERS * beta.min(initial=np.inf) >= 2 * rounding.max(initial=0.0):
        return
    shape = np.broadcast_shapes(scores.shape, rounding.shape, (*beta.shape, 1))
    scores, rounding = np.broadcast_to(scores, shape), np.broadcast_to(rounding, shape)
    block = np.zeros(shape, np.intp) if blocks is None else np.broadcast_to(blocks, shape)
    order = np.lexsort((-scores, block))
    scores, rounding = (
        np.take_along_axis(scores, order, -1),
        np.take_along_axis(rounding, order, -1),
    )
    block = np.take_along_axis(block, order, -1)
    same_block = np.diff(block) == 0
    with np.errstate(invalid="ignore"):
        gap = scores[..., :-1] - scores[..., 1:]
    strength = np.broadcast_to(beta[..., np.newaxis], gap.shape)
    close = same_block & (gap > 0) & (gap <= rounding[..., :-1] + rounding[..., 1:])
    decided = close & (gap > _MATTERS * strength) & _leaves_something(scores, block, strength)
    if decided.any():
        *batch, k = at = np.unravel_index(int(np.argmax(decided)), decided.shape)
        pair = sorted(int(order[(*batch, i)]) for i in (k, k + 1))
        name = checks.entry(
            "beta", tuple(int(i) for i in batch[len(batch) - beta.ndim :]) if beta.ndim else ()
        )
        raise ValueError(
            f"{name} = {strength[at]:g} is too small: the scores of actions {pair[0]} and "
            f"{pair[1]} differ by {gap[at]:.2g}, "
            "which rounding alone may have made"
        )


def _leaves_something(scores: Array, block: Indices, beta: Array) -> Array:
    """Whether the higher of two neighbouring scores leaves its action any probability."""
    starts = np.concatenate([np.ones((*block.shape[:-1], 1), bool), np.diff(block) != 0], axis=-1)
    first = np.maximum.accumulate(np.where(starts, np.arange(block.shape[-1]), 0), axis=-1)
    best = np.take_along_axis(scores, first, -1)[..., :-1]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(best - scores[..., :-1] < _NOTHING_LEFT * beta)
