"""Legends above the axes, whose entries can end in a number that changes with the sliders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.textpath import TextPath

_MARK_WIDTH = 0.044
_GAP = 0.011
_BELOW = 0.012  # distance from the mark down to the baseline of its words


def line_mark(figure: Figure, x: float, y: float, look: Mapping[str, Any]) -> tuple[float, float]:
    """Draw a line's mark at (x, y) in figure coordinates, and return where its words begin."""
    xs = [x, x + _MARK_WIDTH / 2, x + _MARK_WIDTH]
    figure.add_artist(Line2D(xs, [y] * 3, markevery=[1], **look))
    return x + _MARK_WIDTH + _GAP, y - _BELOW


def line_entry(figure: Figure, x: float, y: float, words: str, look: Mapping[str, Any]) -> Text:
    """Draw a line's mark and its words at (x, y) in figure coordinates.

    The text that is returned stands after the words, and is still empty.
    """
    line_mark(figure, x, y, look)
    return _words(figure, x, y, words)


def patch_entry(figure: Figure, x: float, y: float, words: str, look: Mapping[str, Any]) -> Text:
    """Draw a region's mark and its words at (x, y) in figure coordinates.

    The text that is returned stands after the words, and is still empty.
    """
    figure.add_artist(Rectangle((x, y - 0.02), _MARK_WIDTH, 0.04, **look))
    return _words(figure, x, y, words)


def fitting(candidates: Iterable[str], text: Text, width: float) -> str:
    """Return the first candidate that Matplotlib can write within `width` inches.

    If none fits, the last one is returned.
    """
    words = ""
    for words in candidates:
        try:
            if _inches(words, text) <= width:
                break
        except ValueError:  # raised if mathtext cannot set the formula
            continue
    return words


def _inches(words: str, text: Text) -> float:
    return float(TextPath((0, 0), words, prop=text.get_fontproperties()).get_extents().xmax / 72)


def text_after(label: Text, words: str) -> Text:
    """Make an empty text that stands after these words in the place of the label."""
    figure = label.get_figure()
    assert isinstance(figure, Figure)
    x, y = label.get_position()
    width = _inches(words, label) / figure.get_figwidth() if words else 0.0
    return figure.text(x + width + _GAP * 0.7, y, "", va="baseline")


def _words(figure: Figure, x: float, y: float, words: str) -> Text:
    label = figure.text(x + _MARK_WIDTH + _GAP, y, words, va="baseline")
    label.set_y(y - _BELOW)
    return text_after(label, words)
