"""The controls of a view: a slider, a choice among names, and a field for a typed formula.

Each control checks that a value is one that it can be set to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from psipo_explore.psi import Psi
from psipo_explore.views.kit.words import number


@dataclass(frozen=True)
class Slider:
    """A number that the reader moves.

    `name` is the keyword of the number, `label` the words beside the slider, and `write` turns a
    stop into words. Either all `stops` are integers or none is. A slider that `plays` has a button
    that moves it from stop to stop. Pages with fewer stops keep those of `named`, which lessons
    name.
    """

    name: str
    label: str
    stops: tuple[float, ...]
    start: float
    write: Callable[[float], str] = number
    plays: bool = False
    named: tuple[float, ...] = ()

    def check(self, value: Any) -> float:
        """Return the value as a number, if it lies between the slider's ends."""
        low, high = self.stops[0], self.stops[-1]
        try:
            given = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{self.name} = {value!r}, must be a number") from None
        if not low <= given <= high:
            raise ValueError(
                f"{self.name} = {given:g}, must be from {self.write(low)} to {self.write(high)}"
            )
        if isinstance(low, int) and not given.is_integer():
            raise ValueError(f"{self.name} = {given:g}, must be a whole number")
        return given


@dataclass(frozen=True)
class Choice:
    """A choice among several names.

    `name` is the keyword of the choice, `label` the words beside it, and `stops` the names.
    """

    name: str
    label: str
    stops: tuple[str, ...]
    start: str

    def check(self, value: Any) -> str:
        """Return the value if it is one of the names."""
        if value not in self.stops:
            raise ValueError(
                f"{self.name} = {value!r}, must be one of {', '.join(map(repr, self.stops))}"
            )
        return str(value)


@dataclass(frozen=True)
class Typed:
    """A formula Ψ(q) that the reader may type.

    `name` is the keyword of the formula and `label` the words beside the field. `stops` are the
    empty text, which stands for no formula, and some examples.
    """

    name: str
    label: str
    stops: tuple[str, ...]
    start: str = ""

    def check(self, value: Any) -> str:
        """Return the value if it is blank or a formula."""
        if not isinstance(value, str):
            raise TypeError(f"{self.name} = {value!r}, must be a text")
        if value.strip():
            Psi.from_formula(value)
        return value


Control = Slider | Choice | Typed
Grid = Mapping[Control, tuple[Any, ...]]


def combinations(grid: Grid) -> Iterator[dict[str, Any]]:
    """Every combination of stops, as values by the controls' names; the last control moves fastest."""
    names = [control.name for control in grid]
    return (dict(zip(names, stops, strict=True)) for stops in product(*grid.values()))
