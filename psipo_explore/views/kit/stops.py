"""The stops of sliders that several views share."""

from __future__ import annotations

import numpy as np

BETAS = tuple(float(f"{beta:.2g}") for beta in np.geomspace(0.01, 100, 41))
TWENTIETHS = tuple(np.linspace(0.05, 0.95, 19).round(2).tolist())
WINNING = (*TWENTIETHS[9:], *(1 - 10.0**-k for k in range(2, 16)), 1.0)  # p from ½ to certainty
LAMBDAS = tuple(np.linspace(0, 2, 41).round(2).tolist())  # folded powers from logit to identity
