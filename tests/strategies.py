"""Random problems for Hypothesis, with extreme cases.

These include p in {0, 1}, β from 1e-12 to 1e12, K = 1, and zeros in μ and π_ref.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from oracles import Table

from psipo_explore import Comparisons, MarginLoss, Psi, folded_power, losses
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


class Featured(NamedTuple):
    """Comparisons of answers with features φ, and a reference policy."""

    data: Comparisons
    features: Table
    pi_ref: Table

    @property
    def z(self) -> Table:
        """Differences of features of winner and loser, one row for each comparison."""
        return np.asarray(self.features[self.data.winners] - self.features[self.data.losers])

    @property
    def compared(self) -> Table:
        """Which answers were compared."""
        return np.isin(np.arange(self.data.n_actions), [self.data.winners, self.data.losers])

    def rivals(self, y: int) -> Table:
        """Differences of features of answers that π_ref allows and answer y, in its context."""
        among = (self.data.contexts == self.data.contexts[y]) & (self.pi_ref > 0)
        return np.asarray(self.features[among] - self.features[y])


@st.composite
def featured(
    draw: Any,
    *,
    decades: float = 0.5,
    magnitudes: int = 0,
    most: int = 8,
    one_hot: bool = False,
    n: int = 12,
) -> Featured:
    """Draw comparisons in 1 to 3 contexts of at most 8 answers, and features in whole numbers.

    Comparisons repeat and contradict each other. Features tie, are linearly dependent, and have
    more or fewer columns than there are comparisons, and may be multiplied by powers of 10 up to
    10^magnitudes. Weights lie between 10^−decades and 10^decades. π_ref may be 0 for an answer that
    was never compared.
    """
    n_contexts = draw(st.integers(1, min(3, most // 2)))
    sizes = [2] * n_contexts
    for _ in range(draw(st.integers(0, most - 2 * n_contexts))):
        sizes[draw(st.integers(0, n_contexts - 1))] += 1
    k, contexts = sum(sizes), np.repeat(np.arange(n_contexts), sizes)
    possible = [(i, j) for i in range(k) for j in range(k) if i != j and contexts[i] == contexts[j]]
    pairs = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=n))
    if draw(st.booleans()):  # the first winners are beaten too
        pairs += [(j, i) for i, j in pairs[: n // 3]]
    winners, losers = np.array(pairs).T
    exponents = st.lists(st.floats(-decades, decades), min_size=len(pairs), max_size=len(pairs))
    data = Comparisons(
        winners, losers, tuple(map(str, range(k))), 10.0 ** np.array(draw(exponents)), contexts
    )
    features = np.eye(k) if one_hot else draw(whole_features(k))
    if magnitudes:
        powers = np.random.default_rng(draw(st.integers(0, 9999))).integers(
            magnitudes + 1, size=features.shape
        )
        features = features * 10.0**powers
    if not (features[winners] - features[losers]).any():
        features[winners[0], 0] = features[losers[0], 0] + 1
    entries = st.sampled_from([0, 0, 0, 1, 2, 9])
    shares = np.array(draw(st.lists(entries, min_size=k, max_size=k)))
    shares[np.isin(np.arange(k), pairs)] += 1
    for x in range(n_contexts):
        if not shares[contexts == x].any():
            shares[contexts == x] = 1
    return Featured(data, features, shares / np.bincount(contexts, shares)[contexts])


@st.composite
def whole_features(draw: Any, k: int) -> Table:
    """Draw features of k answers, small whole numbers with many ties and linear dependencies."""
    d = draw(st.sampled_from([1, 2, 3, 4, 7]))
    largest = draw(st.sampled_from([1, 2, 5]))
    entries = st.integers(-largest, largest)

    def table(n: int, m: int) -> Table:
        row = st.lists(entries, min_size=m, max_size=m)
        return np.array(draw(st.lists(row, min_size=n, max_size=n)), dtype=float)

    rank = draw(st.sampled_from([d, d, 1, 2]))
    return table(k, d) if rank >= d else table(k, rank) @ table(rank, d)
