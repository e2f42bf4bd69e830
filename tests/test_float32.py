"""Preference tables and policies in float32, as users of SciPy, pandas and PyTorch have them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table
from strategies import PSIS, n_actions, tables

from psipo_explore import (
    IDENTITY,
    LOGIT,
    Comparisons,
    Psi,
    bradley_terry,
    cyclic_share,
    expected_psi,
    kl_divergence,
    objective,
    optimal_policy,
    tournament,
)
from psipo_explore import _checks as checks
from psipo_explore.few_samples import collapse_probability, expected_policy, preference_law

REWARDS = np.array([0.3, -1.0, 2.0])
MU = np.array([0.2, 0.3, 0.5])
ROUNDING = 2.0**-24  # relative rounding error of a probability in float32


@given(st.data(), PSIS)
def test_a_float32_table_gives_the_float64_score_within_its_rounding(
    data: st.DataObject, psi: Psi
) -> None:
    exact = data.draw(tables(data.draw(n_actions())))
    # Keep only the entries that float32 holds with full precision.
    p = np.where(np.minimum(exact, exact.T) < 1e-30, 0.5, exact)
    assert_allclose(
        expected_psi(p.astype("f4"), psi).value,
        expected_psi(p, psi).value,
        rtol=8 * ROUNDING,
        atol=8 * ROUNDING,
    )


@given(st.data())
def test_a_table_whose_pairs_sum_to_one_is_taken_bit_for_bit(data: st.DataObject) -> None:
    p = data.draw(tables(data.draw(n_actions()), certain=True))
    sums_to_one = p + p.T == 1
    taken = checks.as_preference_table(p)
    assert_array_equal(taken[sums_to_one], p[sums_to_one])
    assert (np.abs(taken - p) <= np.spacing(p)).all()


def test_a_pair_is_certain_if_its_smaller_side_is_0_and_only_then() -> None:
    almost_one = np.float32(0.9999999)
    sure = np.array([[0.5, almost_one], [0.0, 0.5]], dtype="f4")
    assert checks.as_preference_table(sure).tolist() == [[0.5, 1.0], [0.0, 0.5]]
    assert optimal_policy(sure, LOGIT, 10.0).tolist() == [1.0, 0.0]
    nearly = np.array([[0.5, 1.0], [1e-9, 0.5]], dtype="f4")
    assert_allclose(optimal_policy(nearly, LOGIT, 1.0)[1], 1e-9, rtol=2e-7)
    assert checks.as_preference_table([[0.5, 1.0], [1e-300, 0.5]])[1, 0] == 1e-300


@pytest.mark.parametrize(
    "of",
    [
        lambda p: optimal_policy(p, IDENTITY, 1.0),
        lambda p: objective([0.2, 0.3, 0.5], p, LOGIT, 1.0),
        lambda p: cyclic_share(p, IDENTITY),
        lambda p: preference_law(p, n=2).probability,
        lambda p: expected_policy(p, LOGIT, 1.0, n=2),
        lambda p: collapse_probability(p, LOGIT, n=2),
        lambda p: Comparisons.from_preferences(p).weights,
        lambda p: Comparisons.sample(p, 50, rng=np.random.default_rng(0)).winners,
    ],
)
def test_whatever_takes_a_table_takes_it_in_float32(of: Callable[[Table], Table]) -> None:
    p = bradley_terry(REWARDS)
    assert_allclose(of(p.astype("f4")), of(p), rtol=1e-6, atol=1e-7)


def test_probabilities_in_float32_are_taken_wherever_they_are_given() -> None:
    p, mu = bradley_terry(REWARDS), MU.astype("f4")
    got = optimal_policy(p, IDENTITY, np.float32(0.5), pi_ref=mu, mu=mu)
    assert_allclose(got, optimal_policy(p, IDENTITY, 0.5, pi_ref=MU, mu=MU), rtol=1e-6)
    assert_allclose(kl_divergence(mu, MU), 0, atol=1e-12)
    assert_array_equal(tournament([(0, 1)], 2, np.float32(0.75)), tournament([(0, 1)], 2, 0.75))


def test_a_softmax_in_float32_over_a_vocabulary_is_a_policy() -> None:
    logits = (np.random.default_rng(0).normal(size=150_000) * 10).astype("f4")
    weights = np.exp(logits - logits.max())
    policy = checks.as_distribution("policy", weights / weights.sum())
    assert_allclose(policy.sum(), 1, rtol=1e-15)
    assert (policy > 0).all()


def test_float16_is_too_coarse_a_table() -> None:
    with pytest.raises(ValueError, match=r"^p\[0, 1\] \+ p\[1, 0\] = \S+, must be 1"):
        optimal_policy(bradley_terry([0.0, 0.3]).astype("f2"), IDENTITY, 1.0)


class OnAnotherDevice:
    """A tensor that NumPy cannot read, such as one that requires a gradient."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, *_: object, **__: object) -> Table:
        raise self.error


@pytest.mark.parametrize(
    "error", [TypeError("can't convert cuda tensor"), RuntimeError("Can't call numpy()")]
)
def test_a_tensor_that_numpy_cannot_read_is_refused_by_its_name(error: Exception) -> None:
    with pytest.raises(TypeError, match=r"^p is no array that NumPy reads \([cC]an't"):
        optimal_policy(OnAnotherDevice(error), IDENTITY, 1.0)  # type: ignore[arg-type]
