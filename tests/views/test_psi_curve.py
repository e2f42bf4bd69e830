import numpy as np
import pytest
from numpy.testing import assert_allclose

from psipo_explore.views import psi_curve


def drawn(**values: float) -> tuple[object, dict[str, object]]:
    return psi_curve.VIEW.drawn(psi_curve.VIEW.values(values))  # type: ignore[return-value]


def test_lambda_zero_is_the_articles_curve() -> None:
    _, artists = drawn(lam=0.0)
    q, psi = artists["value curve"].get_data()
    assert_allclose(psi, np.log(q / (1 - q)), rtol=1e-9, atol=1e-12)
    q, slope = artists["slope curve"].get_data()
    assert_allclose(slope, 1 / (q * (1 - q)))


def test_lambda_two_is_identity() -> None:
    _, artists = drawn(lam=2.0)
    q, psi = artists["value curve"].get_data()
    assert_allclose(psi, q - 0.5, atol=1e-15)


@pytest.mark.parametrize(("lam", "q"), [(0.0, 0.9), (0.5, 0.2), (2.0, 0.99)])
def test_the_tangent_touches_with_the_curves_slope(lam: float, q: float) -> None:
    _, artists = drawn(lam=lam, q=q)
    (x0, x1), (y0, y1) = artists["tangent"].get_data()
    (at,), (value,) = artists["value here"].get_data()
    (_,), (slope,) = artists["slope here"].get_data()
    assert at == q
    assert_allclose((y1 - y0) / (x1 - x0), slope)
    assert_allclose(y0 + slope * (q - x0), value, atol=1e-12)


def test_ends_are_drawn_where_they_are() -> None:
    _, artists = drawn(lam=0.5)
    assert artists["ends"].get_ydata() == [-2, 2]
    assert artists["runs off above"].get_ydata() == []
    _, artists = drawn(lam=0.0)
    assert artists["ends"].get_ydata() == []
    assert artists["ends words"].get_text() == "runs off to ±∞"


def test_sentences_say_what_is_steep_where() -> None:
    assert "slope is 11.1, 2.78 times its slope at ½" in psi_curve.figure(lam=0, q=0.9).sentence
    assert "stronger by 0.001 is worth ∞ more" in psi_curve.figure(lam=0, q=0.999).sentence
    assert "slope is 1, exactly its slope at ½" in psi_curve.figure(lam=2, q=0.9).sentence
    assert (
        "bounded, so nothing is ever exactly 0: no log-ratio moves further than (Ψ(1) − Ψ(0))/β = 4/β"
        in psi_curve.figure(lam=0.5).sentence
    )


def test_a_typed_formula_is_drawn_with_its_own_ends_and_slope() -> None:
    _, artists = drawn(formula="q**2", q=0.5)
    q, psi = artists["value curve"].get_data()
    assert_allclose(psi, q**2 - 0.25)
    assert_allclose(artists["slope curve"].get_data()[1], 2 * artists["slope curve"].get_data()[0])
    assert artists["ends"].get_ydata() == [-0.25, 0.75]
    assert artists["ends words"].get_text() == "ends at −0.25 and 0.75"
    assert artists["chosen"].get_text() == r"$\Psi(q) = q^{2}$"


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (
            "atan(q)",
            "bounded, so nothing is ever exactly 0: no log-ratio moves further than (Ψ(1) − "
            "Ψ(0))/β = 0.785/β",
        ),
        (
            "log(q/(1-q))",
            "It runs off to ±∞: unbounded, so that between two answers a certain preference makes "
            "the policy collapse at every β",
        ),
        ("log(q)", "It runs off to −∞: unbounded"),
        ("-log(1-q)", "It runs off to ∞: unbounded"),
        ("1/2", "its slope is 0, exactly its slope at ½"),
        ("(q-0.5)**3", "its slope is 0.48, at ½ it is 0:"),
    ],
)
def test_a_typed_formula_is_said_to_be_bounded_or_not(formula: str, words: str) -> None:
    assert words in psi_curve.figure(formula=formula).sentence


def test_a_long_formula_is_written_as_it_fits() -> None:
    long = " + ".join(f"q**{n}/{n}" for n in range(2, 14))
    for formula, words in (
        ("q + 0*(q+q+q+q+q+q+q+q)", r"$\Psi(q) = q$"),
        (long, r"$\Psi(q)$ as typed"),
    ):
        _, artists = drawn(formula=formula)
        assert artists["chosen"].get_text() == words
