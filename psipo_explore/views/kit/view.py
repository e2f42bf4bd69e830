"""A view: controls, and one drawing that is built once and then moved.

`build(figure)` makes the artists, `update(artists, **values)` moves them and says in a sentence
what is seen. The still figure, the live panel and whatever else shows the view all come from these
two, so they are equal at equal values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

from psipo_explore._bars import with_passing_bar
from psipo_explore._tables import printable
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.controls import Control, Grid, Slider, combinations
from psipo_explore.views.kit.palette import STYLE
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.kit.still import StillFigure

Artists = Mapping[str, Any]  # Line2D, Text, Rectangle …: a view knows which of its own is which
Values = Mapping[str, Any]
Bar = Callable[[Sequence[Values], str], Iterable[Values]]  # passes on what it counts, under a title


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
        Controls that change what stands still, or how many artists there are; build gets their
        values as keywords.
    compute : callable, optional
        `compute(**values)` computes, and keeps, what would take longer than a reader waits for a
        slider. Whoever opens the view live has it computed before.
    compute_on : tuple of str
        Controls on which that depends; compute gets their values as keywords.
    size : (float, float)
        Width and height in inches.
    """

    name: str
    title: str
    controls: tuple[Control, ...]
    build: Callable[..., Artists]
    update: Callable[..., str]
    rebuild_on: tuple[str, ...] = ()
    compute: Callable[..., object] | None = None
    compute_on: tuple[str, ...] = ()
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
                raise TypeError(
                    f"{name} is not a control of {self.name}, must be one of {', '.join(names)}"
                )
        return {
            control.name: control.check(given.get(control.name, control.start))
            for control in self.controls
        }

    def built_for(self, values: Values) -> Values:
        """Those of the values on which the building depends."""
        return {name: values[name] for name in self.rebuild_on}

    def drawn(self, values: Values) -> tuple[StillFigure, Artists]:
        """The figure at the given values, and its moving artists."""
        figure, artists = self.built(values)
        self.move(figure, artists, values)
        return figure, artists

    def built(self, values: Values) -> tuple[StillFigure, Artists]:
        """The figure with what stands still at the given values, and the artists that are yet to be
        moved.
        """
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

    def compute_ahead(self, bar: Bar = with_passing_bar, grid: Grid | None = None) -> None:
        """Compute what `update` would take too long for, at every stop that the controls have.

        Parameters
        ----------
        bar : callable
            Shows how much is done: `bar(pieces, title)` passes on the pieces of work.
        grid : mapping from control to its stops, optional
            The stops that the view is opened with; by default all stops of its controls.
        """
        if self.compute is None:
            return
        grid = {control: control.stops for control in self.controls} if grid is None else grid
        stops = {control.name: (control, of_control) for control, of_control in grid.items()}
        pieces = list(combinations(dict(stops[name] for name in self.compute_on)))
        for values in bar(pieces, f"{self.name}: computing for the sliders"):
            self.compute(**values)

    def panel(self, bar: Bar = with_passing_bar, /, **start: Any) -> Panel:
        """The picture with its controls, which begin at the given values.

        What the view computes ahead is computed first, with a bar.
        """
        values = self.values(start)
        self.compute_ahead(bar)
        return Panel(self, values)
