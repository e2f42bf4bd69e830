"""The query of the page's address: which view is shown, and where its controls stand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from psipo_explore.views import VIEWS
from psipo_explore.views.kit.controls import Choice, Control, Slider

FIRST = "collapse"
_VIEW = "view"
_LONGEST = 60  # characters of a wrong value that are said again


class Place(NamedTuple):
    """A view by its name, a value for each of its controls, and what was wrong in the query."""

    view: str
    values: dict[str, Any]
    faults: tuple[str, ...] = ()


def query(view: str, values: Mapping[str, Any]) -> str:
    """Write a place as a query, with the controls that do not stand where they begin.

    >>> query("collapse", {"p": 1 - 1e-15, "beta": 1.0, "pi_ref_loser": 0.5})
    '?view=collapse&p=0.999999999999999'
    """
    moved = {
        control.name: _written(control, values[control.name])
        for control in VIEWS[view].controls
        if values[control.name] != control.start
    }
    return f"?{urlencode({_VIEW: view, **moved})}"


def place(query: str) -> Place:
    """Read a query, in which nothing has to be right.

    What is wrong becomes the nearest stop or the start, and a sentence about it. A control that is
    not named stands where it begins.

    >>> place("?view=collapse&p=1&beta=1000").values
    {'p': 1.0, 'beta': 100.0, 'pi_ref_loser': 0.5}
    >>> place("?view=collapse&p=1&beta=1000").faults
    ('beta = 1000 is not a stop of its slider, 100 is the nearest.',)
    """
    given = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
    name = given.pop(_VIEW, FIRST)
    if name not in VIEWS:
        fault = f"There is no picture {_short(name)}, so this is the first one."
        return Place(FIRST, starts(FIRST), (fault,))
    controls = {control.name: control for control in VIEWS[name].controls}
    values, faults = starts(name), []
    for control, text in given.items():
        if control not in controls:
            faults.append(f"This picture has no control {_short(control)}.")
            continue
        values[control], fault = _read(controls[control], text)
        if fault:
            faults.append(f"{control} = {_short(text)} {fault}.")
    return Place(name, values, tuple(faults))


def starts(view: str) -> dict[str, Any]:
    """Return the values at which the controls of a view begin."""
    return {control.name: control.start for control in VIEWS[view].controls}


def _written(control: Control, value: Any) -> str:
    """Write a value so that reading it gives exactly this value again."""
    return repr(_nearest(control, value)) if isinstance(control, Slider) else value


def _read(control: Control, text: str) -> tuple[Any, str]:
    """Return the value that a text stands for, and what is wrong with the text."""
    if isinstance(control, Slider):
        return _stop(control, text)
    if isinstance(control, Choice) and text not in control.stops:
        return control.start, f"is not a name to choose, so it is {control.start}"
    return text, ""  # of a wrong formula, the field itself says what is wrong


def _stop(slider: Slider, text: str) -> tuple[float, str]:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return slider.start, f"is not a number, so it is {slider.write(slider.start)}"
    stop = _nearest(slider, number)
    if stop == number:
        return stop, ""
    return stop, f"is not a stop of its slider, {slider.write(stop)} is the nearest"


def _nearest(slider: Slider, number: float) -> float:
    low, high = slider.stops[0], slider.stops[-1]
    inside = min(max(number, low), high)  # the distance from an infinite number is no guide
    return min((slider.start, *slider.stops), key=lambda stop: abs(stop - inside))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
