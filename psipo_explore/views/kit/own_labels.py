"""Labels that axes leave to their neighbours, for a screen on which the axes stand alone.

In a picture, axes of one row or one column often share their tick labels, and one label may speak
for a whole row. Here each axes gets its own copy of what it lacks, drawn where it would stand.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from math import hypot
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.text import Text

from psipo_explore.views.kit import svg
from psipo_explore.views.kit.palette import STYLE
from psipo_explore.views.kit.rectangle import Rectangle, place_of
from psipo_explore.views.kit.svg import Piece

_WORD = re.compile(r"(?:\$[^$]*\$|[^\s$])+")  # a formula is never broken
_LINE = 250.0  # points that a line of a label may be wide under narrow axes
_SHOWN = {"x": "labelbottom", "y": "labelleft"}


class OwnLabels(NamedTuple):
    """What one axis of some axes lacks.

    Parameters
    ----------
    place : Rectangle
        Where it is drawn, under or beside its axes.
    borne_by : frozenset of Axes
        Axes of the same column or row that show the same. The axes lack nothing beside one of them.
    piece : Piece
        The picture of the labels.
    """

    place: Rectangle
    borne_by: frozenset[Axes]
    piece: Piece


class _Side(NamedTuple):
    """One axis of some axes, as it is in the picture."""

    ax: Axes
    direction: str
    scale: Any  # equal for axes that show the same values at the same ticks
    shows_ticks: bool
    label: str
    speaks_for_row: bool

    @property
    def axis(self) -> Axis:
        return _axis(self.ax, self.direction)

    @property
    def line(self) -> tuple[float, float]:
        """Ends of the axis in the figure, the same for all axes of a column or of a row."""
        box = self.ax.get_position()
        ends = box.intervalx if self.direction == "x" else box.intervaly
        return round(float(ends[0]), 6), round(float(ends[1]), 6)

    def away(self, other: _Side) -> float:
        """Return how far the other axes stand away."""
        one, two = self.ax.get_position(), other.ax.get_position()
        return hypot(one.x0 + one.x1 - two.x0 - two.x1, one.y0 + one.y1 - two.y0 - two.y1)


def own_labels(figure: Figure, places: Mapping[Axes, Rectangle]) -> dict[Artist, list[OwnLabels]]:
    """Draw what each axes lacks, given the place that each takes.

    The figure is changed by this, and must not be drawn afterwards.
    """
    with mpl.rc_context(STYLE):
        renderer = svg.renderer_of(figure, io.StringIO())
        shown = [ax for ax in figure.axes if ax.axison]
        lacking: dict[Artist, list[OwnLabels]] = {ax: [] for ax in shown}
        for direction in _SHOWN:
            sides = [_side(ax, direction, places[ax], renderer) for ax in shown]
            for side, label, borne_by in list(_lacking([side for side in sides if side.scale])):
                place, piece = _drawn(figure, side, label, places[side.ax], renderer)
                lacking[side.ax].append(OwnLabels(place, borne_by, piece))
    return lacking


def _axis(ax: Axes, direction: str) -> Axis:
    return ax.xaxis if direction == "x" else ax.yaxis


def _side(ax: Axes, direction: str, place: Rectangle, renderer: RendererBase) -> _Side:
    axis = _axis(ax, direction)
    axis.get_ticklabels()  # writes them, also those that are not shown
    low, high = sorted(axis.get_view_interval())
    ticks = tuple(
        (float(tick.get_loc()), tick.label1.get_text())
        for tick in axis.get_major_ticks()
        if tick.label1.get_text() and low <= tick.get_loc() <= high
    )
    return _Side(
        ax,
        direction,
        scale=(float(low), float(high), ticks) if ticks else None,
        shows_ticks=bool(axis.get_tick_params(which="major").get(_SHOWN[direction], True)),
        label=axis.label.get_text(),
        speaks_for_row=direction == "x"
        and axis.label.get_window_extent(renderer).width > place.width,
    )


def _lacking(sides: Iterable[_Side]) -> Iterator[tuple[_Side, str, frozenset[Axes]]]:
    """Yield each side that lacks something, its whole label, and who shows the same beside it."""
    sides = list(sides)
    for side in sides:
        alike = sorted((other for other in sides if other.scale == side.scale), key=side.away)
        label = next((other.label for other in alike if other.label), "")
        whole = [
            other
            for other in alike
            if other.shows_ticks and other.label == label and not other.speaks_for_row
        ]
        if side not in whole:
            yield side, label, frozenset(other.ax for other in whole if other.line == side.line)


def _drawn(
    figure: Figure, side: _Side, label: str, beside: Rectangle, renderer: RendererBase
) -> tuple[Rectangle, Piece]:
    axis = side.axis
    axis.set_tick_params(which="both", **{_SHOWN[side.direction]: True})
    axis.set_tick_params(which="both", left=False, bottom=False)
    axis.grid(visible=False, which="both")
    axis.label.set_text(label)
    if side.direction == "x":
        _wrap(axis.label, max(beside.width, _LINE), renderer)
    axis.get_tightbbox(renderer)  # puts the label where it is drawn
    artist = axis.label if side.shows_ticks else axis
    box = artist.get_tightbbox(renderer)
    assert box is not None  # for there are ticks
    place = place_of(figure, [box])
    if side.direction == "x":
        top = max(place.y, beside.bottom)
        place = Rectangle(place.x, top, place.width, place.bottom - top)
    else:
        place = Rectangle(place.x, place.y, min(place.right, beside.x) - place.x, place.height)
    return place, svg.pieces(figure, [artist])[0]


def _wrap(label: Text, width: float, renderer: RendererBase) -> None:
    """Break the label into lines that are no wider than `width`, if its words allow that."""
    lines: list[str] = []
    for word in _WORD.findall(label.get_text()):
        longer = f"{lines[-1]} {word}" if lines else word
        label.set_text(longer)
        if lines and label.get_window_extent(renderer).width <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    label.set_text("\n".join(lines))
