"""The lecture of 45 minutes, as the page on teaching has it: what is asked, shown and said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from psipo_explore.course import originals
from psipo_explore.site.mathml import to_mathml

_HEADING = "## A lecture of 45 minutes\n"
_PICTURE = re.compile(r'href="pictures/(\w+)\.html#?([^"]*)"')


def _formula(latex: str, options: Mapping[str, Any]) -> str:
    return to_mathml(latex, displayed=options["display_mode"])


_READER = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=_formula)


@dataclass(frozen=True)
class Step:
    """One question of the lecture. All texts are HTML.

    Parameters
    ----------
    begins, ends : int
        Minutes of the lecture.
    view : str or None
        Name of the picture that answers the question, if there is one.
    values : mapping
        Values at which the picture begins.
    asks : str
        What the room is asked.
    then : str
        What to do when the room has guessed.
    wrong : str
        What wrong answers show.
    home : str
        What to take home, in a sentence or two.
    """

    begins: int
    ends: int
    view: str | None
    values: Mapping[str, Any]
    asks: str
    then: str
    wrong: str
    home: str


def lecture() -> list[Step]:
    """Read the steps of the lecture from its table, and what to take home from the list below it.

    Raises
    ------
    RuntimeError
        If there is not one sentence to take home for each row of the table.
    """
    page = (originals() / "docs" / "teaching.md").read_text(encoding="utf-8")
    tokens = _READER.parse(page.partition(_HEADING)[2].partition("\n## ")[0])
    rows, sentences = [*_rows(tokens)], [*_items(tokens)]
    if not rows or len(rows) != len(sentences):
        raise RuntimeError(
            f"teaching.md: the lecture has {len(rows)} rows and {len(sentences)} sentences to take "
            "home, must have one for each row"
        )
    return [_step(row, home) for row, home in zip(rows, sentences, strict=True)]


def in_line(markdown: str) -> str:
    r"""Turn a line of Markdown, in which formulas may be, into HTML.

    >>> in_line(r"*all* of $\pi$")
    '<em>all</em> of <span class="math inline"><math><mi>π</mi></math></span>'
    """
    return str(_READER.renderInline(markdown))


def _rows(tokens: Sequence[Token]) -> Iterator[list[str]]:
    """Yield the cells of each row of the table, as HTML."""
    row: list[str] = []
    for token, inside in pairwise(tokens):
        if token.type == "td_open":
            row.append(_html([inside]))
        elif token.type == "tr_close" and row:
            yield row
            row = []


def _items(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the items of the list, as HTML."""
    for place, token in enumerate(tokens):
        if token.type == "list_item_open":
            yield _html([inside for inside in tokens[place:] if inside.type == "inline"][:1])


def _html(tokens: Sequence[Token]) -> str:
    return str(_READER.renderer.render(tokens, _READER.options, {}))


def _step(row: Sequence[str], home: str) -> Step:
    minutes, opens, asks, then, wrong = row
    begins, ends = map(int, minutes.split("–"))
    picture = _PICTURE.search(opens)
    view, fragment = picture.groups() if picture else (None, "")
    values = {name: _value(text) for name, text in parse_qsl(fragment)}
    return Step(begins, ends, view, values, asks, then, wrong, home)


def _value(text: str) -> Any:
    """Return a number, or the text if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
