"""The scalar equation of a leash: the ratio π/π_ref of the best action, by which the sum is 1.

An action whose score is x·β below the best has the ratio (f')⁻¹(f'(t) + x), where t ≥ 1 is the
ratio of the best. The larger t, the larger are all ratios, so one t makes Σ π_ref ratio = 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from scipy.optimize import elementwise

from psipo_explore._checks import Array, Indices, Mask

_EPS = float(np.finfo(float).eps)
_TINY = float(np.finfo(float).tiny)
_AT_ONCE = 2**16  # numbers that are worked on together, so that they stay in the cache
_FEW_ACTIONS = 8
_NEWTON_STEPS = 8  # before the policies that are left go to SciPy's root finder


class Leash(Protocol):
    """What the equation needs of a divergence."""

    @property
    def has_exact_curvature(self) -> bool:
        """Whether f'' is a formula, no difference of slopes."""

    def ratio_below(self, t: Array, x: Array) -> Array:
        """Return the function (t, x) ↦ (f')⁻¹(f'(t) + x)."""

    def curvature(self, t: Array) -> Array:
        """Return f''(t)."""


def tilted(leash: Leash, pi_ref: Array, x: Array) -> Array:
    """Return the policies π_ref(y) (f')⁻¹(f'(t) + x(y)), whose t make them sum to 1.

    Parameters
    ----------
    leash : Leash
        The divergence.
    pi_ref : ndarray, shape (..., K)
        Reference policy, 0 for actions that must have none; it need not sum to 1.
    x : ndarray, shape (..., K)
        How far each action is below the best, in units of β; 0 for the best.
    """
    shape = np.broadcast_shapes(pi_ref.shape, x.shape)
    n_actions = shape[-1]
    w = np.broadcast_to(pi_ref, shape).reshape(-1, n_actions)
    x = np.broadcast_to(x, shape).reshape(-1, n_actions)
    policies, is_solved = np.empty_like(x), np.empty(len(x), dtype=bool)
    for part in _parts(len(x), n_actions):
        policies[part], is_solved[part] = _by_newton(leash, *_laid_out(w[part], x[part]))
    left = np.flatnonzero(~is_solved)
    for part in _parts(len(left), n_actions):
        some = left[part]
        policies[some] = _by_root_finder(leash, *_laid_out(w[some], x[some]))
    policies /= policies.sum(-1, keepdims=True)
    return policies.reshape(shape)


def _parts(n: int, n_actions: int) -> Iterator[slice]:
    at_once = max(1, _AT_ONCE // n_actions)
    return (slice(start, start + at_once) for start in range(0, n, at_once))


def _laid_out(w: Array, x: Array) -> tuple[Array, Array]:
    """Return both as NumPy is fast with them, which it is not along a short last axis."""
    w = np.where(w > 0, np.maximum(w, _TINY), 0.0)  # so that no t overflows
    if w.shape[-1] < _FEW_ACTIONS:
        return np.asfortranarray(w), np.asfortranarray(x)
    return w, x


def _close(n_actions: int) -> float:
    """Return how far log Σ may be from 0 by rounding."""
    return 8 * _EPS * float(np.sqrt(n_actions))


def _largest(w: Array, x: Array) -> Array:
    """Return the log t at which the best actions have all probability."""
    return np.asarray(np.maximum(-np.log(np.where(x == 0, w, 0.0).sum(-1)), 0.0))


def _by_newton(leash: Leash, w: Array, x: Array) -> tuple[Array, Mask]:
    """Return the policies after a few Newton steps on log Σ in log t, and which are solved.

    The last step is taken in the ratios themselves. So they are solved where its square is rounding.
    Where an action has none and may come in, or f'' may be wrong, the step itself must be rounding.
    """
    policies, is_solved = np.empty_like(x), np.zeros(len(x), dtype=bool)
    left, n_actions = np.arange(len(x)), x.shape[-1]
    largest = _largest(w, x)
    with np.errstate(all="ignore"):
        near_reference = -np.log((w * np.exp(x / leash.curvature(np.ones(1)))).sum(-1))
        log_t = np.clip(near_reference, 0.0, largest)
        for _ in range(_NEWTON_STEPS):
            t = np.exp(log_t)[:, np.newaxis]
            ratio = leash.ratio_below(t, x)
            policy = w * ratio
            total = policy.sum(-1)
            growth = t * leash.curvature(t) / leash.curvature(ratio)  # of the ratio, with log t
            change = np.where(ratio > 0, w * growth, 0.0)
            step = -np.log(total) * total / change.sum(-1)
            is_smooth = (ratio > 0).all(-1) & leash.has_exact_curvature
            rounding = np.where(is_smooth, _EPS, _close(n_actions) ** 2)
            ends = step**2 * np.fmax.reduce(change / policy, axis=-1) <= rounding
            is_solved[left[ends]] = True
            policies[left] = np.maximum(policy + change * step[:, np.newaxis], 0.0)
            goes_on = np.flatnonzero(~ends)
            if not goes_on.size:
                break
            left, w, x = left[goes_on], _rows(w, goes_on), _rows(x, goes_on)
            largest = largest[goes_on]
            log_t = np.clip((log_t + step)[goes_on], 0.0, largest)
    return policies, is_solved


def _by_root_finder(leash: Leash, w: Array, x: Array) -> Array:
    """Return the policies by SciPy's root finder on log Σ in log t."""
    n, n_actions = x.shape

    def weights(log_t: Array, which: Indices) -> Array:
        all_are_on = len(which) == n
        of, at = (w, x) if all_are_on else (_rows(w, which), _rows(x, which))
        return np.asarray(of * leash.ratio_below(np.exp(log_t)[:, np.newaxis], at))

    close = _close(n_actions)
    found = elementwise.find_root(
        lambda log_t, which: np.log(weights(log_t, which).sum(-1)),
        (np.zeros(n), _largest(w, x) * (1 + 8 * _EPS)),
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
    return policies


def _rows(array: Array, which: Indices) -> Array:
    """Return some rows, in the order in memory that the array has."""
    if array.flags.c_contiguous:
        return array.take(which, axis=0)
    return np.asarray(array.T.take(which, axis=1).T)
