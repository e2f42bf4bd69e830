"""Random problems for Hypothesis, with extreme cases.

These include p in {0, 1}, β from 1e-12 to 1e12, K = 1, and zeros in μ and π_ref.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from oracles import Table

from psipo_explore import MarginLoss, Psi, folded_power, losses
from psipo_explore import psi as psi_module

# Every Ψ and every loss that has a name. The tests of all of them draw from these.
_IN_PSI = [getattr(psi_module, name) for name in psi_module.__all__]
_IN_LOSSES = [getattr(losses, name) for name in losses.__all__]
NAMED_PSIS: list[Psi] = [psi for psi in _IN_PSI if isinstance(psi, Psi)]
FIXED_LOSSES = {loss.name: loss for loss in _IN_LOSSES if isinstance(loss, MarginLoss)}
MADE_LOSSES: dict[str, Callable[[], MarginLoss]] = {
    "cDPO 0.1": lambda: losses.cdpo(0.1),
    "robust DPO 0.2": lambda: losses.robust_dpo(0.2),
    "ODPO 0.75": lambda: losses.odpo(0.75),
    "EXO 0.1": lambda: losses.exo(0.1),
    "DiscoPOP 0.05": lambda: losses.discopop(0.05),
}

BETAS = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)
MILD_BETAS = st.floats(0.05, 20.0)
_SEVERAL = [*NAMED_PSIS, folded_power(0.1), folded_power(0.5), folded_power(2.0)]
PSIS = st.sampled_from(_SEVERAL)
ODD_PSIS = st.sampled_from([psi for psi in _SEVERAL if psi.odd])
BOUNDED_PSIS = st.sampled_from([*(psi for psi in _SEVERAL if psi.bounded), folded_power(7.0)])

_UNCERTAIN = st.floats(0.01, 0.99) | st.floats(-300, -3).map(lambda exponent: 10.0**exponent)
_EASY = st.floats(0.01, 0.99)


def n_actions(at_least: int = 1, at_most: int = 6) -> st.SearchStrategy[int]:
    return st.integers(at_least, at_most)


@st.composite
def counts(draw: Any, k: int, *, zeros: bool = True) -> list[int]:
    """Draw whole numbers that are not all 0.

    Their shares of the total are a policy, which the oracles can compute exactly.
    """
    drawn: list[int] = draw(st.lists(st.integers(0 if zeros else 1, 9), min_size=k, max_size=k))
    return drawn if any(drawn) else [1] * k


def share(whole: list[int]) -> Table:
    return np.array(whole) / sum(whole)


@st.composite
def tables(draw: Any, k: int, *, certain: bool = False, easy: bool = False) -> Table:
    """Draw a preference table of k actions.

    Certain preferences, and preferences within 1e-300 of certainty, occur on either side of the
    diagonal.
    """
    entries = _EASY if easy else _UNCERTAIN
    if certain:
        entries = entries | st.sampled_from([0.0, 0.0, 0.5])
    p = np.full((k, k), 0.5)
    for i in range(k):
        for j in range(i):
            q = draw(entries)
            winner, loser = (i, j) if draw(st.booleans()) else (j, i)
            p[winner, loser], p[loser, winner] = q, 1 - q
    return p


@st.composite
def rewards(draw: Any, k: int, largest: float = 30.0) -> Table:
    return np.array(draw(st.lists(st.floats(-largest, largest), min_size=k, max_size=k)))


ANY_PSI: list[Psi] = [*NAMED_PSIS, folded_power(0.3)]
