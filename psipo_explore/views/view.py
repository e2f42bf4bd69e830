"""A view: sliders, and one drawing that is built once and then moved.

`build(figure)` makes the artists, `update(artists, **values)` moves them and says in a sentence what is seen. The still
figure, the live panel and whatever else shows the view all come from these two, so they are equal at equal values.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from psipo_explore.views import svg
from psipo_explore.views.palette import STYLE
from psipo_explore.views.words import number

if TYPE_CHECKING:
    from psipo_explore.views.panel import Panel

Artists = Mapping[str, Artist]


@dataclass(frozen=True)
class Slider:
    """A number the reader moves: its keyword, the words beside it, its stops, and how a stop is written."""

    name: str
    label: str
    stops: tuple[float, ...]
    start: float
    write: Callable[[float], str] = number

    def check(self, value: float) -> float:
        """Return the value, if the slider could stand there."""
        low, high = self.stops[0], self.stops[-1]
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{self.name} = {value!r}, must be a number") from None
        if not low <= number <= high:
            raise ValueError(f"{self.name} = {number:g}, must be from {self.write(low)} to {self.write(high)}")
        return number


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
    """What to draw and which sliders move it.

    Parameters
    ----------
    name : str
        Of the module, the figure's file and the test.
    title : str
        One line, for lists of views.
    sliders : tuple of Slider
        In the order shown.
    build : callable
        `build(figure)` draws what stands still and returns the artists that move, by name.
    update : callable
        `update(artists, **values)` moves them and returns the sentence that says what is seen.
    size : (float, float)
        Width and height in inches.
    """

    name: str
    title: str
    sliders: tuple[Slider, ...]
    build: Callable[[Figure], Artists]
    update: Callable[..., str]
    size: tuple[float, float] = (9.0, 4.4)

    def values(self, given: Mapping[str, float]) -> dict[str, float]:
        """A value for each slider: the one given, if it is in range, or the slider's own start.

        Raises
        ------
        TypeError, ValueError
            If no slider has that name, or the value is out of its range.
        """
        names = [slider.name for slider in self.sliders]
        for name in given:
            if name not in names:
                raise TypeError(f"{name} is not a control of {self.name}, must be one of {', '.join(names)}")
        return {slider.name: slider.check(given.get(slider.name, slider.start)) for slider in self.sliders}

    def drawn(self, values: Mapping[str, float]) -> tuple[StillFigure, Artists]:
        """The figure at the given values, and its moving artists."""
        with mpl.rc_context(STYLE):
            figure = StillFigure(figsize=self.size, dpi=svg.DPI)
            artists = self.build(figure)
        self.move(figure, artists, values)
        return figure, artists

    def move(self, figure: StillFigure, artists: Artists, values: Mapping[str, float]) -> None:
        """Move the artists to the given values, which have been checked."""
        with mpl.rc_context(STYLE):
            figure.sentence = self.update(artists, **values)

    def figure(self, **values: float) -> StillFigure:
        """The picture at the given values, as a Matplotlib figure."""
        return self.drawn(self.values(values))[0]

    def panel(self, **start: float) -> Panel:
        """The picture with its sliders, which begin at the given values."""
        from psipo_explore.views.panel import Panel

        return Panel(self, self.values(start))
