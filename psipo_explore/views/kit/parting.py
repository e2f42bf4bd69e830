"""A picture cut into parts that stand below each other on a narrow screen.

A page shows the same drawing once for each part, through a window on that part. Cuts go only
through white space, so each axes and each entry of a legend is whole in one part.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from psipo_explore.views.kit import svg
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.palette import STYLE
from psipo_explore.views.kit.view import Values, View

WANTED, WIDEST = 350.0, 420.0  # widths of a part, in points
_AROUND = 1.0  # white kept around what is drawn, in points
_IN_ENTRY = 12.0  # most white inside a legend's entry, in points
_UNDER_LEGEND = 4.0  # least white between the legend and the axes; a heading stands closer
# The cost of a part is its height on the screen, in points. To be one part more costs as much as
# so much height, and so does a percent by which its letters shrink.
_PER_PART, _PER_PERCENT, _TOO_WIDE = 40.0, 10.0, 1e4


class Rectangle(NamedTuple):
    """A part of a picture in the units of its SVG, in which y runs downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Where the part ends at the right."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Where the part ends at the bottom."""
        return self.y + self.height


def parts(view: View, built_for: Values | None = None) -> list[Rectangle]:
    """Cut the picture of a view into parts for a screen that is narrower than the picture.

    Parameters
    ----------
    view : View
        View whose picture is cut.
    built_for : mapping, optional
        Values of the controls that rebuild the drawing, because each drawing has its own parts.
        The default is their start.

    Returns
    -------
    list of Rectangle
        Parts in reading order: first those of the legend, then those of the axes.

    Examples
    --------
    >>> from psipo_explore.views import VIEWS
    >>> [round(part.width) for part in parts(VIEWS["collapse"])]
    [206, 304, 275, 345]
    """
    start = {**view.values({}), **(built_for or {})}
    figure, artists = view.drawn(start)
    drawn = dict(wholes(figure))
    entries = _entries(drawn)
    for values in places(view, start):
        try:
            view.move(figure, artists, values)
        except ValueError:  # what cannot be shown takes no room
            continue
        for artist, box in wholes(figure):
            if artist not in drawn:  # because it was empty at the start
                entries.append([artist])
            drawn[artist] = _joined([box, drawn.get(artist, box)])
    joined = frozenset(_joined(drawn[artist] for artist in entry) for entry in entries)
    legend_ends = min(drawn[ax].y for ax in figure.axes) - _UNDER_LEGEND
    above = (
        side for side in _first_sides(joined, "y", "bottom") if _joined(side).bottom <= legend_ends
    )
    legend = max(above, key=len, default=frozenset())
    return list(_best(legend).parts + _best(joined - legend).parts)


def places(view: View, start: Values) -> Iterator[Values]:
    """Yield the start, and then both ends of every control, with all others at the start.

    A control that is no slider takes all its stops. The drawing is not built anew.
    """
    yield start
    for control in view.controls:
        if control.name in view.rebuild_on:
            continue
        ends = isinstance(control, Slider)
        for stop in (control.stops[0], control.stops[-1]) if ends else control.stops:
            yield {**start, control.name: stop}


def wholes(figure: Figure) -> Iterator[tuple[Artist, Rectangle]]:
    """Yield what no cut may go through, and the place that it takes in the drawing.

    This is each axes with its labels, and each mark and each text that stands outside all axes. A
    label that is wider than its axes stands alone, because it is about their neighbours too.
    """
    renderer = svg.renderer_of(figure, io.StringIO())
    with mpl.rc_context(STYLE):
        for ax in figure.axes:
            ax.get_tightbbox(renderer)  # puts titles and labels where they are drawn
            label = ax.xaxis.label
            place = _place(figure, [label.get_window_extent(renderer)])
            label.set_visible(False)
            inside = _place(figure, _of_axes(ax, renderer))
            label.set_visible(True)
            if not label.get_text():
                yield ax, inside
            elif place.width > inside.width:
                yield from ((ax, inside), (label, place))
            else:
                yield ax, _joined([inside, place])
        for artist in (*figure.artists, *figure.texts):
            for box in _drawn([artist], renderer):
                yield artist, _place(figure, [box])


def _of_axes(ax: Axes, renderer: RendererBase) -> Iterator[Bbox]:
    if ax.axison:
        yield ax.get_window_extent(renderer)
        yield from _drawn([ax.xaxis, ax.yaxis, *ax.spines.values()], renderer)
    frame = {ax.patch, ax.xaxis, ax.yaxis, *ax.spines.values()}
    yield from _drawn([artist for artist in ax.get_children() if artist not in frame], renderer)


def _drawn(artists: Iterable[Artist], renderer: RendererBase) -> Iterator[Bbox]:
    """Yield the box of every artist that draws something."""
    for artist in artists:
        box = artist.get_tightbbox(renderer) if artist.get_visible() else None
        if box is None or not np.isfinite(box.get_points()).all():
            continue
        if not isinstance(artist, Line2D):
            yield box
        elif np.isfinite(artist.get_xydata()).any():
            yield box.padded(_tips(artist))


def _tips(line: Line2D) -> float:
    """Return by how much a line's marks reach over the size that Matplotlib takes them to have.

    A diamond is a square that stands on a corner. The edge of a usual mark is thin enough for the
    white that is kept around everything.
    """
    if line.get_marker() in (None, "None", "") or (line.get_clip_on() and line.get_clip_box()):
        return 0.0
    corner = (2**0.5 - 1) / 2 * float(line.get_markersize()) if line.get_marker() == "D" else 0.0
    return corner + max(0.0, float(line.get_markeredgewidth()) - _AROUND)


def _place(figure: Figure, boxes: Iterable[Bbox]) -> Rectangle:
    """Join the boxes, in pixels from the bottom, to a place in the SVG with white around it."""
    width, height = figure.bbox.size
    joined = Bbox.union(list(boxes))
    left, right = np.clip([joined.x0 - _AROUND, joined.x1 + _AROUND], 0, width).tolist()
    top, bottom = np.clip(
        [height - joined.y1 - _AROUND, height - joined.y0 + _AROUND], 0, height
    ).tolist()
    return Rectangle(left, top, right - left, bottom - top)


def _joined(boxes: Iterable[Rectangle]) -> Rectangle:
    every = list(boxes)
    x, y = min(box.x for box in every), min(box.y for box in every)
    return Rectangle(
        x, y, max(box.right for box in every) - x, max(box.bottom for box in every) - y
    )


def _entries(drawn: Mapping[Artist, Rectangle]) -> list[list[Artist]]:
    """Put the mark, the words and the number of a legend's entry together, by their places."""
    entries: list[list[Artist]] = []
    for artist, box in sorted(drawn.items(), key=lambda item: item[1].x):
        before = next(
            (entry for entry in entries if _continues(artist, box, drawn[entry[-1]], entry[-1])),
            None,
        )
        if before is None:
            entries.append([artist])
        else:
            before.append(artist)
    return entries


def _continues(artist: Artist, box: Rectangle, last: Rectangle, before: Artist) -> bool:
    in_row = last.y < box.y + box.height / 2 < last.bottom
    near = abs(box.x - last.right) <= _IN_ENTRY
    return in_row and near and isinstance(artist, Text) and not isinstance(before, Axes)


class _Cut(NamedTuple):
    cost: float
    parts: tuple[Rectangle, ...]


@lru_cache(maxsize=10_000)
def _best(boxes: frozenset[Rectangle]) -> _Cut:
    """Cut so that the parts cost least, from top to bottom only where no cut parts columns."""
    if not boxes:
        return _Cut(0.0, ())
    whole = _joined(boxes)
    shrinking = max(1.0, whole.width / WANTED)
    cost = whole.height / shrinking + _PER_PART + _PER_PERCENT * 100 * (shrinking - 1)
    cuts = [_Cut(cost + _TOO_WIDE * (whole.width > WIDEST), (whole,))]
    columns = list(_first_sides(boxes, "x", "right"))
    for first in columns or _first_sides(boxes, "y", "bottom"):
        one, other = _best(first), _best(boxes - first)
        cuts.append(_Cut(one.cost + other.cost, one.parts + other.parts))
    return min(cuts, key=lambda cut: cut.cost)


def _first_sides(
    boxes: frozenset[Rectangle], start: str, end: str
) -> Iterator[frozenset[Rectangle]]:
    """Yield, for every straight cut in one direction, the boxes before the cut."""
    in_order = sorted(boxes, key=lambda box: float(getattr(box, start)))
    reach = -np.inf
    for k, box in enumerate(in_order):
        if k and getattr(box, start) >= reach:
            yield frozenset(in_order[:k])
        reach = max(reach, getattr(box, end))
