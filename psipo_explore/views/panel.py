"""The live form of a view: its sliders, the picture, and the sentence that says what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import ipywidgets as widgets

from psipo_explore.views import svg
from psipo_explore.views.view import Slider, View

_WIDTH = "960px"
_SENTENCE_STYLE = "font-size:15px;line-height:1.4;margin:0.4em 0;min-height:4.2em"  # three lines, so that nothing below jumps


class Panel(widgets.VBox):
    """Sliders, a reset button, the picture, and one sentence under it.

    The picture is two layers in one grid cell; a step of a slider sends the upper one, with the sentence, in a single
    message. Whatever a combination of values cannot show is said in the sentence.
    """

    def __init__(self, view: View, start: Mapping[str, float]) -> None:
        self._view = view
        self._start = dict(start)
        self._figure, self._artists = view.drawn(start)
        self._sliders = {slider.name: _selection(slider, start[slider.name]) for slider in view.sliders}
        self._moves_together = False
        reset = widgets.Button(
            description="Reset", tooltip="Put every slider back where it began", layout=widgets.Layout(flex="0 0 6em")
        )
        reset.on_click(lambda _: self.reset())
        here = widgets.Layout(grid_area="1 / 1")
        self._still = widgets.HTML(svg.background(self._figure, self._artists.values()), layout=here)
        self._moving = widgets.HTML(self._shown(), layout=here)
        picture = widgets.GridBox([self._still, self._moving], layout=widgets.Layout(width="100%"))
        sliders = widgets.VBox(list(self._sliders.values()), layout=widgets.Layout(flex="1 1 auto"))
        controls = widgets.HBox([sliders, reset], layout=widgets.Layout(align_items="flex-end"))
        super().__init__([controls, picture], layout=widgets.Layout(max_width=_WIDTH))
        for control in self._sliders.values():
            control.observe(self._on_change, names="value")

    @property
    def values(self) -> dict[str, float]:
        """Where the sliders stand."""
        return {name: control.value for name, control in self._sliders.items()}

    @property
    def sentence(self) -> str:
        """What is seen, in words and numbers."""
        return self._figure.sentence

    @property
    def background(self) -> str:
        """The layer that stands still."""
        return str(self._still.value)

    @property
    def foreground(self) -> str:
        """The layer that moves, and the sentence."""
        return str(self._moving.value)

    def reset(self) -> None:
        """Put every slider back where it began."""
        self.move(**self._start)

    def move(self, **values: float) -> None:
        """Put the named sliders on the given stops, and draw once."""
        self._moves_together = True
        try:
            for name, value in values.items():
                self._sliders[name].value = value
        finally:
            self._moves_together = False
        self._redraw()

    def _on_change(self, _: Any) -> None:
        if not self._moves_together:
            self._redraw()

    def _redraw(self) -> None:
        try:
            self._view.move(self._figure, self._artists, self.values)
            self._moving.value = self._shown()
        except Exception as error:  # an exception in an observer is invisible to the reader
            self._figure.sentence = f"This cannot be shown: {error}"
            self._moving.value = _paragraph(self._figure.sentence)

    def _shown(self) -> str:
        return svg.foreground(self._figure, self._artists.values(), self.sentence) + _paragraph(self.sentence)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {**super()._repr_mimebundle_(**kwargs), **self._figure._repr_mimebundle_()}


def _selection(slider: Slider, start: float) -> widgets.SelectionSlider:
    stops = sorted({*slider.stops, start})
    return widgets.SelectionSlider(
        options=[(slider.write(stop), stop) for stop in stops],
        value=start,
        description=slider.label,
        tooltip=slider.label,
        layout=widgets.Layout(width="100%"),
        style={"description_width": "min(17em, 40%)"},
    )


def _paragraph(sentence: str) -> str:
    return f'<p class="psipo-sentence" role="status" style="{_SENTENCE_STYLE}">{escape(sentence)}</p>'
