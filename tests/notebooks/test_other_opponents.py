"""The numbers and claims in the text of lesson 10 are what the package computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from prose import assert_computed, prose_of

from psipo_explore import IDENTITY, LOGIT, Psi, gibbs_policy, kl_divergence, optimal_policy
from psipo_explore.preferences import bradley_terry
from psipo_explore.self_play import nash_policy
from psipo_explore.views import self_play

PROSE = prose_of("10_other_opponents")
PLAYERS = ("fixed", "RLHF", "learned")
ROCK, PAPER, SCISSORS = range(3)
GIVEN = {"0.001", "0.01", "0.02"}  # what the lesson chooses


def game(rock_beats_scissors: float = 0.9) -> np.ndarray:
    table = np.full((3, 3), 0.5)
    table[ROCK, SCISSORS], table[SCISSORS, ROCK] = rock_beats_scissors, 1 - rock_beats_scissors
    for winner, loser in ((SCISSORS, PAPER), (PAPER, ROCK)):
        table[winner, loser], table[loser, winner] = 0.6, 0.4
    return table


def policies(**at: object) -> list[np.ndarray]:
    """Return the policies of ΨPO with the fixed opponent, of RLHF and of the learned opponent."""
    start = {c.name: c.start for c in self_play.VIEW.controls}
    return [self_play._policies(**{**start, **at})[name] for name in PLAYERS]  # type: ignore[arg-type]


def computed() -> list[str]:
    """Return the phrases of the lesson that hold numbers, with the numbers that are computed."""
    chances = self_play.preferences(0.75)
    ab, bc, ca = chances[0, 1], chances[1, 2], chances[2, 0]
    edges = np.array([bc, ca, ab]) - 0.5  # between the two others
    limit = edges / edges.sum()
    assert_allclose(nash_policy(chances, IDENTITY, 1e-6), limit, atol=1e-5)
    rock = np.array([game()[SCISSORS, PAPER], game()[ROCK, SCISSORS], game()[PAPER, ROCK]]) - 0.5
    fixed_rock = optimal_policy(game(), IDENTITY, 0.001)
    fixed, rlhf, learned = policies()
    certain_fixed = (chances @ optimal_policy(chances, IDENTITY, 0.001))[2]
    even = self_play.preferences(0.55)
    assert even[2, 0] == even[1, 2]
    assert even[0, 1] > 0.9
    assert_allclose(nash_policy(game(), IDENTITY, 1e-6), rock / rock.sum(), atol=1e-5)
    worst = [float((1 - chances @ policy).min()) for policy in (fixed, rlhf, learned)]
    assert rlhf[0] > 0.9995
    assert max(worst[:2]) < 0.28
    return [
        f"| $a$ against $b$ | {ab:.3f} |",
        f"| $b$ against $c$ | {bc:.3f} |",
        f"| $c$ against $a$ | {ca:.3f} |",
        f"ΨPO with the fixed opponent gives $a$ {fixed[0]:.3f}.",
        "win against $c$ less than 0.28 of the time",
        f"from each $b$ ({ab - 0.5:.3f} above ½), and loses less to each $c$ ({ca - 0.5:.3f})",
        f"Rock gains {rock[1]:.1f} from each scissors, and loses {rock[0]:.1f} to each paper",
        f"it has {learned[0]:.3f}, {learned[1]:.3f} and {learned[2]:.3f}. It wins against every "
        f"answer at least {worst[2]:.3f}",
        f"In the picture's game at β = 0.001 that is {0.5 + 0.001 * np.log(3):.3f}",
        f"$c$ beats ΨPO with the fixed opponent {certain_fixed:.3f} of the time",
        "**μ(b)**: at 0.05",
        "**Below 0.5**",
        "**At 0.5** $c$ is even with $a$ and with $b$",
        "**Above 0.5** they go round",
        f"With **cycle** at 0.55, $c$ has {policies(cycle=0.55)[2][2]:.3f}. $c$ beats $a$, and $b$ beats "
        f"$c$, both only {100 * even[2, 0]:.0f} times in 100",
        f"the edges are {ab - 0.5:.3f}, {bc - 0.5:.3f} and {ca - 0.5:.3f}. They give {limit[0]:.2f}, "
        f"{limit[1]:.2f} and {limit[2]:.2f}, and at β = 0.02 the picture shows {learned[0]:.3f}, "
        f"{learned[1]:.3f} and {learned[2]:.3f}",
        f"The edges are {rock[1]:.1f} for rock over scissors, and {rock[0]:.1f} for the other two",
        f"Paper beats the policy with the fixed opponent {(game() @ fixed_rock)[PAPER]:.1f} of the time",
        f"The edges are {game(1.0)[ROCK, SCISSORS] - 0.5:.1f}, 0.1 and 0.1 now",
        "must be at most 0.01. For ten answers $\\beta=\\frac{0.01}{\\log10}="
        f"{0.01 / np.log(10):.5f}$. For a thousand $\\beta=\\frac{{0.01}}{{\\log1000}}="
        f"{0.01 / np.log(1000):.5f}$",
    ]


def test_every_number_of_the_text_is_computed() -> None:
    assert_computed(PROSE, computed(), GIVEN)


@st.composite
def games(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw preferences between two to six answers, which may be certain, and a π_ref."""
    k = draw(st.integers(2, 6))
    p = np.full((k, k), 0.5)
    for y, z in zip(*np.triu_indices(k, 1), strict=True):
        p[y, z] = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]) | st.floats(0, 1))
        p[z, y] = 1 - p[y, z]
    shares = np.array([draw(st.floats(1e-6, 1)) for _ in range(k)])
    return p, shares / shares.sum()


@given(games(), st.floats(-4, 3).map(lambda exponent: 10.0**exponent))
def test_no_answer_gains_more_than_the_theorem_says(
    drawn: tuple[np.ndarray, np.ndarray], beta: float
) -> None:
    p, pi_ref = drawn
    clipped = Psi.from_formula("logit(clip(q, 0.05, 0.95))")
    for psi in (IDENTITY, clipped):
        policy = nash_policy(p, psi, beta, pi_ref=pi_ref)
        gains = psi(p) @ policy - psi(0.5)
        assert (gains <= beta * np.log(1 / pi_ref) + 1e-9).all()
        reply = optimal_policy(p, psi, beta, mu=policy, pi_ref=pi_ref)
        assert_allclose(reply, policy, atol=1e-6)


@given(games(), games(), st.floats(-2, 3).map(lambda exponent: 10.0**exponent))
def test_two_best_replies_to_themselves_would_differ_by_nothing(
    drawn: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], beta: float
) -> None:
    """For responses π' to π and ρ' to ρ: KL(π' ‖ ρ') + KL(ρ' ‖ π') = (π' − ρ')ᵀ A (π − ρ)/β."""
    p, pi_ref = drawn
    rho = np.resize(other[1], len(pi_ref))
    rho = rho / rho.sum()
    policy = nash_policy(p, IDENTITY, beta, pi_ref=pi_ref)
    to_policy, to_rho = (
        optimal_policy(p, IDENTITY, beta, mu=mu, pi_ref=pi_ref) for mu in (policy, rho)
    )
    u = policy - rho
    assert abs(u @ (p - 0.5) @ u) < 1e-12
    both = (to_policy - to_rho) @ (np.log(to_policy) - np.log(to_rho))
    assert both == pytest.approx((to_policy - to_rho) @ (p - 0.5) @ u / beta, rel=1e-6, abs=1e-9)


def test_it_goes_to_the_unbeaten_policy_of_least_kl() -> None:
    p = self_play.preferences(0.5)  # every mixture of a and c is unbeaten
    pi_ref = np.array([0.2, 0.5, 0.3])
    limit = nash_policy(p, IDENTITY, 1e-6, pi_ref=pi_ref)
    assert_allclose(limit, [0.4, 0, 0.6], atol=1e-5)
    for share in np.linspace(0.01, 0.99, 99):
        unbeaten = np.array([share, 0.0, 1 - share])
        assert (p @ unbeaten).max() <= 0.5
        assert kl_divergence(limit, pi_ref) <= kl_divergence(unbeaten, pi_ref) + 1e-5
    kls = [
        kl_divergence(nash_policy(p, IDENTITY, beta), np.full(3, 1 / 3)) for beta in (1, 0.1, 0.01)
    ]
    assert max(kls) <= kl_divergence(np.array([0.5, 0, 0.5]), np.full(3, 1 / 3))


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
    rest = nash_policy(game(), IDENTITY, 0.01)
    slope = (np.diag(rest) - np.outer(rest, rest)) @ game() / 0.01  # of the best reply at rest
    sizes = np.sort(np.abs(np.linalg.eigvals(slope)))
    assert_allclose(sizes[1:], 8, atol=0.5)  # and 0 along a change of the sum


def test_the_sliders_of_self_play_do_what_the_text_says() -> None:
    start = {c.name: c.start for c in self_play.VIEW.controls}
    assert start["cycle"] == 0.75
    order = self_play.preferences(0.0)
    assert min(order[0, 2], order[2, 1]) > 0.5
    for cycle in (0.55, 0.75, 0.95):
        p = self_play.preferences(cycle)
        assert min(p[0, 1], p[1, 2], p[2, 0]) > 0.5
        assert p.mean(1).argmax() == 0

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


def test_in_self_play_the_loser_of_a_sure_pair_goes_and_the_others_play_on() -> None:
    with pytest.raises(ValueError, match="infinite"):
        nash_policy(game(1.0), LOGIT, 1.0)
    nearly_sure = game(1.0)
    nearly_sure[SCISSORS, ROCK] = 1e-200
    left = nash_policy(nearly_sure, LOGIT, [1.0, 10.0])
    assert (left[:, SCISSORS] < 1e-8).all()
    assert_allclose(left[0, [ROCK, PAPER]], [0.4, 0.6], atol=1e-9)


def test_the_way_from_the_order_to_the_circle_is_not_straight() -> None:
    assert policies(cycle=0.3)[2][0] > 0.9999
    assert_allclose(policies(cycle=0.5)[2], [0.5, 0, 0.5], atol=1e-4)
    from_c = [np.linalg.norm(policies(cycle=cycle)[2] - 1 / 3) for cycle in (0.5, 0.55, 0.75, 1.0)]
    assert from_c[0] < from_c[1] > from_c[2] > from_c[3]
