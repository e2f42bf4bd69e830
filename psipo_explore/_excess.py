"""What KL adds up: it is 0 to the second order where two policies agree, and must not be a
difference of larger numbers there.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import polynomial
from scipy import special

from psipo_explore._checks import Array

CLOSE = 0.05
_SERIES = [0, 0, *((-1) ** k / (k * (k - 1)) for k in range(2, 16))]


def excess(d: Array) -> Array:
    """(1 + d) log(1 + d) − d for d ≥ −1, so that KL(π ‖ π_ref) = Σ π_ref excess(π/π_ref − 1)."""
    close = np.abs(d) < CLOSE
    near = polynomial.polyval(np.where(close, d, 0.0), _SERIES)
    return np.asarray(np.where(close, near, special.xlog1py(1 + d, d) - d))
