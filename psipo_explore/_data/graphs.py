"""Connected components of the comparison graph."""

from __future__ import annotations

from typing import Literal

import numpy as np

from psipo_explore._checks import Indices


def components(
    winners: Indices, losers: Indices, n_actions: int, connection: Literal["weak", "strong"]
) -> Indices:
    """Return the connected component of each action, as a number, shape (K,).

    The graph has an edge from each winner to its loser.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(winners.size), (winners, losers)), shape=(n_actions, n_actions))
    return np.asarray(connected_components(graph.tocsr(), connection=connection)[1], dtype=np.intp)
