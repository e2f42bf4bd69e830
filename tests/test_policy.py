import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from psipo_explore import (
    IDENTITY,
    LOGIT,
    cyclic_share,
    expected_psi,
    gibbs_policy,
    kl_divergence,
    objective,
    optimal_policy,
    tournament,
)
from psipo_explore.psi import LOG

SURE = tournament([(0, 1)], 2)
EVEN = np.full((3, 3), 0.5)


def test_rewards_may_be_infinite() -> None:
    assert_allclose(gibbs_policy([0.0, np.inf, np.inf], 5.0, pi_ref=[0.5, 0.3, 0.2]), [0, 0.6, 0.4])
    assert_allclose(gibbs_policy([0.0, np.inf], 5.0, pi_ref=[1.0, 0.0]), [1, 0])
    assert_allclose(gibbs_policy([-np.inf, 1.0, 1.0], 5.0), [0, 0.5, 0.5])


@pytest.mark.parametrize("beta", [5e-324, 1e-300, 1e300])
def test_the_most_extreme_betas(beta: float) -> None:
    policy = gibbs_policy([1.0, 0.0, 1.0], beta, pi_ref=[0.2, 0.6, 0.2])
    assert_allclose(policy, [0.2, 0.6, 0.2] if beta > 1 else [0.5, 0, 0.5])


def test_subnormal_references_keep_their_ratios() -> None:
    policy = gibbs_policy([700.0, 700.0, 0.0], 0.5, pi_ref=[3e-320, 1e-320, 1.0])
    assert_allclose(policy, [0.75, 0.25, 0], rtol=1e-3, atol=1e-280)


def test_everything_broadcasts() -> None:
    beta, pi_ref, mu = np.array([[0.1], [1.0]]), np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]), np.array([0.3, 0.7])
    p = tournament([(0, 1)], 2, np.array([0.6, 0.9, 1.0]))
    policy = optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert policy.shape == (2, 3, 2)
    for i in range(2):
        for j in range(3):
            assert_allclose(policy[i, j], optimal_policy(p[j], IDENTITY, beta[i, 0], pi_ref=pi_ref[j], mu=mu), rtol=1e-14)
    values = objective(policy, p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert values.shape == (2, 3)
    assert_allclose(values[1, 2], objective(policy[1, 2], p[2], IDENTITY, 1.0, pi_ref=pi_ref[2], mu=mu))
    assert cyclic_share(p, IDENTITY, mu=mu).shape == (3,)


def test_objective_is_an_extended_real() -> None:
    assert objective([1.0, 0.0], SURE, LOGIT, 1.0) == np.inf
    assert objective([0.0, 1.0], SURE, LOGIT, 1.0) == -np.inf
    assert objective([1.0, 0.0], SURE, LOG, 1.0, pi_ref=[0.0, 1.0]) == -np.inf
    assert objective([0.0, 1.0], SURE, LOG, 1.0, pi_ref=[1.0, 0.0]) == -np.inf
    with pytest.raises(ValueError, match=r"^policy has the value ∞ − ∞"):
        objective([0.5, 0.5], SURE, LOGIT, 1.0)
    with pytest.raises(ValueError, match=r"^policy has the value ∞ − ∞"):
        objective([1.0, 0.0], SURE, LOGIT, 1.0, pi_ref=[0.0, 1.0])
    with pytest.raises(ValueError, match=r"^policy has the value ∞ − ∞"):
        objective([0.0, 1.0, 0.0], tournament([(0, 1), (1, 2)], 3), LOGIT, 1.0)


def test_kl_divergence() -> None:
    assert kl_divergence([0.5, 0.5], [1.0, 0.0]) == np.inf
    assert kl_divergence([1.0, 0.0], [0.25, 0.75]) == pytest.approx(np.log(4))
    rng = np.random.default_rng(0)
    policies = rng.dirichlet(np.ones(5), size=200)
    assert (kl_divergence(policies, policies + 0.0) == 0).all()
    assert (kl_divergence(policies, policies * (1 + 1e-16 * rng.normal(size=5))) >= 0).all()


def test_cyclic_share_refuses_what_it_cannot_measure() -> None:
    with pytest.raises(ValueError, match=r"^psi 'log' is not odd"):
        cyclic_share(EVEN, LOG)
    with pytest.raises(ValueError, match=r"^p\[0, 1\] = 1, makes the flow infinite"):
        cyclic_share(SURE, LOGIT)
    assert cyclic_share(SURE, LOGIT, mu=[1.0, 0.0]) == 0
    assert cyclic_share(SURE, IDENTITY) == pytest.approx(0)
    tiny = 0.5 + 1e-15 * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    assert cyclic_share(tiny, IDENTITY) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0.0}, r"^beta = 0, must be positive and finite"),
        ({"beta": -1.0}, r"^beta = -1, "),
        ({"beta": np.nan}, r"^beta = nan, "),
        ({"beta": np.inf}, r"^beta = inf, "),
        ({"beta": [1.0, 0.0]}, r"^beta\[1\] = 0, "),
        ({"pi_ref": [0.5, 0.5]}, r"^pi_ref has shape \(2,\), must be \(\.\.\., 3\): g has 3 actions"),
        ({"pi_ref": [0.5, 0.6, -0.1]}, r"^pi_ref\[2\] = -0\.1, must be a probability"),
        ({"pi_ref": [0.2, 0.2, 0.2]}, r"^pi_ref sums to 0\.6, must sum to 1"),
        ({"pi_ref": [0.5, 0.5, np.nan]}, r"^pi_ref\[2\] = nan"),
        ({"g": [0.0, np.nan, 1.0]}, r"^g\[1\] = nan"),
        ({"g": [-np.inf, -np.inf, -np.inf]}, r"^g is -inf on every action"),
        ({"g": [-np.inf, -np.inf, 0.0], "pi_ref": [0.5, 0.5, 0.0]}, r"^g is -inf on every action"),
        ({"g": np.empty((2, 0))}, r"^g has shape \(2, 0\)"),
        ({"g": np.zeros((2, 3)), "beta": np.ones(4)}, r"^beta has leading axes \(4,\)"),
        ({"g": np.zeros((2, 3)), "pi_ref": np.full((4, 3), 1 / 3)}, r"^pi_ref has leading axes \(4,\)"),
    ],
)
def test_gibbs_policy_refuses_by_name_and_entry(arguments: dict[str, object], message: str) -> None:
    given = {"g": [0.0, 1.0, 2.0], "beta": 1.0, **arguments}
    with pytest.raises(ValueError, match=message):
        gibbs_policy(**given)  # type: ignore[arg-type]


def test_policies_to_be_valued_are_checked_too() -> None:
    with pytest.raises(ValueError, match=r"^policy sums to 0\.9"):
        objective([0.5, 0.4], SURE, IDENTITY, 1.0)
    with pytest.raises(ValueError, match=r"^policy has shape \(3,\), must be \(\.\.\., 2\): p has 2 actions"):
        objective([0.5, 0.4, 0.1], SURE, IDENTITY, 1.0)
    with pytest.raises(ValueError, match=r"^pi_ref has shape \(3,\), must be \(\.\.\., 2\): policy has 2 actions"):
        kl_divergence([0.5, 0.5], [0.5, 0.4, 0.1])


def test_nothing_given_is_modified() -> None:
    p, pi_ref = SURE.copy(), np.array([0.25, 0.75])
    score = expected_psi(p, LOGIT)
    parts = [part.copy() for part in (score.won, score.lost, score.rest)]
    gibbs_policy(score, 1.0, pi_ref=pi_ref)
    assert_array_equal(p, SURE)
    assert_array_equal(pi_ref, [0.25, 0.75])
    for before, after in zip(parts, (score.won, score.lost, score.rest), strict=True):
        assert_array_equal(before, after)
