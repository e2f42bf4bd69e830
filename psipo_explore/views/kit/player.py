"""The button that plays a slider, such as the steps of training."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets as widgets
import traitlets


class Player(anywidget.AnyWidget):
    """Button that moves a slider from stop to stop, and from its last stop to the first.

    The browser asks for each step, and hears when its picture has been sent.
    """

    _esm = (files("psipo_explore.views.kit") / "player.js").read_text(encoding="utf-8")
    of = traitlets.Unicode().tag(sync=True)

    def __init__(self, slider: widgets.SelectionSlider, label: str) -> None:
        super().__init__(of=label, layout=widgets.Layout(flex="0 0 auto"))
        self._slider = slider
        self.on_msg(self._hear)

    def pause(self) -> None:
        """Stop playing, where the slider stands."""
        self.send({"ends": True})

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        if content == "step":  # a visitor can send anything
            last = len(self._slider.options) - 1
            self._slider.index = (self._slider.index + 1) % (last + 1)
            self.send({"ends": self._slider.index == last})
