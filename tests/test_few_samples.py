from collections.abc import Callable
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.testing import assert_allclose
from oracles import Table
from strategies import counts, n_actions, share, tables

import psipo_explore as psipo
from psipo_explore import IDENTITY, LOGIT, Psi, optimal_policy, tournament
from psipo_explore.few_samples import collapse_probability, expected_policy, preference_law
from psipo_explore.psi import LOG

PAIRS = [(0, 1), (0, 2), (1, 2)]


def every_history(p: Table, n: int) -> list[tuple[float, Table]]:
    """List every sequence of n results of three pairs, with its probability and its p̂."""
    histories = []
    for results in product([True, False], repeat=3 * n):
        probability, p_hat = 1.0, np.full((3, 3), 0.5)
        for k, (y, z) in enumerate(PAIRS):
            wins = sum(results[k * n : (k + 1) * n])
            probability *= p[y, z] ** wins * p[z, y] ** (n - wins)
            p_hat[y, z], p_hat[z, y] = wins / n, (n - wins) / n
        histories.append((probability, p_hat))
    return histories


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, LOG], ids=lambda psi: psi.name)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_sums_are_those_over_every_history(psi: Psi, n: int) -> None:
    p = psipo.bradley_terry([0.0, 0.7, -1.2])
    pi_ref, mu = [0.2, 0.5, 0.3], [0.25, 0.25, 0.5]
    histories = every_history(p, n)
    policies = [optimal_policy(p_hat, psi, 0.6, pi_ref=pi_ref, mu=mu) for _, p_hat in histories]
    mean = sum(
        probability * policy for (probability, _), policy in zip(histories, policies, strict=True)
    )
    collapsed = sum(
        probability
        for (probability, _), policy in zip(histories, policies, strict=True)
        if (policy == 0).any()
    )
    assert_allclose(expected_policy(p, psi, 0.6, n=n, pi_ref=pi_ref, mu=mu), mean, rtol=1e-12)
    assert_allclose(collapse_probability(p, psi, n=n, mu=mu), collapsed, rtol=1e-12)


@given(st.floats(-300, -0.31).map(lambda exponent: 10.0**exponent), st.integers(1, 200))
def test_two_actions_collapse_when_all_samples_agree(opposite: float, n: int) -> None:
    p = np.array([[0.5, 1 - opposite], [opposite, 0.5]])
    with mp.workdps(400):
        exact = (1 - mpf(opposite)) ** n + mpf(opposite) ** n
    assert_allclose(collapse_probability(p, LOGIT, n=n), float(exact), rtol=1e-12)
    assert collapse_probability(p, IDENTITY, n=n) == 0


@given(
    st.floats(-323, -0.31).map(lambda exponent: 10.0**exponent),
    st.integers(1, 400).map(lambda digits: 10**digits),
)
def test_unanimity_of_any_number_of_samples(opposite: float, n: int) -> None:
    p = np.array([[0.5, opposite], [1 - opposite, 0.5]])
    with mp.workdps(900):
        exact = mp.exp(n * mp.log1p(-mpf(opposite))) + mpf(opposite) ** n
    assert_allclose(collapse_probability(p, LOGIT, n=n), float(exact), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("psi", [LOGIT, LOG], ids=lambda psi: psi.name)
def test_only_unanimous_pairs_decide(psi: Psi) -> None:
    """Compare with the sum over all 9261 p̂ of three actions and 20 comparisons per pair."""
    p = psipo.bradley_terry([0.0, 2.7, -1.2])
    law = preference_law(p, n=20)
    collapsed = (optimal_policy(law.p_hat, psi, 1.0) == 0).any(-1)
    assert_allclose(collapse_probability(p, psi, n=20), law.expectation(collapsed), rtol=1e-12)


def test_a_steep_psi_collapses_no_more_than_a_flat_one() -> None:
    steep = Psi("steep", lambda q: 1e305 * q, latex="", at_zero=0.0, at_one=1e305)
    steep_log = Psi("steep log", lambda q: 1e304 * np.log(q), latex="", at_zero=-np.inf, at_one=0.0)
    p = psipo.bradley_terry([0.0, 0.7, -1.2])
    assert collapse_probability(p, steep, n=2) == 0
    assert_allclose(
        collapse_probability(p, steep_log, n=2), collapse_probability(p, LOG, n=2), rtol=1e-15
    )


def test_the_mean_policy_of_a_million_samples() -> None:
    p = tournament([(0, 1)], 2, np.array([0.8, 1e-7]))
    assert_allclose(expected_policy(p, LOGIT, 1.0, n=10**6), p.mean(-1) * 2 - 0.5, rtol=1e-9)


@given(
    st.integers(1, 300),
    st.floats(0.01, 0.99) | st.floats(5e-324, 1e-280) | st.sampled_from([1e-171, 1e-170, 1e-169]),
)
def test_the_law_is_binomial(n: int, q: float) -> None:
    law = preference_law(tournament([(0, 1)], 2, q), n=n)
    exact = [comb(n, wins) * mpf(q) ** wins * (1 - mpf(q)) ** (n - wins) for wins in range(n + 1)]
    assert_allclose(law.probability, [float(term) for term in exact], rtol=1e-12, atol=n * 5e-324)
    assert_allclose(law.p_hat[:, 0, 1], np.arange(n + 1) / n)


@given(st.data(), st.integers(1, 6))
def test_p_hat_is_unbiased_and_the_law_sums_to_one(data: st.DataObject, n: int) -> None:
    p = data.draw(tables(data.draw(n_actions(at_most=3)), certain=True))
    law = preference_law(p, n=n)
    assert_allclose(law.probability.sum(-1), 1, rtol=1e-12)
    assert_allclose(law.expectation(law.p_hat), p, rtol=1e-12, atol=1e-300)


@given(st.data(), st.floats(0.01, 20.0), st.integers(1, 400))
def test_identitys_expected_policy_is_off_by_no_more_than_one_over_n(
    data: st.DataObject, beta: float, n: int
) -> None:
    """Check the bound |E π* − π*| ≤ ½ max|σ''| Var(p̂)/β² for two actions.

    It follows by Taylor from π*(y) = σ(p̂/β + …), and max|σ''| is 1/(6√3).
    """
    q = data.draw(st.floats(0.0, 1.0))
    pi_ref, mu = (share(data.draw(counts(2))) for _ in range(2))
    p = tournament([(0, 1)], 2, q)
    off = expected_policy(p, IDENTITY, beta, n=n, pi_ref=pi_ref, mu=mu) - optimal_policy(
        p, IDENTITY, beta, pi_ref=pi_ref, mu=mu
    )
    assert abs(off).max() <= q * (1 - q) / n / (12 * np.sqrt(3) * beta**2) + 1e-13


def test_at_beta_1_the_logit_policy_is_p_hat_itself() -> None:
    q = np.linspace(0, 1, 11)
    policies = expected_policy(tournament([(0, 1)], 2, q), LOGIT, 1.0, n=7)
    assert_allclose(policies[:, 0], q, atol=1e-13)


def test_batches_of_preferences_and_betas() -> None:
    p, betas = tournament([(0, 1)], 3, np.array([0.6, 0.9])), np.array([[0.1, 1.0, 10.0]])
    policies = expected_policy(p, IDENTITY, betas, n=2)
    assert policies.shape == (2, 1, 3, 3)
    assert_allclose(policies[1, 0, 2], expected_policy(p[1], IDENTITY, 10.0, n=2))
    assert collapse_probability(p, LOGIT, n=2).shape == (2,)


def test_a_cycle_of_unanimous_samples_collapses_nothing() -> None:
    """Check that certain pairs do not collapse by themselves, because all rates are equal here."""
    sure_cycle = tournament([(0, 1), (1, 2), (2, 0)], 3)
    assert collapse_probability(sure_cycle, LOGIT, n=4) == 0
    # One of the four outcomes is a cycle, which does not collapse.
    assert collapse_probability(tournament([(0, 1)], 3), LOGIT, n=1) == pytest.approx(0.75)


def test_one_action_has_one_outcome() -> None:
    law = preference_law([[0.5]], n=9)
    assert law.probability.tolist() == [1.0]
    assert expected_policy([[0.5]], LOGIT, 1.0, n=9).tolist() == [1.0]


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (0, ValueError, r"^n = 0, must be at least 1"),
        (2.5, TypeError, r"^n = 2.5, must be a whole number"),
        (
            9999,
            ValueError,
            r"^n = 9999 comparisons of each of 6 pairs have 1e\+24 outcomes, must have at most "
            r"\S+: more take",
        ),
        (
            10**400,
            ValueError,
            r"^n = 10{59}… comparisons of each of 6 pairs have over 1e300 outcomes",
        ),
    ],
)
def test_what_is_refused(n: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        expected_policy(np.full((4, 4), 0.5), LOGIT, 1.0, n=n)


def test_a_law_that_memory_does_not_hold_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^n = 9999 .* 1e\+24 outcomes, must have at most \S+: they fill half of .* memory, \d",
    ):
        preference_law(np.full((4, 4), 0.5), n=9999)


def test_so_many_actions_that_unanimity_has_too_many_outcomes_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^n = 5 comparisons of each of 45 pairs have 2\.95e\+21 outcomes"
    ):
        collapse_probability(np.full((10, 10), 0.5), LOGIT, n=5)
    assert collapse_probability(np.full((10, 10), 0.5), IDENTITY, n=5) == 0


# Two comparisons have three outcomes, so these could be mistaken for one policy per outcome.
THREE = [[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: expected_policy(p, LOGIT, 1.0, n=2, pi_ref=THREE),
            r"^pi_ref has shape \(3, 2\), must be \(K,\)",
        ),
        (
            lambda p: expected_policy(p, LOGIT, 1.0, n=2, mu=THREE),
            r"^mu has shape \(3, 2\), must be \(K,\)",
        ),
        (
            lambda p: collapse_probability(p, LOGIT, n=2, mu=THREE),
            r"^mu has shape \(3, 2\), must be \(K,\)",
        ),
        (
            lambda p: preference_law(p, n=2).expectation([1.0, 2.0]),
            r"^values has shape \(2,\), must be \(3, \.\.\.\)",
        ),
        (
            lambda p: preference_law(p, n=2).expectation(1.0),
            r"^values has shape \(\), must be \(3, \.\.\.\)",
        ),
    ],
)
def test_nothing_given_is_taken_for_one_of_the_outcomes(
    call: Callable[[Table], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(tournament([(0, 1)], 2, 0.8))
