"""The scalar equation of a leash: the ratio π/π_ref of the best action, by which the sum is 1.

An action whose score is x·β below the best has the ratio (f')⁻¹(f'(t) + x), where t ≥ 1 is the
ratio of the best. The larger t, the larger are all ratios, so one t makes Σ π_ref ratio = 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import elementwise

from psipo_explore._checks import Array, Indices

_EPS = float(np.finfo(float).eps)
_TINY = float(np.finfo(float).tiny)
_AT_ONCE = 2**16  # numbers that are worked on together, so that they stay in the cache
_FEW_ACTIONS = 8
RatioBelow = Callable[[Array, Array], Array]


def tilted(ratio_below: RatioBelow, pi_ref: Array, x: Array) -> Array:
    """Return the policies π_ref(y) (f')⁻¹(f'(t) + x(y)), whose t make them sum to 1.

    Parameters
    ----------
    ratio_below : callable
        The function (t, x) ↦ (f')⁻¹(f'(t) + x).
    pi_ref : ndarray, shape (..., K)
        Reference policy, 0 for actions that must have none; it need not sum to 1.
    x : ndarray, shape (..., K)
        How far each action is below the best, in units of β; 0 for the best.
    """
    shape = np.broadcast_shapes(pi_ref.shape, x.shape)
    n_actions = shape[-1]
    w = np.broadcast_to(pi_ref, shape).reshape(-1, n_actions)
    x = np.broadcast_to(x, shape).reshape(-1, n_actions)
    policies = np.empty_like(x)
    at_once = max(1, _AT_ONCE // n_actions)
    for start in range(0, len(x), at_once):
        part = slice(start, start + at_once)
        policies[part] = _solved(ratio_below, w[part], x[part])
    return policies.reshape(shape)


def _solved(ratio_below: RatioBelow, w: Array, x: Array) -> Array:
    """Return the policies of w and x, all of shape (n, K), by SciPy's root finder in log t."""
    n, n_actions = x.shape
    w = np.where(w > 0, np.maximum(w, _TINY), 0.0)  # so that no t overflows
    if n_actions < _FEW_ACTIONS:  # NumPy is slow along a short last axis
        w, x = np.asfortranarray(w), np.asfortranarray(x)

    def weights(log_t: Array, which: Indices) -> Array:
        all_are_on = len(which) == n
        of, at = (w, x) if all_are_on else (_rows(w, which), _rows(x, which))
        return np.asarray(of * ratio_below(np.exp(log_t)[:, np.newaxis], at))

    log_largest = -np.log(np.where(x == 0, w, 0.0).sum(-1))
    close = 8 * _EPS * np.sqrt(n_actions)
    found = elementwise.find_root(
        lambda log_t, which: np.log(weights(log_t, which).sum(-1)),
        (np.zeros(n), np.maximum(log_largest, 0.0) * (1 + 8 * _EPS)),
        args=(np.arange(n),),
        tolerances={"fatol": close, "xatol": 2 * _EPS},
    )
    if not found.success.all():
        k = int(np.argmin(found.success))
        raise RuntimeError(
            f"the logarithm of a policy's sum is {found.f_x[k]:.3g} and comes no nearer to 0"
        )
    policies = weights(found.x, np.arange(n))
    # Where t is known to its last digit and the sum is not 1 yet, ratios change much with t. The
    # right ones are between those of the t on either side.
    left = np.flatnonzero(np.abs(found.f_x) > close)
    if left.size:
        below, above = (weights(log_t[left], left) for log_t in found.bracket)
        share = (1 - below.sum(-1)) / (above - below).sum(-1)
        policies[left] = below + share[:, np.newaxis] * (above - below)
    return np.asarray(policies / policies.sum(-1, keepdims=True))


def _rows(array: Array, which: Indices) -> Array:
    """Return some rows, in the order in memory that the array has."""
    return array[which] if array.flags.c_contiguous else np.asarray(array.T[:, which].T)
