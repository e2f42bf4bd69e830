"""A picture taken apart for a narrow screen, on which its parts stand below each other.

A page shows the same drawing through several windows. Cuts go only through white space, so each
axes and each entry of a legend is whole in one window, and axes that stand alone get the labels
that they otherwise share with their neighbours.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from psipo_explore.views.kit.own_labels import OwnLabels, own_labels
from psipo_explore.views.kit.palette import STYLE
from psipo_explore.views.kit.part import Part, Window
from psipo_explore.views.kit.rectangle import Rectangle, joined, place_of, within
from psipo_explore.views.kit.view import Values, View

WANTED, WIDEST = 350.0, 420.0  # widths of a part, in points
_THIN_EDGE = 1.0  # of a mark, in points, so thin that the white around everything holds it
_IN_ENTRY = 12.0  # most white inside a legend's entry, in points
_UNDER_LEGEND = 4.0  # least white between the legend and the axes; a heading stands closer
_APART, _UNDER = 12.0, 3.0  # white beside and under what is put together, in points
# The cost of a part is its height on the screen, in points. To be one part more costs as much as
# so much height, and so does a percent by which its letters shrink. Labels must not be drawn over
# anything.
_PER_PART, _PER_PERCENT, _TOO_WIDE, _COVERED = 40.0, 10.0, 1e4, 1e5


def parts(view: View, built_for: Values | None = None) -> list[Part]:
    """Take the picture of a view apart for a screen that is narrower than the picture.

    Parameters
    ----------
    view : View
        View whose picture is taken apart.
    built_for : mapping, optional
        Values of the controls that rebuild the drawing, because each drawing has its own parts.
        The default is their start.

    Returns
    -------
    list of Part
        Parts in reading order: first the legend, then the axes.

    Examples
    --------
    >>> from psipo_explore.views import VIEWS
    >>> [round(part.width) for part in parts(VIEWS["collapse"])]
    [335, 275, 380]
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
            drawn[artist] = joined([box, drawn.get(artist, box)])
    legend_ends = min(drawn[ax].y for ax in figure.axes) - _UNDER_LEGEND
    lacking = own_labels(figure, {ax: drawn[ax] for ax in figure.axes})
    every = frozenset(
        _Whole(
            joined(drawn[artist] for artist in entry),
            entry[0],
            _before_mark(entry[0], drawn[entry[0]]),
            tuple(labels for artist in entry for labels in lacking.get(artist, ())),
        )
        for entry in entries
    )
    above = (
        side for side in _first_sides(every, "y", "bottom") if _window(side).bottom <= legend_ends
    )
    legend = max(above, key=len, default=frozenset())
    first = [_columns(_in_order(legend))] if legend else []
    below = _rows(_best(every - legend, {}).leaves)
    return [_composed(rows) for rows in (*first, *_with_headings(below))]


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
    label that speaks for a row of axes is left out, because each of them gets its own.
    """
    renderer = svg.renderer_of(figure, io.StringIO())
    with mpl.rc_context(STYLE):
        for ax in figure.axes:
            ax.get_tightbbox(renderer)  # puts titles and labels where they are drawn
            label = ax.xaxis.label
            under = label.get_window_extent(renderer)
            label.set_visible(False)
            inside = Bbox.union(list(_of_axes(ax, renderer)))
            label.set_visible(True)
            speaks_for_row = not label.get_text() or under.width > inside.width
            boxes = [inside] if speaks_for_row else [inside, under]
            yield ax, within(figure, place_of(figure, boxes))
        for artist in (*figure.artists, *figure.texts):
            for box in _drawn([artist], renderer):
                yield artist, within(figure, place_of(figure, [box]))


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
    """Return by how much a line or its marks reach over the size that Matplotlib says they have.

    A diamond is a square that stands on a corner. The ends of a line reach out by half its width.
    """
    if line.get_clip_on() and line.get_clip_box():
        return 0.0
    if line.get_marker() in (None, "None", ""):
        return float(line.get_linewidth()) / 2
    corner = (2**0.5 - 1) / 2 * float(line.get_markersize()) if line.get_marker() == "D" else 0.0
    return corner + max(0.0, float(line.get_markeredgewidth()) - _THIN_EDGE)


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
    in_row = box.y < last.y + last.height / 2 < box.bottom or (
        last.y < box.y + box.height / 2 < last.bottom
    )
    near = abs(box.x - last.right) <= _IN_ENTRY
    return in_row and near and isinstance(artist, Text) and not isinstance(before, Axes)


def _before_mark(artist: Artist, place: Rectangle) -> float:
    if not isinstance(artist, Line2D):
        return 0.0
    across = artist.get_transform().transform(artist.get_xydata())[:, 0]
    return max(0.0, (place.width - float(np.ptp(across))) / 2)


@dataclass(frozen=True, eq=False)
class _Whole:
    """Axes, an entry of a legend, or other words outside all axes."""

    place: Rectangle
    artist: Artist  # the first one of an entry
    before_mark: float  # what a large mark reaches to the left, beyond the marks under it
    lacking: tuple[OwnLabels, ...]

    @property
    def has_scales(self) -> bool:
        return isinstance(self.artist, Axes) and bool(self.artist.axison)

    @property
    def is_heading(self) -> bool:
        return isinstance(self.artist, Text) and self.artist.get_fontweight() == "bold"


_Leaf = frozenset[_Whole]  # what one window shows
_Row = list[tuple[float, _Leaf]]  # leaves beside each other, and where each begins


def _window(leaf: _Leaf) -> Rectangle:
    return joined(whole.place for whole in leaf)


def _labels(leaf: _Leaf) -> Iterator[tuple[_Whole, OwnLabels]]:
    """Yield the labels that are lacking in the leaf, each with the axes that lack it."""
    axes = {whole.artist for whole in leaf}
    for whole in leaf:
        for labels in whole.lacking:
            if axes.isdisjoint(labels.borne_by):
                yield whole, labels


def _extent(leaf: _Leaf) -> Rectangle:
    return joined([_window(leaf), *(labels.place for _, labels in _labels(leaf))])


def _covers(leaf: _Leaf) -> bool:
    """Whether the labels that are lacking would be drawn over something."""
    taken = [(whole, whole.place) for whole in leaf]
    taken += [(whole, labels.place) for whole, labels in _labels(leaf)]
    return any(
        labels.place.overlaps(place)
        for whole, labels in _labels(leaf)
        for other, place in taken
        if other is not whole
    )


class _Cut(NamedTuple):
    cost: float
    leaves: tuple[_Leaf, ...]


def _best(wholes: _Leaf, known: dict[_Leaf, _Cut]) -> _Cut:
    """Cut so that the parts cost least, from top to bottom only where no cut parts columns.

    A heading takes all that stands under it, up to the next one, with it.
    """
    if wholes not in known:
        one_window = _Cut(_cost(wholes), (wholes,))
        before = _before_next_heading(wholes)
        columns = [before] if before else list(_first_sides(wholes, "x", "right"))
        cuts = [] if before else [one_window]
        for first in columns or _first_sides(wholes, "y", "bottom"):
            one, other = _best(first, known), _best(wholes - first, known)
            cuts.append(_Cut(one.cost + other.cost, one.leaves + other.leaves))
        known[wholes] = min(cuts, key=lambda cut: cut.cost)
    return known[wholes]


def _cost(leaf: _Leaf) -> float:
    whole = _extent(leaf)
    shrinking = max(1.0, whole.width / WANTED)
    cost = whole.height / shrinking + _PER_PART + _PER_PERCENT * 100 * (shrinking - 1)
    return cost + _TOO_WIDE * (whole.width > WIDEST) + _COVERED * _covers(leaf)


def _before_next_heading(wholes: _Leaf) -> _Leaf | None:
    if not _begins_with_heading(wholes):
        return None
    sides = _first_sides(wholes, "y", "bottom")
    return next((side for side in sides if _begins_with_heading(wholes - side)), None)


def _begins_with_heading(wholes: _Leaf) -> bool:
    """Whether a heading is first in the top row, with nothing at its left."""
    top = min(whole.place.y for whole in wholes) + _IN_ENTRY
    left = min(whole.place.right for whole in wholes)
    return any(
        whole.is_heading and whole.place.y < top and whole.place.x < left for whole in wholes
    )


def _first_sides(wholes: _Leaf, start: str, end: str) -> Iterator[_Leaf]:
    """Yield, for every straight cut in one direction, what is before the cut."""
    in_order = sorted(wholes, key=lambda whole: float(getattr(whole.place, start)))
    reach = -np.inf
    for k, whole in enumerate(in_order):
        if k and getattr(whole.place, start) >= reach:
            yield frozenset(in_order[:k])
        reach = max(reach, getattr(whole.place, end))


def _in_order(wholes: _Leaf) -> list[_Leaf]:
    """Return the entries of a legend as they are read: by columns if it has any, else by rows."""
    for start, end in (("x", "right"), ("y", "bottom")):
        first = next(_first_sides(wholes, start, end), None)
        if first:
            return _in_order(first) + _in_order(wholes - first)
    return [wholes]


def _columns(entries: Sequence[_Leaf]) -> list[_Row]:
    """Put the entries of a legend into as many columns as there is room for.

    Lines of their marks begin under each other.
    """
    for n in range(len(entries), 0, -1):
        columns = [entries[k::n] for k in range(n)]
        marks = [max(map(_before_line, column)) for column in columns]
        widths = [
            max(mark - _before_line(entry) + _window(entry).width for entry in column)
            for mark, column in zip(marks, columns, strict=True)
        ]
        if sum(widths) + _APART * (n - 1) <= WANTED:
            break
    begins = [sum(widths[:k]) + _APART * k + marks[k] for k in range(n)]
    rows = [entries[k : k + n] for k in range(0, len(entries), n)]
    return [
        [(x - _before_line(entry), entry) for x, entry in zip(begins, row, strict=False)]
        for row in rows
    ]


def _before_line(entry: _Leaf) -> float:
    return min(whole.place.x + whole.before_mark for whole in entry) - _window(entry).x


def _rows(leaves: Iterable[_Leaf]) -> list[_Row]:
    """Put words, and pictures without scales, beside each other where there is room."""
    rows: list[_Row] = []
    for leaf in leaves:
        begins = _width(rows[-1]) + _APART if rows else 0.0
        fits = begins + _extent(leaf).width <= WANTED
        heads = any(whole.is_heading for whole in leaf)
        if rows and fits and not heads and not _has_scales([*rows[-1], (0.0, leaf)]):
            rows[-1].append((begins, leaf))
        else:
            rows.append([(0.0, leaf)])
    return rows


def _width(row: _Row) -> float:
    begins, last = row[-1]
    return begins + _extent(last).width


def _has_scales(row: _Row) -> bool:
    return any(whole.has_scales for _, leaf in row for whole in leaf)


def _with_headings(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Put each row into a part of its own, but words alone into the part of what they head."""
    words: list[_Row] = []
    for row in rows:
        words.append(row)
        if any(isinstance(whole.artist, Axes) for _, leaf in row for whole in leaf):
            yield words
            words = []
    if words:
        yield words


def _composed(rows: Sequence[_Row]) -> Part:
    windows, labels = [], []
    top = 0.0
    for row in rows:
        height = max(_extent(leaf).height for _, leaf in row)
        for x, leaf in row:
            extent, window = _extent(leaf), _window(leaf)
            right, down = x - extent.x, top + (height - extent.height) / 2 - extent.y
            windows.append(Window(window, window.x + right, window.y + down))
            labels += [(lacking.piece, right, down) for _, lacking in _labels(leaf)]
        top += height + _UNDER
    return Part(max(map(_width, rows)), top - _UNDER, tuple(windows), tuple(labels))
