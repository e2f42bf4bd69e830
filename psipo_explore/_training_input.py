"""Checks of the data sets and losses of simulated training, which takes one or a list of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss


def as_data_sets(data: Comparisons | Sequence[Comparisons]) -> list[Comparisons]:
    """Return the data sets as a list, after checking that they have the same actions.

    Equal comparisons of a data set are merged.
    """
    several = isinstance(data, list | tuple)
    given: list[Comparisons] = list(data) if several else [data]  # type: ignore[arg-type,list-item]
    if not given:
        raise ValueError("data is empty, must hold at least one data set")
    for k, one in enumerate(given):
        name = f"data[{k}]" if several else "data"
        checks.require_instance(
            name, one, Comparisons, "Comparisons, such as Comparisons.from_pairs(…)"
        )
        if not one.winners.size:
            raise ValueError(f"{name} holds no comparison, must hold at least one")
        if one.actions != given[0].actions or not np.array_equal(one.contexts, given[0].contexts):
            found, expected = checks.listed(one.actions), checks.listed(given[0].actions)
            raise ValueError(f"{name} has actions {found}, must have those of data[0]: {expected}")
    return [one.merged() for one in given]


def as_losses(loss: MarginLoss | Sequence[MarginLoss]) -> list[MarginLoss]:
    """Return the losses as a list, after checking that each is a loss."""
    several = isinstance(loss, list | tuple)
    given: list[MarginLoss] = list(loss) if several else [loss]  # type: ignore[arg-type,list-item]
    if not given:
        raise ValueError("loss is empty, must hold at least one loss")
    for k, one in enumerate(given):
        checks.require_instance(
            f"loss[{k}]" if several else "loss", one, MarginLoss, "a MarginLoss, such as IPO or DPO"
        )
    return given
