import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import n_actions, rewards

from psipo_explore import bradley_terry, tournament


@given(st.data())
def test_bradley_terry_is_a_table_whose_log_odds_are_reward_differences(
    data: st.DataObject,
) -> None:
    r = data.draw(rewards(data.draw(n_actions()), largest=300.0))
    p = bradley_terry(r)
    assert_allclose(p + p.T, 1, rtol=1e-15)
    assert_array_equal(np.diag(p), 0.5)
    smaller = np.minimum(p, p.T)
    assert_allclose(
        np.log(smaller / (1 - smaller)), -np.abs(r[:, None] - r), rtol=1e-12, atol=1e-13
    )


@given(st.data(), st.floats(-1e3, 1e3))
def test_bradley_terry_sees_differences_only(data: st.DataObject, shift: float) -> None:
    r = data.draw(rewards(data.draw(n_actions())))
    assert_allclose(bradley_terry(r + shift), bradley_terry(r), rtol=1e-11, atol=1e-300)


def test_bradley_terry_takes_batches() -> None:
    r = np.arange(24.0).reshape(2, 3, 4)
    assert bradley_terry(r).shape == (2, 3, 4, 4)
    assert_array_equal(bradley_terry(r)[1, 2], bradley_terry(r[1, 2]))


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([0.0, np.nan], r"^rewards\[1\] = nan, must be finite"),
        ([[0.0, 1.0], [np.inf, 2.0]], r"^rewards\[1, 0\] = inf, must be finite"),
        ([], r"^rewards has shape \(0,\), must be \(\.\.\., K\)"),
        (3.0, r"^rewards has shape \(\)"),
        ([[1.0], [1.0, 2.0]], r"^rewards is ragged"),
        ([1e308, -1e308], r"^rewards run from -1e\+308 to 1e\+308"),
    ],
)
def test_bradley_terry_refuses(rewards: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bradley_terry(rewards)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [["a", "b"], [1j, 0], [None, 1.0]])
def test_bradley_terry_refuses_what_is_not_a_number(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^rewards holds"):
        bradley_terry(wrong)  # type: ignore[arg-type]


def test_tournament_sets_both_sides_and_leaves_the_rest_even() -> None:
    p = tournament([(2, 0)], 3, 0.75)
    assert p.tolist() == [[0.5, 0.5, 0.25], [0.5, 0.5, 0.5], [0.75, 0.5, 0.5]]
    assert_array_equal(tournament([], 2), 0.5)
    assert tournament([(1, 0)], 2, 1e-300)[1, 0] == 1e-300
    assert tournament(np.array([[0, 1]]), 2, np.full((4, 1), 0.5)).shape == (4, 1, 2, 2)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(0, 1), (1, 1)], r"^pairs\[1\] = \(1, 1\), an action cannot beat itself"),
        ([(0, 1), (1, 2), (1, 0)], r"^pairs\[0\] = \(0, 1\), contradicts"),
        ([(0, 3)], r"^pairs\[0\] = \(0, 3\), must be from 0 to 2"),
        ([(0, -1)], r"^pairs\[0\] = \(0, -1\), must be from 0 to 2"),
        ([(0, 1, 2)], r"^pairs has shape \(1, 3\), must be \(N, 2\)"),
        ((0, 1), r"^pairs has shape \(2,\)"),
        ([(0, 1), (1,)], r"^pairs is ragged"),
    ],
)
def test_tournament_refuses_pairs(pairs: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tournament(pairs, 3)  # type: ignore[arg-type]


def test_tournament_refuses_the_rest() -> None:
    with pytest.raises(TypeError, match=r"^pairs holds float64"):
        tournament([(0.0, 1.0)], 2)
    with pytest.raises(ValueError, match=r"^n_actions = 0"):
        tournament([], 0)
    for wrong in ("2", 2.5):
        with pytest.raises(TypeError, match=r"^n_actions = .*, must be a whole number"):
            tournament([], wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^q\[1\] = 1.5, must lie in \[0, 1\]"):
        tournament([(0, 1)], 2, [0.5, 1.5])
