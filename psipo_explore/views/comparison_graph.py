"""The comparison graph: an arrow from winner to loser, strong components on one ground, what vanishes under DPO marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from psipo_explore import Comparisons
from psipo_explore._checks import Array, Mask
from psipo_explore.views.words import number

_GROUNDS = ("#f7e3a1", "#cfe2f3", "#f6d5de", "#d5ead8", "#e3dcf0", "#e8e8e8")
_GROUND = 42  # points across
_NODE = 25
_ARROW = "#444444"


def draw_graph(ax: Axes, data: Comparisons, vanishing: Mask, looks: Sequence[Mapping[str, Any]]) -> None:
    """Draw merged comparisons of a few actions, each node in its action's colour."""
    at = _on_a_circle(data.n_actions)
    ax.set(xlim=(-2.1, 2.1), ylim=(-1.75, 1.75), aspect="equal")
    ax.axis("off")
    for ground, component in zip(_GROUNDS, np.unique(data.strong_components), strict=False):
        x, y = at[data.strong_components == component].T
        ax.fill(x, y, color=ground, linewidth=_GROUND, joinstyle="round", zorder=1)
        ax.plot(x, y, color=ground, linestyle="none", marker="o", markersize=_GROUND, markeredgewidth=0, zorder=1)
    merged = data.merged()
    for winner, loser, weight in zip(merged.winners, merged.losers, merged.weights, strict=True):
        _draw_arrow(ax, at[winner], at[loser], weight)
    for (x, y), action, gone, look in zip(at, data.actions, vanishing, looks, strict=False):
        edge = {"markeredgecolor": look["color"], "markeredgewidth": 2.4}
        ax.plot([x], [y], marker="o", markersize=_NODE, markerfacecolor="white", zorder=4, **edge)
        ax.text(x, y, action[:3], ha="center", va="center_baseline", zorder=5)
        if gone:
            ax.text(1.75 * x, 1.75 * y, r"$\rightarrow 0$", ha="center", va="center", zorder=5)


def _on_a_circle(n: int) -> Array:
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _draw_arrow(ax: Axes, winner: Array, loser: Array, weight: float) -> None:
    """Bent to one side, so that the arrow back runs beside it."""
    arrow = FancyArrowPatch(
        tuple(winner),
        tuple(loser),
        arrowstyle="-|>",
        connectionstyle="arc3,rad=0.13",
        mutation_scale=14,
        shrinkA=_NODE / 2 + 1,
        shrinkB=_NODE / 2 + 2,
        color=_ARROW,
        linewidth=1.6,
        zorder=3,
    )
    ax.add_patch(arrow)
    if weight != 1:
        dx, dy = loser - winner
        ax.text(
            *(winner + loser) / 2 + 0.17 * np.array([dy, -dx]), number(weight), ha="center", va="center", fontsize=9, zorder=5
        )
