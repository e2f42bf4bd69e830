"""The parts of a picture for a narrow screen: what they hold, how wide they are, and their order."""

from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import combinations as pairs
from typing import Any

import matplotlib
import numpy as np
import pytest
from grids import DRAWINGS
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from psipo_explore.views import VIEWS, View
from psipo_explore.views.kit.controls import combinations
from psipo_explore.views.kit.parting import WIDEST, Rectangle, parts, places

Pixels = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
SHARP = 2  # pixels a point
HINTED = 0.5  # by so many points letters in pixels may differ from those in SVG


def drawings() -> Iterator[Any]:
    """Each picture for a phone, with each choice that rebuilds it; all but the start are slow."""
    for name, view in VIEWS.items():
        start = {key: view.values({})[key] for key in view.rebuild_on}
        rebuild = {c: c.stops for c in view.controls if c.name in view.rebuild_on}
        for built_for in combinations(rebuild) if name in DRAWINGS else [start]:
            slow = [pytest.mark.slow] if view.compute or built_for != start else []
            name_of_one = "-".join([name, *built_for.values()])
            yield pytest.param(view.on_phone, built_for, id=name_of_one, marks=slow)


every_drawing = pytest.mark.parametrize(("view", "built_for"), list(drawings()))
with_this_matplotlib = pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 11),
    reason="Matplotlib before 3.11 says of some axes that they are a few points larger than drawn",
)


def drawn(view: View, built_for: dict[str, Any]) -> Iterator[Figure]:
    """Yield the picture at the start and at both ends of each control, the same figure moved."""
    start = {**view.values({}), **built_for}
    figure, artists = view.drawn(start)
    for values in places(view, start):
        with suppress(ValueError):  # what cannot be shown
            view.move(figure, artists, values)
            yield figure


def printed(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, list[Rectangle]]:
    """Return which pixels are drawn on, in rows from the top, and the places of all words."""
    words = []
    height = figure.bbox.height

    def draw(text: Text, renderer: Any) -> None:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(renderer)
            (left, low), (right, high) = box.get_points() / SHARP
            words.append(Rectangle(left, height - high, right - left, high - low))
        really(text, renderer)

    really = Text.draw
    out = BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(Text, "draw", draw)
        figure.savefig(out, format="png", dpi=72 * SHARP)
    out.seek(0)
    return (imread(out)[..., :3] < 0.9).any(axis=-1), words


def holds(part: Rectangle, word: Rectangle) -> bool:
    return (
        part.x <= word.x + HINTED
        and word.right <= part.right + HINTED
        and part.y <= word.y + HINTED
        and word.bottom <= part.bottom + HINTED
    )


@with_this_matplotlib
@every_drawing
def test_everything_drawn_is_in_exactly_one_part_and_no_words_are_cut(
    view: View, built_for: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = parts(view, built_for)
    for figure in drawn(view, built_for):
        ink, words = printed(figure, monkeypatch)
        covered = np.zeros(ink.shape, int)
        for part in found:
            x, y, right, bottom = (
                round(SHARP * end) for end in (part.x, part.y, part.right, part.bottom)
            )
            assert ink[y:bottom, x:right].any(), "is empty"
            covered[y:bottom, x:right] += 1
        assert (covered[ink] == 1).all()
        for word in words:
            assert sum(holds(part, word) for part in found) == 1, word


@with_this_matplotlib
@every_drawing
def test_parts_are_narrow_and_come_in_reading_order(view: View, built_for: dict[str, Any]) -> None:
    found = parts(view, built_for)
    assert all(part.width <= WIDEST for part in found)
    for earlier, later in pairs(found, 2):
        in_column = earlier.x < later.right and later.x < earlier.right
        in_row = earlier.y < later.bottom and later.y < earlier.bottom
        assert not (in_column and later.y < earlier.y)
        assert not (in_row and later.x < earlier.x)


def test_the_legend_comes_first() -> None:
    first, second, left, right = parts(VIEWS["collapse"])
    assert max(first.bottom, second.bottom) < min(left.y, right.y)


def test_only_a_view_with_a_narrow_form_has_another_picture_on_a_phone() -> None:
    for view in VIEWS.values():
        assert (view.on_phone is view) == (view.narrow is None)
    narrow = VIEWS["psi_curve"].on_phone
    assert narrow.size == VIEWS["psi_curve"].narrow
    assert narrow.figure().sentence == VIEWS["psi_curve"].figure().sentence


def test_a_picture_that_no_cut_divides_is_one_part() -> None:
    whole = parts(VIEWS["psi_curve"])[-1]
    assert whole.width > WIDEST
