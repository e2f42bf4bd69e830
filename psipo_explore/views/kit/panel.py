"""The live form of a view: its controls, the picture, and the sentence that describes it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

import anywidget
import ipywidgets as widgets
import traitlets

from psipo_explore._tables import as_html
from psipo_explore.psi import FormulaError
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.asking import Asking
from psipo_explore.views.kit.controls import Choice, Control, Slider, Typed
from psipo_explore.views.kit.dark import style_sheet
from psipo_explore.views.kit.foreground import Foreground
from psipo_explore.views.kit.player import Player
from psipo_explore.views.kit.still import StillFigure, cannot_be_shown
from psipo_explore.views.kit.words import typeset

if TYPE_CHECKING:
    from psipo_explore.views.kit.view import Artists, Values, View

_LEAST_WIDTH, _MOST_WIDTH = "960px", "1600px"  # of a panel, if the notebook has so much room
_LETTERS = "clamp(15px, 1.67vh, 18px)"  # of the sentence, which grow with the picture over it
# The height of three lines is reserved, so that nothing below moves when the sentence gets longer.
# A line as wide as 86 digits holds about 110 letters; in a longer one the eye loses its way.
_SENTENCE_STYLE = (
    f"font-size:{_LETTERS};line-height:1.4;margin:0.4em 0;min-height:4.2em;max-width:86ch"
)
_COMPLAINT_STYLE = (
    "font-size:14px;line-height:1.35;margin:0 0 0.4em min(17.5em, 41%);"
    "color:var(--psipo-complaint, #8a2500)"  # a dark page has another colour
)
_WHERE_SLIDERS_WORK = (
    "The sliders work in JupyterLab, and in any browser with psipo app or psipo pages."
)
_POINTER_STYLE = "font-size:14px;line-height:1.2;margin:0"


class _Names(anywidget.AnyWidget):
    """Invisible widget that tells screen readers the names and values of the sliders beside it."""

    _esm = (files("psipo_explore.views.kit") / "panel.js").read_text(encoding="utf-8")
    _css = (files("psipo_explore.views.kit") / "panel.css").read_text(encoding="utf-8") + (
        f'[data-jp-theme-light="false"] .psipo-picture {{ {style_sheet()} }}'  # as JupyterLab is
    )


class _Drawing(NamedTuple):
    """A figure with its still layer, which has been drawn once.

    A panel keeps its drawings, so that a choice made before is shown again at once.
    """

    figure: StillFigure
    artists: Artists
    background: str
    foreground: Foreground


class _Field(widgets.VBox):
    """A field for a typed formula, with examples to choose from.

    If the formula is wrong, the field shows under the text what is wrong with it.
    """

    value = traitlets.Unicode()

    def __init__(self, control: Typed, start: str, **looks: Any) -> None:
        examples = tuple(filter(None, control.stops))
        self._control = control
        self._text = widgets.Combobox(
            options=examples, placeholder=f"such as {examples[0]}", continuous_update=False, **looks
        )
        self._complaint = widgets.HTML()
        super().__init__([self._text])
        traitlets.link((self, "value"), (self._text, "value"))
        self.value = start

    @property
    def complaint(self) -> str:
        """Message about a wrong formula as HTML, or an empty text."""
        return str(self._complaint.value) if self._complaint in self.children else ""

    def reads(self) -> bool:
        """Whether the text is blank or a formula; if it is neither, show what is wrong."""
        try:
            self._control.check(self.value)
        except FormulaError as error:
            pointer, sentence = as_html(error.pointer), as_html(error.sentence)
            self._complaint.value = (
                f'<div role="alert" style="{_COMPLAINT_STYLE}"><pre '
                f'style="{_POINTER_STYLE}">{pointer}</pre>{sentence}</div>'
            )
            self.children = [self._text, self._complaint]
            return False
        self.children = [self._text]
        return True


class Panel(widgets.VBox):
    """Controls, a reset button, the picture, and one sentence under it.

    The picture consists of two layers in one grid cell. When a slider moves, only the upper layer
    is sent, in one message with the sentence. If a combination of values cannot be shown, the
    sentence says why. A panel that asks for a guess shows only its form at first.
    """

    def __init__(self, view: View, start: Values, guess: str | None = None) -> None:
        self._view = view
        self._start = dict(start)
        self._drawings: dict[tuple[tuple[str, Any], ...], _Drawing] = {}
        self._drawing: _Drawing | None = None
        self._shown = False
        self._followers: list[Callable[[], None]] = []
        self._players: list[Player] = []
        self._controls = {
            control.name: _widget(control, start[control.name]) for control in view.controls
        }
        self._moves_together = False
        here = widgets.Layout(grid_area="1 / 1")
        self._still, self._moving = widgets.HTML(layout=here), widgets.HTML(layout=here)
        fitting = _beside_the_controls(view)
        picture = widgets.GridBox(
            [self._still, self._moving],
            layout=widgets.Layout(width="100%", max_width=fitting),
        )
        controls = self._control_box()
        width = f"min({_MOST_WIDTH}, max({_LEAST_WIDTH}, {fitting}))"
        super().__init__([controls, picture], layout=widgets.Layout(max_width=width))
        self._asking = (
            None if guess is None else Asking(view, guess, self._name("guess"), self.move)
        )
        if self._asking:
            self.children = (self._asking, controls, picture)
            self.add_class("psipo-asked")
        for word, part in {"panel": self, "controls": controls, "picture": picture}.items():
            part.add_class(f"psipo-{word}")
        self._redraw()
        for control in self._controls.values():
            control.observe(self._on_change, names="value")

    def _name(self, layer: str) -> str:
        """Return the name that a layer of the picture has on the page."""
        return f"psipo-{self.model_id}-{layer}"

    def _control_box(self) -> widgets.HBox:
        reset = widgets.Button(
            description="Reset",
            tooltip="Put every control back where it began",
            layout=widgets.Layout(flex="0 0 6em"),
        )
        reset.on_click(lambda _: self.reset())
        controls = widgets.VBox(
            [self._row(control) for control in self._view.controls],
            layout=widgets.Layout(flex="1 1 auto"),
        )
        names = _Names(layout=widgets.Layout(display="none"))
        shown = [controls, reset] if self._controls else []
        return widgets.HBox([*shown, names], layout=widgets.Layout(align_items="flex-end"))

    def _row(self, control: Control) -> widgets.Widget:
        of_control = self._controls[control.name]
        if not (isinstance(control, Slider) and control.plays):
            return of_control
        of_control.layout.flex = "1 1 auto"
        player = Player(of_control, control.label)
        self._players.append(player)
        row = widgets.HBox([of_control, player])
        row.add_class("psipo-played")
        return row

    @property
    def values(self) -> dict[str, Any]:
        """Current values of the controls, by name."""
        return {name: control.value for name, control in self._controls.items()}

    @property
    def background(self) -> str:
        """Layer of the picture that stands still, as SVG."""
        return str(self._still.value)

    @property
    def foreground(self) -> str:
        """Layer of the picture that moves, as SVG, and the sentence, as HTML."""
        return str(self._moving.value)

    @property
    def complaint(self) -> str:
        """Messages about wrong formulas, as HTML, or an empty text."""
        return "".join(
            field.complaint for field in self._controls.values() if isinstance(field, _Field)
        )

    def reset(self) -> None:
        """Put every control back to the value at which it began, and let none play."""
        for player in self._players:
            player.pause()
        self.move(**self._start)

    def skip_guess(self) -> None:
        """Show the picture without a guess, to somebody who came to see these values."""
        if self._asking:
            self._asking.is_answered = True

    def move(self, **values: Any) -> None:
        """Set the named controls to the given values, and draw once."""
        self._moves_together = True
        try:
            for name, value in values.items():
                self._controls[name].value = value
        finally:
            self._moves_together = False
        self._redraw()

    def follow(self, moved: Callable[[], None]) -> None:
        """Call `moved` each time that controls have been moved, after the picture is drawn."""
        self._followers.append(moved)

    def _on_change(self, _: Any) -> None:
        if not self._moves_together:
            self._redraw()

    def _redraw(self) -> None:
        try:
            self._read_formulas()
            self._draw(self.values)
        except Exception as error:  # in an observer, an exception would not reach the reader
            self.sentence = cannot_be_shown(error)
            self._shown = False
            self._show()
        for moved in self._followers:
            moved()

    def _read_formulas(self) -> None:
        if not all(field.reads() for field in self._controls.values() if isinstance(field, _Field)):
            raise ValueError("what is typed must be a formula, and under it is said what is wrong")

    def _draw(self, values: Values) -> None:
        built_for = tuple(self._view.built_for(values).items())
        if built_for in self._drawings:
            drawing = self._drawings[built_for]
            self._view.move(drawing.figure, drawing.artists, values)
        else:
            figure, artists = self._view.drawn(values)
            moving = artists.values()
            drawing = self._drawings[built_for] = _Drawing(
                figure, artists, svg.background(figure, moving), Foreground(figure, moving)
            )
        still = self._layer("still", drawing.background)
        if self._still.value != still:
            self._still.value = still
        self._drawing, self._shown = drawing, True
        if self._asking:
            self._asking.draw(drawing.figure, values)
        self.sentence = drawing.figure.sentence
        self._show()

    def _show(self) -> None:
        """Send the moving layer, followed by the sentence."""
        picture = ""
        if self._drawing and self._shown:
            picture = self._drawing.foreground.element(self.sentence)
        elif self._drawing:
            picture = svg.overlay(self._drawing.figure, "", self.sentence)
        self._moving.value = self._layer("moving", picture) + _paragraph(self.sentence)

    def _layer(self, _name: str, picture: str) -> str:
        """Return a layer of the picture as the page gets it."""
        return picture

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        shown = {**super()._repr_mimebundle_(**kwargs)}
        # A front end without widgets, such as marimo, shows the PNG and no text beside it. So the
        # PNG itself says where the sliders work.
        where = [_WHERE_SLIDERS_WORK] if self._controls else []
        if self._drawing and self._shown:
            note = " ".join(["A still picture.", *where])
            shown["image/png"] = self._drawing.figure.png_over(note)
        return {**shown, "text/plain": "\n".join([self.sentence, *where])}


def _beside_the_controls(view: View) -> str:
    """Return a CSS width at which controls, picture and sentence fit into a window together."""
    width, height = view.size
    four_lines = f"6.4 * {_LETTERS}"  # with the white over and under them
    beside = f"{119 + 30 * len(view.controls)}px - {four_lines}"
    return f"max(480px, calc((100vh - {beside}) * {width / height:.3f}))"


def _widget(control: Control, start: Any) -> widgets.Widget:
    looks = {
        "description": typeset(control.label),
        "description_allow_html": True,
        "tooltip": control.label,
        "layout": widgets.Layout(width="auto"),
        "style": {"description_width": "min(17em, 40%)"},
    }
    if isinstance(control, Typed):
        return _Field(control, start, **looks)
    if isinstance(control, Choice):
        return widgets.Dropdown(options=control.stops, value=start, **looks)
    stops = sorted({*control.stops, start})
    return widgets.SelectionSlider(
        options=[(control.write(stop), stop) for stop in stops], value=start, **looks
    )


def _paragraph(sentence: str) -> str:
    return (
        f'<p class="psipo-sentence" role="status" style="{_SENTENCE_STYLE}">{typeset(sentence)}</p>'
    )
