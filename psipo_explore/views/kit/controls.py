"""What a reader moves: a slider, a choice among names, a formula that is typed; each knows what it
may stand on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psipo_explore.psi import Psi
from psipo_explore.views.kit.words import number


@dataclass(frozen=True)
class Slider:
    """A number the reader moves: its keyword, the words beside it, its stops (all whole, or none),
    how a stop is written.
    """

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
            raise ValueError(
                f"{self.name} = {given:g}, must be from {self.write(low)} to {self.write(high)}"
            )
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
            raise ValueError(
                f"{self.name} = {value!r}, must be one of {', '.join(map(repr, self.stops))}"
            )
        return str(value)


@dataclass(frozen=True)
class Typed:
    """A formula Ψ(q) that the reader types, or nothing: its keyword, the words beside it, nothing
    and some examples.
    """

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
