import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from mpmath import mpf, npdf
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table, psi_of
from scipy.special import expit, log_ndtr
from strategies import ANY_PSI

from psipo_explore import IDENTITY, LOGIT, Psi, folded_power
from psipo_explore.psi import LOG, PROBIT

INSIDE = np.linspace(0.01, 0.99, 99)
every_psi = pytest.mark.parametrize("psi", ANY_PSI, ids=lambda psi: psi.name)


@every_psi
def test_derivative_is_the_slope(psi: Psi) -> None:
    step = 1e-6
    assert_allclose(
        psi.derivative(INSIDE), (psi(INSIDE + step) - psi(INSIDE - step)) / (2 * step), rtol=1e-6
    )


@every_psi
def test_derivative_found_numerically_is_the_one_given(psi: Psi) -> None:
    numerical = Psi(psi.name, psi, latex="", at_zero=psi.at_zero, at_one=psi.at_one)
    q = np.array([[1e-3, 0.2], [0.5, 0.97]])
    assert_allclose(numerical.derivative(q), psi.derivative(q), rtol=1e-6)


@pytest.mark.parametrize("q", [1e-300, 1e-9, 0.25, 0.5, 0.9])
def test_derivatives_in_50_digits(q: float) -> None:
    low, high = mpf(q), 1 - mpf(q)
    assert_allclose(LOGIT.derivative(q), float(1 / (low * high)), rtol=1e-14)
    for lam in (0.01, 0.5, 2.0, 7.0):
        assert_allclose(
            folded_power(lam).derivative(q), float(low ** (lam - 1) + high ** (lam - 1)), rtol=1e-13
        )
    assert_allclose(PROBIT.derivative(q), float(1 / npdf(psi_of("probit")(low, high))), rtol=1e-12)


def test_numerical_slopes_far_out() -> None:
    q = np.array([1e-280, 1e-100, 1e-9, 0.25, 1 - 1e-7])
    assert_allclose(Psi.from_callable(np.log, name="log").derivative(q), 1 / q, rtol=1e-6)


def test_slopes_too_steep_for_float64_are_infinite_without_a_warning() -> None:
    for psi in (LOGIT, PROBIT, LOG, folded_power(0.001)):
        assert psi.derivative(5e-324) == np.inf


def test_a_slope_that_is_given_is_used_and_its_holes_are_filled() -> None:
    assert_array_equal(
        Psi(
            "q", np.positive, latex="q", at_zero=0, at_one=1, derivative=lambda q: 7 + 0 * q
        ).derivative([0.2, 1]),
        7,
    )
    whole = Psi(
        "q",
        np.positive,
        latex="q",
        at_zero=0,
        at_one=1,
        derivative=lambda q: np.ones(np.shape(q), dtype=int),
    )
    assert whole.derivative(0.2).dtype == np.float64
    holes = Psi(
        "q²",
        np.square,
        latex="q^2",
        at_zero=0,
        at_one=1,
        derivative=lambda q: np.where(q == 0.25, np.nan, 9 * q),
    )
    assert_allclose(holes.derivative([0.25, 0.5]), [0.5, 4.5], rtol=1e-9)


def test_numerical_derivative_at_the_ends() -> None:
    square = Psi.from_callable(np.square, name="square")
    assert_allclose(square.derivative([0.0, 1.0]), [0, 2], atol=1e-8)
    assert Psi.from_callable(lambda q: np.log(q), name="log").derivative(0.0) == np.inf


def test_derivative_runs_off_where_psi_does() -> None:
    assert_array_equal(LOGIT.derivative([0.0, 1.0]), [np.inf, np.inf])
    assert_array_equal(PROBIT.derivative([0.0, 1.0]), [np.inf, np.inf])
    assert_array_equal(LOG.derivative([0.0, 1.0]), [np.inf, 1])
    assert_array_equal(IDENTITY.derivative([0.0, 0.5, 1.0]), [1, 1, 1])


@every_psi
def test_limits_stand_at_the_ends(psi: Psi) -> None:
    assert_array_equal(psi([0.0, 1.0]), [psi.at_zero, psi.at_one])
    assert psi.bounded == np.isfinite([psi.at_zero, psi.at_one]).all()


@every_psi
@pytest.mark.parametrize("q", [1e-300, 1e-17, 0.1, 0.3, 0.5, 0.7, 0.875])
def test_values_in_50_digits(psi: Psi, q: float) -> None:
    assert_allclose(psi(q), float(psi_of(psi.name)(mpf(q), 1 - mpf(q))), rtol=1e-14, atol=1e-15)


@every_psi
@given(x=st.floats(-700, 700))
def test_of_log_odds_is_psi_of_the_probability(psi: Psi, x: float) -> None:
    p = np.array([[0.5, expit(x)], [expit(-x), 0.5]])
    assert_allclose(psi.of_log_odds(x), psi.of_table(p)[0, 1], rtol=1e-11, atol=1e-12)


def test_of_log_odds_beyond_what_a_probability_can_hold() -> None:
    assert_allclose(LOG.of_log_odds([-1e4, 1e4]), [-1e4, 0])
    assert_allclose(log_ndtr(PROBIT.of_log_odds(-800.0)), -800)
    assert PROBIT.of_log_odds(800.0) == -PROBIT.of_log_odds(-800.0)
    assert_allclose(folded_power(0.01).of_log_odds([-1e4, 1e4]), [-100, 100], rtol=1e-12)
    assert_allclose(
        Psi.from_callable(IDENTITY, name="q").of_log_odds([-1e4, 0.0, 1e4]), [0, 0.5, 1]
    )
    assert_allclose(
        folded_power(0.001).of_log_odds([-800.0, 800.0]),
        1e3 * np.expm1(-0.8) * np.array([1, -1]),
        rtol=1e-14,
    )
    odd = Psi.from_callable(IDENTITY, name="q")
    assert_allclose(
        odd.of_log_odds([-2.0, -0.5, 0.0, 0.5, 2.0]), expit([-2.0, -0.5, 0, 0.5, 2]), rtol=1e-15
    )
    assert_allclose(
        Psi.from_callable(np.sqrt, name="root").of_log_odds([-2.0, 3.0]),
        np.sqrt(expit([-2.0, 3.0])),
        rtol=1e-15,
    )
    whole = Psi(
        "q",
        np.positive,
        latex="q",
        at_zero=0,
        at_one=1,
        of_log_odds=lambda x: np.where(x > 0, 1, 0),
    )
    assert_array_equal(whole.of_log_odds([-1.0, 1.0]), [0.0, 1.0])
    assert whole.of_log_odds(1.0).dtype == np.float64
    bare = Psi.from_callable(lambda q: np.log(q / (1 - q)), name="bare")
    assert_allclose(bare.of_log_odds([-700.0, 700.0]), [-700, 700])
    with pytest.raises(
        ValueError,
        match=r"^log_odds = 800, is too far out to tell from certainty under psi 'bare'$",
    ):
        bare.of_log_odds(800.0)
    with pytest.raises(ValueError, match=r"^log_odds\[1\] = inf, must be finite"):
        LOGIT.of_log_odds([0.0, np.inf])


@given(st.just(0.0) | st.floats(1e-300, 300), st.floats(1e-9, 1 - 1e-9))
def test_folded_power_lies_between_its_bounds_and_rises(lam: float, q: float) -> None:
    psi = folded_power(lam)
    assert psi.odd
    assert_allclose(psi(q) + psi(1 - q), 0, atol=1e-6)
    assert psi.derivative(q) >= 0
    if lam > 0:
        assert psi.spread == 2 / lam
        assert abs(psi(q)) <= 1 / lam


@pytest.mark.parametrize("lam", [1e-300, 1e-20, 1e-9])
def test_folded_power_tends_to_logit(lam: float) -> None:
    assert_allclose(folded_power(lam)(INSIDE), LOGIT(INSIDE), rtol=1e-7)


def test_the_smallest_folded_power_is_logit_also_next_to_a_half() -> None:
    barely = np.nextafter(0.5, 1)
    assert_allclose(folded_power(1e-300)(barely), LOGIT(barely), rtol=1e-14)


def test_folded_power_of_zero_is_logit_and_of_two_identity() -> None:
    assert folded_power(0) is LOGIT
    assert_allclose(folded_power(2)(INSIDE), INSIDE - 0.5, atol=1e-16)
    assert IDENTITY.spread == folded_power(2).spread == 1


@pytest.mark.parametrize("lam", [1.0, 30.0, 60.0, 1e3, 1e5, 1e12])
def test_folded_powers_in_50_digits(lam: float) -> None:
    for q in (2.0**-40, 0.01, 0.45, 0.49, 0.75, 0.999, 1 - 2.0**-40):
        exact = (mpf(q) ** lam - (1 - mpf(q)) ** lam) / mpf(lam)
        assert_allclose(folded_power(lam)(q), float(exact), rtol=1e-11, atol=1e-300)
    assert_allclose(folded_power(lam).of_log_odds([-1e308, 0.0, 1e308]), [-1 / lam, 0, 1 / lam])


@pytest.mark.parametrize("lam", [-1.0, 1e-310, 2e12, 1e308, np.inf, np.nan, [1.0, 2.0]])
def test_folded_powers_that_are_refused_by_name(lam: float) -> None:
    with pytest.raises(ValueError, match=r"^lam\b"):
        folded_power(lam)


@pytest.mark.parametrize(
    ("f", "at_zero", "at_one", "odd"),
    [
        (lambda q: np.log(q / (1 - q)) + 5, -np.inf, np.inf, True),
        (lambda q: q**3, 0, 1, False),
        (lambda q: math.log(q), -np.inf, 0, False),
        (lambda q: math.log(q / (1 - q)), -np.inf, np.inf, True),
        (lambda q: (q - 1) / np.log(q), 0, 1, False),
        (lambda q: (q - 1) / math.log(q) if q > 0 else 0.0, 0, 1, False),
        (lambda q: math.sqrt(q) if 0 < q < 1 else math.nan, 0, 1, False),
        (lambda q: np.clip(np.log(q / (1 - q)), -3, 3), -3, 3, True),
        (lambda q: -1 / np.tan(np.pi * q), -np.inf, np.inf, True),
        (lambda q: -1 / math.tan(math.pi * q), -np.inf, np.inf, True),
        (lambda q: 1.0, 1, 1, True),
        (lambda q: np.where(q < 0.5, 0.0, 1.0), 0, 1, False),
    ],
)
def test_from_callable_finds_limits_and_oddness(
    f: object, at_zero: float, at_one: float, odd: bool
) -> None:
    psi = Psi.from_callable(f, name="f")  # type: ignore[arg-type]
    assert_allclose([psi.at_zero, psi.at_one], [at_zero, at_one], atol=0.02)
    assert psi.odd == odd
    assert psi([0.25, 0.5]).shape == (2,)


def refused(match: str, f: object) -> None:
    with pytest.raises(ValueError, match=match):
        Psi.from_callable(f, name="f")  # type: ignore[arg-type]


def test_functions_that_are_no_psi_are_refused_with_the_place() -> None:
    refused(r"^f decreases from .* at q = 0.5", lambda q: np.where(q < 0.501, q, 0.2))
    refused(r"^f decreases", lambda q: -q)
    refused(r"^f decreases .* to 0 at q = 1, ", lambda q: np.where(q < 1, q, 0.0))
    refused(r"^f gives nan at q = 0.6", lambda q: np.where(q < 0.6, q, np.nan))
    refused(r"^f gives inf at q = 0.75", lambda q: np.where(q < 0.75, q, np.inf))
    refused(
        r"^f's limit as q nears 0 cannot be told",
        lambda q: -1 / math.log(q / 2) if q > 0 else math.nan,
    )
    refused(r"^f's limit as q nears 0 cannot be told", lambda q: np.tan(np.pi * (q - 0.5)))
    refused(r"^f's limit as q nears 0 cannot be told", lambda q: math.exp(0.005 * math.log(q)))


def test_what_is_no_text_no_truth_value_and_no_table_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^name = 3, must be a text$"):
        Psi.from_callable(np.sqrt, name=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^name = 3, must be a text$"):
        Psi(3, np.sqrt, latex="q", at_zero=0, at_one=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^odd = 3, must be True or False$"):
        Psi("root", np.sqrt, latex="q", at_zero=0, at_one=1, odd=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^p has shape \(2, 3\), "):
        LOGIT.of_table(np.full((2, 3), 0.5))


def test_false_claims_about_a_psi_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^odd = True, but square\(q\) \+ square\(1 - q\) is not constant$"
    ):
        Psi("square", np.square, latex="q^2", at_zero=0, at_one=1, odd=True)
    with pytest.raises(ValueError, match=r"^odd = True"):
        Psi("log", np.log, latex="", at_zero=-np.inf, at_one=0, odd=True)
    with pytest.raises(ValueError, match=r"^function decreases from 0.5 at q = 0"):
        Psi("q", np.positive, latex="q", at_zero=0.5, at_one=1)
    with pytest.raises(
        ValueError, match=r"^at_zero = -inf, but the function settles at .* as q nears 0"
    ):
        Psi("q", np.positive, latex="q", at_zero=-np.inf, at_one=np.inf, odd=True)
    with pytest.raises(
        ValueError, match=r"^at_one = 1e\+18, but the function runs off as q nears 1"
    ):
        Psi("odds", lambda q: q / (1 - q), latex="", at_zero=0, at_one=1e18)
    with pytest.raises(ValueError, match=r"at_one = nan"):
        Psi("q", np.positive, latex="q", at_zero=0, at_one=np.nan)


def test_probabilities_outside_the_unit_interval_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^q\[1\] = 1\.5, must lie in \[0, 1\]"):
        LOGIT([0.5, 1.5, -0.1])
    with pytest.raises(ValueError, match=r"^q = nan"):
        LOGIT.derivative(np.nan)
    with pytest.raises(TypeError, match=r"^q holds"):
        LOGIT("0.5")


def test_shown_in_words_and_in_latex() -> None:
    assert repr(LOGIT) == "Psi('logit', at_zero=-inf, at_one=inf, odd=True)"
    assert folded_power(0.5).name == "folded power 0.5"
    assert Psi.from_callable(np.square, name="sq")._repr_latex_() == r"$\Psi(q) = \mathrm{sq}(q)$"
    assert folded_power(0.5)._repr_latex_() == r"$\Psi(q) = \frac{q^{0.5} - (1-q)^{0.5}}{0.5}$"


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("cost $5", r"\mathrm{cost\ \$5}(q)"),
        ("a_b^c", r"\mathrm{a\_b\hat{\ }c}(q)"),
        (r"\frac{1}", r"\mathrm{\backslash{}frac\{1\}}(q)"),
        ("50 %\n#1~", r"\mathrm{50\ \%\ \#1\sim{}}(q)"),
        ("a\x00\ud800\x1b", r"\mathrm{a���}(q)"),
        ("}", r"\mathrm{\}}(q)"),
    ],
)
def test_a_name_is_shown_as_it_is_whatever_latex_makes_of_its_characters(
    name: str, latex: str
) -> None:
    psi = Psi.from_callable(np.square, name=name)
    assert (psi.name, psi.latex) == (name, latex)
    MathTextParser("path").parse(psi._repr_latex_())


def test_a_table_keeps_odd_psi_exact_on_both_sides() -> None:
    p: Table = np.array([[0.5, 1.0], [1e-30, 0.5]])
    assert_allclose(
        LOGIT.of_table(p), [[0, 69.07755278982137], [-69.07755278982137, 0]], rtol=1e-15
    )
    assert_array_equal(LOG.of_table(p), LOG(p))


def test_functions_of_every_kind_are_taken_or_refused_by_name() -> None:
    by_comprehension = Psi.from_callable(
        lambda q: np.array([x**2 for x in q]) if np.ndim(q) else q**2, name="comprehension"
    )
    assert_allclose(by_comprehension([0.5, 0.25]), [0.25, 0.0625])
    assert Psi.from_callable(np.frompyfunc(lambda q: q**2, 1, 1), name="objects")(0.5) == 0.25
    with pytest.raises(TypeError, match=r"^f = 3, must be a function"):
        Psi.from_callable(3, name="three")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^function does not take arrays"):
        Psi("log", math.log, latex="", at_zero=-np.inf, at_one=0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Psi.from_callable(lambda q: q + 1j * q, name="complex")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"function": lambda q: 1 / 0},
            r"^function does not take arrays \(division by zero\), must be elementwise",
        ),
        ({"function": lambda q: q[:3]}, r"^function does not take arrays"),
        ({"at_zero": "a"}, r"^at_zero holds <U1 values, must be real numbers"),
        ({"at_one": "a"}, r"^at_one holds <U1 values, must be real numbers"),
    ],
)
def test_what_makes_no_psi_is_named(arguments: dict[str, object], message: str) -> None:
    given = {"function": np.positive, "at_zero": 0.0, "at_one": 1.0, **arguments}
    with pytest.raises(TypeError, match=message):
        Psi("f", given.pop("function"), latex="f", **given)  # type: ignore[arg-type]


def test_a_function_that_changes_its_argument_changes_nothing_here() -> None:
    def doubled(q: Table) -> Table:
        q *= 2
        return q

    assert_allclose(Psi.from_callable(doubled, name="doubled")([0.25, 1.0]), [0.5, 2])
    assert folded_power(0.5).spread == 4


@pytest.mark.parametrize("q", [5e-324, 1e-300, 1e-7, 0.3, 1 - 1e-15])
def test_numerical_slopes_next_to_the_ends(q: float) -> None:
    slope = Psi.from_callable(np.sqrt, name="root").derivative([0.25, q])
    assert_allclose(slope[0], 1)
    assert slope[1] == np.inf or slope[1] == pytest.approx(0.5 / np.sqrt(q), rel=1e-6)
