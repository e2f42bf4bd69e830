"""Small HTML tables, so that a result shown in a notebook can be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

SHOWN = 30  # actions, at most


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str) -> str:
    """One table: the first cell of each row is its heading."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
