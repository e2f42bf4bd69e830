"""The panel for a narrow screen: its picture in parts, and no more controls than leave room."""

from __future__ import annotations

from functools import cache
from typing import Any

import ipywidgets as widgets

from psipo_explore.views import VIEWS
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.controls import Slider
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.kit.part import Part
from psipo_explore.views.kit.parting import parts
from psipo_explore.views.kit.view import Values, View

_FEW = 3  # controls that leave room for a part of the picture


class PhonePanel(Panel):
    """A panel whose picture stands in parts below each other.

    Many controls are folded up, so that only the one is shown that was moved last.
    """

    def __init__(self, view: View, start: Values, guess: str | None = None) -> None:
        self._parts = widgets.HTML()
        self._is_folded = len(view.controls) > _FEW
        super().__init__(view.on_phone, start, guess)
        self._parts.add_class("psipo-parts")
        *_, picture = self.children
        picture.children = (*picture.children, self._parts)
        self.add_class("psipo-phone")
        sliders = [control.name for control in view.controls if isinstance(control, Slider)]
        self._keep(self._controls[sliders[0]])
        for control in self._controls.values():
            control.observe(lambda change: self._keep(change.owner), names="value")

    def _control_box(self) -> widgets.HBox:
        box = super()._control_box()
        if self._is_folded:
            self.fold = widgets.Button()
            self.fold.on_click(lambda _: self._fold(not self._is_folded))
            controls, *rest = box.children
            box.children = (controls, self.fold, *rest)
            self._box = box
            self._fold(True)
        return box

    def _fold(self, is_folded: bool) -> None:
        self._is_folded = is_folded
        if is_folded:
            self._box.add_class("psipo-folded")
            self.fold.description = f"All {len(self._controls)} controls"
        else:
            self._box.remove_class("psipo-folded")
            self.fold.description = "Fewer controls"

    def _keep(self, kept: widgets.Widget) -> None:
        """Let this control be the one that stays when the others are folded up."""
        for control in self._controls.values():
            control.remove_class("psipo-kept")
        kept.add_class("psipo-kept")

    def _draw(self, values: Values) -> None:
        super()._draw(values)
        self._parts.value = _elements(
            parts_of(self._view.name, **self._view.built_for(values)),
            [self._name(layer) for layer in ("still", "moving", "guess")],
        )

    def _layer(self, name: str, picture: str) -> str:
        return svg.named(picture, self._name(name)) if picture else ""


@cache  # because measuring takes about a second
def parts_of(name: str, **built_for: Any) -> list[Part]:
    """Return the parts of a view's picture, given the values of the controls that rebuild it."""
    return parts(VIEWS[name].on_phone, built_for)


def _elements(of_picture: list[Part], layers: list[str]) -> str:
    definitions: dict[str, str] = {}
    for part in of_picture:
        for piece in part.pieces:
            definitions |= piece.definitions
    elements = [
        part.element(layers, [piece.picture for piece in part.pieces]) for part in of_picture
    ]
    defined = f'<svg class="psipo-unseen"><defs>{"".join(definitions.values())}</defs></svg>'
    return f'{defined}<div aria-hidden="true">{"".join(elements)}</div>'
