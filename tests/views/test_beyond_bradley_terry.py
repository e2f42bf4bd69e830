import numpy as np
import pytest
from numpy.testing import assert_allclose

from psipo_explore import LOGIT, bradley_terry, cyclic_share, gibbs_policy
from psipo_explore.views import beyond_bradley_terry as view

REWARDS = np.array([1.0, 0.0, -1.0])


def policies(**values: float) -> dict[str, list[float]]:
    """Return the policy of each method, as its marks show it."""
    artists = view.VIEW.drawn(view.VIEW.values(values))[1]
    return {
        name: [artists[f"{a} {name} here"].get_ydata()[0] for a in "abc"]
        for name in ("logit", "DPO", "identity", "RLHF")
    }


def test_without_a_cycle_preferences_are_bradley_terry_and_all_but_ipo_agree() -> None:
    assert_allclose(view.preferences(0.0), bradley_terry(REWARDS))
    for share in (1 / 3, 0.9):
        now = policies(strength=0.0, share=share, beta=0.5)
        for name in ("logit", "DPO", "RLHF"):
            assert_allclose(now[name], gibbs_policy(REWARDS, 0.5), rtol=1e-9)
        assert abs(now["identity"][0] - now["logit"][0]) > 0.1


def test_logit_does_not_see_a_cycle_where_mu_is_uniform_and_dpo_does() -> None:
    """Check that the cycle moves DPO, but moves logit only if μ is not uniform.

    The cycle is the part of the log-odds that no potential explains. With uniform μ, it does not
    change any score.
    """
    none, strong = policies(strength=0.0), policies(strength=4.0)
    assert_allclose(strong["logit"], none["logit"], rtol=1e-12)
    assert none["DPO"][0] - strong["DPO"][0] > 0.2
    assert cyclic_share(view.preferences(4.0), LOGIT) > 0.8
    assert abs(policies(strength=4.0, share=0.7)["logit"][0] - none["logit"][0]) > 0.3


def test_dpo_sees_win_rates_alone() -> None:
    """Check that strengths 0 and 1 look the same to DPO, because all win rates are the same."""
    assert_allclose(view.preferences(1.0).sum(-1), view.preferences(0.0).sum(-1))
    for name in ("DPO", "RLHF", "identity"):
        assert_allclose(policies(strength=1.0)[name], policies(strength=0.0)[name], rtol=1e-9)
    assert not np.allclose(view.preferences(1.0), view.preferences(0.0), atol=0.1)


@pytest.mark.parametrize(
    ("strength", "share", "beta"), [(0.7, 0.2, 1.0), (4.0, 0.95, 0.1), (3.0, 0.05, 10.0)]
)
def test_dpo_is_rlhf_with_the_fitted_reward_and_the_marks_stand_on_the_curves(
    strength: float, share: float, beta: float
) -> None:
    values = {"strength": strength, "share": share, "beta": beta}
    now = policies(**values)
    assert_allclose(now["DPO"], now["RLHF"], rtol=1e-9)
    artists = view.VIEW.drawn(view.VIEW.values(values))[1]
    for name in ("logit", "DPO", "identity"):
        for k, action in enumerate("abc"):
            strengths, curve = artists[f"{action} {name}"].get_data()
            assert_allclose(curve[strengths.index(strength)], now[name][k], rtol=1e-9)


def test_sentence_says_who_follows_the_cycle() -> None:
    sentence = view.figure(strength=2.5).sentence
    assert sentence.startswith(
        "a over b 0.971, b over c 0.971 and c over a 0.622: no order of the three fits. A share of 0.758"
    )
    assert (
        "DPO gives a 0.504, b 0.308, c 0.188, and so does RLHF with the fitted reward; IPO gives a 0.373"
        in sentence
    )
    assert (
        ": a over b over c fits. Rewards explain all of these log-odds."
        in view.figure(strength=0.0).sentence
    )


def test_nothing_is_said_to_be_exact_that_is_not() -> None:
    for strength in (0.0, 4.0):
        for share in (0.05, 0.95):
            assert "exactly" not in view.figure(strength=strength, share=share, beta=0.01).sentence
