"""Parts of a picture for a narrow screen: what they show, how wide they are, and their order."""

import re
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from itertools import combinations as pairs
from itertools import product
from typing import Any

import matplotlib
import numpy as np
import pytest
from grids import DRAWINGS
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from psipo_explore.views import VIEWS, View
from psipo_explore.views.kit.controls import combinations
from psipo_explore.views.kit.parting import WIDEST, Part, parts, places
from psipo_explore.views.kit.rectangle import Rectangle

Pixels = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
SHARP = 2  # pixels a point
SLACK = 7  # points by which a large mark reaches beyond a small one
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
IN_MAKE_TEST = ("collapse", "psi_curve", "training")
every_drawing_moved = pytest.mark.parametrize(
    ("view", "built_for"),
    [
        drawing
        if drawing.values[0].name in IN_MAKE_TEST
        else pytest.param(*drawing.values, id=drawing.id, marks=pytest.mark.slow)
        for drawing in drawings()
    ],
)
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


def speaks_for_row(label: Text, ax: Axes) -> bool:
    return label.get_window_extent().width > 1.3 * ax.get_window_extent().width


def without_labels_of_rows(figure: Figure) -> Figure:
    for ax in figure.axes:
        if speaks_for_row(ax.xaxis.label, ax):
            ax.xaxis.label.set_visible(False)
    return figure


def holds(part: Rectangle, word: Rectangle) -> bool:
    return (
        part.x <= word.x + HINTED
        and word.right <= part.right + HINTED
        and part.y <= word.y + HINTED
        and word.bottom <= part.bottom + HINTED
    )


@with_this_matplotlib
@every_drawing_moved
def test_everything_drawn_is_in_exactly_one_window_and_no_words_are_cut(
    view: View, built_for: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [window.shows for part in parts(view, built_for) for window in part.windows]
    for figure in drawn(view, built_for):
        ink, words = printed(without_labels_of_rows(figure), monkeypatch)
        covered = np.zeros(ink.shape, int)
        for shown in found:
            x, y, right, bottom = (
                round(SHARP * end) for end in (shown.x, shown.y, shown.right, shown.bottom)
            )
            assert ink[y:bottom, x:right].any(), "is empty"
            covered[y:bottom, x:right] += 1
        assert (covered[ink] == 1).all()
        for word in words:
            assert sum(holds(shown, word) for shown in found) == 1, word


@with_this_matplotlib
@every_drawing
def test_parts_are_narrow_and_come_in_reading_order(view: View, built_for: dict[str, Any]) -> None:
    found = parts(view, built_for)
    assert all(part.width <= WIDEST for part in found)
    for one, other in pairs(found, 2):
        for earlier, later in product(*([w.shows for w in part.windows] for part in (one, other))):
            in_column = earlier.x < later.right and later.x < earlier.right
            in_row = earlier.y < later.bottom and later.y < earlier.bottom
            assert not (in_column and later.y < earlier.y)
            assert not (in_row and later.x < earlier.x)


@every_drawing
def test_windows_of_a_part_stand_in_it_beside_each_other(
    view: View, built_for: dict[str, Any]
) -> None:
    for part in parts(view, built_for):
        shown = [Rectangle(w.x, w.y, w.shows.width, w.shows.height) for w in part.windows]
        assert not any(one.overlaps(other) for one, other in pairs(shown, 2))
        whole = Rectangle(0, 0, part.width, part.height)
        assert all(holds(whole, window) for window in shown)


@every_drawing
def test_axes_have_the_tick_labels_and_labels_of_both_sides_in_their_part(
    view: View, built_for: dict[str, Any]
) -> None:
    figure = view.drawn({**view.values({}), **built_for})[0]
    figure.draw_without_rendering()
    shown = [ax for ax in figure.axes if ax.axison]
    for part in parts(view, built_for):
        own = " ".join(
            re.findall("<!-- (.*?) -->", "".join(piece.picture for piece, *_ in part.labels))
        )
        here = [ax for ax in shown if is_in(part, ax)]
        for ax, side in product(here, ("xaxis", "yaxis")):
            ticks = ticks_of(getattr(ax, side))
            label = next(
                (
                    label_of(o, side)
                    for o in shown
                    if label_of(o, side) and ticks == ticks_of(getattr(o, side))
                ),
                "",
            )
            beside = [other for other in here if span(other, side) == span(ax, side)]
            assert " ".join(ticks) in own or any(shows(other, side, ticks) for other in beside), ax
            assert label in own or any(
                label_of(other, side) == label
                and not speaks_for_row(getattr(other, side).label, other)
                for other in beside
            ), ax


def is_in(part: Part, ax: Axes) -> bool:
    (left, low), (right, high) = ax.get_position().get_points() * ax.figure.bbox.size
    frame = Rectangle(left, ax.figure.bbox.height - high, right - left, high - low)
    return any(holds(window.shows, frame) for window in part.windows)


def span(ax: Axes, side: str) -> tuple[float, float]:
    box = ax.get_position()
    return tuple((box.intervalx if side == "xaxis" else box.intervaly).round(6))


def ticks_of(axis: Axis) -> list[str]:
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [tick.label1.get_text() for tick in ticks if tick.label1.get_text()]


def shows(ax: Axes, side: str, ticks: list[str]) -> bool:
    axis = getattr(ax, side)
    return ticks_of(axis) == ticks and all(
        tick.label1.get_visible() for tick in axis.get_major_ticks()
    )


def label_of(ax: Axes, side: str) -> str:
    return " ".join(getattr(ax, side).label.get_text().split())


def test_the_legend_comes_first_in_lines_that_begin_under_each_other() -> None:
    legend, *axes = parts(VIEWS["collapse"])
    assert max(bottoms(legend)) < min(window.shows.y for part in axes for window in part.windows)
    assert [window.y for window in legend.windows] == sorted(window.y for window in legend.windows)
    assert np.ptp([window.x for window in legend.windows]) < SLACK


def bottoms(part: Part) -> list[float]:
    return [window.shows.bottom for window in part.windows]


def test_a_heading_takes_all_that_stands_under_it_with_it() -> None:
    _, *axes = parts(VIEWS["shared_weights"])
    dpo, ipo = axes[:2], axes[2:]
    assert len(ipo) == 2
    assert max(b for part in dpo for b in bottoms(part)) <= min(
        window.shows.y for part in ipo for window in part.windows
    )


@with_this_matplotlib
@pytest.mark.slow
def test_training_has_few_parts_and_what_heads_axes_stands_over_them() -> None:
    graph, *rest = parts(VIEWS["training"])
    assert len(rest) == 4
    assert len(graph.windows) == 2
    assert [len(part.windows) for part in rest] == [3, 1, 3, 1]


def test_a_label_of_a_whole_row_is_broken_into_lines_under_each_of_its_axes() -> None:
    _, *axes = parts(VIEWS["beyond_bradley_terry"])
    assert len(axes) == 3
    for part in axes:
        lines = re.findall("<!-- (.*?) -->", part.labels[0][0].picture)
        assert "strength of the cycle" in " ".join(lines)
        assert part.width < 300


def test_only_a_view_with_a_narrow_form_has_another_picture_on_a_phone() -> None:
    for view in VIEWS.values():
        assert (view.on_phone is view) == (view.narrow is None)
    narrow = VIEWS["psi_curve"].on_phone
    assert narrow.size == VIEWS["psi_curve"].narrow
    assert narrow.figure().sentence == VIEWS["psi_curve"].figure().sentence


def test_a_picture_that_no_cut_divides_is_one_part() -> None:
    whole = parts(VIEWS["psi_curve"])[-1]
    assert whole.width > WIDEST
