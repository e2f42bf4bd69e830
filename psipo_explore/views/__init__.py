"""Pictures of the theory, one module per topic.

`collapse.figure(beta=0.1)` draws a still picture, and `collapse.panel(beta=0.1)` adds sliders.
`VIEWS` maps the name of each view to the view, in the order of the course.
"""

from psipo_explore.views import (
    beyond_bradley_terry,
    collapse,
    explorer,
    few_samples,
    leashes,
    never_wins,
    psi_curve,
    regularisation,
    self_play,
    shared_weights,
    training,
    underfitted_reward,
)
from psipo_explore.views.kit.controls import Choice, Slider
from psipo_explore.views.kit.view import View

_COURSE = (
    psi_curve,
    beyond_bradley_terry,
    collapse,
    few_samples,
    regularisation,
    training,
    never_wins,
    underfitted_reward,
    shared_weights,
    leashes,
    self_play,
    explorer,
)
#: Each view by its name, in the order of the course.
#:
#: :meta hide-value:
VIEWS: dict[str, View] = {module.VIEW.name: module.VIEW for module in _COURSE}

__all__ = [
    "VIEWS",
    "Choice",
    "Slider",
    "View",
    "beyond_bradley_terry",
    "collapse",
    "explorer",
    "few_samples",
    "leashes",
    "never_wins",
    "psi_curve",
    "regularisation",
    "self_play",
    "shared_weights",
    "training",
    "underfitted_reward",
]
