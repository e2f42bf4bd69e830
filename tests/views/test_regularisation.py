from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, logit, rel_entr

from psipo_explore.views import regularisation
from psipo_explore.views.kit.certainty_axis import EDGE


def drawn(**values: float) -> tuple[Any, dict[str, Any]]:
    return regularisation.VIEW.drawn(regularisation.VIEW.values(values))  # type: ignore[return-value]


def bar(artists: dict[str, Any], which: str) -> tuple[float, ...]:
    """Return where a bar begins and ends, or nothing if there is none."""
    return tuple(artists[f"{which} bar"].get_xdata())


@pytest.mark.parametrize(("p", "n", "loser"), [(0.9, 1, 0.5), (0.6, 4, 0.05), (0.999, 9, 0.02)])
def test_curves_against_beta_by_hand(p: float, n: int, loser: float) -> None:
    _, artists = drawn(p=p, n_losers=n, pi_ref_loser=loser)
    winner = 1 - n * loser
    for name, psi_of_p in (("logit", logit(p)), ("identity", p - 0.5)):
        beta, moved = artists[f"ratio beta {name}"].get_data()
        assert_allclose(moved, psi_of_p / beta, rtol=1e-9)
        beta, share = artists[f"kl beta {name}"].get_data()
        after = expit(logit(winner) + psi_of_p / beta)
        kl = rel_entr(after, winner) + rel_entr(1 - after, 1 - winner)
        assert_allclose(share, kl / -np.log(winner), rtol=1e-6, atol=1e-9)


def test_only_identity_moves_at_certainty() -> None:
    figure, artists = drawn(p=1.0, beta=10.0)
    assert "Only identity comes back" in figure.sentence
    assert_allclose(
        [artists[f"kl beta logit {mark}"].get_ydata()[0] for mark in ("mark", "hollow")], 1
    )
    now, tenfold = (
        artists[f"ratio beta identity {mark}"].get_ydata()[0] for mark in ("mark", "hollow")
    )
    assert_allclose(now / tenfold, 10)
    assert bar(artists, "beta logit") == (0.01, 1000)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"p": 0.99, "beta": 1.0}, "Both come back"),
        ({"p": 0.99, "beta": 0.01}, "Only identity comes back"),
        (
            {"p": 1 - 1e-15, "beta": 0.01, "pi_ref_loser": 0.5, "n_losers": 1},
            "Only identity comes back",
        ),
        ({"p": 0.5}, "neither moves"),
        ({"p": 1.0}, "Only identity comes back"),
    ],
)
def test_sentence_says_who_comes_back(values: dict[str, float], words: str) -> None:
    assert words in regularisation.figure(**values).sentence


def test_sentence_says_the_numbers() -> None:
    sentence = regularisation.figure(p=0.99, beta=1.0).sentence
    assert sentence.startswith(
        "4 losers at π_ref = 0.05 each, p = 0.99. Turn β up tenfold, from 1 to 10"
    )
    assert (
        "identity's KL goes from 0.0156 to 1.88·10⁻⁴ and its log-ratio from 0.49 to 0.049"
        in sentence
    )
    assert "logit's KL goes from 0.209 to 0.0139 and its log-ratio from 4.6 to 0.46" in sentence


def test_a_bar_is_over_the_beta_and_p_at_which_kl_is_within_one_per_cent_of_collapse() -> None:
    _, artists = drawn(p=0.99)
    for name in ("logit", "identity"):
        first, last = bar(artists, f"beta {name}")
        beta, share = artists[f"kl beta {name}"].get_data()
        assert first == beta[0]
        assert_allclose(np.interp(np.log(last), np.log(beta), share), 0.99, atol=1e-3)
    first, last = bar(artists, "p logit")
    place, share = artists["kl p logit"].get_data()
    assert_allclose(np.interp(first, place, share), 0.99, atol=1e-3)
    assert last == EDGE
    assert bar(artists, "p identity") == ()


def test_where_beta_still_holds_the_policy_there_is_no_bar() -> None:
    _, artists = drawn(p=0.5)
    assert bar(artists, "beta logit") == bar(artists, "beta identity") == ()


def test_bars_are_over_the_axes_so_that_none_reads_as_a_kl() -> None:
    figure, artists = drawn(p=1.0, beta=0.01)
    figure.draw_without_rendering()
    for side in ("beta", "p"):
        ax = artists[f"kl {side} logit"].axes
        bars = [artists[f"{side} {name} bar"].get_window_extent() for name in ("logit", "identity")]
        assert min(box.y0 for box in bars) > ax.get_window_extent().y1
        assert max(box.y1 for box in bars) < artists[f"kl {side} here"].get_window_extent().y1


def test_losers_that_leave_the_winner_nothing_are_explained() -> None:
    with pytest.raises(
        ValueError, match=r"^π_ref = 0.3 for each of 5 losing answers leaves y_w nothing"
    ):
        regularisation.figure(n_losers=5, pi_ref_loser=0.3)
    assert "leaves y_w nothing" in regularisation.panel(n_losers=5, pi_ref_loser=0.3).sentence


def test_losers_are_counted_in_whole_numbers() -> None:
    with pytest.raises(ValueError, match=r"^n_losers = 2.5, must be a whole number"):
        regularisation.figure(n_losers=2.5)
    assert regularisation.figure(n_losers=3.0).sentence.startswith("3 losers")
