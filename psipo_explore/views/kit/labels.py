"""Labels from data, for a picture and its sentence; they are never read as mathematics.

Where no font can draw a label, or two labels would look alike in the room there is, the picture
shows the action's number instead. A note for the sentence then says whose number it is.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Any, NamedTuple

from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import text_to_path

from psipo_explore._tables import printable
from psipo_explore.views.kit.fonts import SHAPES, USUAL, families, needs_shaping, reads_leftwards
from psipo_explore.views.kit.words import enumeration

_LINE_END = re.compile("\r\n|[\n\v\f\r\x85\u2028\u2029]")
_IGNORABLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_ISOLATES = re.compile("[\u2066-\u2069]")
_EMPTY, _BLANK, _NEXT_LINE = '""', "␣", "↵"
_FIRST_STRONG_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
_JOINER, _VIRAMA = "\N{ZERO WIDTH JOINER}", 9
_READ = 1000  # characters read at either end of a label, many more than are ever shown
_MOST_SAID = 60  # letters of a label that a sentence may hold
_MOST_JOINED = 16  # characters that may form one letter, such as an emoji of several persons
_MOST_MARKS = 3  # marks kept on one letter, because more of them would cover other lines
_HEAD = 0.6  # share of the kept letters that come from the beginning of a shortened label


class Room(NamedTuple):
    """The room that a label may take up.

    `width` is in points, for letters of font size `size`. If `beginning` is given, the room shows
    at most that many letters from the beginning of the label.
    """

    width: float
    size: float
    beginning: int | None = None


class Labels(NamedTuple):
    """The labels of one picture.

    Parameters
    ----------
    drawn : tuple of tuples of str
        For each room, the text that it shows for each action.
    said : tuple of str
        What a sentence calls each action.
    note : str
        Sentences that say whose number is shown and why, each with a space before it. They are
        appended to the picture's sentence.
    font : dict
        Keyword arguments for each Text that holds a label.
    """

    drawn: tuple[tuple[str, ...], ...]
    said: tuple[str, ...]
    note: str
    font: dict[str, Any]


def labels_of(actions: Sequence[str], *rooms: Room) -> Labels:
    """Fit the labels of the actions into the rooms that a picture has for them."""
    return _labels_of(tuple(actions), rooms, len(fontManager.ttflist))


def width(text: str, size: float, family: Sequence[str] = (USUAL,)) -> float:
    """Return the width in points of a text that is not read as mathematics."""
    font = FontProperties(family=list(family), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def not_mathematics(text: str) -> str:
    """Escape the text for a string whose other parts Matplotlib reads as mathematics."""
    return text.replace("$", r"\$")


@lru_cache(maxsize=64)
def _labels_of(actions: tuple[str, ...], rooms: tuple[Room, ...], _n_fonts: int) -> Labels:
    lines = [_one_line(action) for action in actions]
    letters = [_letters(unicodedata.normalize("NFC", line)) for line in lines]
    fonts = families(["".join(label) for label in letters])
    family = list(dict.fromkeys([USUAL, *chain.from_iterable(filter(None, fonts))]))
    undrawable = {y for y, font in enumerate(fonts) if font is None}

    def drawn(numbered: set[int]) -> list[tuple[str, ...]]:
        known = [[] if y in undrawable else label for y, label in enumerate(letters)]
        numbers = [f"№{y}" if y in numbered else "" for y in range(len(actions))]
        return [tuple(map(partial(_fitted, room, family), known, numbers)) for room in rooms]

    numbered = set(undrawable)
    while alike := set().union(*map(_alike, drawn(numbered))) - numbered:
        numbered |= alike
    said = [_isolated(_cut_in_the_middle(_letters(line), _MOST_SAID)) for line in lines]
    named = [f"{words} (№{y})" for y, words in enumerate(said)]
    called = tuple(named[y] if y in _alike(said) else words for y, words in enumerate(said))
    note = _note(lines, named, undrawable, numbered)
    return Labels(tuple(drawn(numbered)), called, note, {"parse_math": False, "family": family})


def _one_line(label: str) -> str:
    """Return the label on one line, with a visible sign for invisible or disruptive characters."""
    both_ends = label if len(label) <= 2 * _READ else label[:_READ] + label[-_READ:]
    line = _LINE_END.sub(_NEXT_LINE, both_ends)
    line = "".join(" " if character.isspace() else character for character in line)
    line = _ISOLATES.sub("\N{REPLACEMENT CHARACTER}", printable(line))
    return line if _visible(line) else _BLANK if line else _EMPTY


def _visible(line: str) -> str:
    """Return what the eye sees of the line.

    Characters without width are removed, and so are spaces at the ends or in a row.
    """
    seen = "".join(character for character in line if unicodedata.category(character) != "Cf")
    return " ".join(_IGNORABLE.sub("", seen).split())


def _letters(line: str) -> list[str]:
    """Divide the line into letters, which must not be cut.

    A letter keeps its first few marks and everything that is joined to it.
    """
    letters: list[str] = []
    for character in line:
        last = letters[-1] if letters else ""
        if last and _is_mark(character):
            piled = len(last) > _MOST_MARKS and all(map(_is_mark, last[-_MOST_MARKS:]))
            letters[-1] += "" if piled else character
        elif last and len(last) < _MOST_JOINED and _joins(last[-1]):
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _joins(character: str) -> bool:
    """Whether the next character belongs to the same letter."""
    return character == _JOINER or unicodedata.combining(character) == _VIRAMA


def _is_mark(character: str) -> bool:
    skin = "🏻" <= character <= "🏿"
    return skin or character == _JOINER or unicodedata.category(character).startswith("M")


def _fitted(room: Room, family: Sequence[str], letters: Sequence[str], number: str) -> str:
    """Return as much of the label as fits into the room, after its number if it has one.

    If not even one letter fits, the label is left out.
    """
    if number and room.beginning:
        return number

    def words(n: int) -> str:
        label = "".join(letters[:n]) if room.beginning else _cut_in_the_middle(letters, n)
        return f"{number} {_isolated(label)}" if number and n else number or _isolated(label)

    def is_too_wide(n: int) -> bool:
        return width(words(n), room.size, family) > room.width

    longest = min(room.beginning or _MOST_SAID, len(letters))
    # Ask for the whole label first: because of its ellipsis, a shortened one may be wider.
    if not is_too_wide(longest):
        return words(longest)
    return words(bisect_left(range(1, longest + 1), True, key=is_too_wide))


def _cut_in_the_middle(letters: Sequence[str], most: int) -> str:
    if len(letters) <= most or not most:
        return "".join(letters[:most])
    head = math.ceil(_HEAD * most)
    return "".join([*letters[:head], "…", *letters[len(letters) - most + head :]])


def _isolated(words: str) -> str:
    """Isolate words written from right to left, so that the text around them keeps its order."""
    return f"{_FIRST_STRONG_ISOLATE}{words}{_END_OF_ISOLATE}" if reads_leftwards(words) else words


def _alike(words: Sequence[str]) -> set[int]:
    """Return the indices of the words that look like others, or that cannot be seen."""
    seen = [_visible(unicodedata.normalize("NFC", each)) for each in words]
    times = Counter(seen)
    return {y for y, each in enumerate(seen) if times[each] > 1 or not each}


def _note(
    lines: Sequence[str], named: Sequence[str], undrawable: set[int], numbered: set[int]
) -> str:
    unshaped = set() if SHAPES else {y for y in undrawable if needs_shaping(lines[y])}
    reasons = (
        ("No font here can draw {}", undrawable - unshaped),
        ("Matplotlib before 3.11 cannot join the letters of {}", unshaped),
        ("{} would look alike in so little room", numbered - undrawable),
    )
    sentences = [
        f" {reason.format(enumeration([named[y] for y in sorted(whose)]))}: "
        f"the picture shows {'its number' if len(whose) == 1 else 'their numbers'}."
        for reason, whose in reasons
        if whose
    ]
    return "".join(sentences)
