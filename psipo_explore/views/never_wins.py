"""An action that never wins: DPO drops it at every β, and IPO lowers it gradually as β falls.

Figure 2 of arXiv:2310.12036 shows such an action. The drawing is that of `training`, but it starts
with data in which the action never wins, because the data set D3 that the paper prints has no
comparison of it.
"""

from __future__ import annotations

from dataclasses import replace

from psipo_explore.views import guesses, training
from psipo_explore.views.kit.controls import Choice

VIEW = replace(
    training.VIEW,
    name="never_wins",
    title="An action that never wins, under DPO and under IPO",
    about=(
        "Answer c never wins a comparison, and the curves show the probability π(y) of each answer "
        "y as DPO (above) and another loss (below) train, and where each leads in the end. Here β "
        "says how strongly a loss holds π near its uniform start, and → 0 marks an answer that "
        "vanishes under DPO."
    ),
    controls=tuple(
        replace(control, start=training.NEVER_WINS)
        if isinstance(control, Choice) and control.name == "comparisons"
        else control
        for control in training.VIEW.controls
    ),
    guesses=guesses.NEVER_WINS,
)
figure = VIEW.figure
panel = VIEW.panel
