"""Log-linear policies, whose answers share weights: every statement by several roads.

π_θ(y) ∝ π_ref(y) exp(φ(y)·θ) in each context. z = φ(winner) − φ(loser) is a row of Z for each
comparison. S are the rows that some v with Zv ≥ 0 makes positive: the separated comparisons.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from oracles import (
    PHI,
    Table,
    exact_maximum,
    exact_rank,
    exactly_separated,
    exactly_spared,
    shortest_weights,
)
from scipy import sparse
from scipy.optimize import linprog, lsq_linear, minimize
from scipy.special import expit, log_expit
from scipy.stats import ortho_group
from shared_weights import ACCEPTED, EXAMPLE, FIELDS, W_L_O, assert_close, assert_same, fitted
from strategies import BETAS, MILD_BETAS, Featured, featured

import psipo_explore as psipo
from psipo_explore import (
    DPO,
    IDENTITY,
    IPO,
    Comparisons,
    GradientDescent,
    MarginLoss,
    losses,
    minimise,
    minimise_log_linear,
    train,
)
from psipo_explore.losses import EXPONENTIAL, SQUARED, cdpo, odpo

SQUARES = st.sampled_from([IPO, SQUARED])
FALLING = st.sampled_from([DPO, EXPONENTIAL])
every_accepted_loss = pytest.mark.parametrize("loss", ACCEPTED, ids=lambda loss: loss.name)


def mean_loss(problem: Featured, loss: MarginLoss, beta: float, theta: Table) -> float:
    h = problem.z @ theta
    return float(np.average(loss.value(h, beta), weights=problem.data.weights))


def tilted(problem: Featured, logits: Table) -> Table:
    """Return π_ref exp(logits), normalised in each context."""
    policy = np.zeros(logits.size)
    for x in np.unique(problem.data.contexts):
        of_x = problem.data.contexts == x
        policy[of_x] = psipo.gibbs_policy(logits[of_x], 1.0, pi_ref=problem.pi_ref[of_x])
    return policy


def differences(problem: Featured, among: Any) -> Table:
    """Return the differences of features of each two answers of a context, of some answers."""
    contexts = problem.data.contexts
    y, other = np.nonzero((contexts[:, np.newaxis] == contexts) & among[:, np.newaxis] & among)
    return np.asarray(problem.features[y] - problem.features[other])


def lie_in_the_span(rows: Table, vectors: Table) -> bool:
    """Whether vectors are sums of rows, exactly."""
    return exact_rank(np.vstack([rows, vectors]))[0] == exact_rank(rows)[0]


def exactly_vanishing(problem: Featured, separated: list[bool]) -> Any:
    """Return which answers no v spares, by an exact linear programme for each."""
    return np.array(
        [
            exactly_spared(problem.z, separated, problem.rivals(y)) is None
            for y in range(problem.data.n_actions)
        ]
    )


def exact_loss(
    problem: Featured, loss: MarginLoss, beta: float, rows: Any, near: Table
) -> tuple[Table, float]:
    """Return the shortest θ that minimises the loss of some rows, and its share of the mean loss.

    Both are computed with 50 digits.
    """
    z, w = problem.z[rows], problem.data.weights[rows]
    psi = shortest_weights(z, w.tolist(), loss.name, near * beta)
    x = [mp.fsum(mpf(a) * b for a, b in zip(row, psi, strict=True)) for row in z.tolist()]
    smoothing = float(loss.name.removeprefix("cDPO ")) if loss.name.startswith("cDPO") else 0.0
    value = {
        "IPO": lambda x: ((x - mpf(1) / 2) / mpf(beta)) ** 2,
        "squared": lambda x: (x - 1) ** 2,
        "exponential": lambda x: mp.exp(-x),
        "ODPO 2.5": lambda x: mp.log1p(mp.exp(mpf(2.5) - x)),
    }.get(loss.name, lambda x: mp.log1p(mp.exp(-x)) + mpf(smoothing) * x)  # DPO and cDPO
    total = mp.fsum(map(mpf, problem.data.weights.tolist()))
    mean = mp.fsum(mpf(a) * value(b) for a, b in zip(w.tolist(), x, strict=True)) / total
    return np.array([float(p / mpf(beta)) for p in psi]), float(mean)


# 1. IPO and the squared loss: weighted least squares


@given(featured(), SQUARES, BETAS)
def test_1_squares_are_weighted_least_squares_and_theta_is_the_shortest(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    fit = fitted(problem, loss, beta)
    rows = np.ones(len(problem.z), dtype=bool)
    theta, mean = exact_loss(problem, loss, beta, rows, np.zeros(problem.z.shape[1]))
    assert_close(fit.theta, theta, 1e-11, of=1e-3 / beta)
    assert_allclose(fit.loss, mean, rtol=1e-10, atol=1e-20 * loss.value(0.0, beta))
    root = np.sqrt(problem.data.weights)
    target = {"IPO": 0.5, "squared": 1.0}[loss.name]
    by_pinv = target / beta * np.linalg.pinv(root[:, np.newaxis] * problem.z, rcond=1e-10) @ root
    assert_close(fit.theta, by_pinv, 1e-9, of=1e-3 / beta)
    assert fit.attained
    for field in (fit.separated, fit.vanishing, fit.direction):
        assert not field.any()
    live = problem.pi_ref > 0
    assert fit.unique == lie_in_the_span(problem.z, differences(problem, live))


@given(featured(decades=6), SQUARES)
def test_1_weights_over_twelve_decades_leave_the_least_loss_exact(
    problem: Featured, loss: MarginLoss
) -> None:
    fit = fitted(problem, loss, 1.0)
    rows = np.ones(len(problem.z), dtype=bool)
    _, mean = exact_loss(problem, loss, 1.0, rows, np.zeros(problem.z.shape[1]))
    assert_allclose(fit.loss, mean, rtol=1e-9, atol=1e-20)
    assert_allclose(mean_loss(problem, loss, 1.0, fit.theta), mean, rtol=1e-9, atol=1e-20)


@given(featured(), SQUARES, BETAS)
def test_1_log_ratios_of_squares_are_proportional_to_one_over_beta(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    fit = fitted(problem, loss, [1.0, beta])
    assert_allclose(fit.theta[1] * beta, fit.theta[0], rtol=1e-14)
    in_nats = problem.features @ fit.theta.T
    for k in range(2):
        for x in np.unique(problem.data.contexts):
            of_x = (problem.data.contexts == x) & (problem.pi_ref > 0)
            # log_ratio − φ·θ is one number in each context: log π_ref's mean of exp(φ·θ)
            constant = fit.log_ratio[k, of_x] - in_nats[of_x, k]
            assert_allclose(np.ptp(constant), 0, atol=1e-13 * (1 + np.abs(in_nats[of_x, k]).max()))
    rounded = (
        4 * np.finfo(float).eps * np.abs(in_nats[:, 1]).max()
    )  # scores that are huge at a tiny β
    assert_allclose(fit.policy[1], tilted(problem, in_nats[:, 1]), rtol=1e-9 + rounded, atol=1e-300)


# 2. Losses that fall for ever: which comparisons they can separate, and what is left


@given(featured())
def test_2_separated_comparisons_are_those_of_an_exact_programme_with_a_proof_each_way(
    problem: Featured,
) -> None:
    z = problem.z
    separated, v = exactly_separated(z)
    assert_array_equal(fitted(problem, DPO, 1.0).separated, separated)
    margins = z.astype(int).astype(object) @ np.array(v)
    assert all((h > 0) if s else (h == 0) for h, s in zip(margins, separated, strict=True))
    for row, s in zip(z, separated, strict=True):
        # Gordan, Stiemke: some λ ≥ 0 has Zᵀλ = 0 and λ_i = 1, or some v has Zv ≥ 0 and z_i·v > 0
        found = linprog(np.zeros(len(z)), A_eq=z.T, b_eq=-row, bounds=(0, None))
        assert (found.status == 2) == s


@given(featured(n=6))
def test_2_the_dual_certificate_is_exact(problem: Featured) -> None:
    """Look for λ ≥ 0 with Zᵀλ = 0 that is positive off S: it proves that nothing there can grow."""
    z = problem.z
    n, d = z.shape
    one, none = np.eye(n), np.zeros((n, n))
    rows = np.block([[-one, one], [-one, none], [none, one], [z.T, 0 * z.T], [-z.T, 0 * z.T]])
    limits = np.repeat([0, 0, 1, 0], [n, n, n, 2 * d])
    _, found = exact_maximum(np.repeat([0, 1], n), rows, limits)
    multipliers = found[:n]
    assert all(x >= 0 for x in multipliers)
    assert not any(z.T.astype(int).astype(object) @ np.array(multipliers))
    separated = fitted(problem, DPO, 1.0).separated
    assert_array_equal(separated, [x == 0 for x in multipliers])


@given(featured(), FALLING, BETAS)
def test_2_the_infimum_is_the_least_loss_of_the_others_and_separated_ones_cost_nothing(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    fit = fitted(problem, loss, beta)
    separated = np.array(exactly_separated(problem.z)[0])
    theta, infimum = exact_loss(problem, loss, beta, ~separated, fit.theta)
    assert_allclose(fit.loss, infimum, rtol=1e-11, atol=1e-300)
    assert_close(fit.theta, theta, 1e-8, of=1e-3 / beta)
    assert fit.attained == (not separated.any())


@given(featured(), st.sampled_from([cdpo(0.1), odpo(2.5)]), MILD_BETAS)
def test_2_losses_with_a_parameter_have_their_exact_minimum(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    fit = fitted(problem, loss, beta)
    rests = np.isfinite(loss.best_x)  # cDPO rises on both sides, and always has a minimum
    separated = np.array(exactly_separated(problem.z)[0]) & (not rests)
    theta, infimum = exact_loss(problem, loss, beta, ~separated, fit.theta)
    assert_array_equal(fit.separated, separated)
    assert fit.attained == (not separated.any())
    assert_allclose(fit.loss, infimum, rtol=1e-11, atol=1e-300)
    assert_close(fit.theta, theta, 1e-8, of=1e-3 / beta)
    if rests:
        assert not fit.vanishing.any()
        assert not fit.direction.any()


@given(featured(decades=6), st.sampled_from([DPO, EXPONENTIAL, cdpo(0.1)]))
@settings(max_examples=50)
def test_2_weights_over_twelve_decades_leave_the_infimum_exact(
    problem: Featured, loss: MarginLoss
) -> None:
    fit = fitted(problem, loss, 1.0)
    separated = np.array(exactly_separated(problem.z)[0]) & (loss.best_x == np.inf)
    assert_array_equal(fit.separated, separated)
    _, infimum = exact_loss(problem, loss, 1.0, ~separated, fit.theta)
    assert_allclose(fit.loss, infimum, rtol=1e-9, atol=1e-300)


@given(featured(), FALLING, MILD_BETAS, st.integers(0, 99))
def test_2_the_loss_falls_to_the_infimum_along_the_direction_and_no_weights_are_below(
    problem: Featured, loss: MarginLoss, beta: float, seed: int
) -> None:
    fit = fitted(problem, loss, beta)
    path = [
        mean_loss(problem, loss, beta, fit.theta + t / beta * fit.direction)
        for t in (0, 1, 3, 10, 30, 100, 1000)
    ]
    assert (np.diff(path) <= 1e-12 * path[0]).all()
    assert (np.array(path) >= fit.loss * (1 - 1e-12)).all()
    assert_allclose(path[-1], fit.loss, rtol=1e-10, atol=1e-30)
    rng = np.random.default_rng(seed)
    for size in (0.01, 1, 100):
        other = fit.theta + size * rng.normal(size=fit.theta.shape)
        assert mean_loss(problem, loss, beta, other) >= fit.loss * (1 - 1e-12)


@every_accepted_loss
@given(featured(), MILD_BETAS)
@settings(max_examples=15)
def test_2_the_pulls_of_all_comparisons_balance_at_an_attained_minimum(
    loss: MarginLoss, problem: Featured, beta: float
) -> None:
    fit = fitted(problem, loss, beta)
    inside = ~fit.separated
    z = problem.z[inside]
    pull = problem.data.weights[inside] * loss.slope(z @ fit.theta, beta)
    at_most = problem.data.weights[inside] * np.abs(loss.slope(0.0, beta))
    assert_allclose(z.T @ pull, 0, atol=1e-11 * (np.abs(z).T @ at_most).max(initial=1e-300))


def test_2_a_comparison_of_answers_with_the_same_features_is_never_separated() -> None:
    data = Comparisons.from_pairs([("a", "b"), ("b", "c")])
    fit = minimise_log_linear(data, DPO, 1.0, [[1], [0], [0]])
    assert fit.separated.tolist() == [True, False]
    assert not fit.attained
    assert_allclose(fit.loss, np.log(2) / 2)


# 3. One-hot features: each answer has a weight of its own


def as_tabular(problem: Featured, loss: MarginLoss, beta: float, features: Table) -> None:
    """Check that features which tell all answers apart change nothing, compared with `minimise`."""
    fit = fitted(problem._replace(features=features), loss, beta)
    tabular = minimise(problem.data, loss, beta, pi_ref=problem.pi_ref)
    assert (fit.attained, fit.unique) == (tabular.attained, tabular.unique)
    assert_array_equal(fit.vanishing, tabular.vanishing)
    assert_allclose(fit.loss, tabular.loss, rtol=1e-9, atol=1e-20 * loss.value(0.0, beta))
    live = ~tabular.vanishing & (problem.pi_ref > 0)
    for x in np.unique(problem.data.contexts):
        of_x = live & (problem.data.contexts == x)
        blocks = np.unique(tabular.blocks[of_x])
        whole = np.flatnonzero(problem.data.contexts == x)
        if len(blocks) == 1:  # the loss decides about this context
            assert_allclose(fit.policy[whole], tabular.policy[whole], rtol=1e-7, atol=1e-12)
            possible = whole[problem.pi_ref[whole] > 0]
            assert_allclose(
                fit.log_ratio[possible], tabular.log_ratio[possible], rtol=1e-7, atol=1e-7
            )
        for block in blocks:  # elsewhere it decides about the odds inside each block
            inside = of_x & (tabular.blocks == block) & (fit.policy > 0)
            first = np.flatnonzero(inside)[:1]
            assert_allclose(
                fit.policy[inside] / fit.policy[first],
                tabular.policy[inside] / tabular.policy[first],
                rtol=1e-7,
            )


@every_accepted_loss
@given(featured(one_hot=True), MILD_BETAS)
def test_3_one_hot_features_are_the_tabular_case(
    loss: MarginLoss, problem: Featured, beta: float
) -> None:
    as_tabular(problem, loss, beta, problem.features)


@given(
    featured(one_hot=True),
    st.sampled_from(ACCEPTED),
    st.sampled_from([1e-6, 0.3, 1e6]),
    st.integers(0, 99),
)
def test_3_so_are_scaled_and_rotated_ones(
    problem: Featured, loss: MarginLoss, size: float, seed: int
) -> None:
    as_tabular(problem, loss, 1.0, size * problem.features)
    as_tabular(problem, loss, 1.0, ortho_group.rvs(problem.data.n_actions, random_state=seed))


@given(featured(one_hot=True))
def test_3_what_is_not_separated_lies_inside_a_strong_component(problem: Featured) -> None:
    fit = fitted(problem, DPO, 1.0)
    component = problem.data.strong_components
    inside = component[problem.data.winners] == component[problem.data.losers]
    assert_array_equal(fit.separated, ~inside)


# 4. Which answers are forced out


@given(featured(), FALLING, BETAS)
@settings(max_examples=50)
def test_4_an_answer_vanishes_iff_no_direction_spares_it_at_every_beta(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    fit = fitted(problem, loss, beta)
    separated, _ = exactly_separated(problem.z)
    possible = problem.pi_ref > 0  # the others have probability 0 anyway, and are no rivals
    vanishing = exactly_vanishing(problem, separated)
    assert_array_equal(fit.vanishing[possible], vanishing[possible])
    assert vanishing[problem.data.losers[separated]].all()
    assert not fit.policy[fit.vanishing].any()
    assert (fit.log_ratio[fit.vanishing] == -np.inf).all()
    live = possible & ~vanishing
    decided = lie_in_the_span(problem.z[~np.array(separated)], differences(problem, live))
    assert fit.unique == decided
    if decided:
        assert_array_equal(np.isfinite(fit.log_ratio[possible]), live[possible])


@given(featured(), MILD_BETAS)
def test_4_a_direction_that_spares_an_answer_is_a_minimising_sequence_along_which_it_stays(
    problem: Featured, beta: float
) -> None:
    fit = fitted(problem, DPO, beta)
    for y in np.flatnonzero((problem.pi_ref > 0) & ~fit.vanishing):
        v = exactly_spared(problem.z, fit.separated.tolist(), problem.rivals(y))
        assert v is not None
        v = np.array([float(x) for x in v])
        v /= max((problem.z[fit.separated] @ v).min(initial=1), 1e-9)
        start, end = (tilted(problem, problem.features @ (fit.theta + t * v)) for t in (0, 1e4))
        assert end[y] >= start[y] * (1 - 1e-6)
        far = fit.theta + 1e3 / beta * v
        assert_allclose(mean_loss(problem, DPO, beta, far), fit.loss, rtol=1e-9, atol=1e-30)


@given(featured(), MILD_BETAS, st.integers(0, 99))
def test_4_an_answer_that_vanishes_does_so_along_any_minimising_sequence(
    problem: Featured, beta: float, seed: int
) -> None:
    fit = fitted(problem, DPO, beta)
    assume(fit.vanishing.any())
    z, s = problem.z, fit.separated
    rng = np.random.default_rng(seed)
    for _ in range(5):
        # A random direction that separates S: the vertex of a programme with random costs
        found = linprog(
            rng.normal(size=z.shape[1]),
            A_ub=-z[s],
            b_ub=-rng.uniform(1, 5, s.sum()),
            A_eq=z[~s],
            b_eq=np.zeros((~s).sum()),
            bounds=(-1000, 1000),
        )
        assert found.status == 0
        logits = problem.features @ (fit.theta + 1e6 * found.x)
        assert_allclose(tilted(problem, logits)[fit.vanishing], 0, atol=1e-9)


def test_4_an_answer_that_the_reference_excludes_is_no_rival() -> None:
    fit = minimise_log_linear(EXAMPLE, DPO, 1.0, W_L_O, pi_ref=[0.5, 0.5, 0])
    assert fit.policy.tolist() == [1, 0, 0]
    assert fit.vanishing[:2].tolist() == [False, True]
    assert fit.unique


def test_4_an_excluded_answer_does_not_force_another_out() -> None:
    """Compare w with l in a plane where v = (1, 1) spares y, unless o counts, which is above y."""
    data = Comparisons.from_pairs([("w", "l")], actions=("w", "l", "y", "o"))
    features = [[2, 0], [0, 0], [1, 1], [1, 2]]
    fit = minimise_log_linear(data, DPO, 1.0, features, pi_ref=[0.4, 0.3, 0.3, 0])
    assert fit.vanishing[:3].tolist() == [False, True, False]
    assert not fit.unique
    assert fit.policy.tolist() == [1, 0, 0, 0]  # along the direction (1/2, 0)
    fit = minimise_log_linear(data, DPO, 1.0, features, pi_ref=[0.4, 0.3, 0.2, 0.1])
    assert fit.vanishing.tolist() == [False, True, True, False]


def test_4_an_answer_of_another_context_does_not_force_one_out() -> None:
    data = Comparisons([0], [1], tuple("wlyab"), [1.0], [0, 0, 0, 1, 1])
    fit = minimise_log_linear(data, DPO, 1.0, [[2, 0], [0, 0], [1, 1], [1, 2], [0, 0]])
    assert fit.vanishing.tolist() == [False, True, False, False, False]
    assert not fit.unique


# 5. Along descent


@given(featured(), MILD_BETAS)
@settings(max_examples=50)
def test_5_the_direction_is_the_shortest_that_keeps_a_margin_of_1(
    problem: Featured, beta: float
) -> None:
    fit = fitted(problem, DPO, beta)
    z, s, v = problem.z, fit.separated, fit.direction
    if not s.any():
        assert_array_equal(v, 0)
        return
    size = np.abs(z) @ np.abs(v)
    assert (z[s] @ v >= 1 - 1e-9).all()
    assert (np.abs(z[~s] @ v) <= 1e-9 * (1 + size[~s])).all()
    # Karush, Kuhn, Tucker: v is a sum of rows, those of S on the edge with λ ≥ 0
    edge = z @ v < 1 + 1e-7
    lowest = np.where(s, 0, -np.inf)[edge]
    found = lsq_linear(z[edge].T, v, (lowest, np.inf), tol=1e-14)
    assert_allclose(found.fun, 0, atol=1e-6 * np.linalg.norm(v))
    # Weak duality: 2 Σ λ − ‖Zᵀλ‖² over λ ≥ 0 on S is at most ‖v‖² for all feasible v
    multipliers = np.zeros(len(z))
    multipliers[edge] = found.x
    reached = 2 * multipliers[s].sum() - np.sum((z.T @ multipliers) ** 2)
    assert_allclose(reached, v @ v, rtol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_5_the_direction_is_what_slsqp_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.vstack([[[0.0, 0, 0], [2, 0, 0]], rng.normal(size=(6, 3))])
    up = features @ [0, 1, 0.37]
    pairs = [sorted(rng.choice(8, 2, replace=False), key=lambda y: -up[y]) for _ in range(7)]
    winners, losers = np.transpose([*pairs, (0, 1), (1, 0)])
    data = Comparisons(winners, losers, tuple("abcdefgh"), np.ones(9), np.zeros(8, dtype=int))
    fit = minimise_log_linear(data, DPO, 1.0, features)
    z, s = features[winners] - features[losers], fit.separated
    assert s.any()
    found = minimize(
        lambda v: v @ v,
        fit.direction + rng.normal(size=3),
        jac=lambda v: 2 * v,
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda v: z[s] @ v - 1, "jac": lambda v: z[s]},
            {"type": "eq", "fun": lambda v: z[~s][:1] @ v, "jac": lambda v: z[~s][:1]},
        ],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert_allclose(fit.direction, found.x, rtol=1e-5, atol=1e-6)


@given(featured(decades=2), FALLING, BETAS, st.integers(0, 99))
def test_5_the_direction_depends_neither_on_beta_nor_on_the_weights(
    problem: Featured, loss: MarginLoss, beta: float, seed: int
) -> None:
    data = problem.data
    weights = 10 ** np.random.default_rng(seed).uniform(-6, 6, data.weights.size)
    other = Comparisons(data.winners, data.losers, data.actions, weights, data.contexts)
    fit = fitted(problem, DPO, 1.0)
    again = fitted(problem._replace(data=other), loss, beta)
    assert_allclose(again.direction, fit.direction, rtol=1e-9, atol=1e-9)
    assert_array_equal(again.separated, fit.separated)
    assert_array_equal(again.vanishing, fit.vanishing)


@given(featured(), FALLING, MILD_BETAS)
def test_5_the_policy_is_the_limit_along_the_direction(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    fit = fitted(problem, loss, beta)
    lead, logits = problem.features @ fit.direction, problem.features @ fit.theta
    on_top = np.zeros(problem.data.n_actions, dtype=bool)
    for x in np.unique(problem.data.contexts):
        possible = (problem.data.contexts == x) & (problem.pi_ref > 0)
        on_top |= possible & (lead >= lead[possible].max() - 1e-8)
    limit = problem.pi_ref * on_top * np.exp(logits)
    total = np.bincount(problem.data.contexts, limit)[problem.data.contexts]
    assert_allclose(fit.policy, limit / total, rtol=1e-9)
    near = tilted(problem, logits + 1e5 * lead)
    assert_allclose(fit.policy, near, rtol=1e-5, atol=1e-5)
    with np.errstate(divide="ignore"):
        expected = np.log(fit.policy / np.where(problem.pi_ref > 0, problem.pi_ref, 1))
    possible = problem.pi_ref > 0
    assert_allclose(fit.log_ratio[possible], expected[possible], rtol=1e-9, atol=1e-9)
    sums = np.bincount(problem.data.contexts, fit.policy)
    assert_allclose(sums, 1, rtol=1e-14)


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("loss", [DPO, EXPONENTIAL], ids=lambda loss: loss.name)
def test_5_descent_turns_into_the_direction(loss: MarginLoss, beta: float) -> None:
    data = Comparisons.from_pairs([("a", "b"), ("c", "b"), ("d", "b"), ("b", "d")], actions="abcd")
    features = np.array([[1.0, 1, 0], [0, 0, 0], [0, 2, 1], [1, 0, -1]])
    options = {"optimiser": GradientDescent(0.2), "batch_size": None, "seeds": 1}
    run = train(data, loss, beta, features=features, steps=20_000, record_every=100, **options)  # type: ignore[arg-type]
    assert run.theta is not None
    fit = minimise_log_linear(data, loss, beta, features)
    assert fit.separated.tolist() == [True, True, False, False]
    v, path = fit.direction, run.theta[0, 1:]
    away = 1 - path @ v / np.linalg.norm(v) / np.linalg.norm(path, axis=-1)
    assert (np.diff(away[10:]) < 0).all()
    assert 0 < away[-1] < 0.01
    assert away[-1] < away[0] / 2
    assert (np.diff(np.linalg.norm(path, axis=-1)) > 0).all()


def test_5_where_the_limit_is_open_the_ray_is_a_convention_and_descent_may_end_elsewhere() -> None:
    data = Comparisons.from_pairs([("a", "c"), ("b", "c")], weights=[1, 3], actions="abc")
    features = [[1, 1], [1, -1], [0, 0]]
    fit = minimise_log_linear(data, DPO, 1.0, features)
    assert fit.direction.tolist() == pytest.approx([1, 0], abs=1e-12)
    assert_allclose(fit.policy, [0.5, 0.5, 0], atol=1e-12)
    assert not fit.unique
    assert fit.vanishing.tolist() == [False, False, True]
    run = train(
        data,
        DPO,
        1.0,
        features=features,
        optimiser=GradientDescent(2.0),
        steps=20_000,
        batch_size=None,
        seeds=1,
    )
    assert_allclose(run.final[0], [0.25, 0.75, 0], atol=2e-3)


def test_5_an_answer_that_is_not_forced_out_may_still_vanish_along_descent() -> None:
    """Look at φ = (1, 0), (0, 0), (2, 1) in the plane, where only the loser is forced out."""
    fit = minimise_log_linear(EXAMPLE, DPO, 1.0, [[1, 0], [0, 0], [2, 1]])
    assert fit.vanishing.tolist() == [False, True, False]
    assert not fit.unique
    assert fit.policy.tolist() == [0, 0, 1]
    assert_allclose(fit.direction, [1, 0], atol=1e-12)


# 6. One comparison


@st.composite
def one_comparison(draw: Any) -> Featured:
    """Draw a comparison of answer 0 with answer 1, among up to five more in their context."""
    k = draw(st.integers(2, 7))
    d = draw(st.integers(1, 4))
    row = st.lists(st.integers(-3, 3), min_size=d, max_size=d)
    features = np.array(draw(st.lists(row, min_size=k, max_size=k)), dtype=float)
    assume((features[0] != features[1]).any())
    shares = draw(st.lists(st.integers(1, 9), min_size=k, max_size=k))
    data = Comparisons([0], [1], tuple(map(str, range(k))), [1.0], np.zeros(k, dtype=int))
    return Featured(data, features, np.array(shares) / sum(shares))


LOSSES_THAT_FALL_AT_0 = [
    *ACCEPTED,
    losses.HINGE,
    losses.SAVAGE,
    losses.exo(0.1),
    losses.robust_dpo(0.2),
]


@given(one_comparison(), st.sampled_from(LOSSES_THAT_FALL_AT_0), MILD_BETAS)
def test_6_every_loss_moves_the_weights_along_z_and_the_winner_falls_iff_the_mean_is_ahead_of_it(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    z, phi = problem.z[0], problem.features
    pull = 1e-7 / (-loss.slope(0.0, beta) * (1 + z @ z) ** 2)
    run = train(
        problem.data,
        loss,
        beta,
        pi_ref=problem.pi_ref,
        features=phi,
        batch_size=None,
        seeds=1,
        optimiser=GradientDescent(float(pull)),
        steps=1,
    )
    assert run.theta is not None
    theta = run.theta[0, -1]
    s = theta @ z / (z @ z)
    assert s > 0
    assert_allclose(theta, s * z, rtol=1e-12, atol=1e-12 * np.abs(theta).max())
    slopes = phi @ z - problem.pi_ref @ phi @ z
    moved = run.log_ratio[0, -1] / s
    assert_allclose(moved, slopes, atol=1e-4 * (1 + np.ptp(phi @ z)))
    if abs(slopes[0]) > 1e-3 * (1 + np.ptp(phi @ z)):
        assert (run.policy[0, -1, 0] < problem.pi_ref[0]) == (problem.pi_ref @ phi @ z > phi[0] @ z)


@given(one_comparison())
def test_6_along_z_the_winner_is_log_concave_once_it_falls_it_falls_for_ever_and_the_loser_with_it(
    problem: Featured,
) -> None:
    z, phi = problem.z[0], problem.features
    s = np.linspace(0.05, 3, 60)
    fit = fitted(problem, IPO, 1 / (2 * s * (z @ z)))  # the squared loss stops at s = 1/(2β‖z‖²)
    assert_allclose(fit.theta, np.outer(s, z), rtol=1e-12, atol=1e-15)
    won, lost = fit.log_ratio[:, 0], fit.log_ratio[:, 1]
    assert (np.diff(won, 2) <= 1e-12 * (1 + np.abs(won).max())).all()
    slope = phi[0] @ z - fit.policy @ phi @ z
    assert_allclose(np.gradient(won, s)[1:-1], slope[1:-1], atol=0.05 * (1 + np.ptp(phi @ z) ** 3))
    falls = slope < -1e-12 * (1 + np.abs(phi @ z).max())  # rounding leaves less
    assert (np.diff(falls.astype(int)) >= 0).all()
    assert (np.diff(won)[falls[:-1]] < 0).all()
    assert (np.diff(lost)[falls[:-1]] < 0).all()
    assert_allclose(won - lost, s * (z @ z), rtol=1e-9)


@given(one_comparison(), FALLING, BETAS)
def test_6_the_winner_ends_at_0_iff_some_answer_is_ahead_of_it(
    problem: Featured, loss: MarginLoss, beta: float
) -> None:
    z, phi = problem.z[0], problem.features
    fit = fitted(problem, loss, beta)
    assert (fit.policy[0] == 0) == ((phi @ z).max() > phi[0] @ z)
    assert fit.policy[1] == 0
    assert fit.separated.all()
    assert_allclose(fit.direction, z / (z @ z), rtol=1e-12, atol=1e-15)
    assert_array_equal(fit.theta, 0)
    assert fit.loss == 0


def test_6_losses_differ_only_in_where_they_stop() -> None:
    options = {"features": W_L_O, "optimiser": GradientDescent(0.05), "batch_size": None}
    run = train(EXAMPLE, [IPO, DPO], 1.0, seeds=1, steps=4000, record_every=1000, **options)  # type: ignore[arg-type]
    assert run.theta is not None
    ipo, dpo = run.theta[:, 0, :, 0]
    assert_allclose(ipo[-1], 0.5, rtol=1e-12)
    assert (np.diff(dpo) > 0.1).all()
    # Descent has s' = σ(−s), so that s + e^s = t + 1 after the time t.
    assert_allclose(dpo[-1] + np.exp(dpo[-1]), 201, rtol=0.01)


# 7. The smallest examples


def test_7_three_answers_and_one_feature() -> None:
    betas = np.array([1e-3, 0.1, 1, 10, 1e3])
    dpo, ipo = (minimise_log_linear(EXAMPLE, loss, betas, W_L_O) for loss in (DPO, IPO))
    assert (dpo.attained, dpo.unique) == (False, True)
    assert dpo.vanishing.tolist() == [True, True, False]
    assert_array_equal(dpo.policy, [[0, 0, 1]] * 5)
    assert_allclose(ipo.policy[1:4, 0], [0.0067, 0.307, 0.333], rtol=0.01)
    assert_allclose(ipo.policy[1:4, 1], [5e-5, 0.186, 0.317], rtol=0.1)
    assert_allclose(ipo.policy[1:4, 2], [0.993, 0.506, 0.350], rtol=0.01)
    with np.errstate(over="ignore"):
        assert_allclose(ipo.policy[:, 0], 1 / (1 + 2 * np.cosh(1 / (2 * betas))), atol=1e-300)
    assert (ipo.policy[:, 0] < 1 / 3).all()
    assert (np.diff(ipo.policy[:, 0]) > 0).all()  # a smaller β displaces more
    assert (ipo.attained, ipo.unique) == (True, True)
    assert not ipo.vanishing.any()


def test_7_up_then_down() -> None:
    pi_ref = [0.45, 0.45, 0.1]
    betas = np.array([10, 3, 1, 0.3, 0.1])
    fit = minimise_log_linear(EXAMPLE, IPO, betas, W_L_O, pi_ref=pi_ref)
    assert_allclose(fit.policy[:, 0], [0.458, 0.474, 0.507, 0.423, 0.029], atol=6e-4)
    top = 1 / np.log(4.5)
    assert_allclose(top, 0.665, atol=5e-4)
    peak = minimise_log_linear(EXAMPLE, IPO, [1.01 * top, top, top / 1.01], W_L_O, pi_ref=pi_ref)
    assert peak.policy[:, 0].argmax() == 1
    assert_allclose(peak.policy[1, 0], 0.5147, atol=5e-5)
    assert_allclose(peak.theta[1, 0], np.log(4.5) / 2)
    run = train(
        EXAMPLE,
        DPO,
        1.0,
        pi_ref=pi_ref,
        features=W_L_O,
        optimiser=GradientDescent(1.0),
        steps=20_000,
        batch_size=None,
        seeds=1,
        record_every=1,
    )
    w = run.probability("w")[0]
    assert w[:20].argmax() == 2
    assert w[4] > w[0] > w[5]
    assert w[-1] < 1e-3
    assert (np.diff(w[2:]) < 0).all()


def test_7_in_a_complete_class_the_path_displaces_not_the_loss() -> None:
    plane = np.array([[1.0, 0], [0, 0], [2, 1]])
    assert exact_rank(plane[[0, 2]] - plane[1])[0] == 2  # so it represents every policy
    assert minimise(EXAMPLE, DPO, 1.0).vanishing.tolist() == [False, True, False]
    fit = minimise_log_linear(EXAMPLE, DPO, 1.0, plane)
    assert fit.vanishing.tolist() == [False, True, False]
    options = {"optimiser": GradientDescent(1.0), "batch_size": None, "seeds": 1}
    run = train(EXAMPLE, DPO, 1.0, features=plane, steps=100_000, record_every=50_000, **options)  # type: ignore[arg-type]
    assert_allclose(run.final[0, 0], 1e-5, rtol=0.05)
    own = train(
        EXAMPLE, DPO, 1.0, features=np.eye(3), steps=100_000, record_every=50_000, **options
    )  # type: ignore[arg-type]
    assert_allclose(own.final[0, 0], 0.998, atol=5e-4)


@given(st.data(), st.integers(1, 5), MILD_BETAS)
@settings(max_examples=50)
def test_7_of_two_answers_no_chosen_one_vanishes_and_separated_winners_end_at_1(
    data: st.DataObject, n_contexts: int, beta: float
) -> None:
    d = data.draw(st.integers(1, 3))
    k = 2 * n_contexts
    row = st.lists(st.integers(-2, 2), min_size=d, max_size=d)
    features = np.array(data.draw(st.lists(row, min_size=k, max_size=k)), dtype=float)
    pairs = st.sampled_from([(y, y ^ 1) for y in range(k)])
    winners, losers = np.array(data.draw(st.lists(pairs, min_size=1, max_size=8))).T
    z = features[winners] - features[losers]
    assume(z.any())
    first = data.draw(st.lists(st.floats(0.01, 0.99), min_size=n_contexts, max_size=n_contexts))
    pi_ref = np.column_stack([first, 1 - np.array(first)]).ravel()
    contexts = np.repeat(np.arange(n_contexts), 2)
    one = Comparisons(winners, losers, tuple(map(str, range(k))), np.ones(len(winners)), contexts)
    fit = minimise_log_linear(one, DPO, beta, features, pi_ref=pi_ref)
    assert_array_equal(fit.policy[winners[fit.separated]], 1)
    assert not fit.vanishing[winners].any()
    rest = ~fit.separated
    start = np.log(pi_ref[winners]) - np.log(pi_ref[losers])
    assert_allclose(fit.policy[winners[rest]], expit(start + z @ fit.theta)[rest], rtol=1e-9)


def test_7_a_winner_that_is_not_separated_may_lose_to_one_with_more_weight() -> None:
    data = Comparisons([0, 2], [1, 3], tuple("abcd"), [1, 9], [0, 0, 1, 1])
    fit = minimise_log_linear(data, DPO, 1.0, [[1], [0], [0], [1]])
    assert_allclose(fit.policy, [0.1, 0.9, 0.9, 0.1])
    assert fit.attained


# 8. Classes that do not hold the optimum


@given(featured(decades=1), MILD_BETAS)
@settings(max_examples=15)
def test_8_dpo_is_rlhf_with_a_fitted_linear_reward(problem: Featured, beta: float) -> None:
    data, z = problem.data, problem.z
    assume(not any(exactly_separated(z)[0]))
    found = minimize(
        lambda psi: -data.weights @ log_expit(z @ psi),
        np.zeros(z.shape[1]),
        jac=lambda psi: -z.T @ (data.weights * expit(-z @ psi)),
        options={"gtol": 1e-9},
    )
    reward = problem.features @ found.x
    assert_allclose(fitted(problem, DPO, beta).policy, tilted(problem, reward / beta), rtol=1e-4)


def of_population(features: Table, p: Table, mu: Table, loss: MarginLoss, beta: float) -> Table:
    data = Comparisons.from_preferences(p, mu=mu)
    return minimise_log_linear(data, loss, beta, features).theta


def covariances(features: Table, g: Table, under: Table) -> tuple[Table, Table]:
    """Return the covariances of φ with itself and with g under a policy."""
    centred = features - under @ features
    return centred.T * under @ centred, centred.T * under @ g


@pytest.mark.parametrize("seed", range(10))
def test_8_ipo_regresses_win_rates_on_features_under_mu_psipo_under_its_own_policy(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    p = np.tril(rng.uniform(0.05, 0.95, (5, 5)), -1)
    p = p + np.triu(1 - p.T, 1) + 0.5 * np.eye(5)
    mu, pi_ref = rng.dirichlet(np.full(5, 3.0), 2)
    features, beta = rng.normal(size=(5, 2)), 0.3
    g = p @ mu
    among, with_g = covariances(features, g, mu)
    ipo = of_population(features, p, mu, IPO, beta)
    assert_allclose(ipo, np.linalg.solve(among, with_g) / beta, rtol=1e-9, atol=1e-12)

    def fall(theta: Table) -> float:
        policy = psipo.gibbs_policy(features @ theta, 1.0, pi_ref=pi_ref)
        return -float(psipo.objective(policy, p, IDENTITY, beta, pi_ref=pi_ref, mu=mu))

    best = minimize(fall, np.zeros(2), options={"gtol": 1e-9}).x
    policy = psipo.gibbs_policy(features @ best, 1.0, pi_ref=pi_ref)
    among, with_g = covariances(features, g, policy)
    assert_allclose(among @ best * beta, with_g, rtol=1e-3, atol=1e-6)
    assert np.abs(best - ipo).max() > 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_8_they_agree_if_the_win_rates_are_linear_in_the_features(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, beta = rng.uniform(-1, 1, (5, 2)), 0.4
    score = 0.2 * features @ [1.0, -0.7]
    p = 0.5 + score[:, np.newaxis] - score
    mu, pi_ref = rng.dirichlet(np.full(5, 3.0), 2)
    ipo = of_population(features, p, mu, IPO, beta)
    assert_allclose(ipo, 0.2 * np.array([1.0, -0.7]) / beta, rtol=1e-9)
    fit = minimise_log_linear(
        Comparisons.from_preferences(p, mu=mu), IPO, beta, features, pi_ref=pi_ref
    )
    best = psipo.optimal_policy(p, IDENTITY, beta, pi_ref=pi_ref, mu=mu)
    assert_allclose(fit.policy, best, rtol=1e-9)


def test_8_in_one_feature_three_answers_tell_psipo_ipo_and_dpo_apart() -> None:
    p, line, beta = psipo.bradley_terry([0.0, 2.0, -1.0]), np.array([[0.0], [1], [3]]), 0.2
    uniform = np.full(3, 1 / 3)
    ipo, dpo = (of_population(line, p, uniform, loss, beta)[0] for loss in (IPO, DPO))

    def fall(theta: Table) -> float:
        policy = psipo.gibbs_policy(line @ np.atleast_1d(theta), 1.0)
        return -float(psipo.objective(policy, p, IDENTITY, beta))

    best = minimize(fall, 0.0, options={"gtol": 1e-9}).x[0]
    assert_allclose([best, ipo, dpo], [-0.270, -0.435, -1.878], atol=5e-4)


# What must not change the answer


@given(featured(), st.sampled_from(ACCEPTED), st.integers(0, 99))
def test_a_constant_in_a_context_changes_nothing(
    problem: Featured, loss: MarginLoss, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    of_context = rng.integers(-9, 10, (3, problem.features.shape[1]))
    moved = problem._replace(features=problem.features + of_context[problem.data.contexts])
    assert_same(fitted(moved, loss, 0.7), fitted(problem, loss, 0.7), *FIELDS)


@given(featured(), st.sampled_from(ACCEPTED), st.integers(0, 99))
def test_rotated_features_rotate_the_weights_and_the_direction(
    problem: Featured, loss: MarginLoss, seed: int
) -> None:
    d = problem.features.shape[1]
    turn = ortho_group.rvs(d, random_state=seed) if d > 1 else -np.eye(1)
    fit = fitted(problem, loss, 0.7)
    turned = fitted(problem._replace(features=problem.features @ turn), loss, 0.7)
    assert_same(turned, fit, "policy", "log_ratio", "vanishing", "separated", "loss")
    for name in ("theta", "direction"):
        assert_close(getattr(turned, name), getattr(fit, name) @ turn, 1e-8)


@given(featured(), st.sampled_from(ACCEPTED), st.floats(-6, 6))
def test_features_in_another_unit_leave_the_policy_as_it_is(
    problem: Featured, loss: MarginLoss, exponent: float
) -> None:
    unit = 10.0**exponent
    fit = fitted(problem, loss, 0.7)
    scaled = fitted(problem._replace(features=unit * problem.features), loss, 0.7)
    assert_same(scaled, fit, "policy", "log_ratio", "vanishing", "separated", "loss")
    for name in ("theta", "direction"):
        assert_close(unit * getattr(scaled, name), getattr(fit, name), 1e-8)


@pytest.mark.parametrize("octaves", [8, 20])
@given(featured(), st.sampled_from(ACCEPTED), st.integers(0, 99))
def test_each_feature_may_have_a_unit_of_its_own(
    octaves: int, problem: Featured, loss: MarginLoss, seed: int
) -> None:
    """Multiply each feature by a power of 2, which rounds nothing, so that no digit changes.

    The direction depends on the units. Where they differ by more than 2¹⁶, it may be refused.
    """
    d = problem.features.shape[1]
    units = 2.0 ** np.random.default_rng(seed).integers(-octaves, octaves + 1, d)
    fit = fitted(problem, loss, 0.7)
    try:
        scaled = fitted(problem._replace(features=units * problem.features), loss, 0.7)
    except RuntimeError:
        assert np.ptp(np.log2(units)) > 16
        return
    assert (scaled.attained, scaled.unique) == (fit.attained, fit.unique)
    for field in ("vanishing", "separated", "loss", *(["policy"] if fit.unique else [])):
        assert_array_equal(getattr(scaled, field), getattr(fit, field))


def test_whether_the_policy_is_unique_depends_on_no_unit() -> None:
    """The last two answers differ by what no combination of the two comparisons is."""
    data = Comparisons(
        np.array([0, 2]), np.array([1, 3]), tuple("abcdef"), np.ones(2), np.repeat([0, 1, 2], 2)
    )
    features = np.array(
        [[-2.0, 0, -1], [-2, -2, 2], [2, 1, 2], [-2, 0, 2], [0, -2, 2], [2, -1, -1]]
    )
    for exponents in ([0, 0, 0], [-13, -11, 16], [20, -20, 0], [-20, 20, 20]):
        assert not minimise_log_linear(data, IPO, 0.7, features * np.ldexp(1.0, exponents)).unique


@given(featured(), st.sampled_from(ACCEPTED), st.randoms(use_true_random=False))
def test_neither_the_order_of_comparisons_nor_their_repetition_matters(
    problem: Featured, loss: MarginLoss, random: Any
) -> None:
    data = problem.data
    order = np.arange(data.weights.size)
    random.shuffle(order)
    fit = fitted(problem, loss, 0.7)
    mixed = Comparisons(
        data.winners[order], data.losers[order], data.actions, data.weights[order], data.contexts
    )
    again = fitted(problem._replace(data=mixed), loss, 0.7)
    assert_same(again, fit, *(name for name in FIELDS if name != "separated"))
    assert_array_equal(again.separated, fit.separated[order])
    merged = data.merged()
    once = fitted(problem._replace(data=merged), loss, 0.7)
    assert_same(once, fit, *(name for name in FIELDS if name != "separated"))
    of_pair = dict(
        zip(zip(merged.winners, merged.losers, strict=True), once.separated, strict=True)
    )
    pairs = zip(data.winners, data.losers, strict=True)
    assert_array_equal(fit.separated, [of_pair[pair] for pair in pairs])


@given(featured(), st.sampled_from(ACCEPTED), st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(
    problem: Featured, loss: MarginLoss, random: Any
) -> None:
    """Mix the answers of all contexts."""
    data = problem.data
    order = np.arange(data.n_actions)
    random.shuffle(order)
    place = np.argsort(order)
    mixed = Comparisons(
        place[data.winners],
        place[data.losers],
        tuple(np.array(data.actions)[order]),
        data.weights,
        data.contexts[order],
    )
    again = fitted(Featured(mixed, problem.features[order], problem.pi_ref[order]), loss, 0.7)
    fit = fitted(problem, loss, 0.7)
    assert_same(again, fit, "theta", "direction", "separated", "loss")
    for name in ("policy", "log_ratio", "vanishing"):
        assert_allclose(getattr(again, name), getattr(fit, name)[order], rtol=1e-7, atol=1e-12)
    assert again.actions == tuple(np.array(data.actions)[order])


@given(featured(), st.sampled_from(ACCEPTED))
def test_sparse_features_are_what_they_are_dense(problem: Featured, loss: MarginLoss) -> None:
    fit = fitted(problem, loss, 0.7)
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array, sparse.lil_array):
        again = fitted(problem._replace(features=kind(problem.features)), loss, 0.7)
        assert_same(again, fit, *FIELDS)


@every_accepted_loss
@given(featured())
@settings(max_examples=8)
def test_the_axes_of_beta_lead(loss: MarginLoss, problem: Featured) -> None:
    betas = np.array([[1e-3, 0.3], [2.0, 1e12], [7.0, 0.1]])
    fit = fitted(problem, loss, betas)
    n, (k, d) = problem.data.weights.size, problem.features.shape
    shapes = {"theta": (3, 2, d), "policy": (3, 2, k), "log_ratio": (3, 2, k), "loss": (3, 2)}
    shapes |= {"vanishing": (k,), "separated": (n,), "direction": (d,)}
    assert {name: getattr(fit, name).shape for name in shapes} == shapes
    for at in np.ndindex(3, 2):
        alone = fitted(problem, loss, betas[at])
        assert_allclose(alone.theta, fit.theta[at], rtol=1e-14)
        assert_allclose(alone.loss, fit.loss[at], rtol=1e-14)
        largest = np.abs(problem.features @ alone.theta).max()
        finite = np.isfinite(alone.log_ratio)
        assert_array_equal(np.isfinite(fit.log_ratio[at]), finite)
        gap = alone.log_ratio[finite] - fit.log_ratio[at][finite]
        assert_allclose(gap, 0, atol=1e-13 * (1 + largest))
        assert_allclose(alone.policy, fit.policy[at], rtol=1e-12 * (1 + largest))
        assert np.ndim(alone.loss) == 0
    if fit.attained:
        assert_allclose(fit.policy[1, 1], problem.pi_ref, rtol=1e-6)
    assert fit.vanishing.dtype == fit.separated.dtype == np.bool_
    assert isinstance(fit.attained, bool)
    assert isinstance(fit.unique, bool)


# Numbers that floats hold badly


@pytest.mark.parametrize("beta", [1e-100, 1e-12, 1e-6, 1.0, 1e12, 1e100])
@every_accepted_loss
def test_ties_stay_ties_at_any_beta(loss: MarginLoss, beta: float) -> None:
    """Compare two answers that nothing tells apart, which a rounding error over β would."""
    data = Comparisons.from_pairs(
        [("a", "c"), ("a", "c"), ("b", "c"), ("b", "c"), ("c", "b"), ("c", "a")], actions="abc"
    )
    features = np.array([[0.1, 0.7], [0.7, 0.1], [0.3, 0.3]])
    try:
        fit = minimise_log_linear(data, loss, beta, features)
    except ValueError as refusal:  # of what rounding decides, as `minimise` does
        assert str(refusal).startswith("beta = 1e-")  # noqa: PT017
        return
    assert_allclose(fit.policy[0], fit.policy[1], rtol=1e-4)


@pytest.mark.parametrize("weight", [5e-324, 1e-310, 1e-150, 1e150, 1e307])
def test_weights_at_the_ends_of_float64(weight: float) -> None:
    data = Comparisons.from_pairs([("a", "b"), ("b", "a")], weights=[weight, weight])
    for loss in ACCEPTED:
        fit = minimise_log_linear(data, loss, 1.0, [[1.0], [0.0]])
        assert_allclose(fit.loss, loss.value(0.0, 1.0))
        assert_allclose(fit.policy, 0.5)


@pytest.mark.parametrize("exponent", [6, 12, 150])
@every_accepted_loss
def test_contexts_of_unlike_weights_are_each_minimised(loss: MarginLoss, exponent: int) -> None:
    large, small = 10.0**exponent, 10.0**-exponent
    weights = [3 * large, large, 3 * small, small]
    data = Comparisons([0, 1, 2, 3], [1, 0, 3, 2], tuple("abcd"), weights, [0, 0, 1, 1])
    features = np.eye(4)[:, [0, 2]]
    policy = minimise_log_linear(data, loss, 1.0, features).policy
    assert_allclose(policy, minimise(data, loss, 1.0).policy, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-150, 1e-30, 1e-9, 1e9, 1e15, 1e30, 1e150])
def test_features_of_any_size(size: float) -> None:
    data = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("b", "c")], weights=[3, 1, 2])
    features = np.array([[2.0, 1], [0, 0], [1, -1]])
    for loss in ACCEPTED:
        fit, scaled = (minimise_log_linear(data, loss, 1.0, f) for f in (features, size * features))
        assert_same(scaled, fit, "policy", "vanishing", "separated", "loss")
        assert_allclose(size * scaled.direction, fit.direction, rtol=1e-9, atol=1e-12)


def chain(n: int) -> Comparisons:
    """Return neighbours compared both ways, of whom the first always wins 99 times of 100."""
    up, down = np.arange(n - 1), np.arange(1, n)
    winners, losers = np.concatenate([up, down]), np.concatenate([down, up])
    weights, names = np.repeat([99.0, 1.0], n - 1), tuple(map(str, range(n)))
    return Comparisons(winners, losers, names, weights, np.zeros(n, dtype=int))


@pytest.mark.parametrize("n", [50, pytest.param(400, marks=pytest.mark.slow)])
def test_a_long_chain_of_near_certain_results(n: int) -> None:
    for loss, gap in ((DPO, np.log(99)), (IPO, 0.98 / 2), (EXPONENTIAL, np.log(99) / 2)):
        fit = minimise_log_linear(chain(n), loss, 2.0, np.eye(n))
        assert_allclose(np.diff(fit.log_ratio), -gap / 2, rtol=1e-9)
        assert fit.unique
        line = np.arange(n, dtype=float)[::-1, np.newaxis]
        fit = minimise_log_linear(chain(n), loss, 2.0, line)
        assert_allclose(fit.theta, [gap / 2])


@pytest.mark.parametrize("exponent", range(1, 9))
def test_comparisons_that_only_a_small_feature_separates_are_separated(exponent: int) -> None:
    """Let the large feature tell nothing, since the two comparisons disagree about it."""
    large = 10.0**exponent
    data = Comparisons([0, 2], [1, 3], tuple("abcd"), [1.0, 1.0], [0, 0, 1, 1])
    fit = minimise_log_linear(data, DPO, 1.0, [[large, 1], [0, 0], [-large, 1], [0, 0]])
    assert fit.separated.all()
    assert_allclose(fit.direction, [0, 1], atol=1e-9)
    assert_array_equal(fit.policy, [1, 0, 1, 0])
    # A third comparison takes it back.
    data = Comparisons([0, 2, 4], [1, 3, 5], tuple("abcdef"), np.ones(3), [0, 0, 1, 1, 2, 2])
    features = np.array([[large, 1], [0, 0], [-large, 1], [0, 0], [0, -1], [0, 0]])
    fit = minimise_log_linear(data, DPO, 1.0, features)
    assert fit.attained
    h = features[::2] @ fit.theta
    assert_allclose(features[::2].T @ DPO.slope(h, 1.0), 0, atol=1e-6 * large)


@given(featured(magnitudes=6), st.sampled_from([*ACCEPTED, cdpo(1e-9)]))
@settings(max_examples=50)
def test_features_over_six_decades(problem: Featured, loss: MarginLoss) -> None:
    fit = fitted(problem, loss, 1.0)
    separated = np.array(exactly_separated(problem.z)[0]) & (loss.best_x == np.inf)
    assert_array_equal(fit.separated, separated)
    _, infimum = exact_loss(problem, loss, 1.0, ~separated, fit.theta)
    assert_allclose(fit.loss, infimum, rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize(
    ("loss", "rows"),
    [
        (DPO, [-10, -9, 7, -70_000]),
        (DPO, [1, -1e6]),
        (EXPONENTIAL, [-60_000, 4, -10]),
        (cdpo(1e-9), [500, 1]),
        (cdpo(1e-9), [-500, -1]),
        (cdpo(1e-9), [10, -1e5]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_margins_of_unlike_sizes_in_one_feature(loss: MarginLoss, rows: list[float]) -> None:
    n = len(rows)
    features = np.column_stack([rows, np.zeros(n)]).reshape(-1, 1)
    data = Comparisons(
        2 * np.arange(n),
        2 * np.arange(n) + 1,
        tuple(map(str, range(2 * n))),
        np.ones(n),
        np.repeat(np.arange(n), 2),
    )
    problem = Featured(data, features, data.reference())
    fit = fitted(problem, loss, 1.0)
    assert fit.attained
    # The loss is convex in one number: bisect the sign of its slope.
    low, high = mpf(-1000), mpf(1000)
    while high - low > mpf(10) ** -40:
        middle = (low + high) / 2
        slopes = [mpf(z) * PHI[loss.name][0](mpf(z) * middle) for z in rows]
        low, high = (low, middle) if mp.fsum(slopes) > 0 else (middle, high)
    assert_allclose(fit.theta, [float(low)], rtol=1e-9)


def test_an_answer_is_tied_with_another_to_a_millionth_of_the_margin() -> None:
    gaps = np.array([1e-9, 1e-7, 1e-5, 1e-3])
    for gap, stays in zip(gaps, (True, True, False, False), strict=True):
        fit = minimise_log_linear(EXAMPLE, DPO, 1.0, [[1.0], [0.0], [1.0 + gap]])
        assert fit.policy.tolist() == ([0.5, 0, 0.5] if stays else [0, 0, 1])
        assert_array_equal(fit.log_ratio[~fit.vanishing] > -np.inf, True)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_thousands_of_comparisons(share: float) -> None:
    """Check S against the dual programme, and the direction by its certificate."""
    rng = np.random.default_rng(0)
    n_contexts, k, d, n = 200, 5, 12, 3000
    features = rng.normal(size=(n_contexts * k, d))
    first = k * rng.integers(n_contexts, size=n)
    a, b = first + rng.integers(k, size=n), first + rng.integers(k, size=n)
    a, b = a[a != b], b[a != b]
    features[:, :3] *= rng.random(n_contexts).repeat(k)[:, np.newaxis] < share
    up = features[a, 3:] @ np.arange(1, d - 2) > features[b, 3:] @ np.arange(1, d - 2)
    winners, losers = np.where(up, a, b), np.where(up, b, a)
    ones, contexts = np.ones(len(a)), np.repeat(np.arange(n_contexts), k)
    data = Comparisons(winners, losers, tuple(map(str, range(n_contexts * k))), ones, contexts)
    problem = Featured(data, features, data.reference())
    fit = fitted(problem, DPO, 1.0)
    z, v, s = problem.z, fit.direction, fit.separated
    assert s.all()
    assert (z @ v >= 1 - 1e-9).all()
    edge = z @ v < 1 + 1e-7
    assert_allclose(lsq_linear(z[edge].T, v, (0, np.inf)).fun, 0, atol=1e-6 * np.linalg.norm(v))
    turned = np.flatnonzero(rng.random(len(a)) < 0.2)
    winners[turned], losers[turned] = losers[turned], winners[turned].copy()
    mixed = Comparisons(winners, losers, data.actions, ones, contexts)
    fit = fitted(problem._replace(data=mixed), DPO, 1.0)
    assert fit.attained
    h = (features[winners] - features[losers]) @ fit.theta
    pull = DPO.slope(h, 1.0)
    assert_allclose((features[winners] - features[losers]).T @ pull, 0, atol=1e-9 * len(a))
