"""Small HTML tables, so that a result shown in a notebook can be read; and texts made fit for HTML
and XML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

SHOWN = 30  # actions, at most

_NO_TEXT = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, terminal escapes among them
    "\ud800-\udfff"  # halves of a pair, which UTF-8 cannot carry
    "\u202a-\u202e"  # embeddings and overrides of direction, which reach beyond their label
    "\ufffe\uffff"
    "]"
)


def printable(text: str) -> str:
    """The text with a replacement character for each character that XML, UTF-8 or a line of words
    cannot hold.
    """
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def as_html(text: str) -> str:
    """The text as HTML shows it, and XML too."""
    return escape(printable(text))


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str) -> str:
    """One table: the first cell of each row is its heading."""
    head = "".join(f'<th scope="col">{as_html(cell)}</th>' for cell in header)
    body = "".join(
        "<tr><th "
        f'scope="row">{as_html(first)}</th>{"".join(f"<td>{as_html(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    top = f"<caption>{as_html(caption)}</caption><thead><tr>{head}</tr></thead>"
    return f"<table>{top}<tbody>{body}</tbody></table>"
