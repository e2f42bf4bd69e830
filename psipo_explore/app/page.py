"""The app's page: a list of all views by title, and the panel of the chosen one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ipywidgets as widgets

from psipo_explore.views import VIEWS
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.kit.view import Values

_HEADING = """<h1>ΨPO, DPO and IPO: move what the optimal policy depends on</h1>
<p>Choose a picture, move its sliders by mouse or arrow keys, read the sentence under it.
After Azar et al. 2023,
<a href="https://arxiv.org/abs/2310.12036" target="_blank" rel="noopener">arXiv:2310.12036</a>.</p>"""
_FIRST = "explorer"


class Page(widgets.VBox):
    """The list of views, and the panel of the chosen view.

    A panel is built when its view is first chosen. It is then kept, so that its sliders stay where
    the visitor left them.
    """

    def __init__(self) -> None:
        order = [_FIRST, *(name for name in VIEWS if name != _FIRST)]
        self._panels: dict[str, Panel] = {}
        self.choice = widgets.RadioButtons(
            options=[(VIEWS[name].title, name) for name in order],
            description="Pictures",
            layout=widgets.Layout(width="auto"),
        )
        self.stage = widgets.Box()
        said = widgets.HTML('<p role="status">This picture is being computed …</p>')
        self._bar = widgets.IntProgress(layout=widgets.Layout(width="auto"))
        self._meanwhile = widgets.VBox([said])
        heading = widgets.HTML(_HEADING)
        super().__init__([heading, self.choice, self.stage])
        parts = {
            "page": self,
            "heading": heading,
            "choice": self.choice,
            "stage": self.stage,
            "meanwhile": self._meanwhile,
        }
        for word, part in parts.items():
            part.add_class(f"psipo-{word}")
        self.choice.observe(self._show, names="value")
        self._show()

    def _show(self, _: Any = None) -> None:
        name = self.choice.value
        if name not in self._panels:
            self.stage.children = (self._meanwhile,)
            self._panels[name] = VIEWS[name].panel(self._with_bar)
        self.stage.children = (self._panels[name],)

    def _with_bar(self, pieces: Sequence[Values], title: str) -> Iterator[Values]:
        """Yield the pieces of work, and show a bar under the notice of the computation."""
        said, *_ = self._meanwhile.children
        self._bar.value, self._bar.max = 0, len(pieces)
        self._meanwhile.children = (said, self._bar)
        for piece in pieces:
            yield piece
            self._bar.value += 1
        self._meanwhile.children = (said,)
