"""The visitor's browser: its address, which the page reads and writes, and how wide its window is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget


class Browser(anywidget.AnyWidget):
    """Invisible widget that hears from the browser what to open, and says which address to show.

    `asks` is called with the query of the address when the page has been loaded, and after Back and
    Forward. What is said until it returns is the answer. `turns` is called with whether the window
    is narrow, before the first query and each time that this changes.
    """

    _esm = (Path(__file__).parent / "browser.js").read_text(encoding="utf-8")

    def __init__(
        self, asks: Callable[[str], None], turns: Callable[[bool], None], **options: Any
    ) -> None:
        super().__init__(**options)
        self._asks, self._turns = asks, turns
        self._asked = 0
        self.on_msg(self._hear)

    def _hear(self, _: Any, content: dict[str, Any], __: Any) -> None:
        match content:  # a visitor can send anything
            case {"asked": int(asked), "query": str(query)}:
                self._asked = asked
                self._asks(query)
            case {"narrow": bool(narrow)}:
                self._turns(narrow)

    def say(self, query: str, *, chosen: bool = False) -> None:
        """Write the query into the address; a chosen view gets an entry of the history."""
        self.send({"answers": self._asked, "query": query, "chosen": chosen})
