"""Small HTML tables for results in a notebook, and texts that are safe in HTML and XML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Protocol

from psipo_explore._checks import Array, Mask

SHOWN = 30  # a result with more actions is not shown as a table

_NO_TEXT = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, including terminal escapes
    "\ud800-\udfff"  # surrogates, which UTF-8 cannot encode
    "\u202a-\u202e"  # direction embeddings and overrides, which affect the text after a label
    "\ufffe\uffff"  # noncharacters, which XML forbids
    "]"
)


def printable(text: str) -> str:
    """Replace each character that XML, UTF-8 or a line of text cannot contain."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


def as_html(text: str) -> str:
    """Escape a text for HTML and XML."""
    return escape(printable(text))


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str) -> str:
    """Write an HTML table, in which the first cell of each row is the row's heading."""
    head = "".join(f'<th scope="col">{as_html(cell)}</th>' for cell in header)
    body = "".join(
        "<tr><th "
        f'scope="row">{as_html(first)}</th>{"".join(f"<td>{as_html(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    top = f"<caption>{as_html(caption)}</caption><thead><tr>{head}</tr></thead>"
    return f"<table>{top}<tbody>{body}</tbody></table>"


class Fitted(Protocol):
    """A policy that minimises a loss, or many of them."""

    @property
    def policy(self) -> Array: ...
    @property
    def log_ratio(self) -> Array: ...
    @property
    def vanishing(self) -> Mask: ...
    @property
    def loss(self) -> Array: ...
    @property
    def actions(self) -> tuple[str, ...]: ...


def minimum_table(fit: Fitted, status: str) -> str:
    """Write the table of a minimiser, or one line if there are many."""
    if fit.policy.ndim > 1:
        return f"<p>{type(fit).__name__}: {status}; policies of shape {fit.policy.shape}</p>"
    columns = zip(fit.actions, fit.policy, fit.log_ratio, fit.vanishing, strict=True)
    rows = [
        [name, f"{pi:.6g}", f"{ratio:.6g}", "vanishes" if gone else ""]
        for name, pi, ratio, gone in islice(columns, SHOWN)
    ]
    caption = f"loss {fit.loss:.6g}: {status}"
    if len(fit.actions) > SHOWN:
        caption += f"; the first {SHOWN} of {len(fit.actions)} actions"
    return html_table(["action", "π", "log π − log π_ref", ""], rows, caption=caption)
