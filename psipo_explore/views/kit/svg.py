"""Pictures as SVG, either still or in two layers, a fixed background and a moving foreground.

When a slider moves, only the foreground is drawn again, which takes a few milliseconds and sends a
few kilobytes. Matplotlib's own SVG renderer draws it, so it stays sharp at every zoom.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from itertools import pairwise

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure

from psipo_explore._tables import as_html
from psipo_explore.views.kit.palette import STYLE

DPI = 72  # makes a pixel a point, which is the unit of Matplotlib's SVG
_METADATA = re.compile(
    r"<metadata>.*?</metadata>|<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL
)
_STYLE = "display:block;width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt"


def document(figure: Figure) -> str:
    """Return the whole picture as an SVG file.

    With the same versions of all libraries, the bytes are always the same.
    """
    out = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "psipo_explore"})
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def background(figure: Figure, moving: Iterable[Artist]) -> str:
    """Return the artists that do not move, as an SVG element."""
    moving = list(moving)
    for artist in moving:
        artist.set_visible(False)
    try:
        return _element(figure, _inner(document(figure)), 'aria-hidden="true"')
    finally:
        for artist in moving:
            artist.set_visible(True)


def foreground(figure: Figure, moving: Iterable[Artist], sentence: str) -> str:
    """Return the artists that move, as an SVG element that lies exactly over the background."""
    return overlay(figure, "".join(pieces(figure, in_drawing_order(moving))), sentence)


def overlay(figure: Figure, inner: str, sentence: str) -> str:
    """Wrap SVG text in an element that lies exactly over the background.

    Screen readers read the sentence in place of the picture.
    """
    return _element(figure, inner, f'role="img" aria-label="{as_html(sentence)}"')


def in_drawing_order(moving: Iterable[Artist]) -> list[Artist]:
    """Sort the artists so that those in front are drawn last."""
    return sorted(moving, key=Artist.get_zorder)


def pieces(figure: Figure, artists: Iterable[Artist]) -> list[str]:
    """Return the inside of an SVG element in pieces.

    There is one piece for each artist in turn. The last piece holds the clip paths, which several
    artists may share.
    """
    out = io.StringIO()
    width, height = _points(figure)
    with mpl.rc_context(STYLE):
        renderer = RendererSVG(width, height, out, image_dpi=DPI)
        ends = []
        for artist in artists:
            ends.append(out.tell())
            artist.draw(renderer)
        ends.append(out.tell())
        renderer.finalize()
    text = out.getvalue()
    start, end = _inside(text)
    return [
        _METADATA.sub("", text[i:j]) for i, j in pairwise([*[max(i, start) for i in ends], end])
    ]


def _points(figure: Figure) -> tuple[float, float]:
    width, height = figure.get_size_inches()
    return width * DPI, height * DPI


def _element(figure: Figure, inner: str, attributes: str) -> str:
    width, height = _points(figure)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {attributes} '
        f'viewBox="0 0 {width:g} {height:g}" style="{_STYLE}">{inner}</svg>'
    )


def _inner(text: str) -> str:
    """Return the inside of the outermost svg element, without metadata and style sheet.

    The style sheet is removed because it would apply to the whole page.
    """
    start, end = _inside(text)
    return _METADATA.sub("", text[start:end])


def _inside(text: str) -> tuple[int, int]:
    return text.index(">", text.index("<svg")) + 1, text.rindex("</svg>")
