"""Pictures as SVG, either whole or in parts that are laid over each other.

Matplotlib's own SVG renderer draws them, so they stay sharp at every zoom.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple, TextIO

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
_DEFINITIONS = re.compile(r"\s*<defs>(.*?)</defs>", re.DOTALL)
_DEFINED = re.compile(r'<(\w+) [^>]*?\bid="([^"]+)"(?:[^>]*/>|.*?</\1>)', re.DOTALL)
_REFERENCE = re.compile(r'(?:href="|url\()#([^")]+)')
# Matplotlib numbers the groups of all artists, so equal pictures differ in the ids of their groups.
_NAMES = re.compile(r' id="[^"]*_\d+"')
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
    visible = [artist for artist in moving if artist.get_visible()]
    for artist in visible:
        artist.set_visible(False)
    try:
        return _element(figure, _inner(document(figure)), 'aria-hidden="true"')
    finally:
        for artist in visible:
            artist.set_visible(True)


def overlay(figure: Figure, inner: str, sentence: str) -> str:
    """Wrap SVG text in an element that lies exactly over the background.

    Screen readers read the sentence in place of the picture.
    """
    return _element(figure, inner, f'role="img" aria-label="{as_html(sentence)}"')


def named(element: str, name: str) -> str:
    """Put what is inside an SVG element into a group of this name, which `<use>` can show again."""
    start, end = _inside(element)
    return f'{element[:start]}<g id="{name}">{element[start:end]}</g>{element[end:]}'


class Piece(NamedTuple):
    """One artist as SVG: its picture, and the definitions that the picture refers to, by id.

    Definitions are of glyphs, markers, hatches and clips.
    """

    picture: str
    definitions: Mapping[str, str]


def pieces(figure: Figure, artists: Iterable[Artist]) -> list[Piece]:
    """Draw some artists of the figure, one piece for each."""
    out = io.StringIO()
    with mpl.rc_context(STYLE):
        renderer = renderer_of(figure, out)
        ends = [out.tell()]
        for artist in artists:
            artist.draw(renderer)
            ends.append(out.tell())
        renderer.finalize()
    text = out.getvalue()
    defined = {
        match[2]: match[0]
        for definitions in _DEFINITIONS.findall(text)
        for match in _DEFINED.finditer(definitions)
    }
    return [_piece(text[start:end], defined) for start, end in pairwise(ends)]


def renderer_of(figure: Figure, out: TextIO) -> RendererSVG:
    """Return what draws the figure's artists as SVG, and knows how wide their letters are."""
    return RendererSVG(*_points(figure), out, image_dpi=DPI)


def _piece(text: str, defined: Mapping[str, str]) -> Piece:
    picture = _NAMES.sub("", _DEFINITIONS.sub("", text)).strip()
    return Piece(
        picture, {name: defined[name] for name in _REFERENCE.findall(picture) if name in defined}
    )


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
