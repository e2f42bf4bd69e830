"""The summand of the KL divergence, accurate where two policies almost agree.

It vanishes to second order there, so its closed form would subtract nearly equal numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import polynomial
from scipy import special

from psipo_explore._checks import Array

CLOSE = 0.05
_SERIES = [0, 0, *((-1) ** k / (k * (k - 1)) for k in range(2, 16))]


def excess(d: Array) -> Array:
    """Return (1 + d) log(1 + d) − d for d ≥ −1.

    With it, KL(π ‖ π_ref) = Σ π_ref excess(π/π_ref − 1).
    """
    close = np.abs(d) < CLOSE
    near = polynomial.polyval(np.where(close, d, 0.0), _SERIES)
    return np.asarray(np.where(close, near, special.xlog1py(1 + d, d) - d))
