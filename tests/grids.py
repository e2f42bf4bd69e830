"""The views that the tests go through, without duplicates, and copies of views with few stops."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from psipo_explore.views import VIEWS, Choice, View

# Views that share their update, such as never_wins and training, draw the same picture at equal
# values, so only the first of them is tested.
FIRST_WITH = {view.update: name for name, view in reversed(VIEWS.items())}
DRAWINGS = {name: view for name, view in VIEWS.items() if FIRST_WITH[view.update] == name}


def at_start_and_end(view: View, *, kept: Collection[str] = ()) -> View:
    """Copy a view, and leave each control only its start and its last stop.

    The controls named in `kept` keep only their start.
    """
    ends = [
        (c.start,) if c.name in kept else tuple(dict.fromkeys((c.start, c.stops[-1])))
        for c in view.controls
    ]
    return replace(
        view,
        guesses={},  # their answers may be at stops that are gone
        controls=tuple(
            replace(c, stops=stops) for c, stops in zip(view.controls, ends, strict=True)
        ),
    )


def places(view: View) -> Iterator[Mapping[str, Any]]:
    """Yield values with one control moved and all others at their start.

    A choice takes each of its names. Any other control takes its two ends and its middle.
    """
    start = view.values({})
    for control in view.controls:
        few = (control.stops[0], control.stops[len(control.stops) // 2], control.stops[-1])
        for stop in control.stops if isinstance(control, Choice) else few:
            yield {**start, control.name: stop}
