"""Legends above the axes, whose entries can end in a number that changes with the sliders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.textpath import TextPath

_WIDE = 9.0  # width in inches of a figure that is not made for a narrow screen
# As shares of that width: a sample, the white after it, into which a mark reaches, and that before
# a number. A line without a mark is shorter, so that two dashes fill it, with no third cut to a dot.
_SAMPLE, _GAP, _BEFORE_NUMBER = 0.05, 0.016, 0.0077
_LINE_ALONE = 0.044
_BELOW = 0.012  # distance from the sample down to the baseline of its words


def line_mark(figure: Figure, x: float, y: float, look: Mapping[str, Any]) -> tuple[float, float]:
    """Draw a sample of a line at (x, y) in figure coordinates, and return where its words begin.

    The mark is at the end of the sample, because in its middle it would hide the dashes.
    """
    end = x + _share(figure, _SAMPLE if "marker" in look else _LINE_ALONE)
    figure.add_artist(Line2D([x, end], [y] * 2, markevery=[1], **look))
    return _after_sample(figure, x), y - _BELOW


def line_entry(figure: Figure, x: float, y: float, words: str, look: Mapping[str, Any]) -> Text:
    """Draw a sample of a line and its words at (x, y) in figure coordinates.

    The text that is returned stands after the words, and is still empty.
    """
    line_mark(figure, x, y, look)
    return _words(figure, x, y, words)


def patch_entry(figure: Figure, x: float, y: float, words: str, look: Mapping[str, Any]) -> Text:
    """Draw a sample of a region and its words at (x, y) in figure coordinates.

    The text that is returned stands after the words, and is still empty.
    """
    figure.add_artist(Rectangle((x, y - 0.02), _share(figure, _SAMPLE), 0.04, **look))
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
    return figure.text(x + width + _share(figure, _BEFORE_NUMBER), y, "", va="baseline")


def _words(figure: Figure, x: float, y: float, words: str) -> Text:
    label = figure.text(_after_sample(figure, x), y, words, va="baseline")
    label.set_y(y - _BELOW)
    return text_after(label, words)


def _after_sample(figure: Figure, x: float) -> float:
    return x + _share(figure, _SAMPLE) + _share(figure, _GAP)


def _share(figure: Figure, of_wide: float) -> float:
    """Return as a share of the figure's width what is this share of a wide figure's."""
    return of_wide * (_WIDE / float(figure.get_figwidth()))
