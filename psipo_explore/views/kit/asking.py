"""The widget that asks for a guess before a panel shows its picture."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as widgets
import traitlets

from psipo_explore.views.kit import svg
from psipo_explore.views.kit.guess import places, wire

if TYPE_CHECKING:
    from psipo_explore.views.kit.still import StillFigure
    from psipo_explore.views.kit.view import Values, View

_KIT = files("psipo_explore.views.kit")


class Asking(anywidget.AnyWidget):
    """Form of a guess, which becomes the list of guesses and answers once it is filled in.

    `look` moves the panel to given values.
    """

    _esm = "\n".join(
        (_KIT / name).read_text(encoding="utf-8") for name in ("guess.js", "asking.js")
    )
    _css = (_KIT / "guess.css").read_text(encoding="utf-8")
    key = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    size = traitlets.Dict().tag(sync=True)
    guess = traitlets.Dict().tag(sync=True)
    places = traitlets.Dict().tag(sync=True)
    is_answered = traitlets.Bool(False).tag(sync=True)

    def __init__(self, view: View, name: str, layer: str, look: Callable[..., None]) -> None:
        self._asked = view.guesses[name]
        self._starts = view.values({})
        self._look = look
        width, height = (inches * svg.DPI for inches in view.size)
        super().__init__(
            key=f"psipo-guess:{view.name}:{name}",
            layer=layer,
            size={"width": width, "height": height},
            guess=wire(self._asked, self._starts),
            layout=widgets.Layout(width="auto"),
        )
        self.add_class("psipo-asking")
        self.on_msg(self._hear)

    def draw(self, figure: StillFigure, values: Values) -> None:
        """Say where guesses are drawn in the figure at these values."""
        self.places = places(self._asked, self._starts, values, figure)

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        questions = self._asked.questions
        which = content.get("look") if isinstance(content, dict) else None
        if isinstance(which, int) and 0 <= which < len(questions):  # a visitor can send anything
            self._look(**{**self._starts, **questions[which].values})
