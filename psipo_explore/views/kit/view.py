"""A view: controls, and one drawing that is built once and then moved.

`build(figure)` makes the artists, and `update(artists, **values)` moves them and returns a sentence
that describes the picture. The still figure, the live panel and the HTML page all come from these
two functions, so they agree at equal values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import matplotlib as mpl

from psipo_explore._bars import with_passing_bar
from psipo_explore._tables import printable
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.controls import Control, Grid, Slider, combinations
from psipo_explore.views.kit.guess import Guess, Question
from psipo_explore.views.kit.palette import STYLE
from psipo_explore.views.kit.panel import Panel
from psipo_explore.views.kit.still import StillFigure

Artists = Mapping[str, Any]  # Any, because only the view knows which artist is a Line2D or a Text
Values = Mapping[str, Any]
Bar = Callable[[Sequence[Values], str], Iterable[Values]]  # yields the items under a given title


@dataclass(frozen=True)
class View:
    """A picture and the controls that move it.

    Parameters
    ----------
    name : str
        Name of the view, which its module, its figure's file and its test share.
    title : str
        Title of one line, for lists of views.
    controls : tuple of Slider, Choice or Typed
        Controls in the order in which they are shown.
    build : callable
        `build(figure)` draws what stands still, and returns the artists that move by their names.
    update : callable
        `update(artists, **values)` moves the artists, and returns the sentence that describes the
        picture.
    rebuild_on : tuple of str
        Names of the controls that change what stands still, or how many artists there are. Build
        gets their values as keywords.
    compute : callable, optional
        `compute(**values)` computes and keeps results that would take too long while a reader moves
        a slider. It is called before the view is shown live.
    compute_on : tuple of str
        Names of the controls on which these results depend. Compute gets their values as keywords.
    size : (float, float)
        Width and height in inches.
    narrow : (float, float), optional
        Width and height in inches for a narrow screen, if the picture cannot be cut into parts that
        are readable there. Build draws another layout if it finds its figure so narrow.
    about : str
        Two plain sentences for a reader who has only this page: what the picture shows, and what
        its symbols are.
    guesses : mapping from str to Guess
        What a reader may be asked before the picture is shown, by a name. App and pages ask the
        first one.
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
    narrow: tuple[float, float] | None = None
    about: str = ""
    guesses: Mapping[str, Guess] = field(default_factory=dict, hash=False)

    @property
    def sliders(self) -> tuple[Slider, ...]:
        """Controls that are sliders."""
        return tuple(control for control in self.controls if isinstance(control, Slider))

    @property
    def on_phone(self) -> View:
        """The view whose picture a narrow screen shows, in parts below each other."""
        return self if self.narrow is None else replace(self, size=self.narrow, narrow=None)

    def values(self, given: Mapping[str, Any]) -> Values:
        """Return a value for each control, which is its own start if none is given.

        Raises
        ------
        TypeError
            If no control has a given name, or a value is of the wrong type.
        ValueError
            If a value is not one of those that its control allows.
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
        """Select the values that `build` takes."""
        return {name: values[name] for name in self.rebuild_on}

    def drawn(self, values: Values) -> tuple[StillFigure, Artists]:
        """Draw the figure at the given values, and return it with its moving artists."""
        figure, artists = self.built(values)
        self.move(figure, artists, values)
        return figure, artists

    def built(self, values: Values) -> tuple[StillFigure, Artists]:
        """Build the figure for the given values, and return it with the artists, not yet moved."""
        with mpl.rc_context(STYLE):
            figure = StillFigure(figsize=self.size, dpi=svg.DPI)
            return figure, self.build(figure, **self.built_for(values))

    def move(self, figure: StillFigure, artists: Artists, values: Values) -> None:
        """Move the artists to the given values, which must have been checked."""
        with mpl.rc_context(STYLE):
            figure.sentence = printable(self.update(artists, **values))

    def figure(self, **values: Any) -> StillFigure:
        """Draw the picture at the given values, as a Matplotlib figure."""
        return self.drawn(self.values(values))[0]

    def compute_ahead(self, bar: Bar = with_passing_bar, grid: Grid | None = None) -> None:
        """Call `compute`, if there is one, for every combination of stops on which it depends.

        Parameters
        ----------
        bar : callable
            Progress bar: `bar(pieces, title)` yields the pieces of work and shows how many are
            done.
        grid : mapping from control to its stops, optional
            Stops that the view will be shown at; by default all stops of its controls.
        """
        if self.compute is None:
            return
        grid = {control: control.stops for control in self.controls} if grid is None else grid
        stops = {control.name: (control, of_control) for control, of_control in grid.items()}
        pieces = list(combinations(dict(stops[name] for name in self.compute_on)))
        for values in bar(pieces, f"{self.name}: computing for the sliders"):
            self.compute(**values)

    @property
    def questions(self) -> tuple[Question, ...]:
        """All questions of all guesses."""
        return tuple(question for guess in self.guesses.values() for question in guess.questions)

    @property
    def first_guess(self) -> str | None:
        """Name of what app and pages ask, if the view has anything to ask."""
        return next(iter(self.guesses), None)

    def panel(
        self, bar: Bar = with_passing_bar, /, *, guess: str | None = None, **start: Any
    ) -> Panel:
        """Make the picture with its controls, which begin at the given values.

        The view first computes ahead whatever would be slow later, and shows a progress bar. With
        the name of a guess, the panel asks for it before it shows the picture.
        """
        values = self.values(start)
        if guess is not None and guess not in self.guesses:
            raise ValueError(
                f"guess = {guess!r}, must be one of {', '.join(map(repr, self.guesses)) or 'none'}"
            )
        self.compute_ahead(bar)
        return Panel(self, values, guess)
