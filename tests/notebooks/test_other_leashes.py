"""The numbers and claims in the text of lesson 09 are what the package computes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from prose import assert_computed, prose_of
from scipy.optimize import brentq
from scipy.special import expit

from psipo_explore import IDENTITY, LOGIT, optimal_policy
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
from psipo_explore.preferences import bradley_terry
from psipo_explore.views import leashes

PROSE = prose_of("09_other_leashes")
LEASHES = (KL, REVERSE_KL, JENSEN_SHANNON, CHI_PO, CHI_SQUARED)
GIVEN = {"0.1", "0.2"}  # what the lesson chooses


def loser(doubt: float, divergence: Divergence, psi=LOGIT, beta: float = 10.0) -> float:  # type: ignore[no-untyped-def]
    table = [[0.5, 1 - doubt], [doubt, 0.5]]
    return float(optimal_policy(table, psi, beta, divergence=divergence)[1])


def computed() -> list[str]:
    """Return the phrases of the lesson that hold numbers, with the numbers that are computed."""
    kl, reverse, chi = (loser(1e-15, f) for f in (KL, REVERSE_KL, CHI_SQUARED))
    by_identity = [loser(0, f, IDENTITY, 0.2) for f in (KL, REVERSE_KL, CHI_SQUARED)]
    assert chi == by_identity[2] == 0
    rare = [
        tilted_policy([10.0, 0.0], 1 / f.curvature(np.ones(1))[0], f, pi_ref=[0.01, 0.99])[0]
        for f in (KL, CHI_PO)
    ]
    return [
        "β = 0.5 there is β = 1 here",
        f"In case 1 the right side is {np.log(1e15) / 10:.2f}.",
        "$\\pi_{\\mathrm{ref}}$ give it 0.01, and let $\\frac G\\beta$ be 10. Then it gets "
        f"{rare[0]:.3f} under KL, and only {rare[1]:.3f} under χPO",
        f"At β = 10 the gap is only {0.5 / 10} β, and all three leave $y_l$ nearly ½",
        "At β = 0.25 and below, χ² leaves it nothing",
        "**π_ref(y_l)**: with 0.9, $\\pi_{\\mathrm{ref}}(y_w)$ is 0.1",
        "at λ = 0.25, β = 0.5 and* $p=0.99$",
        "and α = 0.5 is the leash of exercise 2",
        "In the picture this leash is called α = 0.5",
        f"So $p=\\sigma(2)={expit(2):.3f}$: an answer that wins about one time in eight gets exactly 0",
        f"and $p=\\sigma(10)={expit(10):.5f}$",
        f"(KL leaves {kl:.3f}, as in lesson 03.)",
        f"Reverse KL leaves $y_l$ {reverse:.3f}, KL leaves it {kl:.3f}, and χ² leaves it nothing",
        f"KL leaves $y_l$ {by_identity[0]:.3f}, reverse KL leaves it {by_identity[1]:.3f}, and χ²",
        f"reverse KL leaves it {loser(1e-300, REVERSE_KL):.4f}, and KL leaves it $10^{{-30}}$",
    ]


def test_every_number_of_the_text_is_computed() -> None:
    assert_computed(PROSE, computed(), GIVEN)


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


def test_the_loser_s_share_at_a_large_gap() -> None:
    gap = 200.0
    laws = {
        KL: np.exp(-gap),
        REVERSE_KL: 1 / (2 * gap),
        JENSEN_SHANNON: np.exp(-gap / 2) / 3,
        CHI_PO: np.exp(2 - 2 * gap),
    }
    for leash, share in laws.items():
        beta = 1 / leash.curvature(np.ones(1))[0]
        assert tilted_policy([gap, 0.0], beta, leash)[1] == pytest.approx(share, rel=0.01)
    assert tilted_policy([gap, 0.0], 1.0, JENSEN_SHANNON)[1] == pytest.approx(
        np.exp(-2 * gap) / 3, rel=0.01
    )
    assert tilted_policy([gap, 0.0], 1.0, CHI_PO)[1] == pytest.approx(np.exp(2 - gap), rel=0.01)


@pytest.mark.parametrize("gap", [0.1, 3.0, 10.0])
def test_the_ratio_of_a_rare_answer(gap: float) -> None:
    pi_ref = [1e-9, 1 - 1e-9]
    by_kl = tilted_policy([gap, 0.0], 1.0, KL, pi_ref=pi_ref)[0] / 1e-9
    assert by_kl == pytest.approx(np.exp(gap), rel=1e-3)
    root = brentq(lambda t: t - 1 + np.log(t) - 2 * gap, 1, 1e3)
    by_chi_po = tilted_policy([gap, 0.0], 0.5, CHI_PO, pi_ref=pi_ref)[0] / 1e-9
    assert by_chi_po == pytest.approx(root, rel=1e-3)
    assert root < np.exp(gap)


def test_trl_takes_twice_the_jensen_shannon_divergence() -> None:
    """Its loss is of log(2u/(1 + u)), u = π/π_ref, in the place of log u."""
    u = np.geomspace(1e-3, 1e3)
    assert_allclose(np.log(2 * u / (1 + u)), 2 * JENSEN_SHANNON.slope(u), rtol=1e-12, atol=1e-15)


def test_trl_s_alpha_divergence_at_1_is_reverse_kl() -> None:
    """Its loss is of (1 − u⁻ᵅ)/α, and a constant in the slope changes no policy."""
    u = np.geomspace(1e-3, 1e3)
    assert_allclose(1 - 1 / u - REVERSE_KL.slope(u), 1)


def test_chi_squared_lets_go_of_identity_from_a_quarter_down() -> None:
    assert loser(0, CHI_SQUARED, IDENTITY, 0.25) == 0 < loser(0, CHI_SQUARED, IDENTITY, 0.2501)


@pytest.mark.parametrize("leash", LEASHES, ids=lambda leash: leash.name)
def test_f_dpo_ends_at_the_policy_of_its_leash_under_logit(leash: Divergence) -> None:
    rewards, pi_ref, beta = np.array([0.3, 0.0, -0.4]), np.array([0.2, 0.5, 0.3]), 2.0
    p = bradley_terry(rewards)
    slope = leash.slope(optimal_policy(p, LOGIT, beta, pi_ref=pi_ref, divergence=leash) / pi_ref)
    fitted = expit(beta * (slope[:, np.newaxis] - slope))  # no loss of p is smaller than at p
    assert_allclose(fitted, p, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.1, 10.0])
def test_at_a_large_gap_the_loser_keeps_what_the_table_says(beta: float) -> None:
    def left(in_betas: float, leash: Divergence) -> float:
        return float(tilted_policy([in_betas * beta, 0.0], beta, leash)[1])

    assert left(200.0, KL) == pytest.approx(np.exp(-200), rel=1e-9)
    assert left(1e8, REVERSE_KL) == pytest.approx(1 / 2e8, rel=1e-6)
    assert left(1.99, CHI_SQUARED) > 0 == left(2.0, CHI_SQUARED)


def test_the_leash_of_the_second_exercise_goes_like_the_square_of_the_gap() -> None:
    t = np.geomspace(0.01, 100, 50)
    proposed = alpha(0.5)
    assert_allclose(proposed.f(t), 2 * (np.sqrt(t) - 1) ** 2, atol=1e-12)
    assert_allclose(proposed.slope(t), 2 - 2 / np.sqrt(t), atol=1e-12)
    assert proposed.slope(np.zeros(1))[0] == -np.inf
    assert tilted_policy([1e6, 0.0], 1.0, proposed)[1] == pytest.approx(0.5 * 4e-12, rel=1e-5)
    assert loser(0, proposed) == 0 < loser(0, proposed, IDENTITY, 0.01)


@pytest.mark.parametrize("leash", [*LEASHES, alpha(0.5)], ids=lambda leash: leash.name)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_gap_is_below_the_theorem_s_bound(leash: Divergence, share: float) -> None:
    beta, pi_ref = 0.7, np.array([share, 1 - share])
    gaps = np.linspace(-3, 20, 47)
    left = tilted_policy(np.stack([gaps, 0 * gaps], -1), beta, leash, pi_ref=pi_ref)[:, 1]
    kept = left > 0
    at_most = beta * (leash.slope(np.array([1 / share])) - leash.slope(left[kept] / (1 - share)))
    assert (gaps[kept] <= at_most + 1e-9).all()


def test_at_equal_strength_the_order_of_two_leashes_is_turned_round() -> None:
    for doubt in (1e-3, 1e-15, 1e-100, 1e-300):
        chi_po, kl, jensen_shannon = (
            loser(doubt, leash, beta=10 / leash.curvature(np.ones(1))[0])
            for leash in (CHI_PO, KL, JENSEN_SHANNON)
        )
        assert chi_po < kl < jensen_shannon
        assert loser(doubt, CHI_PO) > kl > loser(doubt, JENSEN_SHANNON)
    assert loser(0, KL, IDENTITY, 10.0) == pytest.approx(0.4875, abs=1e-4)
    assert loser(0, CHI_SQUARED, IDENTITY, 10.0) == pytest.approx(0.4875, abs=1e-4)


def test_an_answer_of_finite_score_may_be_dropped_where_another_score_is_infinite() -> None:
    table = [[0.5, 1.0, 0.5], [0.0, 0.5, 0.5], [0.5, 0.5, 0.5]]
    policy = optimal_policy(table, LOGIT, 1.0, mu=[0.0, 1.0, 0.0], divergence=REVERSE_KL)
    assert policy.tolist() == [1, 0, 0]
