"""The functions φ(x), φ'(x) and φ''(x) of the margin losses, elementwise in x = βh.

Each is written so that no large |x| gives NaN.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit

from psipo_explore._checks import Array
from psipo_explore._excess import excess

# A real number as the nearest float64 and the remainder.
TwoFloats = tuple[float, float]
_NEAR = 1.0  # within this distance of the best x, a slope is not a difference of larger numbers
_SATURATED = 4.0  # beyond this |x|, a logistic slope is within 2 % of its limit


def dpo(x: Array) -> Array:
    """Return log(1 + e⁻ˣ)."""
    return np.asarray(np.log1p(np.exp(-np.abs(x))) - np.minimum(x, 0.0))


def dpo_slope(x: Array) -> Array:
    return np.asarray(-expit(-x))


def logistic_curvature(x: Array) -> Array:
    """Return σ(x) σ(−x), which is even in x."""
    odds = np.exp(-np.abs(x))
    return np.asarray(odds / (1 + odds) ** 2)


def logistic_slope_parts(
    x: Array, limits: tuple[float, float], offset: float = 0.0
) -> tuple[Array, Array]:
    """Split a logistic φ' into its limit and the difference from it, where it saturates.

    The difference is σ(x) on the left and −σ(−x) on the right. Where φ' does not saturate, the
    parts are 0 and φ'.
    """
    x = x - offset
    at_left, at_right = limits
    limit = np.where(x < -_SATURATED, at_left, np.where(x > _SATURATED, at_right, 0.0))
    beyond = np.where(x < 0, expit(x), -expit(-x))
    unsaturated = np.where(x < 0, at_left, at_right) + beyond
    return limit, np.where(np.abs(x) > _SATURATED, beyond, unsaturated)


def beyond(best: TwoFloats, x: Array) -> Array:
    """Return x − best to full precision, even if x is close to best."""
    return (x - best[0]) - best[1]


def odpo(x: Array, offset: float) -> Array:
    return dpo(x - offset)


def odpo_slope(x: Array, offset: float) -> Array:
    return dpo_slope(x - offset)


def odpo_curvature(x: Array, offset: float) -> Array:
    return logistic_curvature(x - offset)


def cdpo(x: Array, s: float) -> Array:
    return (1 - s) * dpo(x) + s * dpo(-x)


def cdpo_slope(x: Array, s: float, best: TwoFloats) -> Array:
    """Return σ(x) − (1−s), without cancellation near its zero.

    There it is σ(x) − σ(x − δ) = 2 sinh(δ/2) √(σ'(x) σ'(x − δ)), where x − δ is the best x.
    """
    delta = beyond(best, x)
    near = np.abs(delta) < _NEAR
    wins, loses = expit(x), expit(-x)
    at_best = float(expit(best[0]) * expit(-best[0]))
    rise = 2 * np.sinh(np.where(near, delta, 0.0) / 2) * np.sqrt(wins * loses * at_best)
    return np.asarray(np.where(near, rise, s * wins - (1 - s) * loses))


def robust(x: Array, s: float) -> Array:
    return ((1 - s) * dpo(x) - s * dpo(-x)) / (1 - 2 * s)


def robust_slope(x: Array, s: float) -> Array:
    return ((1 - s) * dpo_slope(x) + s * dpo_slope(-x)) / (1 - 2 * s)


def square_about(x: Array, target: float) -> Array:
    return (x - target) ** 2


def square_about_slope(x: Array, target: float) -> Array:
    return 2 * (x - target)


def square_curvature(x: Array) -> Array:
    return np.full_like(x, 2.0)


def hinge(x: Array) -> Array:
    return np.maximum(0.0, 1 - x)


def hinge_slope(x: Array) -> Array:
    return np.where(x < 1, -1.0, 0.0)


def truncated_square(x: Array) -> Array:
    return np.asarray(hinge(x) ** 2)


def truncated_square_slope(x: Array) -> Array:
    return -2 * hinge(x)


def truncated_square_curvature(x: Array) -> Array:
    return np.where(x < 1, 2.0, 0.0)


def exponential(x: Array) -> Array:
    return np.exp(-x)


def exponential_slope(x: Array) -> Array:
    return np.asarray(-np.exp(-x))


def savage(x: Array) -> Array:
    return np.asarray(expit(-x) ** 2)


def savage_slope(x: Array) -> Array:
    return np.asarray(-2 * expit(x) * expit(-x) ** 2)


def savage_curvature(x: Array) -> Array:
    return np.asarray(2 * expit(x) * expit(-x) ** 2 * (2 * expit(x) - expit(-x)))


def exo(x: Array, s: float, best: TwoFloats) -> Array:
    """Return KL(σ(x) ‖ 1−s), which near its zero is computed from σ(x) − (1−s)."""
    kl = expit(x) * (log_expit(x) - np.log1p(-s)) + expit(-x) * (log_expit(-x) - np.log(s))
    rise = cdpo_slope(x, s, best)
    near = np.abs(rise) < s / 2
    rise = np.where(near, rise, 0.0)
    return np.where(near, (1 - s) * excess(rise / (1 - s)) + s * excess(-rise / s), kl)


def exo_slope(x: Array, best: TwoFloats) -> Array:
    return logistic_curvature(x) * beyond(best, x)


def exo_curvature(x: Array, best: TwoFloats) -> Array:
    return np.asarray(logistic_curvature(x) * (1 + (expit(-x) - expit(x)) * beyond(best, x)))


def discopop(x: Array, tau: float) -> Array:
    return np.asarray(expit(-x / tau) * dpo(x) + np.exp(log_expit(x / tau) - x))


def discopop_slope(x: Array, tau: float) -> Array:
    m, rest = expit(x / tau), expit(-x / tau)
    blend = np.exp(log_expit(x / tau) - x)  # m e^{−x}, where m may be 0 and e^{−x} ∞
    return np.asarray(-m * rest / tau * dpo(x) + rest * dpo_slope(x) + blend * (rest / tau - 1))


def discopop_curvature(x: Array, tau: float) -> Array:
    m, rest = expit(x / tau), expit(-x / tau)
    blend = np.exp(log_expit(x / tau) - x)
    of_dpo = (
        -m * rest * (rest - m) / tau**2 * dpo(x)
        - 2 * m * rest / tau * dpo_slope(x)
        + rest * logistic_curvature(x)
    )
    return np.asarray(of_dpo + blend * ((rest / tau - 1) ** 2 - m * rest / tau**2))
