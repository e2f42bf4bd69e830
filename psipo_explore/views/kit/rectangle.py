"""Rectangles in the units of an SVG, in which y runs downwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

_AROUND = 1.0  # white kept around what is drawn, in points


class Rectangle(NamedTuple):
    """A place in a picture."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Where the place ends at the right."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Where the place ends at the bottom."""
        return self.y + self.height

    def overlaps(self, other: Rectangle) -> bool:
        """Whether some area belongs to both."""
        across = self.x < other.right and other.x < self.right
        return across and self.y < other.bottom and other.y < self.bottom


def joined(places: Iterable[Rectangle]) -> Rectangle:
    """Return the smallest place that holds all of these."""
    every = list(places)
    x, y = min(place.x for place in every), min(place.y for place in every)
    right, bottom = max(place.right for place in every), max(place.bottom for place in every)
    return Rectangle(x, y, right - x, bottom - y)


def place_of(figure: Figure, boxes: Iterable[Bbox]) -> Rectangle:
    """Join the boxes, in pixels from the bottom, to a place with white around it."""
    height = float(figure.bbox.height)
    box = Bbox.union(list(boxes)).padded(_AROUND)
    return Rectangle(float(box.x0), height - float(box.y1), float(box.width), float(box.height))


def within(figure: Figure, place: Rectangle) -> Rectangle:
    """Return what of the place is inside the figure."""
    width, height = map(float, figure.bbox.size)
    x, y = max(place.x, 0.0), max(place.y, 0.0)
    return Rectangle(x, y, min(place.right, width) - x, min(place.bottom, height) - y)
