"""Other leashes than KL: every statement about them, by several roads.

π maximises E_π[g] − β D_f(π ‖ π_ref). r = π/π_ref is an action's ratio, t that of the best action,
and x = (g − max g)/β. Then f'(r) = f'(t) + x, or r = 0 where f'(0) is not below f'(t) + x.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Number, Table, leash, leashed
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from strategies import BETAS, MILD_BETAS, NAMED_PSIS, counts, n_actions, rewards, share, tables

import psipo_explore as psipo
from psipo_explore import IDENTITY, LOGIT, ExpectedPsi, Psi, folded_power, optimal_policy
from psipo_explore.divergences import (
    CHI_PO,
    CHI_SQUARED,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    Divergence,
    alpha,
    tilted_policy,
)

HELLINGER = Divergence(
    "squared Hellinger",
    f=lambda t: (np.sqrt(t) - 1) ** 2,
    slope=lambda t: 1 - 1 / np.sqrt(t),
    slope_inverse=lambda s: 1 / (1 - s) ** 2,
)
NAMED = [KL, REVERSE_KL, CHI_SQUARED, CHI_PO, JENSEN_SHANNON]
MEMBERS = [alpha(a) for a in (-1, 0.5, 1.5, 3)]
ALL = [*NAMED, *MEMBERS, HELLINGER]
DROPS = [CHI_SQUARED, alpha(1.5), alpha(3)]
KEEPS = [f for f in ALL if f not in DROPS]
DIVERGENCES = st.sampled_from(ALL)
BUILT_IN = st.sampled_from([*NAMED, *MEMBERS, *(alpha(a) for a in (-100, -20, 20, 100))])
UNBOUNDED = [psi for psi in NAMED_PSIS if not psi.bounded]
BOUNDED = [psi for psi in NAMED_PSIS if psi.bounded] + [folded_power(0.5), folded_power(7.0)]
SLOPES: dict[str, Callable[[Number], Number]] = {
    "KL": lambda t: mp.log(t) + 1,
    "reverse KL": lambda t: -1 / t,
    "χ²": lambda t: t - 1,
    "χPO": lambda t: t + mp.log(t),
    "Jensen–Shannon": lambda t: mp.log(2 * t / (t + 1)) / 2,
    "squared Hellinger": lambda t: 1 - 1 / mp.sqrt(t),
}
every_divergence = pytest.mark.parametrize("f", ALL, ids=lambda f: f.name)


def slope_of(f: Divergence) -> Callable[[Number], Number]:
    if f.name in SLOPES:
        return SLOPES[f.name]
    b = mpf(float(f.name.removeprefix("α = "))) - 1
    return lambda t: (t**b - 1) / b


def curvature_of(f: Divergence) -> Callable[[Number], Number]:
    return (lambda t: t ** mpf(-1.5) / 2) if f is HELLINGER else leash(f.name)[1]


def f_of(f: Divergence) -> Callable[[Number], Number]:
    return (lambda t: (mp.sqrt(t) - 1) ** 2) if f is HELLINGER else leash(f.name)[0]


@st.composite
def references(draw: Any, k: int, decades: int = 12) -> Table:
    """Draw π_ref, with zeros and with shares over some decades."""
    exponents = st.lists(st.floats(-decades, 0) | st.just(-np.inf), min_size=k, max_size=k)
    w = 10.0 ** np.array(draw(exponents))
    assume(w.any())
    return np.asarray(w / w.sum())


@st.composite
def tilts(draw: Any, decades: int = 12) -> tuple[Table, Table]:
    """Draw g, with ties, and π_ref."""
    k = draw(n_actions())
    g = draw(rewards(k))
    if k > 1 and draw(st.booleans()):
        g[0] = g[-1]
    return g, draw(references(k, decades))


# 1. The optimal policy


@given(tilts(), BETAS, BUILT_IN | DIVERGENCES)
def test_1_slopes_differ_as_scores_do_and_the_dropped_lie_below(
    problem: tuple[Table, Table], beta: float, f: Divergence
) -> None:
    g, pi_ref = problem
    policy = tilted_policy(g, beta, f, pi_ref=pi_ref)
    assert_allclose(policy.sum(), 1, rtol=1e-14)
    assert_array_equal(policy[pi_ref == 0], 0)
    slope, curvature, live = slope_of(f), curvature_of(f), pi_ref > 0
    best = int(np.argmax(np.where(live, g, -np.inf)))
    assert policy[best] > 0
    t = mpf(float(policy[best])) / mpf(float(pi_ref[best]))
    for y in np.flatnonzero(live):
        x = (mpf(float(g[y])) - mpf(float(g[best]))) / mpf(beta)
        r = mpf(float(policy[y])) / mpf(float(pi_ref[y]))
        rounding = abs(x) + abs(slope(t)) + t * curvature(t) + 1
        if policy[y] > 1e-290:
            off = slope(r) - slope(t) - x
            assert abs(off) <= 1e-13 * (rounding + abs(slope(r)) + r * curvature(r))
        elif f.drops:
            assert slope(mpf(0)) - slope(t) - x >= -1e-13 * rounding
        else:  # float64 rounds it to 0
            least = mpf(10) ** -289 / mpf(float(pi_ref[y]))
            assert slope(least) - slope(t) - x >= -1e-13 * (rounding + abs(slope(least)))


def numeric_objective(f: Divergence, policy: Table, g: Table, beta: float, pi_ref: Table) -> float:
    """Return E_π[g] − β Σ π_ref f(π/π_ref), from the definition."""
    terms = [float(f_of(f)(mpf(r))) for r in (policy / pi_ref).tolist()]
    return float(policy @ g - beta * pi_ref @ np.array(terms))


# SciPy 1.15 warns where SLSQP steps over a bound by a rounding error.
@pytest.mark.filterwarnings("ignore:Values in x were outside bounds:RuntimeWarning")
@given(n_actions(2, 4).flatmap(lambda k: st.tuples(rewards(k, 3.0), counts(k, zeros=False))),
       st.floats(0.3, 5.0), DIVERGENCES)  # fmt: skip
def test_1_slsqp_on_the_simplex_finds_nothing_better(
    problem: tuple[Table, list[int]], beta: float, f: Divergence
) -> None:
    g, pi_ref = problem[0], share(problem[1])
    policy = tilted_policy(g, beta, f, pi_ref=pi_ref)
    least = 0.0 if f.drops else 1e-9

    def cost(pi: Table) -> float:
        return -numeric_objective(f, np.maximum(pi, least), g, beta, pi_ref)

    def downhill(pi: Table) -> Table:
        slopes = [float(slope_of(f)(mpf(r))) for r in (np.maximum(pi, least) / pi_ref).tolist()]
        return np.asarray(beta * np.array(slopes) - g)

    found = minimize(
        cost,
        pi_ref,
        jac=downhill,
        method="SLSQP",
        bounds=[(least, 1.0)] * len(g),
        constraints={"type": "eq", "fun": lambda pi: pi.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    best = numeric_objective(f, policy, g, beta, pi_ref)
    on_simplex = found.x / found.x.sum()
    assert -cost(on_simplex) <= best + 1e-12 * (1 + abs(g).max() + beta)
    if found.success:
        assert_allclose(-found.fun, best, rtol=1e-4, atol=1e-4)


@given(tilts(), BETAS)
def test_1_squared_hellinger_is_half_of_alpha_one_half_so_its_beta_is_twice_as_large(
    problem: tuple[Table, Table], beta: float
) -> None:
    g, pi_ref = problem
    own, member = (
        tilted_policy(g, b, f, pi_ref=pi_ref)
        for b, f in ((2 * beta, HELLINGER), (beta, alpha(0.5)))
    )
    # The default formulas for one's own take 1 − 1/√t, which keeps fewer digits of a large t.
    assert_allclose(own, member, rtol=1e-7, atol=1e-9)


@given(tilts(), BETAS)
def test_1_hellinger_distances_are_half_of_alpha_one_half(
    problem: tuple[Table, Table], beta: float
) -> None:
    g, pi_ref = problem
    policy = tilted_policy(g, beta, alpha(0.5), pi_ref=pi_ref)
    # its curvature is found from differences of slopes
    assert_allclose(
        2 * HELLINGER(policy, pi_ref), alpha(0.5)(policy, pi_ref), rtol=1e-9, atol=1e-20
    )


@given(st.floats(-1e300, 1e300), BETAS, BUILT_IN | DIVERGENCES)
def test_1_a_single_action_keeps_everything(g: float, beta: float, f: Divergence) -> None:
    assert tilted_policy([g], beta, f).tolist() == [1.0]
    assert tilted_policy([g, 0.0], beta, f, pi_ref=[1.0, 0.0]).tolist() == [1.0, 0.0]


@given(tilts(), BUILT_IN | DIVERGENCES)
def test_1_a_huge_beta_holds_to_the_reference_and_a_tiny_one_leaves_only_the_best(
    problem: tuple[Table, Table], f: Divergence
) -> None:
    g, pi_ref = problem
    assert_allclose(tilted_policy(g, 1e15, f, pi_ref=pi_ref), pi_ref, rtol=0, atol=1e-9)
    best = (pi_ref > 0) & (g == g[pi_ref > 0].max())
    top = np.where(best, pi_ref, 0.0)
    tied = tilted_policy(np.where(best, 0.0, -np.inf), 1.0, f, pi_ref=pi_ref)
    assert_allclose(tied, top / top.sum(), rtol=1e-13)


@given(tilts(), MILD_BETAS, DIVERGENCES, st.randoms(use_true_random=False))
def test_1_batches_and_permutations_change_nothing(
    problem: tuple[Table, Table], beta: float, f: Divergence, random: Any
) -> None:
    g, pi_ref = problem
    order = list(range(len(g)))
    random.shuffle(order)
    alone = tilted_policy(g, beta, f, pi_ref=pi_ref)
    together = tilted_policy(
        np.stack([g, g[order]]), [[beta], [2 * beta]], f, pi_ref=np.stack([pi_ref, pi_ref[order]])
    )
    close = {"rtol": 1e-7 if f is HELLINGER else 1e-10, "atol": 1e-14}
    assert_allclose(together[0, 0], alone, **close)
    assert_allclose(together[0, 1], alone[order], **close)
    assert_allclose(together[1, 0], tilted_policy(g, 2 * beta, f, pi_ref=pi_ref), **close)


@pytest.mark.parametrize("f", [*NAMED, *MEMBERS, alpha(100), alpha(-100), HELLINGER],
                         ids=lambda f: f.name)  # fmt: skip
@pytest.mark.parametrize("smallest", [5e-324, 1e-310, 3e-308, 1e-300, 1e-200])
def test_1_a_reference_at_the_end_of_float64_gives_a_policy(f: Divergence, smallest: float) -> None:
    for g in (1e-300, 1.0, 1e10, 1.7e308):
        for beta in (1e-300, 1e-12, 1.0, 1e12):
            policy = tilted_policy([g, 0.0], beta, f, pi_ref=[smallest, 1.0])
            assert_allclose(policy.sum(), 1, rtol=1e-14)
            assert (policy >= 0).all()


@pytest.mark.parametrize("f", [alpha(20), alpha(100)], ids=lambda f: f.name)
def test_1_where_a_ratio_rises_within_one_ulp_of_t_the_best_action_has_its_own_share(
    f: Divergence,
) -> None:
    a = float(f.name.removeprefix("α = "))
    gap = 0.6 * 0.3 ** (1 - a) / (a - 1)  # 0.6 of the gap from which on the second one has nothing
    exact = leashed([mpf(0), -mpf(gap)], [mpf(0.3), 1 - mpf(0.3)], f.name)
    policy = tilted_policy([gap, 0.0], 1.0, f, pi_ref=[0.3, 0.7])
    assert_allclose(policy, [float(exact[0] * mpf(0.3)), float(exact[1] * mpf(0.7))], rtol=1e-12)
    assert 0.001 < policy[1] < 0.2


# 2. Certain preferences are limits


@given(n_actions(2).flatmap(lambda k: st.tuples(rewards(k), counts(k, zeros=False))),
       MILD_BETAS, st.sampled_from([*NAMED, *MEMBERS]), st.data())  # fmt: skip
def test_2_the_top_rate_keeps_all_at_its_original_shares_of_the_reference(
    problem: tuple[Table, list[int]], beta: float, f: Divergence, data: st.DataObject
) -> None:
    g, pi_ref = problem[0], share(problem[1])
    top = np.array(data.draw(st.lists(st.booleans(), min_size=len(g), max_size=len(g))))
    assume(top.any())
    score = ExpectedPsi(won=np.where(top, 0.5, 0.25), lost=np.zeros(len(g)), rest=g)
    policy = tilted_policy(score, beta, f, pi_ref=pi_ref)
    assert_array_equal(policy[~top], 0)
    best = mpf(float(g[top].max()))
    w = [mpf(p) for p in pi_ref[top].tolist()]
    exact = leashed([(mpf(x) - best) / mpf(beta) for x in g[top].tolist()], w, f.name)
    expected = [float(p * r) for p, r in zip(w, exact, strict=True)]
    # A ratio close to a border is known to eps^(1/b) only.
    assert_allclose(policy[top], expected, rtol=1e-9, atol=1e-7 if f is alpha(3) else 1e-13)


@given(n_actions(2, 4).flatmap(lambda k: st.tuples(tables(k, certain=True), counts(k))),
       MILD_BETAS, st.sampled_from(UNBOUNDED), DIVERGENCES)  # fmt: skip
def test_2_under_a_certain_table_only_the_top_rate_is_left(
    problem: tuple[Table, list[int]], beta: float, psi: Psi, f: Divergence
) -> None:
    p, pi_ref = problem[0], share(problem[1])
    score = psipo.expected_psi(p, psi)
    policy = optimal_policy(p, psi, beta, pi_ref=pi_ref, divergence=f)
    under_kl = optimal_policy(p, psi, 1e12, pi_ref=pi_ref)
    live = pi_ref > 0
    assert_array_equal(policy[score.rate < score.rate[live].max() - 1e-9], 0)
    assert not policy[under_kl == 0].any()
    assert_allclose(policy.sum(), 1, rtol=1e-14)


@every_divergence
def test_2_not_renormalising_the_reference_matters_except_under_kl(f: Divergence) -> None:
    score = ExpectedPsi(won=[0.5, 0.5, 0.0], lost=np.zeros(3), rest=[0.7, 0.0, 5.0])
    policy = tilted_policy(score, 1.0, f, pi_ref=[0.1, 0.2, 0.7])
    renormalised = tilted_policy([0.7, 0.0], 1.0, f, pi_ref=[1 / 3, 2 / 3])
    assert policy[2] == 0
    assert np.allclose(policy[:2], renormalised, atol=1e-4) == (f is KL)


# 3. It is Ψ, not KL, that drops the loser

winners = st.floats(0.05, 0.95)
wide = st.floats(0.01, 300.0)  # a gap in units of β


def loser(x: float, f: Divergence, w: float, beta: float) -> float:
    return float(tilted_policy([x * beta, 0.0], beta, f, pi_ref=[w, 1 - w])[1])


@given(winners, wide, BETAS)
def test_3_under_kl_the_loser_goes_like_an_exponential(w: float, x: float, beta: float) -> None:
    left = loser(x, KL, w, beta)
    assert_allclose(left / (1 - left), (1 - w) / w * np.exp(-x), rtol=1e-11)


@given(winners, st.floats(-2, 15), BETAS, st.sampled_from([-100.0, -1.0, 0.0, 0.5, 0.9]))
def test_3_below_alpha_1_the_loser_goes_like_a_power_of_the_gap(
    w: float, decades: float, beta: float, a: float
) -> None:
    """The ratio of the winner lies between 1 and 1/w, which leaves only these ratios of the loser.

    For reverse KL, a = 0, they tend to β/gap.
    """
    x, b = 10**decades, a - 1
    left = loser(x, alpha(a), w, beta) / (1 - w)
    least, most = (1 - b * x) ** (1 / b), (w**-b - b * x) ** (1 / b)
    assert least * (1 - 1e-12) <= left <= most * (1 + 1e-12)
    if x > 1e10:
        assert_allclose(left, (-b * x) ** (1 / b), rtol=1e-12 + 1.1 / (b**2 * x))


@given(winners, wide, BETAS)
def test_3_under_jensen_shannon_the_loser_goes_twice_as_fast_as_under_kl(
    w: float, x: float, beta: float
) -> None:
    left = loser(x, JENSEN_SHANNON, w, beta) / (1 - w)
    least, most = 1 / (2 * np.exp(2 * x) - 1), 1 / ((1 + w) * np.exp(2 * x) - 1)
    assert least * (1 - 1e-11) <= left <= most * (1 + 1e-11)
    if x > 20:  # the winner has all, so that its ratio is 1/w
        assert_allclose(left, np.exp(-2 * x) / (1 + w), rtol=1e-11)


@given(winners, BETAS, st.sampled_from([1.01, 1.5, 2.0, 3.0, 10.0]))
def test_3_above_alpha_1_the_loser_is_out_from_a_finite_gap_on(
    w: float, beta: float, a: float
) -> None:
    border = w ** (1 - a) / (a - 1)
    if a == 2:
        assert_allclose(border, 1 / w)
    assert loser(border * (1 + 1e-9), alpha(a), w, beta) == 0
    assert loser(border * (1 - 1e-9), alpha(a), w, beta) > 0 or a == 1.01  # 1e-9^100 underflows
    assert loser(border * 0.99, alpha(a), w, beta) > 0


@given(BETAS, winners, st.sampled_from(UNBOUNDED), BUILT_IN | DIVERGENCES)
def test_3_under_an_unbounded_psi_the_loser_goes_at_every_beta(
    beta: float, w: float, psi: Psi, f: Divergence
) -> None:
    losses = [10.0**-n for n in (0.5, 2, 10, 50, 300)] + [0.0]
    p = np.array([[[0.5, 1 - q], [q, 0.5]] for q in losses])
    left = optimal_policy(p, psi, beta, pi_ref=[w, 1 - w], divergence=f)[:, 1]
    assert (np.diff(left) <= 1e-13 * left[:-1]).all()
    assert left[-1] == 0
    # 300 decades of p are not many for PROBIT, so the gap goes on alone; (100 G)^(−1/101) is slow
    assert loser(1e300, f, w, 1.0) < (1e-2 if f is alpha(-100) else 1e-14)


@given(st.floats(0.01, 100.0), st.sampled_from(BOUNDED), st.sampled_from(KEEPS), st.data())
def test_3_under_a_bounded_psi_nothing_vanishes_if_f_is_infinitely_steep_at_0(
    beta: float, psi: Psi, f: Divergence, data: st.DataObject
) -> None:
    k = data.draw(n_actions(2, 5))
    p, w = data.draw(tables(k, certain=True)), share(data.draw(counts(k)))
    assert not f.drops
    policy = optimal_policy(p, psi, beta, pi_ref=w, divergence=f)
    assert_array_equal(policy > 0, w > 0)


@given(winners, st.sampled_from(BOUNDED), st.sampled_from(DROPS))
def test_3_under_a_bounded_psi_a_loser_is_dropped_below_a_finite_beta_if_f_is_not(
    w: float, psi: Psi, f: Divergence
) -> None:
    assert f.drops
    p = psipo.tournament([(0, 1)], 2, q=1.0)
    gap = float(-np.diff(psipo.expected_psi(p, psi).value)[0])
    a = 2.0 if f is CHI_SQUARED else float(f.name.removeprefix("α = "))
    border = gap * (a - 1) * w ** (a - 1)
    left = optimal_policy(
        p, psi, border * np.array([1 - 1e-9, 1.01]), pi_ref=[w, 1 - w], divergence=f
    )[:, 1]
    assert left[0] == 0 < left[1]


# 4. The distance itself


@st.composite
def two_policies(draw: Any, *, zeros: bool) -> tuple[list[int], list[int]]:
    k = draw(n_actions())
    return draw(counts(k, zeros=zeros)), draw(counts(k, zeros=zeros))


def exact_distance(f: Divergence, of: list[int], reference: list[int]) -> Number:
    """Return Σ π_ref f(π/π_ref) with 50 digits, for policies of whole numbers without zeros."""
    total, total_ref = sum(of), sum(reference)
    return mp.fsum(
        mpf(m) / total_ref * f_of(f)(mpf(n) * total_ref / (mpf(m) * total))
        for n, m in zip(of, reference, strict=True)
    )


@given(two_policies(zeros=False), BUILT_IN | DIVERGENCES)
def test_4_distances_are_those_of_50_digits(
    policies: tuple[list[int], list[int]], f: Divergence
) -> None:
    exact = exact_distance(f, *policies)
    got = float(f(*map(share, policies)))
    assert got >= 0
    # The curvature of HELLINGER comes from differences. tᵃ has the relative error a · 1e-16.
    tolerance = 1e-9 if f is HELLINGER else 1e-12 if abs(exact) < 1e10 else 1e-11
    assert_allclose(got, float(exact), rtol=tolerance, atol=1e-15)


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=4), st.integers(1, 45), BUILT_IN)
def test_4_tiny_distances_keep_their_digits(parts: list[int], halvings: int, f: Divergence) -> None:
    """The shares are multiples of 2⁻¹⁴, and moves are powers of 2, so that float64 holds them."""
    w = np.array([*parts, 2**14 - sum(parts)]) / 2**14
    moves = np.zeros(len(w))
    moves[0], moves[-1] = 1, -1
    policy = w + moves * 2.0 ** -(14 + halvings)
    assume((policy > 0).all() and sum(map(mpf, policy.tolist())) == 1)
    exact = mp.fsum(
        mpf(v) * f_of(f)(mpf(u) / mpf(v)) for u, v in zip(policy.tolist(), w.tolist(), strict=True)
    )
    # f'' of these changes by a factor of 100 within the reach of the quadrature.
    steep = f in (alpha(-100), alpha(100))
    assert_allclose(float(f(policy, w)), float(exact), rtol=1e-10 if steep else 1e-12)


@given(two_policies(zeros=True))
def test_4_kl_reverse_kl_and_jensen_shannon_are_scipys(
    policies: tuple[list[int], list[int]],
) -> None:
    policy, pi_ref = map(share, policies)
    assert_allclose(KL(policy, pi_ref), rel_entr(policy, pi_ref).sum(), rtol=1e-12, atol=1e-15)
    at = pi_ref > 0  # where π_ref is 0, reverse KL charges f'(∞) = 0
    expected = rel_entr(pi_ref[at], policy[at]).sum()
    assert_allclose(REVERSE_KL(policy, pi_ref), expected, rtol=1e-12, atol=1e-15)
    for one, other in ((policy, pi_ref), (pi_ref, policy)):  # it is symmetric
        assert_allclose(
            JENSEN_SHANNON(one, other), jensenshannon(policy, pi_ref) ** 2, rtol=1e-9, atol=1e-15
        )


@pytest.mark.parametrize(
    ("f", "at_zero", "outside"),
    [
        (KL, 0.0, np.inf),
        (REVERSE_KL, np.inf, 0.0),
        (CHI_SQUARED, 0.5, np.inf),
        (CHI_PO, 0.5, np.inf),
        (JENSEN_SHANNON, np.log(2) / 2, np.log(2) / 2),
        (HELLINGER, 1.0, 1.0),
        (alpha(-1), np.inf, 0.5),
        (alpha(0.5), 2.0, 2.0),
        (alpha(1.5), 2 / 3, np.inf),
        (alpha(3), 1 / 3, np.inf),
    ],
    ids=lambda x: x.name if isinstance(x, Divergence) else "",
)
def test_4_zeros_cost_f_at_0_and_its_slope_at_infinity(
    f: Divergence, at_zero: float, outside: float
) -> None:
    def exact(t: float) -> float:
        return float(f_of(f)(mpf(t)))

    assert_allclose(f([1.0, 0.0], [0.25, 0.75]), 0.25 * exact(4) + 0.75 * at_zero, rtol=1e-9)
    assert_allclose(f([0.25, 0.75], [1.0, 0.0]), exact(0.25) + 0.75 * outside, rtol=1e-9)
    assert_allclose(f([1.0, 0.0], [0.0, 1.0]), at_zero + outside, rtol=1e-9)
    assert f([1.0, 0.0], [1.0, 0.0]) == 0


def test_4_a_user_who_writes_t_log_t_gets_kl() -> None:
    own = Divergence(
        "my KL",
        f=lambda t: t * np.log(t),
        slope=lambda t: np.log(t) + 1,
        slope_inverse=lambda s: np.exp(s - 1),
        curvature=lambda t: 1 / t,
    )
    assert_allclose(own([1.0, 0.0], [0.25, 0.75]), np.log(4), rtol=1e-12)
    assert_allclose(own([0.3, 0.7], [0.25, 0.75]), KL([0.3, 0.7], [0.25, 0.75]), rtol=1e-12)
    assert repr(own) == "Divergence('my KL')"


def test_4_a_user_whose_slope_is_no_number_at_infinity_pays_that_of_a_huge_ratio() -> None:
    own = Divergence(
        "my reverse KL",
        f=lambda t: -np.log(t),
        slope=lambda t: -t / t**2,
        slope_inverse=lambda s: -1 / s,
    )
    assert_allclose(own([0.5, 0.5], [1.0, 0.0]), np.log(2), rtol=1e-9)
    # nor is it a number at 0
    assert_allclose(tilted_policy([1, 0], 1.0, own), tilted_policy([1, 0], 1.0, REVERSE_KL))


@given(two_policies(zeros=True), st.sampled_from([-3.0, -0.5, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0]))
def test_4_alpha_and_one_minus_alpha_are_each_others_reverse(
    policies: tuple[list[int], list[int]], a: float
) -> None:
    policy, pi_ref = map(share, policies)
    assert_allclose(alpha(a)(policy, pi_ref), alpha(1 - a)(pi_ref, policy), rtol=1e-11, atol=1e-15)


@given(n_actions().flatmap(lambda k: st.tuples(*[counts(k)] * 4)), st.floats(0, 1), DIVERGENCES)
def test_4_distances_are_jointly_convex_and_0_only_between_equals(
    policies: tuple[list[int], ...], s: float, f: Divergence
) -> None:
    p, q, p_ref, q_ref = map(share, policies)
    between = f(s * p + (1 - s) * q, s * p_ref + (1 - s) * q_ref)
    with np.errstate(invalid="ignore"):
        ends = np.array([s, 1 - s]) * [f(p, p_ref), f(q, q_ref)]
    assert between <= np.nansum(ends) * (1 + 1e-9) + 1e-12 or np.isnan(ends).any()
    assert (f(p, q) > 0) == (not np.allclose(p, q, rtol=1e-12))


# 5. `objective`


@given(n_actions(2, 5).flatmap(lambda k: st.tuples(tables(k, easy=True), *[counts(k)] * 3)),
       MILD_BETAS, st.sampled_from([IDENTITY, LOGIT]), DIVERGENCES, st.floats(0.001, 1))  # fmt: skip
def test_5_the_optimal_policy_maximises_the_objective(
    problem: tuple[Table, list[int], list[int], list[int]],
    beta: float,
    psi: Psi,
    f: Divergence,
    share_of_other: float,
) -> None:
    p, mu, pi_ref = problem[0], share(problem[1]), share(problem[2])
    given_too = {"mu": mu, "pi_ref": pi_ref, "divergence": f}
    policy = optimal_policy(p, psi, beta, **given_too)
    best = psipo.objective(policy, p, psi, beta, **given_too)
    other = np.where(pi_ref > 0, share(problem[3]), 0.0)
    assume(other.any())
    other = (1 - share_of_other) * policy + share_of_other * other / other.sum()
    assert psipo.objective(other, p, psi, beta, **given_too) <= best + 1e-12 * (1 + beta)
    assert psipo.objective(pi_ref, p, psi, beta, **given_too) <= best + 1e-12 * (1 + beta)
    g = psipo.expected_psi(p, psi, mu=mu).value
    assert_allclose(best, policy @ g - beta * f(policy, pi_ref), rtol=1e-12, atol=1e-14)


# 6. The family of Cressie and Read


@given(tilts(decades=4), MILD_BETAS, st.sampled_from([0, 1, 2]), st.floats(-1, 1))
def test_6_the_family_is_continuous_at_its_named_members(
    problem: tuple[Table, Table], beta: float, at: int, near: float
) -> None:
    g, pi_ref = problem
    named, close = alpha(at), alpha(at + near * 1e-9)
    policy = tilted_policy(g, beta, named, pi_ref=pi_ref)
    assert_allclose(tilted_policy(g, beta, close, pi_ref=pi_ref), policy, rtol=0, atol=1e-5)
    if (policy > 0).all():
        assert_allclose(close(policy, pi_ref), named(policy, pi_ref), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("a", [-100, -2.5, 1e-300, 1e-14, 1 - 1e-14, 1 + 1e-14, 7, 100])
def test_6_members_are_kept_and_named_by_their_a(a: float) -> None:
    assert alpha(a) is alpha(a)
    assert alpha(a).name == f"α = {a:g}"
    assert alpha(a)([0.25, 0.75], [0.5, 0.5]) > 0
    assert alpha(a).drops == (a > 1)


def test_6_zero_one_and_two_have_names() -> None:
    assert [alpha(a) for a in (0, 1, 2.0)] == [REVERSE_KL, KL, CHI_SQUARED]
    assert [f.name for f in NAMED] == ["KL", "reverse KL", "χ²", "χPO", "Jensen–Shannon"]


@pytest.mark.parametrize("a", [100.5, -101, np.inf, np.nan])
def test_6_beyond_100_alpha_is_refused(a: float) -> None:
    with pytest.raises(ValueError, match=rf"^a = {a:g}, must be "):
        alpha(a)


# 7. One's own


@given(st.sampled_from([*NAMED, *(alpha(a) for a in (-3, -1, -1e-3, 0.3, 0.999, 1.001, 1.5, 5))]))
def test_7_every_divergence_passes_the_checks_of_ones_own(f: Divergence) -> None:
    functions = {"f": f.f, "slope": f.slope, "slope_inverse": f.slope_inverse}
    given_too: dict[str, Any] = {"curvature": f.curvature, "ratio_below": f.ratio_below}
    for n in range(3):
        extra = dict(list(given_too.items())[:n])
        own = Divergence("own", **functions, **extra)
        policy = tilted_policy([0.8, 0.5, 0.0], 1.0, own, pi_ref=[0.2, 0.3, 0.5])
        expected = tilted_policy([0.8, 0.5, 0.0], 1.0, f, pi_ref=[0.2, 0.3, 0.5])
        assert_allclose(policy, expected, rtol=1e-10)
        assert_allclose(own([0.2, 0.8], [0.21, 0.79]), f([0.2, 0.8], [0.21, 0.79]), rtol=1e-9)
        assert own.drops == f.drops


RIGHT: dict[str, Any] = {
    "name": "half of χ²",
    "f": lambda t: (t - 1) ** 2 / 4,
    "slope": lambda t: (t - 1) / 2,
    "slope_inverse": lambda s: 2 * s + 1,
    "curvature": lambda t: np.full_like(t, 0.5),
}


def test_7_what_is_refused_below_is_accepted_where_it_is_right() -> None:
    policy = tilted_policy([0.5, 0.0], 1.0, Divergence(**RIGHT))
    assert_allclose(policy, tilted_policy([0.5, 0.0], 0.5, CHI_SQUARED), rtol=1e-14)


@pytest.mark.parametrize(
    ("wrong", "error", "begins"),
    [
        ({"f": lambda t: (t - 1) ** 2 / 4 + 0.25}, ValueError, "f(1) = 0.25, must be 0"),
        ({"f": lambda t: t * np.nan}, ValueError, "f(1) = nan, must be 0"),
        (
            {"f": lambda t: np.where(t > 500, np.inf, (t - 1) ** 2 / 4)},
            ValueError,
            "f(501.187) = inf, must be finite",
        ),
        (
            {"slope": lambda t: np.where(t < 0.0011, -np.inf, (t - 1) / 2)},
            ValueError,
            "slope(0.001) = -inf, must be finite",
        ),
        (
            {"f": lambda t: t - 1, "slope": lambda t: np.ones_like(t)},
            ValueError,
            "slope(0.00105925) = 1, must rise with t, because f must be strictly convex",
        ),
        (
            {"f": lambda t: -((t - 1) ** 2), "slope": lambda t: 2 - 2 * t},
            ValueError,
            "slope(0.00105925) = 1.99788, must rise with t",
        ),
        ({"slope": lambda t: t - 1}, ValueError, "slope(0.001) = -0.999, is not the slope of f"),
        (
            {"slope_inverse": lambda s: 2 * s + 1.01},
            ValueError,
            "slope_inverse(-0.4995) = 0.011, is not the ratio that has this slope",
        ),
        (
            {"slope_inverse": lambda s: s * np.nan},
            ValueError,
            "slope_inverse(-0.4995) = nan, is not the ratio that has this slope",
        ),
        (
            {"curvature": lambda t: np.full_like(t, 0.51)},
            ValueError,
            "curvature(0.001) = 0.51, is not the slope of slope there",
        ),
        ({"curvature": lambda t: t * np.nan}, ValueError, "curvature(0.001) = nan, is not"),
        ({"f": 3}, TypeError, "f = 3, must be a function of arrays"),
        ({"slope": "t"}, TypeError, "slope = 't', must be a function of arrays"),
        ({"slope_inverse": None}, TypeError, "slope_inverse = None, must be a function of arrays"),
        ({"curvature": [1]}, TypeError, "curvature = [1], must be a function of arrays"),
        ({"ratio_below": 0}, TypeError, "ratio_below = 0, must be a function of arrays"),
        ({"name": 1}, TypeError, "name = 1, must be a text"),
        (
            {"ratio_below": lambda t, x: t + x},
            ValueError,
            "ratio_below(1.05925) = 1.02963, must be 1 for x = f'(1) − f'(t)",
        ),
        (
            {"ratio_below": lambda t, x: None},
            TypeError,
            "ratio_below does not take arrays (ratio_below",
        ),
        ({"f": lambda t: 0.5 if t > 1 else 0}, TypeError, "f does not take arrays (The truth"),
        ({"f": lambda t: [0, 1]}, TypeError, "f does not take arrays (operands could not be"),
        ({"slope": lambda t: 1j * t}, TypeError, "slope does not take arrays (slope holds"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_7_a_wrong_one_is_refused_and_told_where(
    wrong: dict[str, Any], error: type[Exception], begins: str
) -> None:
    with pytest.raises(error) as refusal:
        Divergence(**{**RIGHT, **wrong})
    assert str(refusal.value).startswith(begins)


def test_7_a_function_that_breaks_off_the_grid_is_told_when_used() -> None:
    def short(t: Table, x: Table) -> Table:
        return np.where(t < 1e4, np.maximum(t + 2 * x, 0.0), np.where(x == 0, t / 2, 0.0))

    own = Divergence(**RIGHT, ratio_below=short)
    with pytest.raises(RuntimeError, match=r"^the logarithm of a policy's sum is "):
        tilted_policy([1e9, 0.0], 1.0, own, pi_ref=[1e-6, 1 - 1e-6])


def test_7_tilts_of_no_divergence_are_refused() -> None:
    for call in (
        lambda: tilted_policy([1.0, 0.0], 1.0, "KL"),  # type: ignore[arg-type]
        lambda: psipo.objective([1.0, 0.0], [[0.5, 0.6], [0.4, 0.5]], LOGIT, 1.0, divergence=1),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match=r"^divergence = "):
            call()


@given(tilts(decades=3), DIVERGENCES)
def test_7_ratio_below_inverts_the_slope(problem: tuple[Table, Table], f: Divergence) -> None:
    x, t = -np.abs(problem[0]) / 10, 1 + 10 * problem[1]
    r = f.ratio_below(t, x)
    assert ((r >= 0) & (r <= t * (1 + 1e-14))).all()
    kept = r > 0
    assert_allclose(f.slope(r[kept]), (f.slope(t) + x)[kept], rtol=1e-9, atol=1e-12)
    if f.drops:
        assert (f.slope(np.zeros(1)) >= (f.slope(t) + x)[~kept] - 1e-12).all()


@every_divergence
def test_7_rewards_of_minus_infinity_everywhere_are_refused(f: Divergence) -> None:
    with pytest.raises(ValueError, match=r"^g is -inf on every action of pi_ref"):
        tilted_policy([-np.inf, -np.inf], 1.0, f)
    with pytest.raises(ValueError, match=r"^g is -inf on every action of pi_ref"):
        tilted_policy([-np.inf, 0.0], 1.0, f, pi_ref=[1.0, 0.0])


@pytest.mark.parametrize("f", [*NAMED, alpha(3), alpha(20)], ids=lambda f: f.name)
def test_1_many_policies_of_many_actions_satisfy_the_equation(f: Divergence) -> None:
    rng = np.random.default_rng(0)
    g, pi_ref = rng.normal(size=(700, 100)), rng.dirichlet(np.ones(100))
    policies = tilted_policy(g, 0.5, f, pi_ref=pi_ref)
    assert_allclose(policies.sum(-1), 1, rtol=1e-14)
    with np.errstate(divide="ignore"):
        nu = g - 0.5 * f.slope(policies / pi_ref)
    kept = policies > 0
    most = np.where(kept, nu, -np.inf).max(-1, keepdims=True)
    least = np.where(kept, nu, np.inf).min(-1, keepdims=True)
    assert (most - least < 1e-9).all()
    assert (
        g[~kept] <= np.broadcast_to(most + 0.5 * f.slope(np.zeros(1)), g.shape)[~kept] + 1e-9
    ).all()
