"""How readers see colours, and which looks stand together in a picture."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb

from psipo_explore.views import self_play, shared_weights
from psipo_explore.views.kit import palette

Colour = npt.NDArray[np.float64]

# These matrices map linear RGB to the colours seen without one kind of cone (Machado, Oliveira and
# Fernandes 2009, severity 1).
SEEN_WITHOUT = {
    "no deficiency": np.eye(3),
    "red cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "green cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ]
    ),
    "blue cones": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.3039],
        ]
    ),
}
TOGETHER: dict[str, list[dict[str, Any]]] = {
    "psi_curve": [palette.LOGIT_LINE, palette.IDENTITY_LINE, palette.CHOSEN_LINE],
    "collapse, regularisation": [palette.LOGIT_LINE, palette.IDENTITY_LINE, palette.REFERENCE_LINE],
    "few_samples": [palette.LOGIT_LINE, palette.IDENTITY_LINE, palette.COLLAPSE_LINE],
    "beyond_bradley_terry": [palette.LOGIT_LINE, palette.DPO_LINE, palette.IDENTITY_LINE],
    "underfitted_reward": [
        palette.DPO_LINE,
        palette.RIDGE_LINE,
        palette.STOPPED_LINE,
        palette.IDENTITY_LINE,
    ],
    "diagnosed": [palette.DPO_LINE, palette.CDPO_LINE, palette.IDENTITY_LINE],
    "training": list(palette.ACTION_LINES),
    "self_play": list(self_play._LOOKS.values()),
    "shared_weights": [*shared_weights._LOOKS, shared_weights._MEAN_LINE],
    "leashes": [*palette.LEASH_LINES.values(), palette.REFERENCE_LINE],
}


def lab(colour: str, seen: Colour) -> Colour:
    """Return the CIE L*a*b* coordinates of a colour as a reader sees it."""
    linear = np.clip(seen @ _linear(colour), 0, 1)
    xyz = (
        np.array(
            [
                [0.4124564, 0.3575761, 0.1804375],
                [0.2126729, 0.7151522, 0.072175],
                [0.0193339, 0.119192, 0.9503041],
            ]
        )
        @ linear
    )
    f = np.cbrt(xyz / [0.95047, 1, 1.08883])
    f = np.where(f > 6 / 29, f, (f**3) / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(colour: str, other: str) -> float:
    """Return the contrast of two colours by WCAG, from 1 to 21."""
    darker, lighter = sorted((_luminance(colour), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    return float(_linear(colour) @ [0.2126, 0.7152, 0.0722])


def _linear(colour: str) -> Colour:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
