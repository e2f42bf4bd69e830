"""The artists of a picture that move, as a layer over the background, which is drawn once.

When a slider moves, most of these artists look as they did before. Such an artist is not drawn
again: panels, pages and the app all keep its picture here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text

from psipo_explore.views.kit import svg
from psipo_explore.views.kit.svg import Piece

_MOST_CHARACTERS = 20_000_000  # of the pictures that are kept
_KNOWN_BY_ATTRIBUTES = (Line2D, Text, Rectangle, Polygon, LineCollection, PathCollection)
_CONSTANT = (float, int, str, type(None))
_CHANGED_IN_PLACE = (FontProperties, list, dict)
# Attributes that Matplotlib derives from others while it draws. A picture would be stale if another
# attribute stood here. If one of these were missing, an artist would be drawn too often.
_DERIVED = {"_stale", "_renderer"}
_DERIVED_IN_A_LINE = _DERIVED | {
    *("_invalidx", "_invalidy", "_x", "_y", "_xy"),
    *("_path", "_transformed_path", "_subslice", "_x_filled"),
}


class Foreground:
    """The moving artists of a figure, in the order in which they are drawn at first.

    Artists must be changed by their setters, not by what they refer to, such as a transform. Axes
    must not move or change their limits, since they belong to the background.
    """

    def __init__(self, figure: Figure, moving: Iterable[Artist]) -> None:
        self._figure = figure
        self._artists = [_Watched(artist) for artist in sorted(moving, key=Artist.get_zorder)]
        self._kept: dict[Hashable, Piece] = {}
        self._characters = 0

    def element(self, sentence: str) -> str:
        """Return the artists as an SVG element that lies exactly over the background."""
        pieces = self.pieces()
        definitions: dict[str, str] = {}
        for piece in pieces:
            definitions |= piece.definitions
        pictures = "".join(piece.picture for piece in pieces)
        inner = f"<defs>{''.join(definitions.values())}</defs>{pictures}"
        return svg.overlay(self._figure, inner, sentence)

    def pieces(self) -> list[Piece]:
        """Draw the artists whose look is new, and return the piece of every artist."""
        if self._characters > _MOST_CHARACTERS:
            self._kept.clear()
            self._characters = 0
        looks = [artist.look() for artist in self._artists]
        keys = [*enumerate(looks)]
        new = [key for key in keys if key[1] is None or key not in self._kept]
        if new:
            drawn = svg.pieces(self._figure, [self._artists[place].artist for place, _ in new])
            self._kept |= dict(zip(new, drawn, strict=True))
            self._characters += sum(len(piece.picture) for piece in drawn)
        return [self._kept[key] for key in keys]


class _Watched:
    """An artist, with its attributes as they were at first.

    An attribute that is still the same object is taken to have the same value, unless it is of a
    type that Matplotlib changes in place.
    """

    def __init__(self, artist: Artist) -> None:
        self.artist = artist
        self._at_first = dict(vars(artist))
        self._derived = _DERIVED_IN_A_LINE if isinstance(artist, Line2D) else _DERIVED

    def look(self) -> Hashable | None:
        """Return the attributes that were set since, or None if they do not tell the look."""
        if not self._is_known_by_attributes():
            return None
        try:
            return tuple([(name, _value(value)) for name, value in self._set_since()])
        except TypeError:
            return None

    def _is_known_by_attributes(self) -> bool:
        """Whether no colour map, no clip path and no other artist has a part in the look."""
        artist = self.artist
        return (
            type(artist) in _KNOWN_BY_ATTRIBUTES
            and not (isinstance(artist, Collection) and artist.get_array() is not None)
            and not (isinstance(artist, Text) and artist.get_bbox_patch() is not None)
            # Matplotlib counts clip paths anew in each drawing, so two drawings use one id twice.
            and artist.get_clip_path() is None
        )

    def _set_since(self) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self.artist).items():
            is_other = value is not self._at_first.get(name)
            if (is_other or isinstance(value, _CHANGED_IN_PLACE)) and name not in self._derived:
                yield name, value


def _value(attribute: Any) -> Hashable:
    """Return what can be compared with the attribute's value at another time.

    Raises
    ------
    TypeError
        If the attribute is an object that may itself change.
    """
    if isinstance(attribute, _CONSTANT):
        return attribute
    if isinstance(attribute, np.ndarray) and not attribute.dtype.hasobject:
        digest = blake2b(attribute.tobytes(), digest_size=16).digest()  # large arrays are not kept
        return attribute.dtype.str, attribute.shape, digest
    if isinstance(attribute, Path):
        return _value(attribute.vertices), _value(attribute.codes)
    if isinstance(attribute, (list, tuple)):
        return type(attribute), *map(_value, attribute)
    if isinstance(attribute, FontProperties):
        return hash(attribute)  # of its contents, which may change
    raise TypeError(f"{type(attribute).__name__} may change")
