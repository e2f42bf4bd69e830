"""The numbers and claims in the text of lesson 09 are what the package computes."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose
from prose import assert_computed, prose_of
from scipy.special import expit

from psipo_explore import IDENTITY, LOGIT, gibbs_policy, optimal_policy
from psipo_explore.divergences import (
    CHI_PO,
    CHI_SQUARED,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    Divergence,
    tilted_policy,
)
from psipo_explore.preferences import bradley_terry
from psipo_explore.self_play import nash_policy
from psipo_explore.views import leashes, self_play

PROSE = prose_of("09_other_leashes")
LEASHES = (KL, REVERSE_KL, JENSEN_SHANNON, CHI_PO, CHI_SQUARED)
PLAYERS = ("fixed", "RLHF", "learned")
ROCK, PAPER, SCISSORS = range(3)
GIVEN = {"0.9", "0.1", "0.2", "0.001"}  # what the lesson chooses


def game(rock_beats_scissors: float = 0.9) -> np.ndarray:
    table = np.full((3, 3), 0.5)
    table[ROCK, SCISSORS], table[SCISSORS, ROCK] = rock_beats_scissors, 1 - rock_beats_scissors
    for winner, loser in ((SCISSORS, PAPER), (PAPER, ROCK)):
        table[winner, loser], table[loser, winner] = 0.6, 0.4
    return table


def loser(doubt: float, divergence: Divergence, psi=LOGIT, beta: float = 10.0) -> float:  # type: ignore[no-untyped-def]
    table = [[0.5, 1 - doubt], [doubt, 0.5]]
    return float(optimal_policy(table, psi, beta, divergence=divergence)[1])


def learned_by_cycle(cycle: float) -> np.ndarray:
    start = {c.name: c.start for c in self_play.VIEW.controls}
    return np.asarray(self_play._policies(**{**start, "cycle": cycle})["learned"])


def computed() -> list[str]:
    """Return the phrases of the lesson that hold numbers, with the numbers that are computed."""
    kl, reverse, chi = (loser(1e-15, f) for f in (KL, REVERSE_KL, CHI_SQUARED))
    by_identity = [loser(0, f, IDENTITY, 0.2) for f in (KL, REVERSE_KL, CHI_SQUARED)]
    assert chi == by_identity[2] == 0
    rates = game().mean(1)
    fixed = optimal_policy(game(), IDENTITY, 0.001)
    edges = np.array([game()[SCISSORS, PAPER], game()[ROCK, SCISSORS], game()[PAPER, ROCK]]) - 0.5
    stronger = game(1.0)[ROCK, SCISSORS] - 0.5
    start = {c.name: c.start for c in self_play.VIEW.controls}
    three = [self_play._policies(**{**start, "cycle": 0.75})[name] for name in PLAYERS]
    fixed_a, rlhf, learned = three
    worst = [float((1 - self_play.preferences(0.75) @ policy).min()) for policy in three]
    assert rlhf[0] > 0.9995
    assert max(worst[:2]) < 0.28
    circle = learned_by_cycle(0.55)
    return [
        "β = 0.5 there is β = 1 here",
        "Lower β: from 0.25 down, χ² keeps nothing",
        f"At 0.5 $a$ and $c$ are even, and share everything. At 0.55 $c$ has {circle[2]:.3f}",
        f"the fixed opponent gives $a$ {fixed_a[0]:.3f} and RLHF",
        "win against $c$ less than 0.28 of the time",
        f"has {learned[0]:.3f}, {learned[1]:.3f} and {learned[2]:.3f}, and wins against every "
        f"answer at least {worst[2]:.3f}",
        "With λ = 2 and β = 0.2 the largest gap is "
        f"{0.5 / 0.2} β, so χ² lets go, at $p={0.5 + 0.2 / 0.5:.1f}$",
        f"β = 10 the largest gap is {0.5 / 10} β. χ² keeps "
        f"{np.floor(1e3 * loser(0, CHI_SQUARED, IDENTITY)) / 1e3:.3f} there, and KL "
        f"{loser(0, KL, IDENTITY):.3f}",
        "**π_ref(y_l)**: with 0.9, $\\pi_{\\mathrm{ref}}(y_w)$ is 0.1",
        "at λ = 0.25, β = 0.5 and* $p=0.99$",
        "From 0.55 on they go round",
        "At cycle = 0.75,",
        "(α = 0.5 is one more leash, $f(t)=2(\\sqrt t-1)^2$.)",
        f"So $p=\\sigma(2)={expit(2):.3f}$: an answer that wins one time in eight is gone",
        f"and $p=\\sigma(10)={expit(10):.5f}$",
        "**μ(b)**: at 0.05",
        f"(KL leaves {kl:.3f}, as in lesson 03)",
        f"under logit, reverse KL leaves $y_l$ {reverse:.3f}, KL {kl:.3f}, and χ² nothing",
        f"KL leaves {by_identity[0]:.3f}, reverse KL {by_identity[1]:.3f}, and χ² nothing",
        f"reverse KL leaves it {loser(1e-300, REVERSE_KL):.4f} where KL leaves it $10^{{-30}}$",
        f"of rock, paper and scissors are {rates[0]:.1f}, {rates[1]:.1f} and {rates[2]:.1f}",
        f"{edges[0]:.1f} for rock, {edges[1]:.1f} for paper and {edges[2]:.1f} for scissors",
        f"Paper beats the policy with the fixed opponent {(game() @ fixed)[PAPER]:.1f} of the time",
        f"The edges are {stronger:.1f}, 0.1 and 0.1 now",
    ]


def test_every_number_of_the_text_is_computed() -> None:
    assert_computed(PROSE, computed(), GIVEN)


def test_the_way_back_and_to_the_map_stands_at_both_ends() -> None:
    lines = PROSE.splitlines()
    assert lines[0] == lines[-1]
    assert re.findall(r"\]\((\w+\.ipynb)\)", lines[0]) == [
        "08_shared_weights.ipynb",
        "00_start_here.ipynb",
    ]


def test_certainty_leaves_the_loser_nothing_under_every_leash() -> None:
    assert [loser(0, f) for f in LEASHES] == [0] * 5
    assert loser(1e-300, KL) == pytest.approx(1e-30, rel=1e-9)


def test_the_prices_of_dropping_an_answer() -> None:
    dropped, even = [1.0, 0.0], [0.5, 0.5]
    assert KL(dropped, even) == pytest.approx(np.log(2))
    assert CHI_SQUARED(dropped, even) == pytest.approx(0.5)
    assert REVERSE_KL(dropped, even) == np.inf


def test_the_table_of_leashes_is_the_package_s() -> None:
    t = np.geomspace(0.01, 100, 50)
    by_table = {
        KL: t * np.log(t),
        REVERSE_KL: -np.log(t),
        JENSEN_SHANNON: (t * np.log(t) - (t + 1) * np.log((t + 1) / 2)) / 2,
        CHI_PO: (t - 1) ** 2 / 2 + t * np.log(t),
        CHI_SQUARED: (t - 1) ** 2 / 2,
    }
    for leash, f in by_table.items():
        assert_allclose(leash.f(t), f, atol=1e-12)
    at_zero = [float(f.slope(np.zeros(1))[0]) for f in LEASHES]
    assert at_zero == [-np.inf] * 4 + [-1]
    assert [f.curvature(np.ones(1))[0] for f in LEASHES] == [1, 1, 0.25, 2, 1]


@pytest.mark.parametrize("beta", [0.1, 10.0])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_chi_squared_drops_the_loser_where_the_text_says(beta: float, share: float) -> None:
    edge = beta / share
    for gap, is_kept in ((edge * (1 - 1e-9), True), (edge * (1 + 1e-9), False)):
        policy = tilted_policy([gap, 0.0], beta, CHI_SQUARED, pi_ref=[share, 1 - share])
        assert (policy[1] > 0) == is_kept


def test_first_exercise() -> None:
    for share, gap in ((0.5, 2.0), (0.1, 10.0)):
        pi_ref = [share, 1 - share]
        for p, is_kept in ((expit(gap * 0.999), True), (expit(gap * 1.001), False)):
            table = [[0.5, p], [1 - p, 0.5]]
            policy = optimal_policy(table, LOGIT, 1.0, pi_ref=pi_ref, divergence=CHI_SQUARED)
            assert (policy[1] > 0) == is_kept
    assert loser(0.11, CHI_SQUARED, beta=1.0) == 0


def test_the_price_of_reverse_kl_grows_like_the_logarithm_of_the_gap() -> None:
    gaps = np.array([1e4, 1e6, 1e8])
    policies = tilted_policy(np.stack([gaps, 0 * gaps], -1), 1.0, REVERSE_KL)
    price = REVERSE_KL(policies, [0.5, 0.5])
    assert_allclose(np.diff(price), np.log(100) / 2, rtol=1e-3)


def test_shares_are_the_edges_between_the_other_two() -> None:
    assert_allclose(nash_policy(game(), IDENTITY, 1e-3), [1 / 6, 4 / 6, 1 / 6], atol=0.004)
    assert_allclose(nash_policy(game(), IDENTITY, 1e-5), [1 / 6, 4 / 6, 1 / 6], atol=1e-4)
    assert_allclose(nash_policy(game(1.0), IDENTITY, 1e-3), [1 / 7, 5 / 7, 1 / 7], atol=0.004)
    assert (game() @ nash_policy(game(), IDENTITY, 1e-5)).max() == pytest.approx(0.5, abs=1e-4)


def test_under_bradley_terry_and_logit_it_is_rlhf() -> None:
    rewards = [1.0, -0.5, 0.3]
    for beta in (0.1, 1.0):
        learned = nash_policy(bradley_terry(rewards), LOGIT, beta)
        assert_allclose(learned, gibbs_policy(rewards, beta), rtol=1e-9)


def test_jumping_to_the_best_reply_circles_where_beta_is_small() -> None:
    policy = np.full(3, 1 / 3)
    visited = []
    for _ in range(60):
        policy = optimal_policy(game(), IDENTITY, 0.01, mu=policy)
        visited.append(int(policy.argmax()))
    assert set(visited[-12:]) == {ROCK, PAPER, SCISSORS}


def test_the_sliders_of_self_play_do_what_the_text_says() -> None:
    start = {c.name: c.start for c in self_play.VIEW.controls}
    assert start["cycle"] == 0.75
    order = self_play.preferences(0.0)
    assert min(order[0, 2], order[2, 1]) > 0.5
    for cycle in (0.55, 0.75, 0.95):
        p = self_play.preferences(cycle)
        assert min(p[0, 1], p[1, 2], p[2, 0]) > 0.5
        assert p.mean(1).argmax() == 0

    def policies(**at: object) -> list[np.ndarray]:
        return [self_play._policies(**{**start, **at})[name] for name in PLAYERS]  # type: ignore[arg-type]

    assert all(policy.argmax() == 0 and policy[0] > 0.99 for policy in policies(cycle=0.0))
    for beta in (0.01, 1.0, 10.0):
        assert_allclose(policies(cycle=1.0, beta=beta)[2], 1 / 3, atol=1e-10)
    assert max(policies(cycle=1.0, share=0.95)[0]) > 0.99
    fixed, rlhf, learned = policies(share=0.05)
    p = self_play.preferences(0.75)
    assert fixed.argmax() == rlhf.argmax() == 2
    assert (p @ fixed).argmax() == 1
    assert_allclose(learned, policies()[2])
    for policy in policies(cycle=0.0, psi="logit", beta=1.0):
        assert_allclose(policy, policies(cycle=0.0, psi="logit", beta=1.0)[2], atol=1e-6)


def test_the_sliders_of_leashes_do_what_the_text_says() -> None:
    start = {"lam": 0.0, "beta": 10.0, "p": 1 - 1e-15, "pi_ref_loser": 0.5}

    def limits(**at: float) -> tuple[float, ...]:
        return leashes._limits(**{**start, **at})

    assert limits()[2:] == pytest.approx((2.0, 2.06e-9), rel=1e-2)
    assert limits(pi_ref_loser=0.9)[2] == pytest.approx(10)
    assert limits(lam=2.0, beta=0.2)[1:] == pytest.approx((2.5, 2.0, 0.1), rel=1e-3)
    assert limits(lam=2.0)[1] == pytest.approx(0.05)
    assert limits(lam=0.25)[1] < np.inf


def test_near_the_reference_all_leashes_pull_alike_at_the_betas_that_are_called_fair() -> None:
    one = np.ones(1)
    assert KL.curvature(one) == 4 * JENSEN_SHANNON.curvature(one) == CHI_PO.curvature(one) / 2


def test_trl_takes_twice_the_jensen_shannon_divergence() -> None:
    """Its loss is of log(2u/(1 + u)), u = π/π_ref, in the place of log u."""
    u = np.geomspace(1e-3, 1e3)
    assert_allclose(np.log(2 * u / (1 + u)), 2 * JENSEN_SHANNON.slope(u), rtol=1e-12, atol=1e-15)


def test_chi_squared_lets_go_of_identity_from_a_quarter_down() -> None:
    assert loser(0, CHI_SQUARED, IDENTITY, 0.25) == 0 < loser(0, CHI_SQUARED, IDENTITY, 0.2501)


@pytest.mark.parametrize("leash", LEASHES, ids=lambda leash: leash.name)
def test_f_dpo_ends_at_the_policy_of_its_leash_under_logit(leash: Divergence) -> None:
    rewards, pi_ref, beta = np.array([0.3, 0.0, -0.4]), np.array([0.2, 0.5, 0.3]), 2.0
    p = bradley_terry(rewards)
    slope = leash.slope(optimal_policy(p, LOGIT, beta, pi_ref=pi_ref, divergence=leash) / pi_ref)
    fitted = expit(beta * (slope[:, np.newaxis] - slope))  # no loss of p is smaller than at p
    assert_allclose(fitted, p, rtol=1e-12)


def test_in_self_play_the_loser_of_a_sure_pair_goes_and_the_others_play_on() -> None:
    with pytest.raises(ValueError, match="infinite"):
        nash_policy(game(1.0), LOGIT, 1.0)
    nearly_sure = game(1.0)
    nearly_sure[SCISSORS, ROCK] = 1e-200
    left = nash_policy(nearly_sure, LOGIT, [1.0, 10.0])
    assert (left[:, SCISSORS] < 1e-8).all()
    assert_allclose(left[0, [ROCK, PAPER]], [0.4, 0.6], atol=1e-9)


def test_the_way_from_the_order_to_the_circle_is_not_straight() -> None:
    assert learned_by_cycle(0.3)[0] > 0.9999
    assert_allclose(learned_by_cycle(0.5), [0.5, 0, 0.5], atol=1e-4)
    from_c = [np.linalg.norm(learned_by_cycle(cycle) - 1 / 3) for cycle in (0.5, 0.55, 0.75, 1.0)]
    assert from_c[0] < from_c[1] > from_c[2] > from_c[3]
