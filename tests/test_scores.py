import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table
from scipy import special
from scipy.special import expit

from psipo_explore import (
    IDENTITY,
    LOGIT,
    ExpectedPsi,
    Psi,
    _logistic_sums,
    bradley_terry,
    expected_psi,
    expected_psi_bradley_terry,
    scores,
    tournament,
)
from psipo_explore.psi import LOG, PROBIT


def win_rate(r: Table, mu: Table, i: int) -> float:
    """Return E_μ[σ(r_i − r)] of one action i, computed in long double."""
    gaps = np.maximum(np.longdouble(r[i]) - r.astype(np.longdouble), -11000)
    return float(np.sum(mu / (1 + np.exp(-gaps))))


@pytest.mark.parametrize("spread", [0.0, 1e-3, 1.0, 8.0, 60.0, 1e4, 1e9])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_win_rates_of_many_actions_at_any_spread(spread: float, shift: float) -> None:
    rng = np.random.default_rng(3)
    r = rng.normal(size=4000) * spread + shift
    mu = rng.dirichlet(np.ones(4000))
    got = expected_psi_bradley_terry(r, IDENTITY, mu=mu).value
    some = [0, 1, 2, int(r.argmax()), int(r.argmin())]
    assert_allclose(got[some], [win_rate(r, mu, i) for i in some], rtol=0, atol=1e-14)


def test_win_rates_of_a_vocabulary() -> None:
    rng = np.random.default_rng(4)
    r, mu = rng.normal(size=50_000), rng.dirichlet(np.ones(50_000))
    got = expected_psi_bradley_terry(r, IDENTITY, mu=mu).value
    some = [0, 1, 49_999, int(r.argmax()), int(r.argmin())]
    assert_allclose(got[some], [win_rate(r, mu, i) for i in some], rtol=0, atol=2e-14)


def test_win_rates_where_a_crowd_stands_far_from_single_actions() -> None:
    r = np.concatenate([np.linspace(0, 0.5, 1000), [-500.0, -39.0, 30.0, 41.0, 1e6]])
    mu = np.full(r.size, 1 / r.size)
    got = expected_psi_bradley_terry(r, IDENTITY).value
    assert_allclose(got, [win_rate(r, mu, i) for i in range(r.size)], rtol=0, atol=1e-14)


@pytest.mark.parametrize("distance", [1e3, 1e6, 1e9, 1e12, 1e15])
def test_win_rates_of_crowds_far_apart(distance: float) -> None:
    r = np.concatenate(
        [np.linspace(0, 1, 600), distance + np.linspace(0, 1, 400), 2 * distance + np.arange(9.0)]
    )
    got = expected_psi_bradley_terry(r, IDENTITY).value
    assert_allclose(
        got,
        [win_rate(r, np.full(r.size, 1 / r.size), i) for i in range(r.size)],
        rtol=0,
        atol=2e-14,
    )


def test_opponents_that_count_keep_their_digits_beside_a_huge_reward() -> None:
    g = expected_psi_bradley_terry([-1e17, 0.0, 1.0], LOGIT, mu=[0.0, 0.5, 0.5]).value
    assert_array_equal(g, [-1e17, -0.5, 0.5])
    assert_array_equal(expected_psi_bradley_terry([1.7e308, 1.7e308], LOGIT).value, [0, 0])
    assert_allclose(expected_psi_bradley_terry(np.full(600, 1.7e308), IDENTITY).value, 0.5)


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, PROBIT], ids=lambda psi: psi.name)
@pytest.mark.parametrize("k", [3, 600])
def test_an_empty_batch_has_an_empty_answer(psi: Psi, k: int) -> None:
    assert expected_psi_bradley_terry(np.zeros((0, k)), psi).value.shape == (0, k)
    assert expected_psi(np.full((0, 3, 3), 0.5), psi).value.shape == (0, 3)


@pytest.mark.parametrize("psi", [PROBIT, LOG, LOGIT], ids=lambda psi: psi.name)
@pytest.mark.parametrize(("k", "block"), [(600, 1 << 20), (40, 64), (7, 15), (3, 1 << 20)])
def test_rows_in_blocks_are_the_table(
    psi: Psi, k: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "_BLOCK", block)
    rng = np.random.default_rng(k)
    r, mu = rng.normal(size=(2, k)), rng.dirichlet(np.ones(k))
    assert_allclose(
        expected_psi_bradley_terry(r, psi, mu=mu).value,
        expected_psi(bradley_terry(r), psi, mu=mu).value,
        rtol=1e-11,
        atol=1e-14,
    )


def test_win_rates_at_spreads_beyond_what_float64_resolves() -> None:
    r = np.linspace(0, 1e18, 600)
    assert_allclose(
        expected_psi_bradley_terry(r, IDENTITY).value, (np.arange(600) + 0.5) / 600, rtol=1e-13
    )


def test_expected_psi_bradley_terry_broadcasts() -> None:
    rng = np.random.default_rng(4)
    for k in (3, 600):
        r, mu = rng.normal(size=(2, 1, k)), rng.dirichlet(np.ones(k), size=3)
        for psi in (LOGIT, IDENTITY, PROBIT):
            got = expected_psi_bradley_terry(r, psi, mu=mu).value
            assert got.shape == (2, 3, k)
            assert_allclose(
                got[1, 2],
                expected_psi_bradley_terry(r[1, 0], psi, mu=mu[2]).value,
                rtol=1e-12,
                atol=1e-14,
            )


def test_rewards_too_far_apart_for_a_psi_known_only_by_probabilities() -> None:
    bare = Psi.from_callable(lambda q: np.log(q / (1 - q)), name="bare")
    with pytest.raises(ValueError, match=r"^rewards differ by up to 800; .* too far out"):
        expected_psi_bradley_terry([0.0, 800.0], bare)
    assert_allclose(expected_psi_bradley_terry([0.0, 800.0], LOGIT).value, [-400, 400])


def test_opponents_that_mu_never_draws_contribute_nothing() -> None:
    order = tournament([(0, 1), (1, 2), (0, 2)], 3)
    score = expected_psi(order, LOGIT, mu=[0.0, 0.0, 1.0])
    assert_array_equal(score.won, [1, 1, 0])
    assert_array_equal(score.lost, [0, 0, 0])


def test_a_psi_infinite_at_both_ends_must_be_odd_only_for_certain_pairs_that_count() -> None:
    lopsided = Psi.from_callable(lambda q: np.log(q / (1 - q)) * (1 + q), name="lopsided")
    sure = tournament([(0, 1)], 3)
    assert np.isfinite(expected_psi(sure, lopsided, mu=[0.0, 0.0, 1.0]).value).all()
    with pytest.raises(
        ValueError,
        match=r"^p\[0, 1\] = 1, has no limit: psi 'lopsided' is infinite at both ends and not odd",
    ):
        expected_psi(sure, lopsided)


def test_sure_wins_stay_finite_where_psi_does() -> None:
    score = expected_psi(tournament([(0, 1), (1, 2), (0, 2)], 3), LOG)
    assert_array_equal(score.won, 0)
    assert_allclose(score.lost, [0, 1 / 3, 2 / 3])
    assert score.value[0] == pytest.approx(np.log(0.5) / 3)
    assert score.determined


def test_determined_in_batches_and_for_one_action() -> None:
    tables = tournament([(0, 1), (1, 2), (0, 2)], 3, [0.7, 1.0])
    assert_array_equal(expected_psi(tables, LOGIT).determined, [True, False])
    assert_array_equal(expected_psi(tables, IDENTITY).determined, [True, True])
    assert expected_psi([[0.5]], LOGIT).determined
    assert not expected_psi(tournament([(0, 1), (1, 2), (2, 0)], 3), LOG).determined


def test_near_certain_preferences_without_an_odd_psi_are_refused_not_rounded() -> None:
    steep = Psi("steep", lambda q: -np.log1p(-q), latex="", at_zero=0, at_one=np.inf)
    infinite = r"is infinite at a p so close to 0 or 1 that it rounds to certainty, must be"
    with pytest.raises(
        ValueError, match=rf"^psi 'steep' {infinite} odd, so that the smaller of p and pᵀ serves$"
    ):
        expected_psi(bradley_terry([0.0, 40.0]), steep)
    coarse = Psi(
        "coarse",
        lambda q: special.logit(np.where(q < 1e-20, 0, q)),
        latex="",
        at_zero=-np.inf,
        at_one=np.inf,
        odd=True,
    )
    with pytest.raises(ValueError, match=rf"^psi 'coarse' {infinite} accurate there$"):
        expected_psi([[0.5, 1.0], [1e-30, 0.5]], coarse)
    assert_array_equal(expected_psi(tournament([(0, 1)], 2), steep).won, [0.5, 0])


def test_the_parts_must_fit_together() -> None:
    with pytest.raises(ValueError, match=r"^won, lost, rest have shapes \(2,\), \(2,\), \(3,\)"):
        ExpectedPsi(np.zeros(2), np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"^rest\[1\] = nan"):
        ExpectedPsi(np.zeros(2), np.zeros(2), np.array([0, np.nan]))
    with pytest.raises(ValueError, match=r"^won has shape \(\), must be"):
        ExpectedPsi(np.array(0.5), np.array(0.5), np.array(0.5))
    with pytest.raises(ValueError, match=r"^won\[0\] = 1.5, must be a share"):
        ExpectedPsi(np.array([1.5, 0]), np.zeros(2), np.zeros(2))
    # A sum in float32 may exceed 1 by its rounding, so this is accepted.
    assert ExpectedPsi(np.array([1 + 1e-7]), np.zeros(1), np.zeros(1)).rate > 1
    with pytest.raises(ValueError, match=r"^won\[0\] = -1, must be a share"):
        ExpectedPsi(np.array([-1.0, 0]), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match=r"^lost\[0\] = 5, must be a share"):
        ExpectedPsi(np.zeros(1), np.array([5.0]), np.zeros(1))


def test_what_is_no_psi_is_refused_by_name() -> None:
    for wrong, shown in (("logit", "'logit'"), (np.log, "<ufunc 'log'>")):
        with pytest.raises(TypeError, match=rf"^psi = {shown}, must be a Psi: LOGIT, IDENTITY, "):
            expected_psi([[0.5]], wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=rf"^psi = {shown}, must be a Psi: LOGIT, IDENTITY, "):
            expected_psi_bradley_terry([0.5], wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("p", "mu", "message"),
    [
        ([[0.5, 0.7], [0.4, 0.5]], None, r"^p\[0, 1\] \+ p\[1, 0\] = 1\.1, must be 1"),
        ([[0.5, 1.2], [-0.2, 0.5]], None, r"^p\[0, 1\] = 1\.2, must lie in \[0, 1\]"),
        ([[0.5, np.nan], [np.nan, 0.5]], None, r"^p\[0, 1\] = nan"),
        ([[0.6, 0.7], [0.3, 0.5]], None, r"^p\[0, 0\] = 0\.6, must be 0\.5"),
        ([[0.5, 0.7]], None, r"^p has shape \(1, 2\), must be \(\.\.\., K, K\)"),
        (
            np.full((2, 3, 3), 0.5),
            np.full((3, 3), 1 / 3),
            r"^mu has leading axes \(3,\), .* \(2,\)",
        ),
        ([[0.5]], [0.5, 0.5], r"^mu has shape \(2,\), must be \(\.\.\., 1\): p has 1 action"),
        (np.full((2, 2), 0.5), [1.5, -0.5], r"^mu\[1\] = -0\.5, must be a probability"),
        (np.full((2, 2), 0.5), [0.5, 0.6], r"^mu sums to 1\.1, must sum to 1"),
        (np.full((2, 2), 0.5), [[0.5, 0.5], [0.7, 0.4]], r"^mu\[1\] sums to 1\.1"),
        (np.full((2, 2), 0.5), 1.0, r"^mu has shape \(\)"),
        (
            np.full((2, 2), 0.5),
            np.ma.array([0.5, 0.5], mask=[True, False]),
            r"^mu has masked entries",
        ),
    ],
)
def test_bad_tables_and_opponents_are_refused_with_the_worst_entry(
    p: object, mu: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        expected_psi(p, LOGIT, mu=mu)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mu", "message"),
    [
        ([0.5, 0.25, 0.25], r"^mu has shape \(3,\), must be \(\.\.\., 2\): rewards has 2 actions"),
        ([0.5, 0.6], r"^mu sums to 1\.1, must sum to 1"),
        (np.full((3, 2), 0.5), r"^mu has leading axes \(3,\), which do not broadcast with \(2,\)"),
    ],
)
def test_bad_opponents_of_rewards_are_refused(mu: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expected_psi_bradley_terry(np.zeros((2, 2)), IDENTITY, mu=mu)  # type: ignore[arg-type]


def test_float32_probabilities_are_made_to_sum_to_one() -> None:
    mu = np.full(7, 1 / 7, dtype=np.float32)
    table = np.array([[0.5, 0.9], [0.1 + 1e-10, 0.5]])
    assert_allclose(expected_psi(np.full((7, 7), 0.5), IDENTITY, mu=mu).value, 0.5, rtol=1e-15)
    assert_allclose(expected_psi(table, IDENTITY).value, [0.7, 0.3], rtol=1e-9)


def test_expit_bins_meet_the_direct_sum() -> None:
    r = np.linspace(-3, 3, 700)
    assert_allclose(
        expected_psi_bradley_terry(r, IDENTITY).value, expit(r[:, None] - r).mean(1), rtol=1e-14
    )


def test_a_score_shows_itself() -> None:
    html = expected_psi(
        tournament([(0, 1), (1, 2), (0, 2)], 3), LOGIT, mu=[0.25, 0.25, 0.5]
    )._repr_html_()
    assert re.findall(r"<(?:caption|th|td)\b[^>]*>([^<]*)<", html) == [
        "E_μ[Ψ(p*)]; where certain preferences meet, the limit is a convention",
        *("action", "value", "μ surely beaten", "μ that surely beat", "rest"),
        *("0", "inf", "0.75", "0", "0"),
        *("1", "nan", "0.5", "0.25", "0"),
        *("2", "-inf", "0", "0.5", "0"),
    ]
    assert ">E_μ[Ψ(p*)]<" in expected_psi([[0.5]], LOGIT)._repr_html_()
    for k in (30, 31):
        html = expected_psi(np.full((k, k), 0.5), LOGIT)._repr_html_()
        assert (html == f"<p>ExpectedPsi of shape ({k},)</p>") == (k > 30)
    assert (
        expected_psi(np.full((2, 3, 3), 0.5), LOGIT)._repr_html_()
        == "<p>ExpectedPsi of shape (2, 3)</p>"
    )


@pytest.mark.parametrize(
    "floors", [[], [3.0], [2.0, -1.0, 2.0, 5.0, -1.0, 2.0], [1e300, 0.0, 1e300], [-1e15, -1e15 + 1]]
)
def test_floors_are_counted_as_numpy_counts_them(floors: list[float]) -> None:
    counted = _logistic_sums._distinct(np.array(floors))
    for ours, theirs in zip(
        counted, np.unique(floors, return_inverse=True, return_counts=True), strict=True
    ):
        assert_array_equal(ours, theirs)
