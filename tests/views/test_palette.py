"""Every reader can tell the colours apart, and dashes and shapes differ without them."""

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
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
together = pytest.mark.parametrize("looks", TOGETHER.values(), ids=TOGETHER)


def lab(colour: str, seen: Colour) -> Colour:
    """Return the CIE L*a*b* coordinates of a colour as a reader sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.clip(
        seen @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1
    )
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


@together
@pytest.mark.parametrize("missing", SEEN_WITHOUT)
def test_colours_of_two_meanings_are_seen_as_two(looks: list[dict[str, Any]], missing: str) -> None:
    """Check that colours differ by more than 10 in L*a*b*, which nobody overlooks."""
    for colour, other in combinations({look["color"] for look in looks}, 2):
        assert (
            np.linalg.norm(lab(colour, SEEN_WITHOUT[missing]) - lab(other, SEEN_WITHOUT[missing]))
            > 10
        ), (colour, other)


@together
def test_lines_that_meet_differ_in_grey(looks: list[dict[str, Any]]) -> None:
    for look, other in combinations(looks, 2):
        darker_by_far = (
            abs(lab(look["color"], np.eye(3))[0] - lab(other["color"], np.eye(3))[0]) > 40
        )
        assert darker_by_far or str(look["linestyle"]) != str(other["linestyle"]), (look, other)
        assert look.get("marker") != other.get("marker")


@together
def test_every_line_stands_out_from_the_paper(looks: list[dict[str, Any]]) -> None:
    for look in looks:
        assert lab("white", np.eye(3))[0] - lab(look["color"], np.eye(3))[0] > 25


def test_one_method_has_one_colour() -> None:
    # DPO's optimum is that of logit wherever the preferences come from rewards.
    assert palette.DPO_LINE["color"] == palette.LOGIT_LINE["color"]
    pale = (palette.LOGIT_PALE, palette.IDENTITY_PALE)
    for strong, weak in zip((palette.LOGIT, palette.IDENTITY), pale, strict=True):
        assert lab(weak, np.eye(3))[0] > 80 > lab(strong, np.eye(3))[0]
