import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, logit

from psipo_explore.views import collapse
from psipo_explore.views.kit.words import number


@pytest.mark.parametrize(
    ("beta", "p", "pi_ref_loser"), [(1.0, 0.9, 0.5), (0.3, 0.6, 0.2), (20.0, 1 - 1e-12, 0.95)]
)
def test_curves_are_the_closed_form(beta: float, p: float, pi_ref_loser: float) -> None:
    _, artists = collapse.VIEW.drawn({"beta": beta, "p": p, "pi_ref_loser": pi_ref_loser})
    x, logit_curve = artists["linear logit"].get_data()
    assert_allclose(
        logit_curve[x < 1], expit(logit(pi_ref_loser) - logit(x[x < 1]) / beta), rtol=1e-9
    )
    x, identity_curve = artists["linear identity"].get_data()
    assert_allclose(identity_curve, expit(logit(pi_ref_loser) - (x - 0.5) / beta), rtol=1e-9)
    decades, logit_curve = artists["decades logit"].get_data()
    loss = 10.0**-decades
    assert_allclose(
        logit_curve, expit(logit(pi_ref_loser) - (np.log1p(-loss) - np.log(loss)) / beta), rtol=1e-9
    )
    assert artists["decades logit here"].get_ydata() == pytest.approx(
        [expit(logit(pi_ref_loser) - logit(p) / beta)], rel=1e-3
    )


@pytest.mark.parametrize("beta", [0.01, 1.0, 100.0])
def test_certainty_has_its_own_place(beta: float) -> None:
    figure, artists = collapse.VIEW.drawn(collapse.VIEW.values({"beta": beta, "p": 1.0}))
    assert artists["certain logit"].get_ydata() == [0.0]
    assert artists["linear logit here"].get_ydata() == [0.0]
    assert artists["certain identity"].get_ydata() == pytest.approx([expit(-0.5 / beta)])
    assert "gives y_l probability exactly 0" in figure.sentence
    assert "at every other β" in figure.sentence


@pytest.mark.parametrize("beta", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("pi_ref_loser", [0.01, 0.5, 0.95])
def test_the_shaded_region_begins_where_certainty_takes_identity(
    beta: float, pi_ref_loser: float
) -> None:
    values = {"beta": beta, "pi_ref_loser": pi_ref_loser}
    _, artists = collapse.VIEW.drawn(collapse.VIEW.values(values))
    for side in ("linear", "decades"):
        edge = artists[f"{side} bound"].get_height()
        assert_allclose(edge, artists["certain identity"].get_ydata(), rtol=1e-12)
        assert (artists[f"{side} identity"].get_ydata() >= edge * (1 - 1e-12)).all()
    assert artists["bound number"].get_text() == number(0.5 / beta)


def test_sentence_says_the_numbers_of_the_picture() -> None:
    sentence = collapse.figure(beta=1.0, p=0.9).sentence
    assert "logit leaves y_l 0.1, where π_ref gave it 0.5" in sentence
    assert "Identity leaves it 0.401: its log-ratio has moved by 0.4," in sentence
    assert "1/(2β) = 0.5 (among many answers at most 1/β = 1)." in sentence


def test_zero_is_said_of_zero_alone() -> None:
    nearly = collapse.figure(beta=0.01, p=1 - 1e-15).sentence
    assert "logit leaves y_l about 10⁻¹⁵⁰⁰" in nearly
    assert "exactly 0" not in nearly
