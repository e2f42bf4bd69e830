"""What tests of log-linear policies share: losses, the smallest example, and ways to compare."""

from typing import Any

import numpy as np
from hypothesis import reject
from numpy.testing import assert_allclose, assert_array_equal
from strategies import Featured

from psipo_explore import (
    DPO,
    IPO,
    Comparisons,
    LogLinearMinimum,
    MarginLoss,
    minimise_log_linear,
)
from psipo_explore.losses import EXPONENTIAL, SQUARED, cdpo

ACCEPTED = [IPO, SQUARED, DPO, EXPONENTIAL, cdpo(0.1)]

# Two answers were compared, and the third, which nobody saw, has more of what the winner has.
EXAMPLE = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "o"))
W_L_O = np.array([[1.0], [0.0], [2.0]])
FIELDS = ("theta", "policy", "log_ratio", "vanishing", "separated", "direction", "loss")


def fitted(problem: Featured, loss: MarginLoss, beta: Any) -> LogLinearMinimum:
    """Return the minimum, unless β is so small that rounding would decide, which is refused."""
    try:
        return minimise_log_linear(
            problem.data, loss, beta, problem.features, pi_ref=problem.pi_ref
        )
    except ValueError as refusal:
        if np.min(beta) < 1e-3 and "rounding alone may have made" in str(refusal):
            reject()
        raise


def assert_close(got: Any, expected: Any, share: float, of: float = 1e-6) -> None:
    """Compare with an error that is a share of the largest entry, or of another number."""
    largest = max(np.abs(expected).max(initial=0), of)
    assert_allclose(got, expected, rtol=share, atol=share * largest)


def assert_same(
    again: LogLinearMinimum, fit: LogLinearMinimum, *fields: str, share: float = 1e-8
) -> None:
    assert (again.attained, again.unique) == (fit.attained, fit.unique)
    for field in fields:
        got, expected = getattr(again, field), getattr(fit, field)
        finite = np.isfinite(expected)
        assert_array_equal(np.isfinite(got), finite)
        assert_close(got[finite], expected[finite], share)
