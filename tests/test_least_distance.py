"""The shortest v with rows · v ≥ bounds, and how its solvers stop."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog, minimize

from psipo_explore import DPO, IPO, Comparisons, _least_distance, _linear_fits, minimise_log_linear
from psipo_explore._least_distance import least_distance
from psipo_explore._linear_fits import _longest_share, newton
from psipo_explore._row_space import RowSpace


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 5), st.booleans())
def test_the_shortest_is_found_or_a_contradiction_proves_that_there_is_none(
    seed: int, n: int, d: int, ties: bool
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) + rng.uniform(0, 2)
    if ties:
        rows = np.round(rows)
    bounds = rng.integers(0, 2, n).astype(float)
    found = least_distance(rows, bounds)
    feasible = linprog(np.zeros(d), -rows, -bounds, bounds=(None, None)).status == 0
    assert (found.v is not None) == (feasible or not bounds.any())
    if found.v is None:
        support = rows[found.bearing]
        proof = linprog(
            np.zeros(len(support)), A_eq=np.vstack([support.T, bounds[found.bearing]]),
            b_eq=np.append(np.zeros(d), 1.0),
        )  # fmt: skip
        assert proof.status == 0
        return
    assert (rows @ found.v >= bounds - 1e-8).all()
    by_scipy = minimize(
        lambda v: v @ v, found.v * 1.1, jac=lambda v: 2 * v, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda v: rows @ v - bounds, "jac": lambda v: rows},
    )  # fmt: skip
    assert found.v @ found.v <= by_scipy.fun * (1 + 1e-6) + 1e-12


@pytest.mark.parametrize("wrong", [0.0, 1.0, 1e6])
def test_a_wrong_answer_of_scipy_is_found_anew(
    wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    programmes = [
        (rng.integers(-2, 3, size=(6, 3)).astype(float), rng.integers(0, 2, 6).astype(float))
        for _ in range(200)
    ]
    right = [least_distance(*programme).v for programme in programmes]
    assert 20 < sum(v is None for v in right) < 180

    def lying(system: np.ndarray, target: np.ndarray, maxiter: int) -> tuple[np.ndarray, float]:
        return np.full(system.shape[1], wrong), 0.0

    monkeypatch.setattr(_least_distance, "nnls", lying)
    for programme, v in zip(programmes, right, strict=True):
        again = least_distance(*programme).v
        assert (again is None) == (v is None)
        if v is not None:
            assert_allclose(again, v, atol=1e-12)


def test_three_rows_that_meet_in_one_point_hold_there() -> None:
    # SciPy 1.15 answers this one wrongly.
    found = least_distance(np.array([[0.0, 1], [1, -2], [1, 0]]), np.array([1.0, 0, 1]))
    assert_allclose(found.v, [2, 1], rtol=1e-14)


def test_of_many_rows_the_bearing_ones_are_found_whatever_the_guess() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 6))
    rows[:, 0] = np.abs(rows[:, 0]) + 0.05
    found = least_distance(rows, np.ones(3000))
    assert found.v is not None
    assert_allclose(rows[found.bearing] @ found.v, 1, rtol=1e-12)
    assert (rows @ found.v).min() > 1 - 1e-8
    again = least_distance(rows, np.ones(3000), np.arange(5))
    assert again.v is not None
    assert_allclose(again.v, found.v, rtol=1e-9)


def test_rows_that_a_polished_v_violates_enter(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.column_stack([np.linspace(1, 2, 200), np.linspace(-1, 1, 200)])
    expected = least_distance(rows, np.ones(200)).v
    held, calls = _least_distance._held_exactly, []

    def first_wrong(some: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        calls.append(len(some))
        return np.array([0.7, 0.9]) if len(calls) == 1 else held(some, bounds)

    monkeypatch.setattr(_least_distance, "_held_exactly", first_wrong)
    found = least_distance(rows, np.ones(200)).v
    assert len(calls) > 1
    assert_allclose(found, expected)


def test_solvers_that_stop_short_say_what_they_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_least_distance, "_ROUNDS", 1)
    with pytest.raises(RuntimeError, match=r"stopped after 1 rounds: a row still misses its bound"):
        least_distance(np.eye(2), np.ones(2))
    monkeypatch.setattr(_linear_fits, "_STEPS", 1)
    design = np.array([[1.0], [-1.0], [1.0]])
    with pytest.raises(RuntimeError, match=r"DPO was not minimised: after 1 steps a margin still"):
        newton(design, np.ones(3), DPO)


def test_a_step_that_never_descends_enough_is_cut_to_the_safe_share() -> None:
    upwards = np.array([-8.0])
    assert _longest_share(np.ones(1), DPO, np.zeros(1), -upwards, 0.1) == 1
    assert _longest_share(np.ones(1), DPO, np.zeros(1), upwards, 0.1) == 0.1


def test_everything_contains_everything() -> None:
    everything, line = RowSpace(np.eye(2)), RowSpace(np.array([[1.0, 1.0]]))
    assert everything.is_everything
    assert everything.contains(np.ones((1, 2)))
    assert line.contains(np.ones((1, 2)))
    assert not line.contains(np.eye(2))


def test_a_row_of_zeros_contradicts_a_positive_bound_by_itself() -> None:
    rows = np.array([[1.0, 0.0], [0.0, 0.0]])
    found = least_distance(rows, np.ones(2))
    assert (found.v, found.bearing.tolist()) == (None, [1])
    without = least_distance(rows, np.array([1.0, 0.0])).v
    assert_allclose(without, [1, 0])


@pytest.mark.parametrize("weight", [1.0, 1e-12, 1e12])
def test_features_that_are_almost_the_same_are_fitted_to_the_last_digits(weight: float) -> None:
    tiny = 2.0**-24
    design = np.array([[1.0, 1.0], [1.0, 1.0 + tiny], [0.0, tiny], [1.0, 1.0 - tiny]])
    weights = np.array([1.0, weight, 1.0, 2.0])
    exact = [[Fraction(x) for x in row] for row in design]
    gram = [
        [
            sum(Fraction(w) * z[i] * z[j] for w, z in zip(weights, exact, strict=True))
            for j in (0, 1)
        ]
        for i in (0, 1)
    ]
    pull = [
        sum(Fraction(w) * z[i] for w, z in zip(weights, exact, strict=True)) / 2 for i in (0, 1)
    ]
    determinant = gram[0][0] * gram[1][1] - gram[0][1] ** 2
    u = [
        (gram[1][1] * pull[0] - gram[0][1] * pull[1]) / determinant,
        (gram[0][0] * pull[1] - gram[0][1] * pull[0]) / determinant,
    ]
    margins = [float(z[0] * u[0] + z[1] * u[1]) for z in exact]
    assert_allclose(design @ newton(design, weights, IPO), margins, rtol=1e-7)
    both, weights = np.vstack([design, -design]), np.concatenate([weights, weights[::-1]])
    slope = weights * DPO.phi_slope(both @ newton(both, weights, DPO))
    assert_allclose(both.T @ slope / weights.max(), 0, atol=1e-8)


def test_units_that_hide_the_direction_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [("b", "a"), ("c", "a"), ("a", "c"), ("b", "d"), ("c", "d")]
    data = Comparisons.from_pairs(pairs, actions="abcd")
    features = np.array([[0, 0], [1.0, 0], [1.0, 1.0], [0, 0]]) * [2.0**-40, 2.0**20]
    with pytest.raises(RuntimeError, match="or their units differ so much, that float64 finds no"):
        minimise_log_linear(data, DPO, 1.0, features)
    features = np.array([[1, -1], [0, 0], [1, 1.0]]) * [2.0**-30, 2.0**30]
    data = Comparisons.from_pairs([("a", "c"), ("c", "b")], actions="abc")
    with pytest.raises(RuntimeError, match=r"finds no direction: \d comparisons contradict each"):
        minimise_log_linear(data, DPO, 1.0, features)
    monkeypatch.setattr(RowSpace, "without_margins", lambda space, v: 0.5 * v)
    with pytest.raises(RuntimeError, match=r"a margin misses its bound by 0\.5"):
        minimise_log_linear(Comparisons.from_pairs([("a", "b")]), DPO, 1.0, np.eye(2))
