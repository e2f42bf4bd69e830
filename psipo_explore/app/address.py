"""The address in the visitor's browser, which the page reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget


class Address(anywidget.AnyWidget):
    """Invisible widget that hears from the browser which query to open, and says which to show.

    `asks` is called with the query of the address when the page has been loaded, and after Back and
    Forward. What it says until it returns is the answer.
    """

    _esm = (Path(__file__).parent / "address.js").read_text(encoding="utf-8")

    def __init__(self, asks: Callable[[str], None], **options: Any) -> None:
        super().__init__(**options)
        self._asks = asks
        self._asked = 0
        self.on_msg(self._hear)

    def _hear(self, _: Any, content: dict[str, Any], __: Any) -> None:
        match content:  # a visitor can send anything
            case {"asked": int(asked), "query": str(query)}:
                self._asked = asked
                self._asks(query)

    def say(self, query: str, *, chosen: bool = False) -> None:
        """Write the query into the address; a chosen view gets an entry of the history."""
        self.send({"answers": self._asked, "query": query, "chosen": chosen})
