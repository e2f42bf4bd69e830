import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Polygon, Rectangle
from matplotlib.patheffects import withStroke

from psipo_explore.views.kit import foreground, svg
from psipo_explore.views.kit.foreground import Foreground

CORNERS = np.array([[0.1, 0.1], [0.5, 0.9], [0.9, 0.1]])
SEGMENTS = [[(0.1, 0.2), (0.3, 0.4)], [(0.5, 0.5), (0.6, 0.9)]]

Makes = Callable[[Figure], Any]
Sets = Callable[[Any], object]

ARTISTS: dict[str, Makes] = {
    "line": lambda figure: figure.gca().plot([0, 1], [0, 1], marker="o")[0],
    "text": lambda figure: figure.text(0.5, 0.5, "words"),
    "polygon": lambda figure: figure.gca().add_patch(Polygon(CORNERS)),
    "rectangle": lambda figure: figure.gca().add_patch(Rectangle((0.1, 0.1), 0.5, 0.5)),
    "segments": lambda figure: figure.gca().add_collection(LineCollection(SEGMENTS)),
    "points": lambda figure: figure.gca().scatter([0.1, 0.5], [0.2, 0.8]),
}
SAME: dict[str, Sets] = {
    "line": lambda line: line.set_data([0.0, 1.0], np.array([0.0, 1.0])),
    "text": lambda text: text.set(text="words", color="black", position=(0.5, 0.5)),
    "polygon": lambda polygon: polygon.set_xy(CORNERS.copy()),
    "rectangle": lambda rectangle: rectangle.set(x=0.1, width=0.5),
    "segments": lambda segments: segments.set_segments(SEGMENTS),
    "points": lambda points: points.set_offsets([(0.1, 0.2), (0.5, 0.8)]),
}
OTHER: list[tuple[str, Sets]] = [
    ("line", lambda line: line.set_data([0, 1], [0.25, 0.5])),
    ("line", lambda line: line.set_ydata([0.25, 0.5])),
    ("line", lambda line: line.set_color("red")),
    ("line", lambda line: line.set_marker("s")),
    ("line", lambda line: line.set_linestyle((0, (1, 2)))),
    ("line", lambda line: line.set_path_effects([withStroke(linewidth=5, foreground="red")])),
    ("text", lambda text: text.set_text("other words")),
    ("text", lambda text: text.set_position((0.4, 0.5))),
    ("text", lambda text: text.set_fontsize(20)),
    ("text", lambda text: text.set_weight("bold")),
    ("text", lambda text: text.set_visible(False)),
    ("polygon", lambda polygon: polygon.set_xy(CORNERS / 2)),
    ("polygon", lambda polygon: polygon.set_alpha(0.5)),
    ("rectangle", lambda rectangle: rectangle.set_height(0.1)),
    ("rectangle", lambda rectangle: rectangle.set_hatch("//")),
    ("segments", lambda segments: segments.set_segments(SEGMENTS[:1])),
    ("segments", lambda segments: segments.set_segments([])),
    ("segments", lambda segments: segments.set_linewidths([1, 7])),
    ("points", lambda points: points.set_offsets([(0.3, 0.2), (0.5, 0.8)])),
    ("points", lambda points: points.set_sizes([100.0])),
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Artist]:
    """Return the list that all artists join when they are drawn."""
    drawn: list[Artist] = []
    draw = svg.pieces

    def pieces(figure: Figure, artists: list[Artist]) -> list[svg.Piece]:
        drawn.extend(artists)
        return draw(figure, artists)

    monkeypatch.setattr(svg, "pieces", pieces)
    return drawn


@pytest.mark.parametrize("kind", ARTISTS)
def test_an_artist_that_did_not_change_is_not_drawn_again(kind: str, drawn: list[Artist]) -> None:
    figure = Figure()
    artist = ARTISTS[kind](figure)
    layer = Foreground(figure, [artist])
    elements = set()
    for _ in range(2):  # while it is drawn for the first time, Matplotlib sets some attributes
        SAME[kind](artist)
        elements.add(layer.element(""))
    drawn.clear()
    for _ in range(3):
        SAME[kind](artist)
        elements.add(layer.element(""))
    assert drawn == []
    assert len(elements) == 1


@pytest.mark.parametrize(("kind", "change"), OTHER)
def test_an_artist_that_changed_in_any_way_is_drawn_again(kind: str, change: Sets) -> None:
    figure = Figure()
    artist = ARTISTS[kind](figure)
    layer = Foreground(figure, [artist])
    before = layer.element("")
    change(artist)
    after = layer.element("")
    assert after != before
    assert after == Foreground(figure, [artist]).element("")


def test_a_look_that_was_drawn_before_is_not_drawn_again(drawn: list[Artist]) -> None:
    figure = Figure()
    text = figure.text(0.5, 0.5, "")
    layer = Foreground(figure, [text])
    elements = [(text.set_text(words), layer.element(""))[1] for words in ("a", "b", "a", "b")]
    assert elements[:2] == elements[2:]
    assert len(drawn) == 2


def test_only_so_many_looks_are_kept(drawn: list[Artist], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreground, "_MOST_CHARACTERS", 500)
    figure = Figure()
    text = figure.text(0.5, 0.5, "")
    layer = Foreground(figure, [text])
    for words in "abcdefgh":
        text.set_text(words)
        layer.pieces()
        assert len(layer._kept) < 6
    assert len(drawn) == 8
    assert layer.element("") == Foreground(figure, [text]).element("")


def with_a_box(figure: Figure) -> Artist:
    return figure.text(0.5, 0.5, "words", bbox={"facecolor": "red"})


def with_colours_of_a_map(figure: Figure) -> Artist:
    return figure.gca().scatter([0.1, 0.5], [0.2, 0.8], c=[1.0, 2.0])


def within_a_circle(figure: Figure) -> Artist:
    (line,) = figure.gca().plot([0, 1], [0, 1])
    line.set_clip_path(Circle((0.5, 0.5), 0.3, transform=figure.gca().transData))
    return line


EACH_TIME: dict[str, tuple[Makes, Sets]] = {
    "annotation": (
        lambda figure: figure.gca().annotate("", (1, 1), (0, 0), arrowprops={"arrowstyle": "->"}),
        lambda note: note.arrow_patch.set_color("red"),
    ),
    "arrow": (
        lambda figure: figure.gca().add_patch(FancyArrowPatch((0.1, 0.1), (0.5, 0.5))),
        lambda arrow: arrow.set_positions((0.1, 0.1), (0.5, 0.7)),
    ),
    "text with a box": (with_a_box, lambda text: text.get_bbox_patch().set_color("blue")),
    "colours of a map": (with_colours_of_a_map, lambda points: points.set_clim(0, 9)),
    "image": (
        lambda figure: figure.gca().imshow([[1.0, 2.0]]),
        lambda image: image.set_clim(0, 9),
    ),
    "gouraud": (
        lambda figure: figure.gca().pcolormesh(np.eye(3), shading="gouraud"),
        lambda mesh: mesh.set_clim(0, 9),
    ),
    "clip path": (within_a_circle, lambda line: line.set_clip_path(None)),
}


@pytest.mark.parametrize(("make", "change"), EACH_TIME.values(), ids=EACH_TIME)
def test_an_artist_whose_attributes_do_not_tell_its_look_is_drawn_each_time(
    make: Makes, change: Sets, drawn: list[Artist]
) -> None:
    figure = Figure()
    artist = make(figure)
    layer = Foreground(figure, [artist])
    before = layer.element("")
    assert layer.element("") == before
    assert len(drawn) == 2
    change(artist)
    assert layer.element("") == Foreground(figure, [artist]).element("") != before


def test_what_two_circles_clip_stays_in_its_own() -> None:
    figure = Figure()
    lines = []
    for place in (121, 122):
        axes = figure.add_subplot(place, projection="polar")
        lines += axes.plot([0, 1], [0, 1])
    layer = Foreground(figure, lines)
    layer.element("")
    lines[1].set_linewidth(7)
    assert layer.element("") == Foreground(figure, lines).element("")


def test_the_background_does_not_show_what_was_hidden() -> None:
    figure = Figure()
    shown, hidden = figure.text(0.1, 0.1, "shown"), figure.text(0.5, 0.5, "hidden", visible=False)
    svg.background(figure, [shown, hidden])
    assert shown.get_visible()
    assert not hidden.get_visible()


def test_artists_in_front_are_drawn_last() -> None:
    figure = Figure()
    behind, before = figure.text(0, 0, "b", zorder=1), figure.text(0, 0, "a", zorder=2)
    assert Foreground(figure, [before, behind]).element("") == Foreground(
        figure, [behind, before]
    ).element("")


def test_what_pieces_refer_to_is_defined_once() -> None:
    figure = Figure()
    texts = [figure.text(0.1, y, "same") for y in (0.1, 0.5)]
    rectangle = ARTISTS["rectangle"](figure)
    rectangle.set_hatch("//")
    element = Foreground(figure, [*texts, rectangle]).element("")
    referred_to = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', element))
    assert len(referred_to) > 4
    for name in map("".join, referred_to):
        assert element.count(f'id="{name}"') == 1
