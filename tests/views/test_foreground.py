import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
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
    "arrow": lambda figure: figure.gca().add_patch(FancyArrowPatch((0.1, 0.1), (0.5, 0.5))),
}
SAME: dict[str, Sets] = {
    "line": lambda line: line.set_data([0.0, 1.0], np.array([0.0, 1.0])),
    "text": lambda text: text.set(text="words", color="black", position=(0.5, 0.5)),
    "polygon": lambda polygon: polygon.set_xy(CORNERS.copy()),
    "rectangle": lambda rectangle: rectangle.set(x=0.1, width=0.5),
    "segments": lambda segments: segments.set_segments(SEGMENTS),
    "points": lambda points: points.set_offsets([(0.1, 0.2), (0.5, 0.8)]),
    "arrow": lambda arrow: arrow.set_positions((0.1, 0.1), (0.5, 0.5)),
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
    ("arrow", lambda arrow: arrow.set_positions((0.1, 0.1), (0.5, 0.7))),
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
    monkeypatch.setattr(foreground, "MOST_KEPT", 3)
    figure = Figure()
    text = figure.text(0.5, 0.5, "")
    layer = Foreground(figure, [text])
    for words in "abcde":
        text.set_text(words)
        layer.pieces()
        assert len(layer._kept) <= 4
    assert layer.element("") == Foreground(figure, [text]).element("")


def test_an_artist_that_holds_another_is_drawn_each_time(drawn: list[Artist]) -> None:
    figure = Figure()
    arrow = {"arrowstyle": "->"}
    note = figure.gca().annotate("words", (0.5, 0.5), (0.1, 0.1), arrowprops=arrow)
    layer = Foreground(figure, [note])
    layer.pieces()
    layer.pieces()
    assert drawn == [note, note]


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
