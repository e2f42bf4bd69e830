"""Properties of the closed form that the paper does not state, on random problems.

These are invariances, limits, bounds and rounding, and the problems include extreme cases.
"""

from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from measures import EPS, assert_meets, largest_psi
from mpmath import mp, mpf
from numpy.testing import assert_allclose
from oracles import Table, expected_psi, huge, policy
from scipy.special import expit, log_softmax
from strategies import (
    BETAS,
    BOUNDED_PSIS,
    MILD_BETAS,
    ODD_PSIS,
    PSIS,
    counts,
    n_actions,
    rewards,
    share,
    tables,
)

import psipo_explore as psipo
from psipo_explore import IDENTITY, LOGIT, Psi
from psipo_explore.psi import LOG


@given(st.data(), PSIS, MILD_BETAS, st.floats(-100, 100), st.floats(0.1, 10))
def test_constants_in_psi_change_nothing_and_a_factor_divides_beta(
    data: st.DataObject, psi: Psi, beta: float, shift: float, factor: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, certain=True)),
        share(data.draw(counts(k))),
        share(data.draw(counts(k))),
    )

    def changed(q: Table) -> Table:
        return factor * psi(q) + shift

    other = Psi(
        "changed",
        changed,
        latex="",
        at_zero=factor * psi.at_zero + shift,
        at_one=factor * psi.at_one + shift,
        odd=psi.odd,
    )
    conditioning = (factor * (k * largest_psi(p, psi)) + abs(shift)) / beta
    assume(conditioning < 1e5)
    assert_allclose(
        psipo.optimal_policy(p, other, beta, pi_ref=pi_ref, mu=mu),
        psipo.optimal_policy(p, psi, beta / factor, pi_ref=pi_ref, mu=mu),
        rtol=1e-13 * (1 + conditioning),
        atol=1e-300,
    )


@given(st.data(), PSIS, BETAS)
def test_relabelling_actions_relabels_the_policy(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, certain=True)),
        share(data.draw(counts(k))),
        share(data.draw(counts(k))),
    )
    order = np.array(data.draw(st.permutations(range(k))))
    policy = psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    relabelled = psipo.optimal_policy(
        p[order][:, order], psi, beta, pi_ref=pi_ref[order], mu=mu[order]
    )
    conditioning = k * largest_psi(p, psi) / beta
    assume(conditioning < 1e10)
    assert_allclose(relabelled, policy[order], rtol=1e-14 * (10 + conditioning), atol=1e-300)


@given(st.data(), PSIS, BETAS)
def test_policies_are_policies_inside_the_support_of_pi_ref(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, certain=True)),
        share(data.draw(counts(k))),
        share(data.draw(counts(k))),
    )
    policy = psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    assert_allclose(policy.sum(), 1, rtol=1e-14)
    assert (policy >= 0).all()
    assert (policy[pi_ref == 0] == 0).all()


@given(st.data(), PSIS)
def test_larger_beta_is_closer_to_pi_ref(data: st.DataObject, psi: Psi) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, easy=True)),
        share(data.draw(counts(k))),
        share(data.draw(counts(k))),
    )
    betas = np.geomspace(1e-12, 1e12, 25)
    policies = psipo.optimal_policy(p, psi, betas, pi_ref=pi_ref, mu=mu)
    assert (np.diff(psipo.kl_divergence(policies, pi_ref)) <= 1e-14).all()
    assert_allclose(policies[-1], pi_ref, rtol=1e-10)
    g = np.where(pi_ref > 0, psipo.expected_psi(p, psi, mu=mu).value, -np.inf)
    second = np.where(g < g.max() - 1e-9, g, -np.inf)
    if np.isfinite(second.max()):
        assert policies[0][g >= g.max() - 1e-9].sum() == 1.0


@given(st.data(), PSIS, BETAS)
def test_the_optimum_is_worth_at_least_as_much_as_pi_ref_at_every_beta(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, easy=True)),
        share(data.draw(counts(k, zeros=False))),
        share(data.draw(counts(k))),
    )
    best = psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    gain = psipo.objective(best, p, psi, beta, pi_ref=pi_ref, mu=mu) - psipo.objective(
        pi_ref, p, psi, beta, pi_ref=pi_ref, mu=mu
    )
    an_ulp_from_pi_ref = k * EPS**2  # the KL that rounding gives a policy equal to pi_ref
    assert gain >= -1e-14 * k * largest_psi(p, psi) - beta * an_ulp_from_pi_ref


@given(st.data(), st.floats(-12, 0).map(lambda exponent: 10.0**exponent))
def test_kl_divergence_in_50_digits_however_close_the_policies(
    data: st.DataObject, distance: float
) -> None:
    k = data.draw(n_actions(at_least=2))
    pi_ref = share(data.draw(counts(k, zeros=False)))
    policy = pi_ref * (
        1 + distance * np.array(data.draw(st.lists(st.floats(-0.9, 0.9), min_size=k, max_size=k)))
    )
    policy /= policy.sum()
    total, total_ref = (mp.fsum(map(mpf, part.tolist())) for part in (policy, pi_ref))
    exact = mp.fsum(
        mpf(a) / total * mp.log(mpf(a) / total / (mpf(b) / total_ref))
        for a, b in zip(policy.tolist(), pi_ref.tolist(), strict=True)
    )
    noise = 8 * EPS * float(np.abs(policy - pi_ref).max() + EPS)
    assert_allclose(psipo.kl_divergence(policy, pi_ref), float(exact), rtol=1e-13, atol=noise)


# Certain preferences as limits


@given(st.data(), PSIS, BETAS)
def test_certain_preferences_have_the_equal_rate_limit(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = data.draw(tables(k, certain=True)), data.draw(counts(k)), data.draw(counts(k))
    got = psipo.optimal_policy(p, psi, beta, pi_ref=share(pi_ref), mu=share(mu))
    assert_meets(got, policy(p, psi.name, beta, pi_ref, mu, huge), k * largest_psi(p, psi) / beta)


@given(st.data(), st.sampled_from([LOGIT, LOG]))
def test_determined_says_whether_the_limit_depends_on_how_preferences_become_certain(
    data: st.DataObject, psi: Psi
) -> None:
    k = data.draw(n_actions(at_most=4))
    p, mu = data.draw(tables(k, certain=True, easy=True)), data.draw(counts(k))
    pairs = [(i, j) for i in range(k) for j in range(i) if p[i, j] in (0.0, 1.0)]

    def with_one_pair_faster(fast: tuple[int, int] | None) -> list[mpf]:
        def log_odds(i: int, j: int) -> mpf:
            return mpf(10) ** (60 if fast in [(i, j), (j, i)] else 30)

        return policy(p, psi.name, 1.0, [1] * k, mu, log_odds)

    equal = with_one_pair_faster(None)
    same = all(
        abs(a - b) < 1e-20
        for pair in pairs
        for a, b in zip(equal, with_one_pair_faster(pair), strict=True)
    )
    assert psipo.expected_psi(p, psi, mu=share(mu)).determined == same


@given(st.data())
def test_equal_rates_are_equal_however_their_sums_round(data: st.DataObject) -> None:
    k = data.draw(n_actions(at_least=2, at_most=8))
    mu = data.draw(counts(k))
    p = data.draw(tables(k, certain=True, easy=True))
    weights = [Fraction(n, sum(mu)) for n in mu]
    rates = [
        sum(weights[j] * (int(p[j, i] == 0) - int(p[i, j] == 0)) for j in range(k))
        for i in range(k)
    ]
    survivors = [rate == max(rates) for rate in rates]
    policy = psipo.optimal_policy(p, LOGIT, 1e3, mu=share(mu))
    assert (policy > 0).tolist() == survivors


def test_equal_rates_are_equal_in_tenths_and_sevenths_too() -> None:
    rng = np.random.default_rng(11)
    rounded = 0
    for _ in range(400):
        k = int(rng.integers(4, 9))
        whole = rng.integers(1, 4, size=k)
        result = np.triu(rng.integers(-1, 2, size=(k, k)), 1)
        result = result - result.T
        exact = result @ whole
        rates = psipo.expected_psi((result + 1) / 2, LOGIT, mu=share(whole.tolist())).rate
        rounded += len(set(rates[exact == exact.max()].tolist())) > 1
        policy = psipo.optimal_policy((result + 1) / 2, LOGIT, 1.0, mu=share(whole.tolist()))
        assert ((policy > 0) == (exact == exact.max())).all()
    assert rounded > 10  # otherwise rounding made too few equal sums differ to test anything


def test_even_and_certain_opponents_weigh_the_same_where_rates_tie() -> None:
    neutral = np.full((4, 4), 0.5)
    neutral[:3, :3] = psipo.tournament([(0, 1), (1, 2), (2, 0)], 3)
    shifted = Psi(
        "logit + 5", lambda q: LOGIT(q) + 5, latex="", at_zero=-np.inf, at_one=np.inf, odd=True
    )
    for psi in (LOGIT, shifted):
        assert_allclose(psipo.optimal_policy(neutral, psi, 0.1), 0.25, rtol=1e-14)


def test_a_tiny_share_of_opponents_is_no_rounding_error() -> None:
    p = psipo.tournament([(0, 2)], 3)
    assert psipo.optimal_policy(p, LOGIT, 1.0, mu=[0.5, 0.5, 1e-20]).tolist() == [1, 0, 0]


def test_worked_examples_of_the_equal_rate_limit() -> None:
    cycle = psipo.tournament([(0, 1), (1, 2), (2, 0)], 3)
    assert_allclose(psipo.optimal_policy(cycle, LOGIT, 0.1), 1 / 3)
    both_beat_c = np.array([[0.5, 0.6, 1.0], [0.4, 0.5, 1.0], [0.0, 0.0, 0.5]])
    assert_allclose(psipo.optimal_policy(both_beat_c, LOGIT, 1.0), [0.567, 0.433, 0], atol=5e-4)
    # These rewards approach the same table in another way, and have another limit.
    rewards = np.array([np.log(0.6), np.log(0.4), -700.0])
    assert_allclose(
        psipo.optimal_policy(psipo.bradley_terry(rewards), LOGIT, 1.0), [0.6, 0.4, 0], atol=1e-14
    )


# Why a bounded Ψ cannot collapse


@given(st.data(), BOUNDED_PSIS, st.floats(0.1, 1e12))
def test_bounded_psi_moves_no_log_ratio_further_than_its_spread_over_beta(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, certain=True)),
        share(data.draw(counts(k, zeros=False))),
        share(data.draw(counts(k))),
    )
    moved = np.log(psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)) - np.log(pi_ref)
    assert np.ptp(moved) <= psi.spread / beta * (1 + 1e-12) + 1e-13


@given(st.data(), st.floats(0.1, 1e3))
def test_the_bound_of_identity_is_sharp(data: st.DataObject, beta: float) -> None:
    k = data.draw(n_actions(at_least=2))
    mu = share(data.draw(counts(k)))
    strongest = psipo.tournament([(0, j) for j in range(1, k)] + [(j, 1) for j in range(2, k)], k)
    moved = np.log(psipo.optimal_policy(strongest, IDENTITY, beta, mu=mu))
    assert_allclose(moved[0] - moved[1], (1 - (mu[0] + mu[1]) / 2) / beta, rtol=1e-12)


# The part of the preferences that ΨPO cannot see


@given(st.data(), ODD_PSIS)
def test_scores_are_the_least_squares_potential_of_the_flow(data: st.DataObject, psi: Psi) -> None:
    k = data.draw(n_actions())
    p, mu = data.draw(tables(k, easy=True)), share(data.draw(counts(k)))
    flow = psi.of_table(p) - psi.centre
    g = psipo.expected_psi(p, psi, mu=mu).value - psi.centre
    residual = flow - (g[:, None] - g)
    assert_allclose(residual @ mu - (residual @ mu) @ mu, 0, atol=1e-12)
    root = np.sqrt(np.outer(mu, mu)).ravel()
    differences = np.kron(np.eye(k), np.ones((k, 1))) - np.kron(np.ones((k, 1)), np.eye(k))
    best = np.linalg.lstsq(differences * root[:, None], flow.ravel() * root, rcond=None)[0]
    left = (flow.ravel() - differences @ best) * root
    energy = (flow.ravel() * root) @ (flow.ravel() * root)
    expected = left @ left / energy if energy > 1e-20 else 0.0
    assert_allclose(psipo.cyclic_share(p, psi, mu=mu), expected, atol=1e-10)


@given(st.data())
def test_bradley_terry_has_no_cycles_under_logit(data: st.DataObject) -> None:
    k = data.draw(n_actions())
    r, mu = data.draw(rewards(k)), share(data.draw(counts(k)))
    assume(np.ptp(r) > 1e-3)
    assert psipo.cyclic_share(psipo.bradley_terry(r), LOGIT, mu=mu) <= 1e-12


def test_cyclic_shares_by_hand() -> None:
    cycle = psipo.tournament([(0, 1), (1, 2), (2, 0)], 3, 0.8)
    for psi in (LOGIT, IDENTITY):
        assert_allclose(psipo.cyclic_share(cycle, psi), 1)
        assert_allclose(psipo.cyclic_share(cycle, psi, mu=[0.5, 0.25, 0.25]), 0.9)
    assert_allclose(
        psipo.cyclic_share(psipo.bradley_terry([0.0, 5.0, 10.0]), IDENTITY), 0.11, atol=5e-3
    )
    tiny = Psi("tiny", lambda q: 1e-200 * q, latex="", at_zero=0, at_one=1e-200, odd=True)
    assert_allclose(psipo.cyclic_share(cycle, tiny, mu=[0.5, 0.25, 0.25]), 0.9)
    assert psipo.cyclic_share(np.full((3, 3), 0.5), LOGIT) == 0
    assert psipo.cyclic_share([[0.5]], LOGIT) == 0


def test_cyclic_share_never_exceeds_one_by_rounding() -> None:
    rng = np.random.default_rng(0)
    for mu in rng.dirichlet(np.ones(3), size=300):
        cycle = 0.4 * np.array([[0, mu[2], -mu[1]], [-mu[2], 0, mu[0]], [mu[1], -mu[0], 0]])
        assert 1 - 1e-12 <= psipo.cyclic_share(0.5 + cycle, IDENTITY, mu=mu) <= 1


@given(st.data(), MILD_BETAS)
def test_a_cycle_added_to_the_flow_changes_no_policy(data: st.DataObject, beta: float) -> None:
    r = data.draw(rewards(3, largest=3.0))
    strength = data.draw(st.floats(-3, 3))
    cycle = strength * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    p = expit(r[:, None] - r + cycle)
    assert_allclose(
        psipo.optimal_policy(p, LOGIT, beta), psipo.gibbs_policy(r, beta), rtol=1e-11, atol=1e-300
    )


# Scores without the preference table


@given(st.data(), PSIS)
def test_expected_psi_without_the_table_is_the_tables(data: st.DataObject, psi: Psi) -> None:
    k = data.draw(n_actions(at_most=12))
    r, mu = data.draw(rewards(k)), share(data.draw(counts(k)))
    table = psipo.expected_psi(psipo.bradley_terry(r), psi, mu=mu).value
    assert_allclose(
        psipo.expected_psi_bradley_terry(r, psi, mu=mu).value, table, rtol=1e-11, atol=1e-13
    )


def test_expected_psi_agrees_with_its_50_digits() -> None:
    p = psipo.bradley_terry([0.0, 3.0, 700.0])
    exact = [float(g) for g in expected_psi(p, "logit", [1, 2, 3])]
    assert_allclose(psipo.expected_psi(p, LOGIT, mu=share([1, 2, 3])).value, exact, rtol=1e-14)
    assert mp.dps == 50
    assert_allclose(log_softmax(exact), np.log(psipo.gibbs_policy(exact, 1.0)), rtol=1e-12)
