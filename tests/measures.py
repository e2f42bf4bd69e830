"""Measures of the distance between two answers, and of a benchmark's memory."""

import tracemalloc
from collections.abc import Callable

import numpy as np
from mpmath import mpf
from oracles import Table

from psipo_explore import Psi

EPS = float(np.finfo(float).eps)


def assert_meets(got: Table, exact: list[mpf], conditioning: float) -> None:
    """Assert that each probability is exact, up to the rounding that its conditioning allows."""
    bound = 1e-14 + 64 * EPS * conditioning
    for ours, theirs in zip(got.tolist(), exact, strict=True):
        assert abs(ours - theirs) <= bound * theirs + mpf(10) ** -300, (ours, theirs)


def largest_psi(p: Table, psi: Psi) -> float:
    values = psi.of_table(p)
    return float(np.abs(values[np.isfinite(values)]).max())


def peak_megabytes(call: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
