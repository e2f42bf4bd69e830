"""Pictures as SVG: a still one, or two layers of which only the upper one is drawn again when a
slider moves.

Drawing what moves and nothing else, with Matplotlib's own SVG renderer, costs the kernel a few
milliseconds and the wire a few kilobytes, and stays sharp at every zoom.
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

DPI = 72  # SVG's unit is the point
_METADATA = re.compile(
    r"<metadata>.*?</metadata>|<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL
)
_STYLE = "display:block;width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt"


def document(figure: Figure) -> str:
    """The whole picture as an SVG file, the same bytes each time under the same versions."""
    out = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "psipo_explore"})
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def background(figure: Figure, moving: Iterable[Artist]) -> str:
    """All that stands still, as an SVG element."""
    moving = list(moving)
    for artist in moving:
        artist.set_visible(False)
    try:
        return _element(figure, _inner(document(figure)), 'aria-hidden="true"')
    finally:
        for artist in moving:
            artist.set_visible(True)


def foreground(figure: Figure, moving: Iterable[Artist], sentence: str) -> str:
    """All that moves, as an SVG element that lies exactly over the background."""
    return overlay(figure, "".join(pieces(figure, in_drawing_order(moving))), sentence)


def overlay(figure: Figure, inner: str, sentence: str) -> str:
    """What is drawn already, as an SVG element that lies exactly over the background, with the
    sentence as its text.
    """
    return _element(figure, inner, f'role="img" aria-label="{as_html(sentence)}"')


def in_drawing_order(moving: Iterable[Artist]) -> list[Artist]:
    """What is drawn later covers what is drawn before."""
    return sorted(moving, key=Artist.get_zorder)


def pieces(figure: Figure, artists: Iterable[Artist]) -> list[str]:
    """The inside of an SVG element: one piece for each artist in turn, and last the clips that
    several of them share.
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
    """What is inside the outermost svg element, less the date and the style sheet, which would
    reach the whole page.
    """
    start, end = _inside(text)
    return _METADATA.sub("", text[start:end])


def _inside(text: str) -> tuple[int, int]:
    return text.index(">", text.index("<svg")) + 1, text.rindex("</svg>")
