"""Self-play: the policy is its own opponent, by several roads.

π(y) ∝ π_ref(y) exp(E_{y'∼π}[Ψ(p(y ≻ y'))]/β). F is the flow Ψ(p) − Ψ(½), which is antisymmetric for
an odd Ψ, so that E_{π,μ}[F] is what one player of a zero-sum game wins from the other.
"""

import warnings
from typing import Any

import nashpy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table, exact_pair, psi_of
from scipy.optimize import linprog, minimize
from scipy.special import softmax
from strategies import ODD_PSIS, counts, n_actions, rewards, share, tables

import psipo_explore as psipo
from psipo_explore import IDENTITY, IPO, LOGIT, Comparisons, Psi, folded_power, self_play
from psipo_explore.psi import LOG, PROBIT
from psipo_explore.self_play import nash_policy

CERTIFIED = 1e-10
BOUNDED = st.sampled_from([IDENTITY, folded_power(0.5), folded_power(2.0), folded_power(7.0)])
EXTREME = st.floats(-3, 12).map(lambda exponent: 10.0**exponent)


@st.composite
def games(draw: Any, **kinds: bool) -> tuple[Table, Table]:
    """Draw a preference table, and π_ref, which may exclude answers."""
    k = draw(n_actions())
    return draw(tables(k, **kinds)), share(draw(counts(k)))


def flow(p: Table, psi: Psi) -> Table:
    return np.asarray(psi.of_table(p) - psi.centre)


def best_response(p: Table, psi: Psi, beta: float, opponent: Table, pi_ref: Table) -> Table:
    return psipo.optimal_policy(p, psi, beta, mu=opponent, pi_ref=pi_ref)


def residual(policy: Table, p: Table, psi: Psi, beta: float, pi_ref: Table) -> float:
    """Return the largest |log π − log of the right-hand side|, up to a constant, where π_ref > 0."""
    counted = (pi_ref > 0) & (policy > 1e-290)
    f = flow(p, psi)[np.ix_(counted, counted)]
    off = np.log(policy[counted]) - np.log(pi_ref[counted]) - f @ policy[counted] / beta
    return float(np.ptp(off)) / 2


# 1. The equation


@given(games(), ODD_PSIS, EXTREME)
def test_1_it_is_its_own_best_response(game: tuple[Table, Table], psi: Psi, beta: float) -> None:
    p, pi_ref = game
    assume(psi is not LOGIT or beta >= 0.1)  # flows of 690, which need larger β
    policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
    assert_allclose(policy.sum(), 1, rtol=1e-14)
    assert_array_equal(policy[pi_ref == 0], 0)
    stakes = abs(flow(p, psi)).max() / beta
    rounding = 1e-14 * len(p) * (stakes + 700)
    assert residual(policy, p, psi, beta, pi_ref) <= CERTIFIED + rounding
    response = best_response(p, psi, beta, policy, pi_ref)
    assert_allclose(policy, response, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10**9), st.sampled_from([1e-3, 1e-2, 1.0, 1e3]), BOUNDED)
def test_1_hard_games_at_a_small_beta_are_certified(seed: int, beta: float, psi: Psi) -> None:
    """Certain and undecided preferences, and a π_ref with shares down to 1e-300."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 8))
    p = np.tril(rng.choice([0, 0.5, 1], (k, k)), -1)
    p = p + np.triu(1 - p.T, 1) + np.eye(k) / 2
    pi_ref = 10.0 ** -rng.choice([0, 0, 1, 50, 200, 300], k)
    pi_ref /= pi_ref.sum()
    assume(psi.name != "folded power 0.5" or beta > 1e-3)  # its flows are twice as large
    policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
    assert residual(policy, p, psi, beta, pi_ref) <= CERTIFIED + 1e-12


def test_1_a_hard_game_that_sixteen_steps_did_not_solve() -> None:
    p = np.array(
        [
            [0.5, 0.5, 1.0, 0.0, 1.0],
            [0.5, 0.5, 0.0, 0.5, 0.5],
            [0.0, 1.0, 0.5, 1.0, 0.0],
            [1.0, 0.5, 0.0, 0.5, 1.0],
            [0.0, 0.5, 1.0, 0.0, 0.5],
        ]
    )
    pi_ref = np.array([1e-199, 1e-199, 1.0, 1e-49, 1e-199])
    policy = nash_policy(p, IDENTITY, 1e-3, pi_ref=pi_ref)
    assert residual(policy, p, IDENTITY, 1e-3, pi_ref) <= CERTIFIED


@given(games(easy=True), ODD_PSIS, st.floats(0.5, 10.0), st.integers(0, 99))
def test_1_slow_averaging_ends_there_from_anywhere(
    game: tuple[Table, Table], psi: Psi, beta: float, seed: int
) -> None:
    """π ↦ best response need not contract, but a small step in log π toward it does."""
    p, pi_ref = game
    policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
    stakes = abs(flow(p, psi)).max() / beta
    step = 1 / (1 + stakes**2)
    assume(step > 0.03)
    live = pi_ref > 0
    start = np.random.default_rng(seed).normal(size=(2, live.sum())) * 5
    f, reference = flow(p, psi)[np.ix_(live, live)], np.log(pi_ref[live])
    for u in start:
        for _ in range(int(40 / step)):
            u = (1 - step) * u + step * (reference + f @ softmax(u) / beta)
        assert_allclose(softmax(u), policy[live], rtol=0, atol=1e-9)


@given(games(easy=True), ODD_PSIS)
def test_1_where_the_best_response_contracts_repeating_it_ends_there(
    game: tuple[Table, Table], psi: Psi
) -> None:
    p, pi_ref = game
    beta = 2 * float(abs(flow(p, psi)).max()) + 0.1
    policy, at = nash_policy(p, psi, beta, pi_ref=pi_ref), pi_ref
    for _ in range(60):
        at = best_response(p, psi, beta, at, pi_ref)
    assert_allclose(policy, at, rtol=0, atol=1e-10)


@given(games(easy=True), st.floats(0.05, 10.0))
def test_1_online_ipo_stays_there_and_reaches_it_where_it_contracts(
    game: tuple[Table, Table], beta: float
) -> None:
    """Both answers are the policy's own, and each round minimises IPO's loss on them."""
    p, pi_ref = game
    live = pi_ref > 0
    assume(live.sum() > 1)
    p, pi_ref = p[np.ix_(live, live)], pi_ref[live]
    policy = nash_policy(p, IDENTITY, beta, pi_ref=pi_ref)
    if policy.min() > 1e-12:
        stays = Comparisons.from_preferences(p, mu=policy)
        assert_allclose(psipo.minimise(stays, IPO, beta, pi_ref=pi_ref).policy, policy, rtol=1e-6)
    if beta > 1:
        at = pi_ref
        for _ in range(40):
            online = Comparisons.from_preferences(p, mu=at)
            at = psipo.minimise(online, IPO, beta, pi_ref=pi_ref).policy
        assert_allclose(at, policy, atol=1e-9)


def exact_equilibrium(p: Table, name: str, beta: float, pi_ref: list[int]) -> list[Any]:
    """Return the policy with 50 digits, by Newton's method of mpmath on log(π/π_ref) up to a constant."""
    k, psi, centre = len(p), psi_of(name), psi_of(name)(mpf(1) / 2, mpf(1) / 2)
    f = mp.matrix(k, k)
    for y in range(k):
        for z in range(k):
            f[y, z] = psi(*exact_pair(p, y, z)) - centre

    def policy_of(v: Any) -> list[Any]:
        weights = [n * mp.exp(x) for n, x in zip(pi_ref, v, strict=True)]
        return [w / mp.fsum(weights) for w in weights]

    def off(*v: Any) -> list[Any]:
        pi = policy_of(v)
        return [v[y] - mp.fsum(f[y, z] * pi[z] for z in range(k)) / mpf(beta) for y in range(k)]

    start = np.log(nash_policy(p, psi_named(name), beta, pi_ref=share(pi_ref)) / share(pi_ref))
    stakes = np.array(f.tolist(), dtype=float) / beta
    at = (stakes @ nash_policy(p, psi_named(name), beta, pi_ref=share(pi_ref))).tolist()
    assert_allclose(np.ptp(start - at), 0, atol=1e-8)
    return policy_of(list(mp.findroot(off, at, tol=mpf(10) ** -80)))


def psi_named(name: str) -> Psi:
    return {"identity": IDENTITY, "logit": LOGIT, "probit": PROBIT}[name]


@pytest.mark.parametrize("name", ["identity", "logit", "probit"])
@pytest.mark.parametrize("beta", [0.03, 1.0, 1e3])
def test_1_small_games_are_those_of_50_digits(name: str, beta: float) -> None:
    p = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.75], [0.8, 0.25, 0.5]])
    exact = exact_equilibrium(p, name, beta, [1, 2, 5])
    got = nash_policy(p, psi_named(name), beta, pi_ref=share([1, 2, 5]))
    assert_allclose(got, [float(x) for x in exact], rtol=2 * CERTIFIED)


# 2. The game


@given(games(certain=True), BOUNDED, st.floats(0.02, 10.0), st.data())
def test_2_neither_player_gains(
    game: tuple[Table, Table], psi: Psi, beta: float, data: st.DataObject
) -> None:
    """E_{π,μ}[F] − β KL(π ‖ π_ref) + β KL(μ ‖ π_ref) is 0 between equals, and at most 0 for others."""
    p, pi_ref = game
    policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
    other = np.where(pi_ref > 0, share(data.draw(counts(len(p)))), 0.0)
    assume(other.any())
    other /= other.sum()
    f = flow(p, psi)
    assert_allclose(policy @ f @ policy, 0, atol=1e-13)
    for s in (1.0, 0.1, 1e-3):
        deviant = (1 - s) * policy + s * other
        price = psipo.kl_divergence(deviant, pi_ref) - psipo.kl_divergence(policy, pi_ref)
        assert deviant @ f @ policy - beta * price <= 1e-10 * (1 + beta)


# SciPy 1.15 warns where SLSQP steps over a bound by a rounding error.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds:RuntimeWarning")
@pytest.mark.parametrize("seed", range(4))
def test_2_an_optimiser_finds_no_better_reply(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.tril(rng.uniform(0.05, 0.95, (4, 4)), -1)
    p, pi_ref = p + np.triu(1 - p.T, 1) + np.eye(4) / 2, rng.dirichlet(np.full(4, 2.0))
    policy = nash_policy(p, LOGIT, 0.7, pi_ref=pi_ref)
    at = {"p": p, "psi": LOGIT, "beta": 0.7, "pi_ref": pi_ref, "mu": policy}
    found = minimize(
        lambda pi: -psipo.objective(pi / pi.sum(), **at),
        np.full(4, 0.25),
        method="SLSQP",
        bounds=[(1e-9, 1)] * 4,
        constraints={"type": "eq", "fun": lambda pi: pi.sum() - 1},
        options={"ftol": 1e-14},
    )
    assert -found.fun <= psipo.objective(policy, **at) + 1e-12
    assert_allclose(found.x / found.x.sum(), policy, atol=1e-4)


def value_of(p: Table) -> tuple[Table, float]:
    """Return a policy that is not beaten by any answer, and its worst win rate, by linear programming."""
    k = len(p)
    found = linprog(
        [*np.zeros(k), -1.0],
        A_ub=np.hstack([-p.T, np.ones((k, 1))]),
        b_ub=np.zeros(k),
        A_eq=[[*np.ones(k), 0.0]],
        b_eq=[1],
        bounds=[(0, 1)] * (k + 1),
    )
    return found.x[:-1], -found.fun


@given(st.integers(2, 5), st.integers(0, 10**6))
def test_2_as_beta_falls_it_tends_to_an_equilibrium_of_nashpy_and_of_a_programme(
    k: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    p = np.tril(rng.uniform(0.05, 0.95, (k, k)), -1)
    p = p + np.triu(1 - p.T, 1) + np.eye(k) / 2
    found, worst = value_of(p)
    assert_allclose(worst, 0.5, atol=1e-9)
    near = [nash_policy(p, IDENTITY, beta) for beta in (1e-1, 1e-2, 1e-3)]
    for policy, beta in zip(near, (1e-1, 1e-2, 1e-3), strict=True):
        # no answer wins more from it than KL may cost: β log K from a uniform π_ref
        assert (p @ policy).max() <= 0.5 + beta * np.log(k) + 1e-12
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of games that may be degenerate
        pairs = list(nashpy.Game(p - 0.5).support_enumeration())
    for row, column in pairs:
        assert_allclose(found, row, atol=1e-7)  # there is one: the game is generic
        assert_allclose(column, row, atol=1e-7)
        # how fast it comes near depends on how close to degenerate the game is
        distances = [abs(policy - row).max() for policy in near]
        assert distances[2] <= distances[0] + 1e-6
        stays_out = row < 1e-9
        margin = (0.5 - p @ row)[stays_out]
        if not stays_out.any() or margin.min() > 0.05:
            inner = abs(np.linalg.pinv((p - 0.5)[np.ix_(~stays_out, ~stays_out)])).sum()
            assert distances[2] <= 1e-2 * (1 + inner) * np.log(k + 1)


@given(st.floats(0.5, 1.0), st.floats(-4, 12), ODD_PSIS)
def test_2_rock_paper_scissors_is_uniform_at_every_beta(
    q: float, exponent: float, psi: Psi
) -> None:
    assume(q < 1 or psi.bounded)
    circle = psipo.tournament([(0, 1), (1, 2), (2, 0)], 3, q=q)
    # Under logit, 1e-4 is small beside stakes of 36.
    assume(abs(flow(circle, psi)).max() / 10**exponent < 1e4)
    assert_allclose(nash_policy(circle, psi, 10**exponent), 1 / 3, rtol=1e-10)


@given(st.floats(0.5, 0.99), st.floats(0.05, 10.0))
def test_2_rock_paper_scissors_with_a_biased_reference_does_not_stay_there(
    q: float, beta: float
) -> None:
    circle = psipo.tournament([(0, 1), (1, 2), (2, 0)], 3, q=q)
    policy = nash_policy(circle, IDENTITY, beta, pi_ref=[0.6, 0.3, 0.1])
    gain = (q - 0.5) * (policy[[1, 2, 0]] - policy[[2, 0, 1]]) / beta
    ratio = policy / [0.6, 0.3, 0.1] / np.exp(gain)
    assert_allclose(ratio, ratio[0], rtol=1e-9)


# 3. Whose opponent does not matter


@given(n_actions().flatmap(lambda k: st.tuples(rewards(k, 10.0), counts(k), counts(k))),
       st.floats(0.05, 1e3))  # fmt: skip
def test_3_under_bradley_terry_and_logit_it_is_the_policy_of_rlhf(
    problem: tuple[Table, list[int], list[int]], beta: float
) -> None:
    r, pi_ref, mu = problem[0], share(problem[1]), share(problem[2])
    p = psipo.bradley_terry(r)
    policy = nash_policy(p, LOGIT, beta, pi_ref=pi_ref)
    assert_allclose(policy, psipo.gibbs_policy(r, beta, pi_ref=pi_ref), rtol=1e-8, atol=1e-300)
    fixed = psipo.optimal_policy(p, LOGIT, beta, pi_ref=pi_ref, mu=mu)
    assert_allclose(policy, fixed, rtol=1e-8, atol=1e-300)


@given(st.floats(0.01, 0.99), st.floats(0.05, 0.95), st.floats(0.05, 100.0), ODD_PSIS)
def test_3_between_two_answers_the_gap_does_not_depend_on_the_policy(
    q: float, w: float, beta: float, psi: Psi
) -> None:
    """It is F(0, 1)(π(0) + π(1)), whatever π is."""
    p = psipo.tournament([(0, 1)], 2, q=q)
    policy = nash_policy(p, psi, beta, pi_ref=[w, 1 - w])
    gap = float(psi(q) - psi(0.5))
    assert_allclose(policy, psipo.gibbs_policy([gap, 0.0], beta, pi_ref=[w, 1 - w]), rtol=1e-8)


# 4. Shapes, symmetry, exclusion, refusals


@given(games(certain=True), BOUNDED, st.floats(0.01, 10.0), st.randoms(use_true_random=False))
def test_4_permuted_answers_get_permuted_probabilities(
    game: tuple[Table, Table], psi: Psi, beta: float, random: Any
) -> None:
    p, pi_ref = game
    order = list(range(len(p)))
    random.shuffle(order)
    permuted = nash_policy(p[np.ix_(order, order)], psi, beta, pi_ref=pi_ref[order])
    policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
    assert_allclose(permuted, policy[order], rtol=1e-9, atol=1e-300)


@given(games(certain=True), BOUNDED, st.floats(0.01, 10.0))
def test_4_an_excluded_answer_might_as_well_not_exist(
    game: tuple[Table, Table], psi: Psi, beta: float
) -> None:
    p, pi_ref = game
    live = pi_ref > 0
    policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
    among = nash_policy(p[np.ix_(live, live)], psi, beta, pi_ref=pi_ref[live])
    assert_array_equal(policy[~live], 0)
    assert_allclose(policy[live], among, rtol=1e-9, atol=1e-300)


def test_4_a_certain_preference_of_an_excluded_answer_is_no_stake() -> None:
    p = [[0.5, 0.7, 1.0], [0.3, 0.5, 0.0], [0.0, 1.0, 0.5]]
    policy = nash_policy(p, LOGIT, 1.0, pi_ref=[0.5, 0.5, 0.0])
    assert_allclose(policy, [0.7, 0.3, 0.0], rtol=1e-9)


@given(st.integers(1, 5), st.integers(0, 10**6), st.sampled_from([1, 3, 2**22]))
@settings(max_examples=10)
def test_4_batches_are_single_games(k: int, seed: int, at_once: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.tril(rng.random((3, 1, k, k)), -1)
    p = p + np.triu(1 - np.swapaxes(p, -1, -2), 1) + np.eye(k) / 2
    beta, pi_ref = np.array([1e-3, 0.1, 1.0, 1e6]), rng.dirichlet(np.ones(k), (3, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_play, "_AT_ONCE", at_once * k**2)
        together = nash_policy(p, IDENTITY, beta, pi_ref=pi_ref)
    assert together.shape == (3, 4, k)
    for i, j in np.ndindex(3, 4):
        alone = nash_policy(p[i, 0], IDENTITY, beta[j], pi_ref=pi_ref[i, 0])
        assert_allclose(together[i, j], alone, rtol=1e-9, atol=1e-300)


def test_4_no_games_have_no_policies() -> None:
    assert nash_policy(np.full((0, 2, 2), 0.5), IDENTITY, 1.0).shape == (0, 2)


@given(st.integers(1, 8), BOUNDED)
def test_4_where_nobody_is_better_the_reference_stays(k: int, psi: Psi) -> None:
    pi_ref = np.arange(1, k + 1) / np.arange(1, k + 1).sum()
    assert_allclose(
        nash_policy(np.full((k, k), 0.5), psi, 1e-12, pi_ref=pi_ref), pi_ref, rtol=1e-14
    )


@pytest.mark.parametrize("beta", [1e-9, 1e-12, 1e-300])
def test_4_a_beta_too_small_to_certify_is_refused(beta: float) -> None:
    p = [[0.5, 0.9, 0.3], [0.1, 0.5, 0.6], [0.7, 0.4, 0.5]]
    with pytest.raises(ValueError, match=rf"^beta = {beta:g} is too small: no policy was found"):
        nash_policy(p, IDENTITY, beta)
    with pytest.raises(ValueError, match=rf"^beta = {beta:g} is too small: no policy was found"):
        nash_policy(p, IDENTITY, [1.0, beta])  # the one of several that fails


@pytest.mark.parametrize(
    ("changed", "error", "begins"),
    [
        ({"psi": LOG}, ValueError, r"^psi 'log' is not odd, so what one player wins is not what"),
        ({"psi": "logit"}, TypeError, r"^psi"),
        ({"p": [[0.5, 1.0], [0.0, 0.5]]}, ValueError, r"^p\[0, 1\] = 1, makes the flow infinite"),
        ({"p": [[0.5, 0.7], [0.7, 0.5]]}, ValueError, r"^p"),
        ({"beta": 0.0}, ValueError, r"^beta = 0"),
        ({"beta": [1.0, 2.0, 3.0], "p": np.full((2, 2, 2), 0.5)}, ValueError, r"^beta has leading"),
        ({"pi_ref": [0.5, 0.4]}, ValueError, r"^pi_ref sums to 0.9"),
        ({"pi_ref": [0.5, 0.25, 0.25]}, ValueError, r"^pi_ref"),
    ],
)
def test_4_wrong_input_is_refused_by_name(
    changed: dict[str, Any], error: type[Exception], begins: str
) -> None:
    right = {"p": [[0.5, 0.8], [0.2, 0.5]], "psi": LOGIT, "beta": 1.0, "pi_ref": [0.5, 0.5]}
    with pytest.raises(error, match=begins):
        nash_policy(**{**right, **changed})
