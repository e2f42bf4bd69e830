"""The statements of arXiv:2310.12036, each by its number, on random instances of its hypotheses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measures import assert_meets, largest_psi
from numpy.testing import assert_allclose
from oracles import Table, policy
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp, softmax
from strategies import BETAS, MILD_BETAS, ODD_PSIS, PSIS, counts, n_actions, rewards, share, tables

import psipo_explore as psipo
from psipo_explore import D1, D2, DPO, IDENTITY, IPO, LOGIT, Comparisons, Psi, minimise
from psipo_explore.psi import LOG

# The optimum of Eq. 6


@given(st.data(), PSIS, BETAS)
def test_eq_7_and_9_the_closed_form(data: st.DataObject, psi: Psi, beta: float) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = data.draw(tables(k)), data.draw(counts(k)), data.draw(counts(k))
    got = psipo.optimal_policy(p, psi, beta, pi_ref=share(pi_ref), mu=share(mu))
    assert_meets(got, policy(p, psi.name, beta, pi_ref, mu), k * largest_psi(p, psi) / beta)


@given(st.data(), PSIS, MILD_BETAS)
def test_appendix_a_1_the_optimum_is_unique_any_other_policy_falls_short_by_beta_kl(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, pi_ref, mu = (
        data.draw(tables(k, easy=True)),
        share(data.draw(counts(k, zeros=False))),
        share(data.draw(counts(k))),
    )
    other = share(data.draw(counts(k)))
    best = psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    g = psipo.expected_psi(p, psi, mu=mu).value
    maximum = beta * logsumexp(np.log(pi_ref) + g / beta)
    assert_allclose(
        psipo.objective(best, p, psi, beta, pi_ref=pi_ref, mu=mu), maximum, rtol=1e-12, atol=1e-12
    )
    value = psipo.objective(other, p, psi, beta, pi_ref=pi_ref, mu=mu)
    assert_allclose(
        maximum - value, beta * psipo.kl_divergence(other, best), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, LOG], ids=lambda psi: psi.name)
@pytest.mark.parametrize("beta", [0.2, 1.0, 5.0])
def test_appendix_a_1_no_policy_that_an_optimiser_finds_is_better(psi: Psi, beta: float) -> None:
    rng = np.random.default_rng(7)
    p = psipo.tournament([(0, 1), (1, 2), (2, 0), (3, 0)], 4, 0.8)
    pi_ref, mu = rng.dirichlet(np.ones(4), size=2)

    def loss(logits: Table) -> float:
        return -float(psipo.objective(softmax(logits), p, psi, beta, pi_ref=pi_ref, mu=mu))

    best = psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    top = psipo.objective(best, p, psi, beta, pi_ref=pi_ref, mu=mu)
    for start in rng.normal(size=(5, 4)) * 3:
        found = minimize(loss, start, method="BFGS", options={"gtol": 1e-9})
        assert -found.fun <= top + 1e-14
        assert_allclose(-found.fun, top, rtol=1e-9)
        assert_allclose(softmax(found.x), best, atol=1e-4)


# With Ψ = logit, ΨPO is RLHF and DPO: Prop. 1 and 4


@given(st.data(), MILD_BETAS)
def test_proposition_1_logit_under_bradley_terry_is_rlhf(data: st.DataObject, beta: float) -> None:
    k = data.draw(n_actions())
    r, pi_ref, mu = data.draw(rewards(k)), share(data.draw(counts(k))), share(data.draw(counts(k)))
    psi_po = psipo.optimal_policy(psipo.bradley_terry(r), LOGIT, beta, pi_ref=pi_ref, mu=mu)
    assert_allclose(psi_po, psipo.gibbs_policy(r, beta, pi_ref=pi_ref), rtol=1e-10, atol=1e-300)
    assert_allclose(
        psipo.expected_psi(psipo.bradley_terry(r), LOGIT, mu=mu).value,
        r - mu @ r,
        rtol=1e-11,
        atol=1e-11,
    )


@given(st.data(), MILD_BETAS)
def test_proposition_1_dpos_minimiser_is_that_policy_where_every_action_is_compared(
    data: st.DataObject, beta: float
) -> None:
    k = data.draw(n_actions(at_least=2))
    r, mu = data.draw(rewards(k, largest=3.0)), share(data.draw(counts(k, zeros=False)))
    pi_ref = share(data.draw(counts(k, zeros=False)))
    population = Comparisons.from_preferences(psipo.bradley_terry(r), mu=mu)
    fit = minimise(population, DPO, beta, pi_ref=pi_ref)
    assert_allclose(fit.policy, psipo.gibbs_policy(r, beta, pi_ref=pi_ref), rtol=1e-8, atol=1e-300)


def two_way_ring(k: int, seed: int) -> Comparisons:
    """Return strongly connected comparisons that no Bradley–Terry model fits exactly."""
    ring = [(i, (i + 1) % k) for i in range(k)]
    weights = np.random.default_rng(seed).uniform(0.2, 3, 2 * k)
    return Comparisons.from_pairs(ring + [(j, i) for i, j in ring], weights=weights)


@given(st.integers(2, 5), st.integers(0, 999), st.floats(0.2, 5.0))
@settings(max_examples=25)
def test_proposition_4_dpo_is_rlhf_with_the_fitted_reward_where_that_exists(
    k: int, seed: int, beta: float
) -> None:
    data, pi_ref = two_way_ring(k, seed), np.random.default_rng(seed).dirichlet(np.full(k, 3.0))

    def likelihood_loss(r: Table) -> float:  # the loss of the reward, Eq. 1 and 2
        return -float(data.weights @ log_expit(r[data.winners] - r[data.losers]))

    def dpo_loss(logits: Table) -> float:  # the loss of the policy, Eq. 4
        u = logits - np.log(pi_ref)
        return -float(data.weights @ log_expit(beta * (u[data.winners] - u[data.losers])))

    reward = minimize(likelihood_loss, np.zeros(k), options={"gtol": 1e-8}).x
    rlhf = psipo.gibbs_policy(reward, beta, pi_ref=pi_ref)
    dpo = softmax(minimize(dpo_loss, np.log(pi_ref), options={"gtol": 1e-8}).x)
    assert_allclose(dpo, rlhf, rtol=1e-4, atol=1e-9)
    assert_allclose(minimise(data, DPO, beta, pi_ref=pi_ref).policy, rlhf, rtol=1e-4, atol=1e-9)
    assert_allclose(
        psipo.gibbs_policy(psipo.fit_reward(data), beta, pi_ref=pi_ref), rlhf, rtol=1e-4, atol=1e-9
    )


# Overfitting: §4.2


@given(BETAS, st.floats(0.001, 0.999))
def test_section_4_2_logit_collapses_at_every_beta(beta: float, pi_ref_loser: float) -> None:
    sure = psipo.tournament([(0, 1)], 2)
    assert psipo.optimal_policy(
        sure, LOGIT, beta, pi_ref=[1 - pi_ref_loser, pi_ref_loser]
    ).tolist() == [1, 0]


@given(MILD_BETAS, st.floats(0.001, 0.999))
def test_section_4_2_the_collapse_is_the_limit_of_p_to_1(beta: float, pi_ref_loser: float) -> None:
    opposite = np.geomspace(0.4, 1e-300, 40)
    p = np.full((40, 2, 2), 0.5)
    p[:, 0, 1], p[:, 1, 0] = 1 - opposite, opposite
    loser = psipo.optimal_policy(p, LOGIT, beta, pi_ref=[1 - pi_ref_loser, pi_ref_loser])[:, 1]
    prior = np.log(pi_ref_loser) - np.log1p(-pi_ref_loser)
    assert_allclose(
        loser,
        expit(prior + (np.log(opposite) - np.log1p(-opposite)) / beta),
        rtol=1e-11,
        atol=1e-300,
    )
    assert (np.diff(loser[loser > 1e-300]) < 0).all()
    assert loser[-1] < 1e-11


@given(st.integers(1, 50), MILD_BETAS)
def test_section_4_2_a_few_unanimous_samples_collapse_dpo_whatever_the_true_preference(
    n: int, beta: float
) -> None:
    fit = minimise(Comparisons.from_pairs([("y_w", "y_l")] * n), DPO, beta)
    assert fit.policy.tolist() == [1, 0]
    assert not fit.attained


# Identity: Eq. 8, and the root-finding problem of Eq. 9 to 13


def problem_on_one_support(data: st.DataObject) -> tuple[Table, Table, Table]:
    """Draw p, π_ref and μ such that μ and π_ref have one support, as Theorem 2 assumes."""
    k = data.draw(n_actions(at_least=2))
    support = np.array(data.draw(counts(k))) > 0
    pi_ref, mu = (
        share((support * np.array(data.draw(counts(k, zeros=False)))).tolist()) for _ in range(2)
    )
    return data.draw(tables(k, certain=True, easy=True)), pi_ref, mu


def some_policy_on(pi_ref: Table, data: st.DataObject) -> Table:
    return share(((pi_ref > 0) * np.array(data.draw(counts(pi_ref.size, zeros=False)))).tolist())


def margins(policy: Table, pi_ref: Table) -> Table:
    """Return h_π(y, y') for all pairs of actions in the support."""
    u = np.log(policy / pi_ref)
    return np.asarray(u[:, np.newaxis] - u)


def eq_13(policy: Table, p: Table, beta: float, pi_ref: Table, mu: Table) -> float:
    on, win_rate = mu > 0, p @ mu
    gap = (win_rate[:, np.newaxis] - win_rate)[on][:, on] / beta
    return float(mu[on] @ (margins(policy[on], pi_ref[on]) - gap) ** 2 @ mu[on])


def eq_16(policy: Table, p: Table, beta: float, pi_ref: Table, mu: Table) -> float:
    """Return the loss of Eq. 16, where I(y, y') is 1 with probability p*(y ≻ y')."""
    on = mu > 0
    h, p = margins(policy[on], pi_ref[on]), p[on][:, on]
    return float(mu[on] @ (p * (h - 1 / beta) ** 2 + (1 - p) * h**2) @ mu[on])


@given(st.data(), MILD_BETAS)
def test_eq_8_identity_maximises_total_preference_less_the_kl(
    data: st.DataObject, beta: float
) -> None:
    p, pi_ref, mu = problem_on_one_support(data)
    other = some_policy_on(pi_ref, data)

    def total_preference_less_kl(policy: Table) -> float:
        return float(policy @ p @ mu - beta * psipo.kl_divergence(policy, pi_ref))

    best = psipo.optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert_allclose(
        psipo.objective(other, p, IDENTITY, beta, pi_ref=pi_ref, mu=mu),
        total_preference_less_kl(other),
        atol=1e-12,
    )
    assert total_preference_less_kl(other) <= total_preference_less_kl(best) + 1e-13


def test_eq_8_total_preference_may_pass_over_a_condorcet_winner() -> None:
    p = psipo.tournament([(0, 1), (0, 2)], 3, 0.55)
    p[1, 2], p[2, 1] = 0.99, 0.01
    assert (p[0, 1:] > 0.5).all()
    assert psipo.optimal_policy(p, IDENTITY, 0.1).argmax() == 1
    assert psipo.optimal_policy(p, IDENTITY, 1e-3)[1] == 1


@given(st.data(), ODD_PSIS, MILD_BETAS)
def test_eq_9_to_13_the_margins_of_the_optimum_are_differences_of_scores_over_beta(
    data: st.DataObject, psi: Psi, beta: float
) -> None:
    k = data.draw(n_actions())
    p, mu, pi_ref = (
        data.draw(tables(k, easy=True)),
        share(data.draw(counts(k))),
        share(data.draw(counts(k, zeros=False))),
    )
    best = psipo.optimal_policy(p, psi, beta, pi_ref=pi_ref, mu=mu)
    g = (mu * np.where(np.eye(k) == 1, psi(0.5), psi(p))).sum(-1)
    gap = (g[:, np.newaxis] - g) / beta
    assert_allclose(margins(best, pi_ref), gap, rtol=1e-11, atol=1e-11)


@given(st.data(), MILD_BETAS)
def test_eq_13_is_zero_at_the_optimum(data: st.DataObject, beta: float) -> None:
    p, pi_ref, mu = problem_on_one_support(data)
    best = psipo.optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert eq_13(best, p, beta, pi_ref, mu) <= 1e-24 * (1 + 1 / beta) ** 2


@given(st.data(), MILD_BETAS)
def test_theorem_2_on_one_support_eq_13_has_no_other_minimum(
    data: st.DataObject, beta: float
) -> None:
    """Check L(π) = 2 Var_μ(log π/π*), which is convex in the logits and 0 only at π*."""
    p, pi_ref, mu = problem_on_one_support(data)
    other = some_policy_on(pi_ref, data)
    on = mu > 0
    best = psipo.optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    away = np.log(other[on] / best[on])
    variance = mu[on] @ (away - mu[on] @ away) ** 2
    assert_allclose(eq_13(other, p, beta, pi_ref, mu), 2 * variance, rtol=1e-9, atol=1e-20)
    if np.count_nonzero(on) > 1:  # a single action has no comparisons
        fit = minimise(Comparisons.from_preferences(p, mu=mu), IPO, beta, pi_ref=pi_ref)
        assert fit.unique
        assert_allclose(fit.policy, best, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("beta", [0.2, 2.0])
def test_theorem_2_an_optimiser_ends_at_the_optimum_wherever_it_starts(beta: float) -> None:
    rng = np.random.default_rng(5)
    p = psipo.tournament([(0, 1), (1, 2), (2, 0), (3, 0)], 5, 0.9)
    pi_ref, mu = (np.append(rng.dirichlet(np.ones(4)), 0.0) for _ in range(2))
    best = psipo.optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)

    def loss(logits: Table) -> float:
        return eq_13(np.append(softmax(logits), 0.0), p, beta, pi_ref, mu)

    for start in rng.normal(size=(6, 4)) * 4:
        found = minimize(loss, start, options={"gtol": 1e-10})
        assert_allclose(softmax(found.x), best[:4], rtol=1e-5)


@given(st.data(), MILD_BETAS)
def test_theorem_2_of_finite_data_unique_if_and_only_if_the_comparisons_connect_all_actions(
    data: st.DataObject, beta: float
) -> None:
    k = data.draw(n_actions(at_least=2))
    pair = st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)).filter(
        lambda pair: pair[0] != pair[1]
    )
    pairs = data.draw(st.lists(pair, min_size=1, max_size=2 * k))
    fit = minimise(Comparisons.from_pairs(pairs, actions=range(k)), IPO, beta)
    incidence = np.eye(k)[[w for w, _ in pairs]] - np.eye(k)[[y for _, y in pairs]]
    assert fit.unique == (np.linalg.matrix_rank(incidence) == k - 1)
    assert fit.attained
    u = fit.log_ratio
    assert_allclose(incidence.T @ (incidence @ u - 1 / (2 * beta)), 0, atol=1e-9 / beta)


@given(st.data(), MILD_BETAS)
def test_appendix_a_2_an_action_that_mu_misses_may_have_any_probability(
    data: st.DataObject, beta: float
) -> None:
    k = data.draw(n_actions(at_least=3))
    p, pi_ref = data.draw(tables(k, easy=True)), share(data.draw(counts(k, zeros=False)))
    mu = share([*data.draw(counts(k - 1, zeros=False)), 0])
    best = psipo.optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    anything = data.draw(st.floats(0.01, 0.99))
    other = np.append(best[:-1] * (1 - anything) / best[:-1].sum(), anything)
    for minimiser in (best, other):
        assert eq_13(minimiser, p, beta, pi_ref, mu) <= 1e-24 * (1 + 1 / beta) ** 2
    fit = minimise(Comparisons.from_preferences(p, mu=mu), IPO, beta, pi_ref=pi_ref)
    assert not fit.unique
    assert fit.bounds[0].max() == 0
    assert fit.bounds[1][-1] == 1


@given(st.data(), MILD_BETAS)
def test_proposition_3_eq_16_is_eq_13_and_a_constant(data: st.DataObject, beta: float) -> None:
    p, pi_ref, mu = problem_on_one_support(data)
    win_rate = p @ mu
    constant = 0.5 / beta**2 - mu @ ((win_rate[:, np.newaxis] - win_rate) / beta) ** 2 @ mu
    for _ in range(2):
        policy = some_policy_on(pi_ref, data)
        difference = eq_16(policy, p, beta, pi_ref, mu) - eq_13(policy, p, beta, pi_ref, mu)
        assert_allclose(difference, constant, rtol=1e-9, atol=1e-11 * (1 + 1 / beta))


@given(st.data(), MILD_BETAS)
def test_eq_17_pairs_each_comparison_with_its_mirror_image(
    data: st.DataObject, beta: float
) -> None:
    """Check that Eq. 17 and Eq. 16 have the same expectation, up to a constant."""
    p, pi_ref, mu = problem_on_one_support(data)
    policy = some_policy_on(pi_ref, data)
    on = np.flatnonzero(mu > 0)
    if on.size < 2:
        return  # there is no comparison of two different actions
    population = Comparisons.from_preferences(p, mu=mu)
    u = np.log(np.where(mu > 0, policy, 1.0) / np.where(mu > 0, pi_ref, 1.0))
    h = u[population.winners] - u[population.losers]
    eq_17 = IPO.value(h, beta)
    # Each comparison is drawn as (y_w, y_l) with I = 1, or as (y_l, y_w) with I = 0.
    as_drawn = np.stack([(h - 1 / beta) ** 2, (-h) ** 2])
    assert_allclose(as_drawn.mean(0), eq_17 + 1 / (4 * beta**2), rtol=1e-12)

    share_of = population.weights / population.weights.sum()
    mean = share_of @ eq_17
    itself = mu @ mu  # how often y' = y, where h = 0 and I is a fair coin
    assert_allclose(
        eq_16(policy, p, beta, pi_ref, mu),
        (1 - itself) * (mean + 1 / (4 * beta**2)) + itself / (2 * beta**2),
        rtol=1e-10,
    )


# The effect of regularisation: §5.3.1 and §5.4


@given(st.floats(-3, 12).map(lambda exponent: 10.0**exponent), st.floats(0.01, 0.99))
def test_section_5_3_1_two_actions_at_certainty(beta: float, mu: float) -> None:
    sure = psipo.tournament([(0, 1)], 2)
    expected = expit([0.5 / beta, -0.5 / beta])
    assert_allclose(
        psipo.optimal_policy(sure, IDENTITY, beta, mu=[mu, 1 - mu]), expected, rtol=1e-12
    )
    assert_allclose(
        minimise(Comparisons.from_pairs([(0, 1)]), IPO, beta).policy, expected, rtol=1e-12
    )


@given(st.permutations("abc"), BETAS)
def test_section_5_4_where_the_paper_s_experiments_head(order: list[str], beta: float) -> None:
    """Check the exact limits on D1, on D2 and for an action that never wins, under any names."""
    first, second, third = order
    names = sorted(order)

    def heads_for(loss: psipo.MarginLoss, pairs: list[tuple[str, str]]) -> Table:
        policy = minimise(Comparisons.from_pairs(pairs, actions=names), loss, beta).policy
        return policy[[names.index(action) for action in order]]

    d1 = [(first, second), (second, third), (first, third)]
    d2 = [(first, second), (second, third), (third, first)]
    never_wins = [(first, second), (second, first), (first, third)]
    assert heads_for(DPO, d1).tolist() == [1, 0, 0]
    assert_allclose(
        heads_for(IPO, d1), softmax([1 / (3 * beta), 0, -1 / (3 * beta)]), rtol=1e-10, atol=1e-300
    )
    for loss in (DPO, IPO):
        assert_allclose(heads_for(loss, d2), 1 / 3, rtol=1e-12)
    assert_allclose(heads_for(DPO, never_wins), [0.5, 0.5, 0], rtol=1e-12)
    assert_allclose(
        heads_for(IPO, never_wins), softmax([0, 0, -1 / (2 * beta)]), rtol=1e-10, atol=1e-300
    )


def test_section_5_4_training_ends_there_with_the_paper_s_settings() -> None:
    """Train for 18 000 steps of Adam at rate 0.01, on batches of 9 and with 10 seeds.

    β is at most 1, because then DPO arrives before the last step.
    """
    never_wins = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "c")])
    tables, both, betas = [D1, D2, never_wins], [DPO, IPO], [0.1, 0.3, 1.0]
    run = psipo.train(tables, both, betas, record_every=18_000)
    low, high = run.interval(0.999)
    for d, data in enumerate(tables):
        for k, loss in enumerate(both):
            exact = minimise(data, loss, betas).policy
            assert_allclose(run.mean()[d, k, :, -1], exact, atol=0.05)
            assert (low[d, k, :, -1] - 1e-3 <= exact).all()
            assert (exact <= high[d, k, :, -1] + 1e-3).all()
