"""How far a Newton step may go, so that it surely descends.

Every φ that is accepted satisfies |φ'''| ≤ φ''. A step that would move some margin by r is
therefore shortened to move it by log(1 + r), which decreases the objective from any starting point
(Bach 2010, "Self-concordant analysis for logistic regression").
"""

from __future__ import annotations

import numpy as np

from psipo_explore._checks import Array
from psipo_explore.losses import MarginLoss

_FAR = 4.0  # beyond this move of a margin, the bound on the change of curvature is useless


def is_quadratic(loss: MarginLoss) -> bool:
    """Whether one full Newton step reaches the minimum."""
    return bool(np.ptp(loss.phi_curvature(np.array([-1.0, 0.0, 1.0]))) == 0)


def safe_share(loss: MarginLoss, curvature: Array, moves: Array) -> float:
    """Return the share of a full Newton step that surely decreases the objective.

    A step that moves the margins by r decreases the objective by at least
    Σ c r² − Σ c (eʳ − 1 − r). If this bound is positive, the share is 1. Otherwise the largest r is
    shortened to log(1 + r).
    """
    r = np.abs(moves)
    largest = float(r.max(initial=0.0))
    if largest == 0 or is_quadratic(loss):
        return 1.0
    if largest < _FAR and curvature @ (np.expm1(r) - r - r**2) < 0:
        return 1.0
    return float(np.log1p(largest)) / largest
