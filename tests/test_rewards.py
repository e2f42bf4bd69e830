import re
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import expit

from psipo_explore import D1, D3, DPO, Comparisons, citations, fit_reward, gibbs_policy, minimise

ONE_SOURCE = Comparisons.from_pairs(
    [("a", "b"), ("b", "a"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]
)


@pytest.mark.parametrize(
    "data", [citations(), D1, ONE_SOURCE], ids=["citations", "D1", "one source"]
)
@pytest.mark.parametrize("beta", [0.2, 5.0])
def test_rlhf_with_the_fitted_reward_is_dpo(data: Comparisons, beta: float) -> None:
    assert_allclose(
        gibbs_policy(fit_reward(data), beta), minimise(data, DPO, beta).policy, rtol=1e-9
    )


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 100.0])
def test_a_ridge_is_a_gaussian_prior_beside_the_summed_loss(ridge: float) -> None:
    data = citations() if ridge > 1 else D1

    def posterior(r: np.ndarray) -> float:
        return float(
            data.weights @ np.logaddexp(0, -(r[data.winners] - r[data.losers]))
            + ridge * (r @ r) / 2
        )

    found = minimize(posterior, np.zeros(data.n_actions), options={"gtol": 1e-8})
    assert_allclose(fit_reward(data, ridge=ridge), found.x - found.x.mean(), atol=2e-4)


def test_early_stopping_grows_slowly_towards_the_collapse() -> None:
    spreads = [float(np.ptp(fit_reward(D1, steps=steps))) for steps in (1, 10, 100, 1000, 10_000)]
    assert (np.diff(spreads) > 0).all()
    # The spread grows like the logarithm of the number of steps.
    assert_allclose(np.diff(spreads)[1:], np.diff(spreads)[-1], rtol=0.5)


def test_one_step_of_descent_by_hand() -> None:
    # The comparisons of a, of b and of c have weight 2 each, so L = 2 · 2 / 4 = 1. At r = 0, every
    # comparison pulls by ½.
    assert_allclose(fit_reward(D1, steps=1), [1, 0, -1], atol=1e-15)


def test_descent_reaches_the_maximum_where_there_is_one() -> None:
    assert_allclose(fit_reward(citations(), steps=3000), fit_reward(citations()), atol=1e-6)


def test_rewards_are_centred_in_each_context() -> None:
    data = Comparisons([0, 1, 2, 3, 3], [1, 0, 3, 2, 2], tuple("abcd"), np.ones(5), [0, 0, 1, 1])
    reward = fit_reward(data)
    assert_allclose([reward[:2].sum(), reward[2:].sum()], 0, atol=1e-12)
    assert_allclose(reward[3] - reward[2], np.log(2))


def test_what_loses_to_an_unbeaten_group_has_no_finite_reward() -> None:
    assert_array_equal(np.isfinite(fit_reward(ONE_SOURCE)), [True, True, False, False])
    assert np.isfinite(fit_reward(ONE_SOURCE, ridge=1e-6)).all()


TWO_SOURCES = Comparisons.from_pairs(
    [("a", "c"), ("b", "d"), ("d", "c")], actions=["a", "b", "c", "d"]
)
# The r of least norm at which every winner is at least 1 above its loser.
LARGEST_MARGIN = np.array([0.0, 1.0, -1.0, 0.0])


@pytest.mark.parametrize(
    ("weak", "weaker"), [({"ridge": 1e-6}, {"ridge": 1e-12}), ({"steps": 2000}, {"steps": 200_000})]
)
def test_with_several_sources_the_reward_runs_off_along_the_largest_margin(
    weak: dict[str, float], weaker: dict[str, float]
) -> None:
    from_here, to_there = (fit_reward(TWO_SOURCES, **how) for how in (weak, weaker))  # type: ignore[arg-type]
    way = to_there - from_here
    assert_allclose(way / way[1], LARGEST_MARGIN, atol=0.1)
    before, after = (gibbs_policy(r, 1.0) for r in (from_here, to_there))
    # Action a loses its share although nothing beats it.
    assert after[0] / after[1] < before[0] / before[1] < 0.01


NEVER_MET = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("c", "d"), ("c", "d"), ("d", "c")])
UNSEEN = Comparisons.from_pairs([("a", "b")], actions=["a", "b", "c"])
TWO_CONTEXTS = Comparisons([0, 2, 3], [1, 3, 2], tuple("abcde"), np.ones(3), [0, 0, 1, 1, 1])


@pytest.mark.parametrize(
    ("data", "pair"),
    [
        (NEVER_MET, "a and c"),
        (UNSEEN, "a and c"),
        (D3, "a and c"),
        (TWO_SOURCES, "a and b"),
        (TWO_CONTEXTS, "c and e"),
    ],
)
def test_groups_whose_scales_nothing_ties_are_refused(data: Comparisons, pair: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^data does not say how the rewards of {pair} compare: .* give a ridge"
    ):
        fit_reward(data)


@pytest.mark.parametrize("options", [{"ridge": 0.1}, {"steps": 50}])
def test_a_ridge_or_the_start_of_descent_ties_groups_at_mean_0(options: dict[str, float]) -> None:
    reward = fit_reward(NEVER_MET, **options)  # type: ignore[arg-type]
    assert_allclose([reward[:2].sum(), reward[2:].sum()], 0, atol=1e-12)
    assert reward[2] > reward[3]
    assert fit_reward(UNSEEN, **options)[2] == pytest.approx(0, abs=1e-12)  # type: ignore[arg-type]


def test_a_single_action_has_the_reward_0() -> None:
    assert fit_reward(Comparisons.from_table([[0.0]])).tolist() == [0.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ridge": -1.0}, r"^ridge = -1, must be at least 0"),
        ({"ridge": np.nan}, r"^ridge = nan"),
        ({"ridge": 1.0, "steps": 5}, r"^steps = 5 beside ridge = 1"),
        ({"steps": 0}, r"^steps = 0, must be at least 1"),
    ],
)
def test_what_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_reward(D1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("ridge", [1e-15, 1e-100, 1e-300])
def test_however_weak_a_ridge_it_holds_the_reward(ridge: float) -> None:
    """Check that the reward on D1 is (t, 0, −t) with σ(−t) + σ(−2t) = ridge · t.

    At this t, the ridge pulls a as hard as its two wins do.
    """
    r = fit_reward(D1, ridge=ridge)
    t = float(r[0])
    assert_allclose(r, [t, 0, -t], atol=1e-9)
    assert_allclose(expit(-t) + expit(-2 * t), ridge * t, rtol=1e-9)
    assert_allclose(fit_reward(citations(), ridge=ridge), fit_reward(citations()), rtol=1e-9)


def test_a_ridge_ties_no_contexts_and_none_is_lost_without_a_word() -> None:
    far_apart = Comparisons(
        [0, 1, 2, 3], [1, 0, 3, 2], tuple("abab"), [2e-200, 1e-200, 2e200, 1e200], [0, 0, 1, 1]
    )
    half = np.log(2) / 2
    assert_allclose(fit_reward(far_apart, ridge=1.0), [5e-201, -5e-201, half, -half], rtol=1e-12)
    for ridge, weight in ((1e10, 1e-300), (5e-324, 1.0), (1e-16, 1e300)):
        message = f"beside a weight of {weight:g}, must be within a factor of 1e+307 of it"
        with pytest.raises(ValueError, match=rf"^ridge = \S+ {re.escape(message)}$"):
            fit_reward(Comparisons.from_pairs([("a", "b")], weights=[weight]), ridge=ridge)


@pytest.mark.parametrize("weight", [1e-310, 1e-300, 1.0, 1e300])
def test_a_step_does_not_depend_on_the_unit_of_weights(weight: float) -> None:
    assert_allclose(
        fit_reward(Comparisons.from_pairs([("a", "b")], weights=[weight]), steps=1),
        [1, -1],
        rtol=1e-12,
    )


def test_the_largest_weights_have_a_reward_too() -> None:
    data = Comparisons.from_pairs([("a", "b"), ("b", "a")], weights=[9e307, 4.5e307])
    assert_allclose(np.diff(fit_reward(data)), -np.log(2), rtol=1e-12)


@pytest.mark.parametrize("how", [{}, {"ridge": 1.0}, {"steps": 3}], ids=str)
@pytest.mark.filterwarnings("error")
def test_without_a_comparison_every_reward_is_0(how: Any) -> None:
    assert_allclose(fit_reward(Comparisons.from_table([[0]]), **how), [0.0])
