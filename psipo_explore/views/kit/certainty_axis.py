"""An axis that is logarithmic in 1 − p and has a separate place for certainty, p = 1."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from psipo_explore._checks import Array

CERTAIN = 17.5  # position of p = 1 on the axis
DECADES = np.geomspace(0.5, 1e-16, 160)  # the values of 1 − p at which curves are drawn
STRIP, EDGE = 16.6, 17.9  # ends of the grey strip around CERTAIN; the axis ends with it


def decade(one_minus_p: Array | float) -> Array:
    """Return the position of 1 − p on the axis."""
    with np.errstate(divide="ignore"):
        return np.where(np.equal(one_minus_p, 0), CERTAIN, -np.log10(one_minus_p))


def set_certainty_axis(ax: Axes) -> None:
    """Give the axes an x-axis of decades, with a grey strip for certainty."""
    exponents = [1, *range(4, 17, 4)]
    ax.set_xticks([*exponents, CERTAIN], [*(rf"$10^{{-{k}}}$" for k in exponents), "$0$"])
    ax.set(xlim=(decade(0.5), EDGE), xlabel=r"$1 - p$, decade by decade, then certainty")
    ax.axvspan(STRIP, EDGE, color="#f0f0f0", linewidth=0)
