"""An axis on which p nears 1 one decade of 1 − p after another, and certainty has a place of its
own beyond them.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from psipo_explore._checks import Array

CERTAIN = 17.5  # where certainty stands
DECADES = np.geomspace(0.5, 1e-16, 160)  # 1 − p, for curves
STRIP = 16.6  # where its strip begins


def decade(one_minus_p: Array | float) -> Array:
    """Position of 1 − p on the axis."""
    with np.errstate(divide="ignore"):
        return np.where(np.equal(one_minus_p, 0), CERTAIN, -np.log10(one_minus_p))


def set_certainty_axis(ax: Axes) -> None:
    """Make the axis' abscissa one of decades, with a grey strip for certainty."""
    exponents = [1, *range(4, 17, 4)]
    ax.set_xticks([*exponents, CERTAIN], [*(rf"$10^{{-{k}}}$" for k in exponents), "$0$"])
    ax.set(xlim=(decade(0.5), CERTAIN + 0.4), xlabel=r"$1 - p$, decade by decade, then certainty")
    ax.axvspan(STRIP, CERTAIN + 0.4, color="#f0f0f0", linewidth=0)
