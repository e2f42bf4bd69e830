"""A drawing of the comparison graph, with an arrow from each winner to its loser.

The actions of a strongly connected component share one grey background, and actions that vanish
under DPO are marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch

from psipo_explore import Comparisons
from psipo_explore._checks import Array, Mask
from psipo_explore.views.kit.labels import Labels, Room
from psipo_explore.views.kit.words import number

_BACKGROUND = "#e0e0e0"
_ARROW = "#444444"


class _Sizes(NamedTuple):
    """The sizes that a drawing of a graph depends on.

    `circle` is the radius of the circle of nodes, in data units. `node`, `background`
    (the grey around a strongly connected component) and `label` are in points.
    """

    circle: float
    node: float
    background: float
    label: float


_FEW, _MANY = _Sizes(1.0, 25, 42, 11), _Sizes(1.25, 21, 34, 9)


def room_in_node(n_actions: int) -> Room:
    """Return the room that a node has for its label."""
    sizes = _sizes(n_actions)
    return Room(sizes.node, sizes.label, beginning=3)


def draw_graph(
    ax: Axes,
    data: Comparisons,
    vanishing: Mask,
    looks: Sequence[Mapping[str, Any]],
    labels: Labels,
) -> None:
    """Draw the merged comparisons of a few actions, each node with its action's colour and label.

    The labels are those fitted into the first room of `labels`.
    """
    sizes = _sizes(data.n_actions)
    at = sizes.circle * _on_a_circle(data.n_actions)
    beyond = 1 + 0.75 / sizes.circle
    ax.set(xlim=(-2.1, 2.1), ylim=(-2.1, 2.1), aspect="equal")
    ax.axis("off")
    for component in np.unique(data.strong_components):
        x, y = at[data.strong_components == component].T
        ax.fill(x, y, color=_BACKGROUND, linewidth=sizes.background, joinstyle="round", zorder=1)
        ax.plot(
            x,
            y,
            color=_BACKGROUND,
            linestyle="none",
            marker="o",
            markersize=sizes.background,
            markeredgewidth=0,
            zorder=1,
        )
    merged = data.merged()
    for winner, loser, weight in zip(merged.winners, merged.losers, merged.weights, strict=True):
        _draw_arrow(ax, at[winner], at[loser], weight, sizes.node)
    for (x, y), label, gone, look in zip(at, labels.drawn[0], vanishing, looks, strict=False):
        edge = {
            "linestyle": "none",
            "markeredgecolor": look["color"],
            "markeredgewidth": 2.4,
        }
        ax.plot(
            [x], [y], marker="o", markersize=sizes.node, markerfacecolor="white", zorder=4, **edge
        )
        ax.text(
            x,
            y,
            label,
            ha="center",
            va="center_baseline",
            fontsize=sizes.label,
            zorder=5,
            **labels.font,
        )
        if gone:
            ax.text(beyond * x, beyond * y, r"$\rightarrow 0$", ha="center", va="center", zorder=5)


def _sizes(n_actions: int) -> _Sizes:
    return _FEW if n_actions <= 4 else _MANY


def _on_a_circle(n: int) -> Array:
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _draw_arrow(ax: Axes, winner: Array, loser: Array, weight: float, node: float) -> None:
    """Draw an arrow that bends to one side, so that the arrow back does not cover it."""
    arrow = FancyArrowPatch(
        tuple(winner),
        tuple(loser),
        arrowstyle="-|>",
        connectionstyle="arc3,rad=0.13",
        mutation_scale=14,
        shrinkA=node / 2 + 1,
        shrinkB=node / 2 + 2,
        color=_ARROW,
        linewidth=1.6,
        zorder=3,
    )
    ax.add_patch(arrow)
    if weight != 1:
        dx, dy = loser - winner
        aside = np.array([dy, -dx]) * (0.065 + 0.2 / np.hypot(dx, dy))
        x, y = (winner + loser) / 2 + aside
        ax.text(x, y, number(weight), ha="center", va="center", fontsize=9, zorder=5)
