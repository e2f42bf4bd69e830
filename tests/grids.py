"""Views with few stops, whose pages are drawn in a second."""

from dataclasses import replace

from psipo_explore.views import View


def at_start_and_end(view: View) -> View:
    """The same view with two stops for each control at most: where it starts and the last one."""
    ends = (tuple(dict.fromkeys((control.start, control.stops[-1]))) for control in view.controls)
    return replace(view, controls=tuple(replace(c, stops=stops) for c, stops in zip(view.controls, ends, strict=True)))
