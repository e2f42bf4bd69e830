"""A view: controls, and one drawing that is built once and then moved.

`build(figure)` makes the artists, `update(artists, **values)` moves them and says in a sentence what is seen. The still
figure, the live panel and whatever else shows the view all come from these two, so they are equal at equal values.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from psipo_explore._tables import printable
from psipo_explore.psi import Psi
from psipo_explore.views import svg
from psipo_explore.views.palette import STYLE
from psipo_explore.views.words import number

if TYPE_CHECKING:
    from psipo_explore.views.panel import Panel

CANNOT_BE_SHOWN = "This cannot be shown: {}."
Artists = Mapping[str, Artist]
Values = Mapping[str, Any]


def cannot_be_shown(error: Exception) -> str:
    """The sentence under a picture that some values do not have."""
    return printable(CANNOT_BE_SHOWN.format(error))


@dataclass(frozen=True)
class Slider:
    """A number the reader moves: its keyword, the words beside it, its stops (all whole, or none), how a stop is written."""

    name: str
    label: str
    stops: tuple[float, ...]
    start: float
    write: Callable[[float], str] = number

    def check(self, value: Any) -> float:
        """Return the value, if the slider could stand there."""
        low, high = self.stops[0], self.stops[-1]
        try:
            given = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{self.name} = {value!r}, must be a number") from None
        if not low <= given <= high:
            raise ValueError(f"{self.name} = {given:g}, must be from {self.write(low)} to {self.write(high)}")
        if isinstance(low, int) and not given.is_integer():
            raise ValueError(f"{self.name} = {given:g}, must be a whole number")
        return given


@dataclass(frozen=True)
class Choice:
    """One of several things with names: its keyword, the words beside it, the names."""

    name: str
    label: str
    stops: tuple[str, ...]
    start: str

    def check(self, value: Any) -> str:
        """Return the value, if it is one of the names."""
        if value not in self.stops:
            raise ValueError(f"{self.name} = {value!r}, must be one of {', '.join(map(repr, self.stops))}")
        return str(value)


@dataclass(frozen=True)
class Typed:
    """A formula Ψ(q) that the reader types, or nothing: its keyword, the words beside it, nothing and some examples."""

    name: str
    label: str
    stops: tuple[str, ...]
    start: str = ""

    def check(self, value: Any) -> str:
        """Return the value, if it is blank or a formula."""
        if not isinstance(value, str):
            raise TypeError(f"{self.name} = {value!r}, must be a text")
        if value.strip():
            Psi.from_formula(value)
        return value


Control = Slider | Choice | Typed


class StillFigure(Figure):
    """A Matplotlib figure that knows what it shows, and shows itself in a notebook without pyplot."""

    sentence = ""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str | bytes]:
        return {"image/png": self._png(), "text/plain": self.sentence}  # a notebook not yet trusted shows no SVG

    def _png(self) -> bytes:
        out = io.BytesIO()
        with mpl.rc_context(STYLE):
            self.savefig(out, format="png", dpi=2 * svg.DPI)
        return out.getvalue()


@dataclass(frozen=True)
class View:
    """What to draw and which controls move it.

    Parameters
    ----------
    name : str
        Of the module, the figure's file and the test.
    title : str
        One line, for lists of views.
    controls : tuple of Slider, Choice or Typed
        In the order shown.
    build : callable
        `build(figure)` draws what stands still and returns the artists that move, by name.
    update : callable
        `update(artists, **values)` moves them and returns the sentence that says what is seen.
    rebuild_on : tuple of str
        Controls that change what stands still, or how many artists there are; build gets their values as keywords.
    size : (float, float)
        Width and height in inches.
    """

    name: str
    title: str
    controls: tuple[Control, ...]
    build: Callable[..., Artists]
    update: Callable[..., str]
    rebuild_on: tuple[str, ...] = ()
    size: tuple[float, float] = (9.0, 4.4)

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """The controls that are numbers."""
        return tuple(control for control in self.controls if isinstance(control, Slider))

    def values(self, given: Mapping[str, Any]) -> Values:
        """A value for each control: the one given, if it is in range, or the control's own start.

        Raises
        ------
        TypeError, ValueError
            If no control has that name, or the value is out of its range.
        """
        names = [control.name for control in self.controls]
        for name in given:
            if name not in names:
                raise TypeError(f"{name} is not a control of {self.name}, must be one of {', '.join(names)}")
        return {control.name: control.check(given.get(control.name, control.start)) for control in self.controls}

    def built_for(self, values: Values) -> Values:
        """Those of the values on which the building depends."""
        return {name: values[name] for name in self.rebuild_on}

    def drawn(self, values: Values) -> tuple[StillFigure, Artists]:
        """The figure at the given values, and its moving artists."""
        figure, artists = self.built(values)
        self.move(figure, artists, values)
        return figure, artists

    def built(self, values: Values) -> tuple[StillFigure, Artists]:
        """The figure with what stands still at the given values, and the artists that are yet to be moved."""
        with mpl.rc_context(STYLE):
            figure = StillFigure(figsize=self.size, dpi=svg.DPI)
            return figure, self.build(figure, **self.built_for(values))

    def move(self, figure: StillFigure, artists: Artists, values: Values) -> None:
        """Move the artists to the given values, which have been checked."""
        with mpl.rc_context(STYLE):
            figure.sentence = printable(self.update(artists, **values))

    def figure(self, **values: Any) -> StillFigure:
        """The picture at the given values, as a Matplotlib figure."""
        return self.drawn(self.values(values))[0]

    def panel(self, **start: Any) -> Panel:
        """The picture with its controls, which begin at the given values."""
        from psipo_explore.views.panel import Panel

        return Panel(self, self.values(start))
