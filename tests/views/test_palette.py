"""Every reader can tell the colours apart, and dashes and shapes differ without them."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from colours import SEEN_WITHOUT, TOGETHER, lab
from matplotlib.figure import Figure

from psipo_explore.views.kit import palette
from psipo_explore.views.kit.dark import dark_palette
from psipo_explore.views.kit.legend import line_mark

together = pytest.mark.parametrize("looks", TOGETHER.values(), ids=TOGETHER)
on_both_pages = pytest.mark.parametrize("partners", [{}, dark_palette()], ids=["white", "dark"])


def shown(colour: str, partners: Mapping[str, str]) -> str:
    """Return a colour as a page shows it."""
    return partners.get(colour.lower(), colour)


@together
@on_both_pages
@pytest.mark.parametrize("missing", SEEN_WITHOUT)
def test_colours_of_two_meanings_are_seen_as_two(
    looks: list[dict[str, Any]], partners: Mapping[str, str], missing: str
) -> None:
    """Check that colours differ by more than 10 in L*a*b*, which nobody overlooks."""
    seen = SEEN_WITHOUT[missing]
    colours = {shown(look["color"], partners) for look in looks}
    for colour, other in combinations(colours, 2):
        assert np.linalg.norm(lab(colour, seen) - lab(other, seen)) > 10, (colour, other)


@together
@on_both_pages
def test_lines_that_meet_differ_in_grey(
    looks: list[dict[str, Any]], partners: Mapping[str, str]
) -> None:
    # On a dark page no line is darker than 55, so less room is left; and nobody prints it.
    far = 25 if partners else 40
    for look, other in combinations(looks, 2):
        one, two = (lab(shown(of["color"], partners), np.eye(3))[0] for of in (look, other))
        darker_by_far = abs(one - two) > far
        assert darker_by_far or str(look["linestyle"]) != str(other["linestyle"]), (look, other)
        assert look.get("marker") != other.get("marker")


@together
@on_both_pages
def test_every_line_stands_out_from_the_page(
    looks: list[dict[str, Any]], partners: Mapping[str, str]
) -> None:
    page = lab(shown("#ffffff", partners), np.eye(3))[0]
    for look in looks:
        assert abs(page - lab(shown(look["color"], partners), np.eye(3))[0]) > 25


def test_one_method_has_one_colour() -> None:
    # DPO's optimum is that of logit wherever the preferences come from rewards.
    assert palette.DPO_LINE["color"] == palette.LOGIT_LINE["color"]
    assert lab(palette.IDENTITY_PALE, np.eye(3))[0] > 80 > lab(palette.IDENTITY, np.eye(3))[0]


@together
def test_the_sample_of_a_line_shows_its_dashes_before_its_mark(looks: list[dict[str, Any]]) -> None:
    for look in looks:
        figure = Figure((9, 4))
        words, _ = line_mark(figure, 0, 0.5, look)
        (sample,) = figure.artists
        end = max(sample.get_xdata()) * 9 * 72
        half_a_mark = look.get("markersize", 6) / 2 if "marker" in look else 0
        assert end + half_a_mark < words * 9 * 72
        if isinstance(look["linestyle"], tuple):
            dash, gap, *_ = look["linestyle"][1]
            width = look.get("linewidth", palette.STYLE["lines.linewidth"])
            assert (dash + gap) * width < end - half_a_mark, look
