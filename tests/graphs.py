"""Comparisons whose graphs are of a certain kind, such as connected or strongly connected."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from psipo_explore import Comparisons


def connected(n_actions: int, n_pairs: int, seed: int) -> Comparisons:
    """Return a ring of actions compared both ways, with random further pairs."""
    rng = np.random.default_rng(seed)
    ring = [(i, (i + 1) % n_actions) for i in range(n_actions)]
    extra = [tuple(rng.choice(n_actions, 2, replace=False).tolist()) for _ in range(n_pairs)]
    pairs = ring + [(j, i) for i, j in ring] + extra
    return Comparisons.from_pairs(
        pairs, actions=range(n_actions), weights=rng.uniform(0.1, 3, len(pairs))
    )


@st.composite
def strongly_connected(draw: Any, decades: float, most: int = 6) -> Comparisons:
    """Draw a ring of actions compared one way, with any further pairs.

    The weights lie between 10^−decades and 10^decades.
    """
    k = draw(st.integers(2, most))
    ring = [(i, (i + 1) % k) for i in range(k)]
    others = [(i, j) for i in range(k) for j in range(k) if i != j and (i, j) not in ring]
    chosen = draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    exponents = st.floats(-decades, decades)
    weights = draw(st.lists(exponents, min_size=k + len(chosen), max_size=k + len(chosen)))
    return Comparisons.from_pairs(
        ring + chosen, actions=range(k), weights=10.0 ** np.array(weights)
    )


def random_digraph(seed: int, decades: float) -> Comparisons:
    """Return a strongly connected graph of 20 to 60 actions with log-uniform weights."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(20, 61))
    ring = rng.permutation(k)
    here, there = rng.integers(k, size=(2, 2 * k))
    pairs = {*zip(ring.tolist(), np.roll(ring, 1).tolist(), strict=True)}
    pairs |= {*zip(here[here != there].tolist(), there[here != there].tolist(), strict=True)}
    weights = 10.0 ** rng.uniform(-decades, decades, len(pairs))
    return Comparisons.from_pairs(sorted(pairs), actions=range(k), weights=weights)


def clumps_on_a_thread(n: int, thread: float) -> Comparisons:
    """Return two random graphs of n actions that only one pair joins, compared both ways."""
    rng = np.random.default_rng(0)
    here, there = rng.integers(n, size=(2, 8 * n))
    inside = here != there
    first, second = (np.concatenate([end[inside], n + end[inside]]) for end in (here, there))
    ends = zip(np.append(first, [0, n]).tolist(), np.append(second, [n, 0]).tolist(), strict=True)
    weights = np.append(np.ones(2 * inside.sum()), [3 * thread, thread])
    return Comparisons.from_pairs(list(ends), actions=range(2 * n), weights=weights)


def chain(k: int, decades: float, seed: int) -> tuple[Comparisons, np.ndarray]:
    """Return a chain of neighbours compared both ways, and the exact margins between them.

    Each margin is the logarithm of the odds of the two neighbours.
    """
    rng = np.random.default_rng(seed)
    margins = 3 * rng.normal(size=k - 1)
    won = 10.0 ** rng.uniform(-decades, decades, k - 1)
    here = np.arange(k - 1)
    winners, losers = np.append(here, here + 1), np.append(here + 1, here)
    weights = np.append(won, won * np.exp(-margins))
    return Comparisons(winners, losers, range(k), weights, np.zeros(k, dtype=int)), margins  # type: ignore[arg-type]
