"""What the best policy leaves the loser of two answers."""

from __future__ import annotations

from collections.abc import Callable

from scipy.optimize import brentq

from psipo_explore.divergences import KL, Divergence
from psipo_explore.policy import optimal_policy
from psipo_explore.psi import Psi


def left(psi: Psi, p: float, beta: float, leash: Divergence = KL) -> float:
    """Return π*(y_l), where both answers start at ½."""
    return float(optimal_policy([[0.5, p], [1 - p, 0.5]], psi, beta, divergence=leash)[1])


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where f changes its sign."""
    return float(brentq(f, low, high, xtol=1e-14))
