import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.special import expit

from psipo_explore import Comparisons, fit_reward
from psipo_explore.views import underfitted_reward


def drawn(**values: float) -> dict[str, object]:
    return dict(underfitted_reward.VIEW.drawn(underfitted_reward.VIEW.values(values))[1])


@pytest.mark.parametrize(
    ("n", "ridge", "beta"), [(1, 1.0, 1.0), (5, 0.1, 10.0), (1000, 100.0, 0.1)]
)
def test_the_ridge_curve_by_hand(n: int, ridge: float, beta: float) -> None:
    gap = brentq(lambda x: n * expit(-x) - ridge * x / 2, 0, 100, xtol=1e-14)
    artists = drawn(n=n, ridge=ridge, beta=beta)
    betas, left = artists["ridge"].get_data()  # type: ignore[attr-defined]
    assert_allclose(left, expit(-gap / betas), rtol=1e-9)
    assert_allclose(artists["ridge here"].get_ydata(), [expit(-gap / beta)], rtol=1e-9)  # type: ignore[attr-defined]


def test_the_stopped_curve_by_hand() -> None:
    gap = 0.0
    for _ in range(100):
        gap += 2 * 2 * expit(-gap)  # the step size is 1/L = 2, and both rewards move by it
    betas, left = drawn(steps=100)["stopped"].get_data()  # type: ignore[attr-defined]
    assert_allclose(left, expit(-gap / betas), rtol=1e-9)


def test_dpo_is_flat_and_ipo_follows_beta() -> None:
    artists = drawn(beta=2.0)
    assert artists["DPO here"].get_ydata() == [0.0]  # type: ignore[attr-defined]
    assert_allclose(artists["IPO here"].get_ydata(), [expit(-1 / 4)])  # type: ignore[attr-defined]


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_descent_is_the_same_for_every_number_of_comparisons(n: int) -> None:
    many = Comparisons.from_pairs([("y_w", "y_l")] * n)
    assert_allclose(
        fit_reward(many, steps=50),
        fit_reward(Comparisons.from_pairs([("y_w", "y_l")]), steps=50),
        rtol=1e-12,
    )


def test_the_limits_of_underfitting_are_dpo_and_the_reference() -> None:
    left = [
        drawn(ridge=ridge, beta=1.0)["ridge here"].get_ydata()[0]
        for ridge in (0.001, 0.1, 1.0, 100.0)
    ]  # type: ignore[attr-defined]
    assert (np.diff(left) > 0).all()
    assert left[0] < 1e-3
    assert left[-1] > 0.48


def test_sentence_says_what_is_left() -> None:
    sentence = underfitted_reward.figure(n=5, ridge=1.0, steps=100, beta=1.0).sentence
    assert (
        "With a ridge of 1 the rewards differ by 1.63, after 100 steps by 6.01, "
        "and without ridge and stop by ∞." in sentence
    )
    assert (
        "RLHF leaves y_l 0.163 with the ridge and 0.00245 when stopped; IPO 0.378; DPO exactly 0, "
        "as at every β." in sentence
    )
    assert underfitted_reward.figure(n=1, steps=1).sentence.startswith(
        "The one comparison was won by y_w."
    )


def test_only_dpo_leaves_exactly_nothing() -> None:
    sentence = underfitted_reward.figure(n=1000, ridge=0.001, beta=0.01).sentence
    assert "RLHF leaves y_l about 10⁻⁵²² with the ridge" in sentence
    assert sentence.count("exactly 0") == 1
