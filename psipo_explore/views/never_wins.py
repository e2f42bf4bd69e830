"""An action that never wins: DPO drops it at every β, IPO lowers it by degrees (Figure 2 of
arXiv:2310.12036, §5.4).

The drawing is that of `training`, on data that show what the paper describes; its D3 as printed
does not.
"""

from __future__ import annotations

from dataclasses import replace

from psipo_explore.views import training
from psipo_explore.views.kit.controls import Choice

VIEW = replace(
    training.VIEW,
    name="never_wins",
    title="An action that never wins, under DPO and under IPO",
    controls=tuple(
        replace(control, start=training.NEVER_WINS)
        if isinstance(control, Choice) and control.name == "comparisons"
        else control
        for control in training.VIEW.controls
    ),
)
figure = VIEW.figure
panel = VIEW.panel
