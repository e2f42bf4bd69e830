"""Pictures of the theory, one module a topic: `collapse.figure(beta=0.1)` is still, `collapse.panel(beta=0.1)` has sliders.

`VIEWS` lists them by name, in the order of the course.
"""

from psipo_explore.views import collapse, explorer, psi_curve, regularisation
from psipo_explore.views.view import Choice, Slider, View

VIEWS: dict[str, View] = {view.name: view for view in (psi_curve.VIEW, collapse.VIEW, regularisation.VIEW, explorer.VIEW)}

__all__ = ["VIEWS", "Choice", "Slider", "View", "collapse", "explorer", "psi_curve", "regularisation"]
