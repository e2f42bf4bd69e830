"""Random problems for Hypothesis, with extreme cases.

These include p in {0, 1}, β from 1e-12 to 1e12, K = 1, and zeros in μ and π_ref.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from oracles import Table

from psipo_explore import IDENTITY, LOGIT, Psi, folded_power
from psipo_explore.psi import LOG, PROBIT

BETAS = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)
MILD_BETAS = st.floats(0.05, 20.0)
ODD_PSIS = st.sampled_from(
    [LOGIT, IDENTITY, PROBIT, folded_power(0.1), folded_power(0.5), folded_power(2.0)]
)
PSIS = ODD_PSIS | st.just(LOG)
BOUNDED_PSIS = st.sampled_from(
    [IDENTITY, folded_power(0.1), folded_power(0.5), folded_power(2.0), folded_power(7.0)]
)

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


ANY_PSI: list[Psi] = [LOGIT, IDENTITY, PROBIT, LOG, folded_power(0.3)]
