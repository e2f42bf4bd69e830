"""The formulas of the course's site, and the characters that a browser draws for them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from fontTools.ttLib import TTFont
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

import psipo_explore
from psipo_explore import symbolic
from psipo_explore.course import originals
from psipo_explore.site.mathml import to_mathml

FONT = Path(psipo_explore.__file__).parent / "site" / "static" / "math.woff2"
_READER = (
    MarkdownIt("commonmark")
    .enable("table")
    .use(dollarmath_plugin, double_inline=True)
    .use(amsmath_plugin)
)
_DISPLAYED = {
    "math_inline": False,
    "math_inline_double": True,
    "math_block": True,
    "math_block_label": True,
    "amsmath": True,
}
_TEXT = re.compile(r"<(m[^>]*)>([^<]+)")
_ITALICS = {
    chr(int(unicodedata.decomposition(chr(code)).removeprefix("<font> "), 16)): chr(code)
    for code in (0x210E, *range(0x1D400, 0x1D800))
    if unicodedata.name(chr(code), "").startswith(("PLANCK CONSTANT", "MATHEMATICAL ITALIC"))
}
_FORMS = {"\ufe00", "\ufe01"}  # invisible, they choose a form of the letter before them


def formulas_of_the_course() -> Iterator[str]:
    """Yield the MathML of each formula in documents, lessons, derivations, named Ψ and losses."""
    home = originals()
    for page in sorted((home / "docs").rglob("*.md")):
        yield from _formulas(page.read_text(encoding="utf-8"))
    for lesson in sorted((home / "notebooks").glob("*.ipynb")):
        for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield from _formulas("".join(cell["source"]))
    for name in symbolic.__all__:
        if name.islower():
            yield from _formulas(getattr(symbolic, name)()._repr_markdown_())
    for named in vars(psipo_explore).values():
        if isinstance(named, psipo_explore.Psi | psipo_explore.MarginLoss):
            yield from _formulas(named._repr_latex_())


def drawn_characters(mathml: str) -> set[str]:
    """Return the characters of a formula, a variable of one letter as the italic it is drawn in."""
    drawn: set[str] = set()
    for tag, text in _TEXT.findall(mathml):
        shown = unescape(text)
        drawn |= {*(_ITALICS.get(shown, shown) if tag == "mi" else shown)}
    return drawn - _FORMS


def characters_of_the_font() -> set[str]:
    return {*map(chr, TTFont(FONT).getBestCmap())}


def _formulas(markdown: str) -> Iterator[str]:
    for block in _READER.parse(markdown):
        for token in (block, *(block.children or ())):
            if token.type in _DISPLAYED:
                yield to_mathml(token.content, displayed=_DISPLAYED[token.type])
            elif token.type == "fence" and token.info.startswith("{"):  # a directive of MyST
                yield from _formulas(token.content)
