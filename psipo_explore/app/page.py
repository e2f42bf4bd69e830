"""The app's page: a menu of all views, and the title and panel of the chosen one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from psipo_explore._tables import as_html
from psipo_explore.app import links
from psipo_explore.app.browser import Browser
from psipo_explore.app.phone import PhonePanel
from psipo_explore.views import VIEWS
from psipo_explore.views.kit.dark import style_sheet
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.kit.view import Values, View
from psipo_explore.views.kit.words import typeset

_HEADING = f"""<h1>ΨPO, DPO and IPO: move what the optimal policy depends on</h1>
<p>A policy learns from how often people prefer one answer to another, p*(y ≻ y′), and each picture shows
the policy that this leads to. Move the controls, and read in the sentence under the picture what is seen.</p>
<p class="psipo-formula">
<span>{typeset("π*(y) ∝ π_ref(y)")} exp(β⁻¹ E<sub>y′∼μ</sub>[Ψ(p*(y ≻ y′))])</span>
<a href="https://arxiv.org/abs/2310.12036" target="_blank" rel="noopener">Azar et al. 2023</a></p>"""

_IN_THE_DARK = (
    f"<style>@media screen and (prefers-color-scheme: dark) {{ {style_sheet()} }}</style>"
)


class Page(widgets.VBox):
    """The menu of views, and the chosen view: its title, what it is about, and its panel.

    A panel is built when its view is first chosen. It is then kept, so that its sliders stay where
    the visitor left them. A narrow window gets panels of its own, which continue where those of the
    wide window stood. The address in the browser names the view and what was moved.
    """

    def __init__(self) -> None:
        self._is_narrow = False
        self._panels: dict[tuple[str, bool], Panel] = {}
        self._is_opening = False
        self.choice = widgets.Dropdown(
            options=[(view.title, name) for name, view in VIEWS.items()],
            value=links.FIRST,
            description="Picture",
            layout=widgets.Layout(width="auto"),
        )
        self.title, self.notice = widgets.HTML(), widgets.HTML()
        self.stage = widgets.Box()
        said = widgets.HTML('<p role="status">This picture is being computed …</p>')
        self._bar = widgets.IntProgress(layout=widgets.Layout(width="auto"))
        self._meanwhile = widgets.VBox([said])
        self.browser = Browser(self.go_to, self.turn)
        heading = widgets.HTML(_HEADING)
        unseen = widgets.Box(
            [widgets.HTML(_IN_THE_DARK), self.browser], layout=widgets.Layout(display="none")
        )
        super().__init__([heading, self.notice, self.choice, self.title, self.stage, unseen])
        parts = {
            "page": self,
            "heading": heading,
            "notice": self.notice,
            "choice": self.choice,
            "title": self.title,
            "stage": self.stage,
            "meanwhile": self._meanwhile,
        }
        for word, part in parts.items():
            part.add_class(f"psipo-{word}")
        self.choice.observe(self._choose, names="value")
        self._show()

    @property
    def panel(self) -> Panel:
        """Panel of the chosen view."""
        return self._panels[self.choice.value, self._is_narrow]

    @property
    def query(self) -> str:
        """Query that opens the page as it stands."""
        return links.query(self.choice.value, self.panel.values)

    def go_to(self, query: str) -> None:
        """Show what a query of the address names, and say in a sentence what is wrong with it."""
        place = links.place(query)
        with self._opening():
            self.choice.value = place.view
            self.panel.move(**place.values)
        if place.values != links.starts(place.view):
            self.panel.skip_guess()
        self._note(" ".join(place.faults))
        self.browser.say(self.query if query else "")

    def turn(self, is_narrow: bool) -> None:
        """Show the panel for a narrow window or for a wide one, at the values shown before."""
        if is_narrow != self._is_narrow:
            values = self.panel.values
            self._is_narrow = is_narrow
            with self._opening():
                self._show()
                self.panel.move(**values)

    @contextmanager
    def _opening(self) -> Iterator[None]:
        self._is_opening = True
        try:
            yield
        finally:
            self._is_opening = False

    def _choose(self, _: Any) -> None:
        self._show()
        self._follow(chosen=True)

    def _follow(self, *, chosen: bool = False) -> None:
        """Let the address follow what the visitor has moved or chosen."""
        if not self._is_opening:
            self._note("")
            self.browser.say(self.query, chosen=chosen)

    def _show(self) -> None:
        name = self.choice.value
        self.title.value = _title(VIEWS[name])
        if (name, self._is_narrow) not in self._panels:
            self.stage.children = (self._meanwhile,)
            self._panels[name, self._is_narrow] = self._built(VIEWS[name])
            self.panel.follow(self._follow)
        self.stage.children = (self.panel,)

    def _built(self, view: View) -> Panel:
        if not self._is_narrow:
            return view.panel(self._with_bar, guess=view.first_guess)
        view.compute_ahead(self._with_bar)
        return PhonePanel(view, view.values({}), view.first_guess)

    def _note(self, sentence: str) -> None:
        self.notice.value = f'<p role="status">{as_html(sentence)}</p>' if sentence else ""

    def _with_bar(self, pieces: Sequence[Values], title: str) -> Iterator[Values]:
        """Yield the pieces of work, and show a bar under the notice of the computation."""
        said, *_ = self._meanwhile.children
        self._bar.value, self._bar.max = 0, len(pieces)
        self._meanwhile.children = (said, self._bar)
        for piece in pieces:
            yield piece
            self._bar.value += 1
        self._meanwhile.children = (said,)


def _title(view: View) -> str:
    about = f"<p>{typeset(view.about)}</p>" if view.about else ""
    return f"<h2>{typeset(view.title)}</h2>{about}"
