import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import mp, mpf
from scipy import special

from psipo_explore import (
    IDENTITY,
    LOGIT,
    Psi,
    cyclic_share,
    expected_psi,
    gibbs_policy,
    kl_divergence,
    objective,
    optimal_policy,
    tournament,
)
from psipo_explore.policy import log_gibbs_policy
from psipo_explore.psi import LOG

SURE = tournament([(0, 1)], 2)
EVEN = np.full((3, 3), 0.5)


def test_rewards_may_be_infinite() -> None:
    assert_allclose(gibbs_policy([0.0, np.inf, np.inf], 5.0, pi_ref=[0.5, 0.3, 0.2]), [0, 0.6, 0.4])
    assert_allclose(gibbs_policy([0.0, np.inf], 5.0, pi_ref=[1.0, 0.0]), [1, 0])
    assert_allclose(gibbs_policy([-np.inf, 1.0, 1.0], 5.0), [0, 0.5, 0.5])


def test_log_probabilities_are_exact_where_probabilities_round_to_0() -> None:
    g = np.array([[0.0, -1e3, 2.0], [-np.inf, 3.0, 3.0], [np.inf, 0.0, np.inf]])
    pi_ref = [0.5, 0.3, 0.2]
    log_policy = log_gibbs_policy(g, 0.5, pi_ref=pi_ref)
    assert_allclose(
        np.exp(log_policy), gibbs_policy(g, 0.5, pi_ref=pi_ref), rtol=1e-12, atol=1e-300
    )
    assert_allclose(log_policy[0, 1] - log_policy[0, 0], -2e3 + np.log(0.3 / 0.5))
    assert_array_equal(np.isneginf(log_policy), [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert_array_equal(log_gibbs_policy(expected_psi(SURE, LOGIT), 10.0), [0, -np.inf])


@pytest.mark.parametrize("beta", [5e-324, 1e-300, 1e300])
def test_the_most_extreme_betas(beta: float) -> None:
    policy = gibbs_policy([1.0, 0.0, 1.0], beta, pi_ref=[0.2, 0.6, 0.2])
    assert_allclose(policy, [0.2, 0.6, 0.2] if beta > 1 else [0.5, 0, 0.5])
    assert_allclose(gibbs_policy([9.0, 1.0, 1.0], beta, pi_ref=[0.0, 0.5, 0.5]), [0, 0.5, 0.5])
    assert_allclose(gibbs_policy([[1.0, 1.0], [9.0, 9.0]], beta), 0.5)


def test_subnormal_references_keep_their_ratios() -> None:
    policy = gibbs_policy([700.0, 700.0, 0.0], 0.5, pi_ref=[3e-320, 1e-320, 1.0])
    assert_allclose(policy, [0.75, 0.25, 0], rtol=1e-3, atol=1e-280)


def test_everything_broadcasts() -> None:
    beta, pi_ref, mu = (
        np.array([[0.1], [1.0]]),
        np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]),
        np.array([0.3, 0.7]),
    )
    p = tournament([(0, 1)], 2, np.array([0.6, 0.9, 1.0]))
    policy = optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert policy.shape == (2, 3, 2)
    for i in range(2):
        for j in range(3):
            assert_allclose(
                policy[i, j],
                optimal_policy(p[j], IDENTITY, beta[i, 0], pi_ref=pi_ref[j], mu=mu),
                rtol=1e-14,
            )
    values = objective(policy, p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert values.shape == (2, 3)
    assert_allclose(
        values[1, 2], objective(policy[1, 2], p[2], IDENTITY, 1.0, pi_ref=pi_ref[2], mu=mu)
    )
    assert cyclic_share(p, IDENTITY, mu=mu).shape == (3,)


@pytest.mark.parametrize("n_actions", [1, 2, 3, 7, 8, 9, 20])
@pytest.mark.parametrize("beta_shape", [(), (5, 1), (4, 5, 3)])
def test_policies_are_softmax_of_their_log_weights_bit_for_bit(
    n_actions: int, beta_shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    g, beta = rng.normal(size=(5, 3, n_actions)), rng.uniform(0.1, 2, beta_shape)
    dyadic = rng.multinomial(64 - n_actions, np.full(n_actions, 1 / n_actions), 3) + 1
    pi_ref = dyadic / 64  # sums to exactly 1
    log_weights = np.log(pi_ref) + (g - g.max(-1, keepdims=True)) / beta[..., np.newaxis]
    policy = gibbs_policy(g, beta, pi_ref=pi_ref)
    log_policy = log_gibbs_policy(g, beta, pi_ref=pi_ref)
    assert_array_equal(policy, special.softmax(log_weights, axis=-1))
    assert_array_equal(log_policy, special.log_softmax(log_weights, axis=-1))
    assert policy.flags.c_contiguous
    assert log_policy.flags.c_contiguous


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY], ids=lambda psi: psi.name)
def test_a_batch_is_its_problems_one_by_one(psi: Psi) -> None:
    """Compare a batch with its problems, solved one by one.

    There are two leading axes of different lengths, so that a mix-up of axes is noticed. Some
    problems have certain pairs, and their scales are far apart.
    """
    rng = np.random.default_rng(7)
    q = np.array([[0.6, 1.0, 0.9], [1.0, 0.5, 1e-3]])
    p = tournament([(0, 1), (1, 2), (3, 2)], 4, q)
    pi_ref, mu = rng.dirichlet(np.ones(4), size=(2, 2, 3))
    pi_ref[0, 1, 0], mu[0, 2, 3] = 0, 0
    pi_ref, mu = (x / x.sum(-1, keepdims=True) for x in (pi_ref, mu))
    beta = np.array([[1e-12, 1.0, 1e12], [0.1, 1e-9, 3.0]])
    score, policy = expected_psi(p, psi, mu=mu), optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    rewards = 10.0 ** np.array([[0, 8, -8], [200, -200, 0]])[..., np.newaxis] * rng.normal(
        size=(2, 3, 4)
    )
    tilted = gibbs_policy(rewards, beta, pi_ref=pi_ref)
    kl = kl_divergence(policy, pi_ref)
    for at in np.ndindex(2, 3):
        alone = expected_psi(p[at], psi, mu=mu[at])
        for part in ("won", "lost", "rest"):
            assert_allclose(getattr(score, part)[at], getattr(alone, part), rtol=1e-15)
        assert_allclose(
            policy[at],
            optimal_policy(p[at], psi, beta[at], pi_ref=pi_ref[at], mu=mu[at]),
            rtol=1e-14,
        )
        assert_allclose(
            tilted[at], gibbs_policy(rewards[at], beta[at], pi_ref=pi_ref[at]), rtol=1e-14
        )
        assert kl[at] == pytest.approx(kl_divergence(policy[at], pi_ref[at]), rel=1e-14)


def test_values_and_cyclic_shares_of_a_batch_are_those_of_its_problems() -> None:
    rng = np.random.default_rng(8)
    p = tournament([(0, 1), (1, 2), (2, 0)], 4, np.array([[0.6, 0.5, 0.9], [1 - 1e-12, 0.3, 1e-3]]))
    policy, pi_ref, mu = rng.dirichlet(np.ones(4), size=(3, 2, 3))
    beta = np.array([[1e-12, 1.0, 1e3], [0.1, 1e-9, 3.0]])
    worth, cyclic = (
        objective(policy, p, LOGIT, beta, pi_ref=pi_ref, mu=mu),
        cyclic_share(p, LOGIT, mu=mu),
    )
    for at in np.ndindex(2, 3):
        alone = objective(policy[at], p[at], LOGIT, beta[at], pi_ref=pi_ref[at], mu=mu[at])
        assert worth[at] == pytest.approx(alone, rel=1e-13)
        assert cyclic[at] == pytest.approx(cyclic_share(p[at], LOGIT, mu=mu[at]), rel=1e-12)
    assert cyclic[0, 1] == 0


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-9, 1e-13])
def test_kl_of_near_policies_in_50_digits(distance: float) -> None:
    """Compare with Σ π log(π/π_ref) − π + π_ref, which does not suffer if the sums are rounded."""
    pi_ref = np.array([0.5, 0.25, 0.125, 0.125])
    policy = pi_ref + distance * np.array([0.25, -0.5, 0.125, 0.125])
    pairs = [(mpf(x), mpf(y)) for x, y in zip(policy.tolist(), pi_ref.tolist(), strict=True)]
    assert_allclose(
        kl_divergence(policy, pi_ref),
        float(mp.fsum(x * mp.log(x / y) - x + y for x, y in pairs)),
        rtol=1e-13,
    )


def test_kl_from_the_smallest_probability_is_finite() -> None:
    assert_allclose(kl_divergence([0.5, 0.5], [5e-324, 1.0]), np.log(0.5) - 0.5 * np.log(5e-324))


def test_many_equal_rates_are_equal_however_long_their_sums() -> None:
    """Let two actions surely beat different opponents that have the same total μ."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        half = rng.integers(1, 1000, 100)
        counts = np.concatenate([[0, 0], half, rng.permutation(half)])
        pairs = [(0, y) for y in range(2, 102)] + [(1, y) for y in range(102, 202)]
        policy = optimal_policy(tournament(pairs, 202), LOGIT, 1.0, mu=counts / counts.sum())
        assert_allclose(policy[:2], 0.5)


def test_a_rate_that_cancels_is_zero_however_its_sums_round() -> None:
    """Let action 0 surely beat 100 opponents, and surely lose to 100 of the same total μ.

    Action 1 is even with all others.
    """
    rng = np.random.default_rng(2)
    for _ in range(20):
        beaten = rng.integers(1, 1000, 100)
        counts = np.concatenate([[0, 0], beaten, rng.permutation(beaten)])
        pairs = [(0, y) for y in range(2, 102)] + [(y, 0) for y in range(102, 202)]
        policy = optimal_policy(tournament(pairs, 202), LOGIT, 1.0, mu=counts / counts.sum())
        assert_allclose(policy, 1 / 202)


def test_objective_is_an_extended_real() -> None:
    assert objective([1.0, 0.0], SURE, LOGIT, 1.0) == np.inf
    assert objective([0.0, 1.0], SURE, LOGIT, 1.0) == -np.inf
    assert objective([1.0, 0.0], SURE, LOG, 1.0, pi_ref=[0.0, 1.0]) == -np.inf
    assert objective([0.0, 1.0], SURE, LOG, 1.0, pi_ref=[1.0, 0.0]) == -np.inf
    both = "a certain preference makes it infinitely good, another one, or the divergence, infinitely bad"
    with pytest.raises(ValueError, match=rf"^policy has the value ∞ − ∞: {both}$"):
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
    with pytest.raises(
        ValueError, match=r"^p\[0, 1\] = 1, makes the flow infinite under psi 'logit'"
    ):
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
        (
            {"pi_ref": [0.5, 0.5]},
            r"^pi_ref has shape \(2,\), must be \(\.\.\., 3\): g has 3 actions",
        ),
        ({"pi_ref": [0.5, 0.6, -0.1]}, r"^pi_ref\[2\] = -0\.1, must be a probability"),
        ({"pi_ref": [0.2, 0.2, 0.2]}, r"^pi_ref sums to 0\.6, must sum to 1"),
        ({"pi_ref": [0.5, 0.5, np.nan]}, r"^pi_ref\[2\] = nan"),
        ({"g": [0.0, np.nan, 1.0]}, r"^g\[1\] = nan, must be a number or ±inf$"),
        ({"g": np.ma.array([0.0, 1.0], mask=[True, False])}, r"^g has masked entries"),
        ({"g": [[-np.inf] * 3, [0.0] * 3]}, r"^g is -inf on every action"),
        ({"g": [-np.inf, -np.inf, -np.inf]}, r"^g is -inf on every action"),
        ({"g": [-np.inf, -np.inf, 0.0], "pi_ref": [0.5, 0.5, 0.0]}, r"^g is -inf on every action"),
        ({"g": np.empty((2, 0))}, r"^g has shape \(2, 0\)"),
        ({"g": np.zeros((2, 3)), "beta": np.ones(4)}, r"^beta has leading axes \(4,\)"),
        (
            {"g": np.zeros((2, 3)), "pi_ref": np.full((4, 3), 1 / 3)},
            r"^pi_ref has leading axes \(4,\)",
        ),
    ],
)
def test_gibbs_policy_refuses_by_name_and_entry(arguments: dict[str, object], message: str) -> None:
    given = {"g": [0.0, 1.0, 2.0], "beta": 1.0, **arguments}
    with pytest.raises(ValueError, match=message):
        gibbs_policy(**given)  # type: ignore[arg-type]


MASKED = np.ma.array([0.5, 0.5], mask=[True, False])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: objective([0.5, 0.4], SURE, IDENTITY, 1.0), r"^policy sums to 0\.9"),
        (
            lambda: objective([0.5, 0.4, 0.1], SURE, IDENTITY, 1.0),
            r"^policy has shape \(3,\), .* \(\.\.\., 2\): p has 2 actions",
        ),
        (lambda: objective([0.5, 0.5], SURE, IDENTITY, 0.0), r"^beta = 0, must be positive"),
        (
            lambda: objective([0.5, 0.5], SURE, IDENTITY, 1.0, pi_ref=[1.0]),
            r"^pi_ref has shape \(1,\), .*: p has 2 actions",
        ),
        (
            lambda: objective([[0.5, 0.5]] * 3, [SURE] * 2, IDENTITY, 1.0),
            r"^policy has leading axes \(3,\), .* with \(2,\)",
        ),
        (
            lambda: objective([[0.5, 0.5]] * 3, SURE, IDENTITY, [1.0, 2.0]),
            r"^beta has leading axes \(2,\), .* with \(3,\)",
        ),
        (
            lambda: objective([0.5, 0.5], SURE, IDENTITY, [1.0, 2.0], pi_ref=[[0.5, 0.5]] * 3),
            r"^pi_ref has leading axes \(3,\)",
        ),
        (lambda: kl_divergence(MASKED, [0.5, 0.5]), r"^policy has masked entries"),
        (lambda: kl_divergence([0.5, 0.5], None), r"^pi_ref holds object values"),  # type: ignore[arg-type]
        (
            lambda: kl_divergence([0.5, 0.5], [0.5, 0.4, 0.1]),
            r"^pi_ref has shape \(3,\), .*: policy has 2 actions",
        ),
        (
            lambda: kl_divergence([[0.5, 0.5]] * 2, [[0.5, 0.5]] * 3),
            r"^pi_ref has leading axes \(3,\), .* with \(2,\)",
        ),
        (
            lambda: cyclic_share(EVEN, LOGIT, mu=[0.5, 0.5]),
            r"^mu has shape \(2,\), must be \(\.\.\., 3\): p has 3 actions",
        ),
        (lambda: cyclic_share(EVEN, LOGIT, mu=[0.5, 0.5, 0.5]), r"^mu sums to 1.5"),
        (
            lambda: cyclic_share([EVEN] * 2, LOGIT, mu=np.full((3, 3), 1 / 3)),
            r"^mu has leading axes \(3,\), .* with \(2,\)",
        ),
    ],
)
def test_what_is_refused_by_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_nothing_given_is_modified() -> None:
    p, pi_ref = SURE.copy(), np.array([0.25, 0.75])
    score = expected_psi(p, LOGIT)
    parts = [part.copy() for part in (score.won, score.lost, score.rest)]
    gibbs_policy(score, 1.0, pi_ref=pi_ref)
    assert_array_equal(p, SURE)
    assert_array_equal(pi_ref, [0.25, 0.75])
    for before, after in zip(parts, (score.won, score.lost, score.rest), strict=True):
        assert_array_equal(before, after)


def test_an_objective_that_overflows_is_minus_infinity_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            objective([1, 0], [[0.5, 0.9], [0.1, 0.5]], IDENTITY, 1e308, pi_ref=[1e-100, 1])
            == -np.inf
        )
