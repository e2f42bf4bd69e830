"""A search for installed fonts that can draw a given text.

All views use one font. A text gets another font only if it needs one, so that all other pictures
look the same on every machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from matplotlib import ft2font
from matplotlib.font_manager import (
    FontEntry,
    FontProperties,
    findSystemFonts,
    fontManager,
    get_font,
)
from matplotlib.ft2font import FT2Font, LoadFlags

from psipo_explore.views.kit.palette import STYLE

USUAL: str = STYLE["font.family"]
# Only with libraqm does Matplotlib join Arabic letters, order Hebrew ones and place Indic signs.
SHAPES = hasattr(ft2font, "__libraqm_version__")
_NOT_FOR_TEXT = ("cm", "STIXNonUnicode", "STIXSize", "Last Resort", "LastResort", ".LastResort")
_NUKTA, _VIRAMA = 7, 9  # canonical combining classes of Unicode
_SEPARATORS_AND_CONTROLS = ("Z", "C")


def families(texts: Sequence[str]) -> list[tuple[str, ...] | None]:
    """Return the font families that together draw each text, or None where no fonts can.

    The usual family comes first in each tuple.
    """
    missing = [_not_drawn_by(_font_named(USUAL), frozenset(text)) for text in texts]
    others = _others_that_draw(frozenset().union(*missing))
    return [
        _cover(characters, others) if SHAPES or not needs_shaping(text) else None
        for text, characters in zip(texts, missing, strict=True)
    ]


def reads_leftwards(text: str) -> bool:
    """Whether some of the text is written from right to left."""
    return any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)


def needs_shaping(text: str) -> bool:
    """Whether some letters of the text change their shape, order or place beside others."""
    return reads_leftwards(text) or any(map(_moves, text))


def _moves(mark: str) -> bool:
    if "VARIATION SELECTOR" in unicodedata.name(mark, ""):
        return False
    category, combining = unicodedata.category(mark), unicodedata.combining(mark)
    return category == "Mc" or (category == "Mn" and combining in (0, _NUKTA, _VIRAMA))


def _not_drawn_by(font: FT2Font, characters: frozenset[str]) -> frozenset[str]:
    return frozenset(character for character in characters if not _draws(font, character))


def _draws(font: FT2Font, character: str) -> bool:
    """Whether the font has an outline for the character; emoji in colour fonts have none."""
    glyph = font.get_char_index(ord(character))
    if not glyph or unicodedata.category(character).startswith(_SEPARATORS_AND_CONTROLS):
        return bool(glyph)
    try:
        font.load_glyph(glyph, flags=LoadFlags.NO_SCALE)
    except RuntimeError:  # raised if the glyph is a bitmap
        return False
    return unicodedata.category(character).startswith("M") or len(font.get_path()[0]) > 0


def _others_that_draw(characters: frozenset[str]) -> Mapping[str, frozenset[str]]:
    """Return which of the characters each family other than the usual one draws."""
    drawn = _scanned(characters, len(fontManager.ttflist))
    if characters <= frozenset().union(*drawn.values()):
        return drawn
    _look_for_new_fonts()
    return _scanned(characters, len(fontManager.ttflist))


@lru_cache(maxsize=64)
def _scanned(characters: frozenset[str], _n_fonts: int) -> Mapping[str, frozenset[str]]:
    """Return which of the characters each other family draws, and remember the answer.

    The number of known fonts is part of the cache's key, so that a new font is not overlooked.
    """
    if not characters:
        return {}
    drawn = {
        family: characters - _not_drawn_by(font, characters) for family, font in _other_fonts()
    }
    return {
        # Matplotlib may choose another font of the family by its name, so ask that one as well.
        family: found - _not_drawn_by(_font_named(family), found)
        for family, found in drawn.items()
        if found
    }


def _cover(missing: frozenset[str], drawn: Mapping[str, frozenset[str]]) -> tuple[str, ...] | None:
    """Return the usual family and as few others as draw the missing characters.

    Of two families that draw equally many, one with "Sans" in its name is preferred.
    """
    chosen = [USUAL]
    while missing:
        best = min(
            drawn,
            key=lambda family: (-len(drawn[family] & missing), "Sans" not in family, family),
            default="",
        )
        if not drawn.get(best, frozenset()) & missing:
            return None
        chosen.append(best)
        missing -= drawn[best]
    return tuple(chosen)


def _other_fonts() -> Iterator[tuple[str, FT2Font]]:
    """Yield the most regular font of each family.

    The fonts are opened one after the other, so that few files are open at once.
    """
    seen: set[str] = set()
    for entry in sorted(fontManager.ttflist, key=_from_regular):
        if entry.name in seen or entry.name.startswith(_NOT_FOR_TEXT):
            continue
        # Only Matplotlib 3.11 and later know several faces in one file.
        face: dict[str, Any] = {"face_index": entry.index} if getattr(entry, "index", 0) else {}
        try:
            font = FT2Font(entry.fname, **face)
        except (OSError, RuntimeError):  # the file was removed since Matplotlib listed it
            continue
        seen.add(entry.name)
        yield entry.name, font


def _from_regular(entry: FontEntry) -> tuple[bool, int, str]:
    weight = entry.weight if isinstance(entry.weight, int) else 400
    return entry.style != "normal", abs(weight - 400), entry.fname


def _font_named(family: str) -> FT2Font:
    return get_font(fontManager.findfont(FontProperties(family=[family])))


@cache
def _look_for_new_fonts() -> None:
    """Tell Matplotlib about fonts that were installed after it wrote its list of fonts.

    Matplotlib itself never updates that list.
    """
    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            with suppress(Exception):
                # Fonts that Matplotlib cannot read raise errors of many different types.
                fontManager.addfont(path)
