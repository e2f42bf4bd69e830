from functools import cache
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, logit

from psipo_explore import folded_power, optimal_policy, tournament
from psipo_explore.divergences import (
    CHI_PO,
    CHI_SQUARED,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    alpha,
    tilted_policy,
)
from psipo_explore.views import leashes
from psipo_explore.views.kit import palette
from psipo_explore.views.kit.words import probability

VIEW = leashes.VIEW
LEASHES = {
    "KL": KL,
    "reverse KL": REVERSE_KL,
    "χ²": CHI_SQUARED,
    "Jensen–Shannon": JENSEN_SHANNON,
    "χPO": CHI_PO,
    "α = 0.5": alpha(0.5),
}
ZERO = leashes._NOTHING
CORNERS = [
    dict(zip(("lam", "beta", "p", "pi_ref_loser"), corner, strict=True))
    for corner in product((0.0, 0.05, 2.0), (0.1, 100.0), (0.5, 1 - 1e-15, 1.0), (0.01, 0.9))
]
at_the_corners = pytest.mark.parametrize("values", [{}, *CORNERS], ids=str)

THREE, SIX = leashes._THREE, leashes._SIX
built = cache(lambda which: VIEW.built(VIEW.values({"which": which})))


def drawn(which: str = SIX, **values: Any) -> dict[str, Any]:
    figure, artists = built(which)
    VIEW.move(figure, artists, VIEW.values({"which": which, **values}))
    return dict(artists)


def sentence(which: str = SIX, **values: Any) -> str:
    drawn(which, **values)
    return str(built(which)[0].sentence)


def loser(
    name: str, one_minus_p: float | npt.NDArray[np.float64], **given: Any
) -> npt.NDArray[np.float64]:
    """Return π*(y_l) as the package computes it, where y_l beats y_w with probability 1 − p."""
    values = VIEW.values(given)
    pi_ref = [1 - values["pi_ref_loser"], values["pi_ref_loser"]]
    table, psi = tournament([(1, 0)], 2, one_minus_p), folded_power(values["lam"])
    policy = optimal_policy(table, psi, values["beta"], pi_ref=pi_ref, divergence=LEASHES[name])
    return np.asarray(policy[..., 1])


def height(artist: Any) -> float:
    (y,) = artist.get_ydata()
    return float(y)


def assert_height(artist: Any, kept: float) -> None:
    assert height(artist) == pytest.approx(max(kept, 1e-8) if kept > 0 else ZERO, rel=1e-9)


def test_each_leash_has_a_look() -> None:
    assert list(leashes._LEASHES) == list(palette.LEASH_LINES) == list(LEASHES)


@at_the_corners
@pytest.mark.parametrize("name", LEASHES)
def test_marks_are_the_optimum_at_p_and_at_certainty(name: str, values: dict[str, Any]) -> None:
    artists, p = drawn(**values), VIEW.values(values)["p"]
    here, certain = (float(loser(name, at, **values)) for at in (1 - p, 0.0))
    for side in ("gap", "p"):
        assert_height(artists[f"{side} {name} here"], here)
        assert_height(artists[f"{side} {name} certain"], certain)
    assert artists[f"{name} number"].get_text() == probability(here)


@at_the_corners
@pytest.mark.parametrize("name", LEASHES)
def test_the_curve_against_p_is_the_optimum(name: str, values: dict[str, Any]) -> None:
    x, y = drawn(**values)[f"p {name}"].get_data()
    inside = (y != ZERO) & (y > 1e-8)  # the last point may be where the curve leaves the axis
    assert_allclose(y[inside], loser(name, 10.0 ** -x[inside], **values), rtol=1e-7)
    assert (loser(name, 10.0 ** -x[y == ZERO], **values) < 1e-14).all()
    if y[-1] == 1e-8:
        assert loser(name, np.array(1e-16), **values) < 1e-8


@pytest.mark.parametrize("pi_ref_loser", [0.01, 0.5, 0.9])
@pytest.mark.parametrize("name", LEASHES)
def test_the_curve_against_the_gap_is_the_leash_s(name: str, pi_ref_loser: float) -> None:
    x, y = drawn(pi_ref_loser=pi_ref_loser)[f"gap {name}"].get_data()
    gap = np.where(x <= 20, x, 20 * 10 ** ((x - 20) / 4))
    g, pi_ref = np.stack([gap, np.zeros_like(gap)], -1), [1 - pi_ref_loser, pi_ref_loser]
    kept = tilted_policy(g, 1.0, LEASHES[name], pi_ref=pi_ref)[:, 1]
    inside = y > 1e-8
    assert_allclose(y[inside], kept[inside], rtol=1e-6, atol=1e-14)
    assert (kept[y == ZERO] < 1e-14).all()
    if name == "KL":
        assert_allclose(y[inside], expit(logit(pi_ref_loser) - gap[inside]), rtol=1e-9)


@pytest.mark.parametrize("pi_ref_loser", VIEW.controls[3].stops)
def test_chi_squared_lets_go_where_the_star_is(pi_ref_loser: float) -> None:
    values = {"lam": 0.0, "beta": 1.0, "pi_ref_loser": pi_ref_loser}
    artists = drawn(**values)
    (place,) = artists["gap drop"].get_xdata()
    assert place == pytest.approx(1 / (1 - pi_ref_loser))
    (at,) = artists["p drop"].get_xdata()
    assert at == pytest.approx(-np.log10(expit(-place)), rel=1e-4)
    assert loser("χ²", 10.0**-at * 1.001, **values) > 0
    assert loser("χ²", 10.0**-at * 0.999, **values) == 0
    x, y = artists["gap χ²"].get_data()
    assert (y[x < place] > ZERO).all()
    assert (y[x > place] == ZERO).all()


@pytest.mark.parametrize(
    ("lam", "beta", "pi_ref_loser"), [(1, 0.5, 0.5), (2, 0.25, 0.5), (0.1, 1, 0.9), (0.5, 1.6, 0.2)]
)
def test_chi_squared_may_let_go_at_certainty_only(
    lam: float, beta: float, pi_ref_loser: float
) -> None:
    values = {"lam": lam, "beta": beta, "pi_ref_loser": pi_ref_loser}
    artists = drawn(**values, p=1.0)
    assert artists["p drop"].get_xdata() == [leashes.CERTAIN]
    assert height(artists["p χ² certain"]) == ZERO
    said = sentence(**values, p=1.0)
    assert "this is the largest gap" in said
    assert said.endswith("β on, which is p = 1.")


@pytest.mark.parametrize("doubt", [1e-13, 1e-14, 1e-15])
@pytest.mark.parametrize(("lam", "beta"), [(1.0, 0.5), (2.0, 0.25)])
def test_chi_squared_that_lets_go_at_certainty_only_leaves_all_doubt_before(
    lam: float, beta: float, doubt: float
) -> None:
    artists = drawn(lam=lam, beta=beta, p=1 - doubt)
    assert height(artists["p χ² here"]) == 1e-8  # where the axis draws what is small
    assert artists["χ² number"].get_text() != "exactly 0"
    assert float(loser("χ²", doubt, lam=lam, beta=beta)) == pytest.approx(doubt, rel=1e-2)
    x, y = artists["p χ²"].get_data()
    assert (y[x < 15.6] > ZERO).all()  # beyond, 1 − p is less than float64 resolves


@pytest.mark.slow
def test_chi_squared_lets_go_at_certainty_wherever_the_largest_gap_allows_it() -> None:
    lams, betas, _, losers = (slider.stops for slider in VIEW.sliders)
    certain = {lam: optimal_of_chi_squared(lam, np.array(betas), losers) for lam in lams}
    for (lam, beta), k in product(product(lams, betas), range(len(losers))):
        limits = leashes._limits(lam, beta, 1.0, losers[k])
        assert (certain[lam][k][betas.index(beta)] < 1e-14) == (limits.dropped <= limits.reach)


def optimal_of_chi_squared(
    lam: float, beta: npt.NDArray[np.float64], losers: tuple[float, ...]
) -> list[npt.NDArray[np.float64]]:
    """Return π*(y_l) at p = 1 for each π_ref(y_l) and β."""
    rater, psi = tournament([(0, 1)], 2, 1.0), folded_power(lam)
    return [
        optimal_policy(rater, psi, beta, pi_ref=[1 - loser, loser], divergence=CHI_SQUARED)[:, 1]
        for loser in losers
    ]


@pytest.mark.parametrize("beta", [0.1, 1.0, 100.0])
def test_under_logit_certainty_takes_all_from_y_l_at_every_beta(beta: float) -> None:
    artists = drawn(lam=0.0, beta=beta, p=1.0)
    for name, side in product(LEASHES, ("gap", "p")):
        assert height(artists[f"{side} {name} here"]) == ZERO
        assert artists[f"{name} number"].get_text() == "exactly 0"
    assert artists["out of reach"].get_width() == 0
    assert artists["reach number"].get_text() == "none"
    assert artists["here number"].get_text() == "∞"


@pytest.mark.parametrize(("lam", "beta"), [(2.0, 0.1), (0.25, 0.5), (0.05, 100.0), (0.05, 0.1)])
def test_a_bounded_psi_has_a_largest_gap(lam: float, beta: float) -> None:
    artists, largest = drawn(lam=lam, beta=beta, p=1.0), 1 / (lam * beta)
    region = artists["out of reach"]
    assert region.get_x() == pytest.approx(min(float(leashes._place(largest)), leashes._STRIP))
    assert region.get_x() + region.get_width() == pytest.approx(leashes._EDGE)
    assert artists["gap here"].get_xdata()[0] == pytest.approx(float(leashes._place(largest)))
    for name in LEASHES.keys() - {"χ²"}:
        assert height(artists[f"p {name} certain"]) > ZERO
        assert loser(name, 0.0, lam=lam, beta=beta) > 0


def test_a_panel_may_begin_between_two_stops_of_p() -> None:
    assert height(drawn(p=0.97)["p KL here"]) == pytest.approx(float(loser("KL", 1 - 0.97)))


def test_speeds_are_those_of_the_theory() -> None:
    gaps = np.array([200.0, 400.0])
    g = np.stack([gaps, np.zeros(2)], -1)
    first, second = (
        {name: tilted_policy(row, 1.0, leash)[1] for name, leash in LEASHES.items()} for row in g
    )
    assert first["reverse KL"] / second["reverse KL"] == pytest.approx(2, rel=0.02)
    assert first["α = 0.5"] / second["α = 0.5"] == pytest.approx(4, rel=0.05)
    for name, rate in {"KL": 1, "χPO": 1, "Jensen–Shannon": 2}.items():
        tenth = [tilted_policy([gap, 0.0], 1.0, LEASHES[name])[1] for gap in (20.0, 40.0)]
        assert np.log(tenth[0] / tenth[1]) == pytest.approx(20 * rate, rel=1e-3)
    assert first["χ²"] == 0


def test_the_sentence_says_who_keeps_what() -> None:
    assert sentence() == (
        "At p = 0.99 the gap is 5.45 β, and y_l, which had 0.5, has exactly 0 under χ², 6.15·10⁻⁶ "
        "under Jensen–Shannon, 0.00428 under KL and 0.0834 under reverse KL. Since the folded "
        "power λ = 0.25 is bounded, the gap is never above 8 β, and every leash but χ² holds "
        "y_l at every β. χ² drops y_l from 2 β on, which is p = 0.775."
    )


def test_the_sentence_under_identity_says_that_all_hold() -> None:
    said = sentence(lam=2.0, p=1.0)
    assert "At p = 1 the gap is 1 β" in said
    assert "0.0487 under Jensen–Shannon, 0.25 under χ², 0.269 under KL and 0.376 under χPO" in said
    assert "Since identity (λ = 2) is bounded, this is the largest gap" in said
    assert said.endswith("χ² holds y_l here: it would drop y_l only from 2 β on.")


def test_the_sentence_under_logit_says_that_all_drop_it() -> None:
    said = sentence(lam=0.0, p=1.0)
    assert "logit (λ = 0) is unbounded, so the gap is infinite." in said
    assert "at β = 0.5 and at every other: all six leave it exactly 0." in said
    assert "10⁻¹² under KL and 0.0178 under reverse KL." in said
    assert len(LEASHES) == 6
    before = sentence(lam=0.0, p=0.99)
    assert "χ² drops y_l from 2 β on, which is p = 0.731." in before
    assert "the gap grows without end as p nears 1, and y_l goes to 0 under every leash" in before
    # 200 β is a gap of 200, and no p in float64 other than 1 makes it.
    assert "χ² drops y_l from 2 β on. Since" in sentence(lam=0.0, beta=100.0)


def test_the_sentence_without_a_preference() -> None:
    said = sentence(p=0.5, pi_ref_loser=0.2)
    assert said.startswith("At p = 0.5 there is no gap, and every leash leaves y_l what π_ref gave")


@at_the_corners
def test_three_leashes_are_three_of_the_six(values: dict[str, Any]) -> None:
    six, three = drawn(**values), drawn(THREE, **values)
    assert {name for name in LEASHES if f"p {name}" in three} == {"KL", "reverse KL", "χ²"}
    for name in ("KL", "reverse KL", "χ²"):
        assert_allclose(three[f"gap {name}"].get_data(), six[f"gap {name}"].get_data())
        assert_allclose(three[f"p {name}"].get_data(), six[f"p {name}"].get_data())
        assert height(three[f"p {name} here"]) == height(six[f"p {name} here"])


def test_the_sentence_names_all_of_three_leashes_and_no_other() -> None:
    assert VIEW.values({})["which"] == THREE
    said = sentence(THREE, lam=0.0, beta=10.0, p=1 - 1e-15)
    assert "has exactly 0 under χ², 0.0307 under KL and 0.124 under reverse KL." in said
    assert "all three leave it exactly 0." in sentence(THREE, lam=0.0, p=1.0)
    assert "has 0.25 under χ², 0.269 under KL and 0.293 under reverse KL." in sentence(
        THREE, lam=2.0, p=1.0
    )
