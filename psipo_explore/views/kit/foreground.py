"""The artists of a picture that move, as a layer over the background, which is drawn once.

When a slider moves, most of these artists look as they did before. Such an artist is not drawn
again: panels, pages and the app all keep its picture here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.path import Path

from psipo_explore.views.kit import svg
from psipo_explore.views.kit.svg import Piece

MOST_KEPT = 2000  # pieces, of a few kilobytes each
_CONSTANT = (float, int, str, type(None))
_CHANGED_IN_PLACE = (FontProperties, list, dict)
_BELONGS_TO = {"_axes", "_parent_figure"}
# Attributes that Matplotlib derives from others while it draws. If one were missing here, an artist
# would be drawn more often than it has to be.
_DERIVED = {"_stale", "_renderer"}
_DERIVED_IN_A_LINE = {
    *("_stale", "_invalidx", "_invalidy", "_x", "_y", "_xy"),
    *("_path", "_transformed_path", "_subslice", "_x_filled"),
}


class Foreground:
    """The moving artists of a figure, in the order in which they are drawn.

    Axes must not move or change their limits, since they belong to the background.
    """

    def __init__(self, figure: Figure, moving: Iterable[Artist]) -> None:
        self._figure = figure
        self._artists = [_Watched(artist) for artist in sorted(moving, key=Artist.get_zorder)]
        self._kept: dict[Hashable, Piece] = {}

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
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
        looks = [(place, artist.look()) for place, artist in enumerate(self._artists)]
        new = [look for look in looks if look[1] is None or look not in self._kept]
        if new:
            drawn = svg.pieces(self._figure, [self._artists[place].artist for place, _ in new])
            self._kept |= dict(zip(new, drawn, strict=True))
        return [self._kept[look] for look in looks]


class _Watched:
    """An artist, with its attributes as they were at first."""

    def __init__(self, artist: Artist) -> None:
        self.artist = artist
        self._at_first = dict(vars(artist))
        self._derived = _DERIVED_IN_A_LINE if isinstance(artist, Line2D) else _DERIVED
        self._is_one = not any(  # another artist in it may change unseen
            isinstance(value, Artist)
            for name, value in self._at_first.items()
            if name not in _BELONGS_TO
        )

    def look(self) -> Hashable | None:
        """Return the attributes that were set since, or None if they cannot be compared."""
        if not self._is_one:
            return None
        try:
            return tuple([(name, _value(value)) for name, value in self._set_since()])
        except TypeError:
            return None

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
    if isinstance(attribute, np.ndarray):
        return attribute.dtype.str, attribute.shape, attribute.tobytes()
    if isinstance(attribute, Path):
        return _value(attribute.vertices), _value(attribute.codes)
    if isinstance(attribute, (list, tuple)):
        return tuple(map(_value, attribute))
    if isinstance(attribute, FontProperties):
        return hash(attribute)
    raise TypeError
