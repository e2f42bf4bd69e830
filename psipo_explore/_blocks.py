"""Which ratios of probabilities a loss fixes, and which probabilities it sends to 0.

The comparison graph decides both, so that no loss has to be minimised to know them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices, Mask
from psipo_explore._corrected_counts import CorrectedCounts
from psipo_explore._data.graphs import components
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss


class Blocks(NamedTuple):
    """Groups of actions within which a loss fixes the ratios of probabilities."""

    of_action: Indices  # number of each action's block, shape (K,)
    vanishing: Mask  # actions whose probability tends to 0, shape (K,)
    inside: Mask  # comparisons whose margin stays finite, shape (N,)

    def fields_inside(self, data: Comparisons) -> tuple[Indices, Indices, Array]:
        """Return the winners, losers and weights of the comparisons whose margin stays finite."""
        inside = slice(None) if self.inside.all() else self.inside  # a slice copies nothing
        return data.winners[inside], data.losers[inside], data.weights[inside]


def whole_components(data: Comparisons) -> Blocks:
    """Return the connected components as blocks, in which every margin stays finite."""
    return Blocks(
        data.components,
        np.zeros(data.n_actions, dtype=bool),
        np.ones(data.winners.size, dtype=bool),
    )


def blocks_of(data: Comparisons, loss: MarginLoss) -> Blocks:
    """Find the blocks of actions within which the loss fixes the ratios of probabilities.

    Raises
    ------
    ValueError
        If the loss is robust DPO and has no minimum on these data.
    """
    if np.isfinite(loss.best_x):
        return whole_components(data)
    winners, losers = data.winners, data.losers
    if loss.flipped:
        counts = CorrectedCounts.of(data, loss.flipped)
        counts.require_minimum(data, loss.name)
        winners, losers = counts.won()
    blocks = components(winners, losers, data.n_actions, "strong")
    beaten_from_outside = losers[blocks[winners] != blocks[losers]]
    inside = blocks[data.winners] == blocks[data.losers]
    return Blocks(blocks, np.isin(blocks, blocks[beaten_from_outside]), inside)
