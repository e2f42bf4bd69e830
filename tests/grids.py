"""Views with few stops, whose pages are drawn in a second."""

from collections.abc import Collection
from dataclasses import replace

from psipo_explore.views import View


def at_start_and_end(view: View, *, kept: Collection[str] = ()) -> View:
    """The same view with two stops for each control at most, where it starts and the last one; one,
    where it is kept.
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
