"""Slopes of the named Ψ, and their values at log-odds.

Log-odds stay distinct where the probability itself would round to 0 or 1.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from psipo_explore._checks import Array


def folded_power(q: Array, lam: float) -> Array:
    return folded_power_of_log_odds(special.logit(q), lam)


def folded_power_of_log_odds(x: Array, lam: float) -> Array:
    """Return sign(x) (1 − e^{−λ|x|}) σ(|x|)^λ / λ, the folded power at log-odds x.

    This form subtracts no nearly equal numbers at q = ½, and it tends to logit as λ → 0.
    """
    distance = np.abs(x)
    with np.errstate(over="ignore"):
        scaled = lam * distance
    gap = np.where(
        scaled < 1,
        x * special.exprel(-np.minimum(scaled, 1)),
        np.sign(x) * -np.expm1(-scaled) / lam,
    )
    return np.asarray(gap * np.exp(lam * special.log_expit(distance)))


def folded_power_slope(q: Array, lam: float) -> Array:
    return np.asarray(q ** (lam - 1) + (1 - q) ** (lam - 1))


def logit_slope(q: Array) -> Array:
    return 1 / (q * (1 - q))


def probit_slope(q: Array) -> Array:
    return np.asarray(np.sqrt(2 * np.pi) * np.exp(special.ndtri(q) ** 2 / 2))


def probit_of_log_odds(x: Array) -> Array:
    return np.asarray(np.copysign(special.ndtri_exp(special.log_expit(-np.abs(x))), x))
