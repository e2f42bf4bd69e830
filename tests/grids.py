"""Views whose controls have few stops, so that their pages are drawn in a second."""

from collections.abc import Collection
from dataclasses import replace

from psipo_explore.views import View


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
