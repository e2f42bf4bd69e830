"""The views that tests try, each drawing once, and views whose controls have few stops."""

from collections.abc import Collection
from dataclasses import replace

from psipo_explore.views import VIEWS, View

# Views that share their update, such as never_wins and training, draw the same at equal values.
FIRST_WITH = {view.update: name for name, view in reversed(VIEWS.items())}
DRAWINGS = {name: view for name, view in VIEWS.items() if FIRST_WITH[view.update] == name}


def at_start_and_end(view: View, *, kept: Collection[str] = ()) -> View:
    """Return the view with only the start and the last stop of each control.

    Controls named in `kept` have only their start.
    """
    ends = [
        (c.start,) if c.name in kept else tuple(dict.fromkeys((c.start, c.stops[-1])))
        for c in view.controls
    ]
    return replace(
        view,
        controls=tuple(
            replace(c, stops=stops) for c, stops in zip(view.controls, ends, strict=True)
        ),
    )
