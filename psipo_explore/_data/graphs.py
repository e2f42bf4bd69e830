"""The comparison graph: who is tied to whom, and who is beaten only from inside."""

from __future__ import annotations

from typing import Literal

import numpy as np

from psipo_explore._checks import Indices


def components(
    winners: Indices, losers: Indices, n_actions: int, connection: Literal["weak", "strong"]
) -> Indices:
    """Number of each action's component, shape (K,), in the graph with an edge from each winner to
    its loser.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(winners.size), (winners, losers)), shape=(n_actions, n_actions))
    return np.asarray(connected_components(graph.tocsr(), connection=connection)[1], dtype=np.intp)
