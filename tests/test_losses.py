import pickle
from collections.abc import Callable
from types import FunctionType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal, assert_array_less
from oracles import mp, mpf
from scipy.optimize import minimize_scalar
from strategies import FIXED_LOSSES, MADE_LOSSES

from psipo_explore import losses
from psipo_explore.losses import (
    DPO,
    HINGE,
    IPO,
    SAVAGE,
    SQUARED,
    TRUNCATED_SQUARED,
    MarginLoss,
    cdpo,
    discopop,
    exo,
    odpo,
    robust_dpo,
)

every_loss = pytest.mark.parametrize("name", [*FIXED_LOSSES, *MADE_LOSSES])


def loss_named(name: str) -> MarginLoss:
    """Return a loss by its name.

    It is made anew for each test, so that every test meets a mutant of the function that makes it.
    """
    return FIXED_LOSSES.get(name) or MADE_LOSSES[name]()


def sigma(x: mpf) -> mpf:
    return 1 / (1 + mp.exp(-x))


FORMULAS = {
    "DPO": lambda x: -mp.log(sigma(x)),
    "cDPO 0.1": lambda x: -mpf(0.9) * mp.log(sigma(x)) - mpf(0.1) * mp.log(sigma(-x)),
    "robust DPO 0.2": lambda x: (
        (-mpf(0.8) * mp.log(sigma(x)) + mpf(0.2) * mp.log(sigma(-x))) / mpf(0.6)
    ),
    "ODPO 0.75": lambda x: -mp.log(sigma(x - mpf(0.75))),
    "hinge": lambda x: max(mpf(0), 1 - x),
    "EXO 0.1": lambda x: (
        sigma(x) * mp.log(sigma(x) / mpf(0.9)) + sigma(-x) * mp.log(sigma(-x) / mpf(0.1))
    ),
    "DiscoPOP 0.05": lambda x: (
        -(1 - sigma(x / mpf(0.05))) * mp.log(sigma(x)) + sigma(x / mpf(0.05)) * mp.exp(-x)
    ),
    "squared": lambda x: (1 - x) ** 2,
    "exponential": lambda x: mp.exp(-x),
    "truncated squared": lambda x: max(mpf(0), 1 - x) ** 2,
    "Savage": lambda x: 1 / (1 + mp.exp(x)) ** 2,
}


def test_every_loss_is_tested_here() -> None:
    makers = [name for name in losses.__all__ if isinstance(getattr(losses, name), FunctionType)]
    assert len(MADE_LOSSES) == len(makers), makers
    # IPO is divided by β², so its formula is in tests of its own.
    assert FORMULAS.keys() | {"IPO"} == {*FIXED_LOSSES, *MADE_LOSSES}


@every_loss
@given(h=st.floats(-30, 30), beta=st.floats(0.05, 5))
def test_values_in_50_digits(name: str, h: float, beta: float) -> None:
    loss = loss_named(name)
    x = mpf(beta) * mpf(h)
    exact = (mpf(h) - 1 / (2 * mpf(beta))) ** 2 if loss is IPO else FORMULAS[loss.name](x)
    assert_allclose(loss.value(h, beta), float(exact), rtol=1e-12, atol=1e-13)


@every_loss
@given(h=st.floats(-20, 20), beta=st.floats(0.05, 5))
def test_slopes_and_curvatures_are_derivatives_in_50_digits(
    name: str, h: float, beta: float
) -> None:
    loss = loss_named(name)
    if loss in (HINGE, TRUNCATED_SQUARED) and abs(beta * h - 1) < 1e-3:
        return  # φ or its slope has a kink here, and no derivative

    def exact(margin: mpf) -> mpf:
        return (
            (margin - 1 / (2 * mpf(beta))) ** 2
            if loss is IPO
            else FORMULAS[loss.name](mpf(beta) * margin)
        )

    step = mpf(10) ** -12
    slope = (exact(h + step) - exact(h - step)) / (2 * step)
    curvature = (exact(h + step) - 2 * exact(mpf(h)) + exact(h - step)) / step**2
    assert_allclose(loss.slope(h, beta), float(slope), rtol=1e-9, atol=1e-11)
    assert_allclose(loss.curvature(h, beta), float(curvature), rtol=1e-9, atol=1e-9)


@every_loss
def test_huge_margins_neither_warn_nor_become_nan(name: str) -> None:
    loss = loss_named(name)
    h = np.array([-1e250, -1e6, -800.0, 0.0, 800.0, 1e6, 1e250])
    for function in (loss.value, loss.slope, loss.curvature):
        for beta in (1e-100, 1.0, 1e100):
            assert not np.isnan(function(h, beta)).any()


@every_loss
def test_best_margin_is_the_minimum_or_lies_beyond_every_margin(name: str) -> None:
    loss = loss_named(name)
    best, elsewhere = loss.best_margin(0.5), loss.value(np.linspace(-5, 100, 1000), 0.5)
    if best == np.inf:
        assert loss.value(200.0, 0.5) < elsewhere.min()
        return
    found = minimize_scalar(
        lambda h: float(loss.value(h, 0.5)),
        bounds=(-5, 10),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert loss.value(best, 0.5) <= min(found.fun, elsewhere.min()) + 1e-15
    assert loss.value(best - 0.01, 0.5) > loss.value(best, 0.5)


@given(st.floats(0.02, 0.98), st.floats(0.1, 5))
def test_best_x_of_one_pair_that_wins_with_probability_p(p: float, beta: float) -> None:
    best = {
        "DPO": np.log(p / (1 - p)),
        "Savage": np.log(p / (1 - p)),
        "exponential": 0.5 * np.log(p / (1 - p)),
        "squared": 2 * p - 1,
        "truncated squared": 2 * p - 1,
        "IPO": p - 0.5,
        "cDPO 0.1": np.log((0.9 * p + 0.1 * (1 - p)) / (0.1 * p + 0.9 * (1 - p))),
        "EXO 0.1": (2 * p - 1) * np.log(9),
    }
    for name, x in best.items():
        loss, h = loss_named(name), x / beta
        assert_allclose(
            p * loss.slope(h, beta), (1 - p) * loss.slope(-h, beta), rtol=1e-8, atol=1e-12
        )
    if 0.2 < p < 0.8:
        loss, h = robust_dpo(0.2), np.log((p - 0.2) / (0.8 - p)) / beta
        assert_allclose(p * loss.slope(h, beta), (1 - p) * loss.slope(-h, beta), rtol=1e-6)


@given(st.floats(-10, 10), st.floats(0.1, 5))
def test_ipo_is_gpos_squared_loss_at_twice_the_beta(h: float, beta: float) -> None:
    assert_allclose(IPO.value(h, beta), SQUARED.value(h, 2 * beta) / (4 * beta**2), rtol=1e-12)


@given(st.floats(0.05, 5))
def test_discopop_s_first_step_lowers_the_winner(beta: float) -> None:
    assert_allclose(discopop(0.05).slope(0.0, beta), 0.78 * beta, rtol=0.01)
    assert DPO.slope(0.0, beta) < 0


def test_smoothing_of_zero_is_dpo() -> None:
    h = np.linspace(-5, 5, 11)
    for loss in (cdpo(0.0), robust_dpo(0.0)):
        assert_allclose(loss.value(h, 0.7), DPO.value(h, 0.7))
    assert cdpo(0.0).best_margin(1.0) == np.inf


def test_h_and_beta_broadcast() -> None:
    assert IPO.value(np.zeros((3, 1)), np.ones(4)).shape == (3, 4)


@every_loss
def test_losses_travel_to_other_processes(name: str) -> None:
    loss = loss_named(name)
    assert pickle.loads(pickle.dumps(loss)).value(0.3, 1.0) == loss.value(0.3, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cdpo(0.5), r"^smoothing = 0.5, must be at least 0 and below ½"),
        (lambda: cdpo(np.nan), r"^smoothing = nan, must be finite"),
        (lambda: robust_dpo(-0.1), r"^smoothing = -0.1"),
        (lambda: odpo(601), r"^offset = 601, must be from −600 to 600$"),
        (lambda: odpo(np.nan), r"^offset = nan, must be finite"),
        (lambda: exo(0.0), r"^smoothing = 0, must be above 0"),
        (lambda: exo(0.5), r"^smoothing = 0.5, must be above 0 and below ½"),
        (lambda: discopop(1e-155), r"^temperature = 1e-155, must be positive, at least 1e-100"),
        (lambda: IPO.value(1e200, 1e200), r"^beta = 1e\+200, must be from 1e-100 to 1e100"),
        (
            lambda: IPO.value([1, 2, 3], [1, 2]),
            r"^beta has leading axes \(2,\), which do not broadcast with \(3,\)",
        ),
        (lambda: discopop(0.0), r"^temperature = 0, must be positive"),
        (lambda: discopop(np.inf), r"^temperature = inf, must be finite"),
        (lambda: DPO.value(np.nan, 1.0), r"^h = nan"),
        (lambda: DPO.slope(0.0, 0.0), r"^beta = 0"),
        (lambda: IPO.best_margin(0.0), r"^beta = 0, must be positive"),
    ],
)
def test_what_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("IPO", r"\Big(h - \frac{1}{2\beta}\Big)^2"),
        ("cDPO 0.1", r"-0.9\log\sigma(\beta h) - 0.1\log\sigma(-\beta h)"),
        ("ODPO 0.75", r"-\log\sigma(\beta h - 0.75)"),
        ("robust DPO 0.2", r"\frac{-0.8\log\sigma(\beta h) + 0.2\log\sigma(-\beta h)}{0.6}"),
        ("EXO 0.1", r"\mathrm{KL}\big(\sigma(\pm\beta h)\,\|\,(0.9, 0.1)\big)"),
        (
            "DiscoPOP 0.05",
            r"-(1-m)\log\sigma(\beta h) + m e^{-\beta h},\; m = \sigma(\beta h/0.05)",
        ),
    ],
)
def test_shown_by_name_and_in_latex(name: str, latex: str) -> None:
    loss = loss_named(name)
    assert loss.name == name
    assert repr(loss) == f"MarginLoss({name!r})"
    assert loss._repr_latex_() == rf"$\ell(h) = {latex}$"


def test_kinks_have_the_slope_to_their_right() -> None:
    h = np.array([0.5, 1.0, 1.5])
    assert_array_equal(HINGE.slope(h, 1.0), [-1, 0, 0])
    assert_array_equal(TRUNCATED_SQUARED.curvature(h, 1.0), [2, 0, 0])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("robust DPO 0.2", ""),
        ("EXO 0.1", "it is not convex"),
        ("DiscoPOP 0.05", "it is not convex"),
    ],
)
def test_why_a_loss_has_no_minimiser(name: str, reason: str) -> None:
    assert loss_named(name).no_minimiser == reason


@pytest.mark.parametrize("beta", [0.1, 0.3, 7.0, 1e-12, 1e12])
@pytest.mark.parametrize("share_off", [1e-15, -1e-12, 1e-9, 1e-3])
def test_squares_keep_their_digits_next_to_their_target(beta: float, share_off: float) -> None:
    for loss, target in ((IPO, mpf("0.5")), (SQUARED, mpf(1))):
        h = float(target / mpf(beta)) * (1 + share_off)
        off = mpf(beta) * mpf(h) - target
        power = mpf(beta) ** 2 if loss is IPO else mpf(1)
        assert_allclose(loss.value(h, beta), float(off**2 / power), rtol=1e-15)
        assert_allclose(loss.slope(h, beta), float(2 * off * mpf(beta) / power), rtol=1e-15)


@pytest.mark.parametrize("s", [1e-100, 1e-9, 0.1, 0.4999])
@pytest.mark.parametrize("beta", [0.3, 1e-20, 1e20])
@pytest.mark.parametrize("off", [0.0, 1e-15, -1e-12, 1e-8, 1e-3, -0.7, 3.0])
def test_smoothed_losses_keep_their_digits_next_to_the_label_they_aim_at(
    s: float, beta: float, off: float
) -> None:
    h = float((exo(s).best_margin(1.0) + off) / beta)
    with mp.workdps(400):
        x, label = mpf(beta) * mpf(h), mpf(s)
        won, lost = 1 / (1 + mp.exp(-x)), 1 / (1 + mp.exp(x))
        kl = won * mp.log(won / (1 - label)) + lost * mp.log(lost / label)
        slope_of_kl = mpf(beta) * won * lost * (x - mp.log((1 - label) / label))
        assert_allclose(exo(s).value(h, beta), float(kl), rtol=1e-12)
        assert_allclose(exo(s).slope(h, beta), float(slope_of_kl), rtol=1e-12)
        assert_allclose(cdpo(s).slope(h, beta), float(mpf(beta) * (label - lost)), rtol=1e-12)


# the last of them are where 1/(1 + eˣ) is subnormal
LOGISTIC_X = np.concatenate(
    [np.linspace(-40, 40, 1041), [-745.2, -709.8, -100, 100], np.arange(709, 747)]
)


@pytest.mark.parametrize(
    ("function", "exact", "reaches_to"),
    [
        (DPO.phi, lambda x: mp.log(1 + mp.exp(-x)), 746),
        (DPO.phi_slope, lambda x: -sigma(-x), 708),
        (DPO.phi_curvature, lambda x: sigma(x) * sigma(-x), 746),
    ],
    ids=["φ", "φ'", "φ''"],
)
def test_logistic_functions_err_by_four_roundings(
    function: Callable[[np.ndarray], np.ndarray], exact: Callable[[mpf], mpf], reaches_to: float
) -> None:
    x = LOGISTIC_X[np.abs(LOGISTIC_X) <= reaches_to]
    with mp.workdps(700):
        right = np.array([float(exact(mpf(at))) for at in x.tolist()])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert_array_less(np.abs(function(x) - right), 4 * np.spacing(np.abs(right)))


def test_logistic_functions_end_in_their_limits() -> None:
    ends = np.array([-np.inf, np.inf])
    assert_array_equal(DPO.phi(ends), [np.inf, 0])
    assert_array_equal(DPO.phi_slope(ends), [-1, 0])
    assert_array_equal(DPO.phi_curvature(ends), [0, 0])
    assert_array_equal(cdpo(0.25).phi_slope(ends), [-0.75, 0.25])


def test_a_loss_that_rises_for_ever_is_infinite_where_its_argument_overflows() -> None:
    h = np.array([-1e308, 1e308])
    for loss, at_ends in (
        (DPO, [np.inf, 0]),
        (cdpo(0.1), [np.inf, np.inf]),
        (robust_dpo(0.1), [np.inf, -np.inf]),
        (odpo(2.0), [np.inf, 0]),
        (IPO, [np.inf, np.inf]),
        (exo(0.1), [np.log(10), -np.log(0.9)]),
        (SAVAGE, [1, 0]),
        (HINGE, [np.inf, 0]),
    ):
        assert_allclose(loss.value(h, 10.0), at_ends, rtol=1e-12)


def test_an_offset_is_latex_with_its_sign() -> None:
    assert odpo(-0.5).latex == r"-\log\sigma(\beta h + 0.5)"


@pytest.mark.parametrize(
    "loss", [DPO, odpo(3.0), cdpo(1e-9), robust_dpo(0.2)], ids=lambda loss: loss.name
)
def test_a_slope_that_saturates_is_its_limit_and_what_is_beyond(loss: MarginLoss) -> None:
    assert loss.phi_slope_parts is not None
    x = np.array([-50.0, -1.0, 0.0, 2.0, 20.0, 80.0])
    limit, tail = loss.phi_slope_parts(x)
    assert_allclose(limit + tail, loss.phi_slope(x), rtol=1e-12, atol=1e-24)
    assert_allclose(limit[[0, -1]], loss.phi_slope(np.array([-800.0, 800.0])), rtol=1e-15)
    assert_allclose(tail[0], np.exp(-50.0 - (3.0 if loss.name == "ODPO 3" else 0)), rtol=1e-12)
