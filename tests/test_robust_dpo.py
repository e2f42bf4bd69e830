"""Robust DPO is DPO on corrected counts, which may be negative.

The tests check where it has a minimum, what the minimum is, and where it is unbounded below.
"""

from itertools import product

import numpy as np
import pytest
from graphs import strongly_connected
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table
from scipy.optimize import minimize as scipy_minimize

import psipo_explore as psipo
from psipo_explore import D1, D2, DPO, Comparisons, _corrected_counts, minimise
from psipo_explore.losses import robust_dpo


def corrected(wins: Table, s: float) -> Table:
    return ((1 - s) * wins - s * wins.T) / (1 - 2 * s)


def slope_at_infinity(counts: Table, v: Table) -> float:
    """Return the slope of Σ C[i, j] φ(t (v[i] − v[j])) with respect to t, as t → ∞.

    Only pairs whose margin goes to −∞ contribute, because φ goes to 0 at the other end.
    """
    margins = v[:, np.newaxis] - v
    return float((counts * np.maximum(-margins, 0)).sum())


@given(strongly_connected(decades=1.0), st.floats(0.2, 3.0))
@settings(max_examples=20)
def test_without_flipped_labels_it_is_dpo(data: Comparisons, beta: float) -> None:
    assert_allclose(
        minimise(data, robust_dpo(0.0), beta).policy, minimise(data, DPO, beta).policy, rtol=1e-12
    )


def test_a_cycle_is_attained_though_every_count_backwards_turns_negative() -> None:
    fit = minimise(D2, robust_dpo(0.1), 1.0)
    assert fit.attained
    assert_allclose(fit.policy, 1 / 3, rtol=1e-12)
    assert_allclose(fit.loss, np.log(2), rtol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_it_is_attained_or_refused_as_its_slopes_at_infinity_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k, s = int(rng.integers(2, 5)), 0.15
    wins = rng.integers(0, 9, (k, k)) * (1 - np.eye(k))
    wins[0, 1] += 1
    data, counts = Comparisons.from_table(wins), corrected(wins, s)
    loss = robust_dpo(s)
    directions = [np.array(v, dtype=float) for v in product((0, 1), repeat=k) if len(set(v)) > 1]
    # It is enough to try cuts, because the slope in any direction is a sum over cuts.
    least = min(slope_at_infinity(counts, v) for v in directions)
    if least < -1e-9:
        with pytest.raises(
            ValueError, match=r"^loss 'robust DPO 0.15' is not bounded below on these data: "
        ):
            minimise(data, loss, 1.0)
        return
    fit = minimise(data, loss, 1.0)

    def mean_loss(u: Table) -> float:
        return float(
            np.average(loss.value(u[data.winners] - u[data.losers], 1.0), weights=data.weights)
        )

    found = scipy_minimize(mean_loss, np.zeros(k), options={"gtol": 1e-9})
    assert found.fun >= fit.loss - 1e-9
    if fit.attained:
        assert_allclose(fit.loss, found.fun, rtol=1e-8)


@given(st.integers(0, 999))
@settings(max_examples=20)
def test_where_no_corrected_count_is_negative_it_is_dpo_on_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.uniform(1, 4, (4, 4)) * (1 - np.eye(4))
    fit = minimise(Comparisons.from_table(wins), robust_dpo(0.1), [0.3, 2.0])
    same = minimise(Comparisons.from_table(corrected(wins, 0.1)), DPO, [0.3, 2.0])
    assert_allclose(fit.policy, same.policy, rtol=1e-12)
    assert_allclose(fit.loss, same.loss, rtol=1e-12)


@pytest.mark.parametrize(
    ("s", "lost"), [(0.1, 1.0), (0.1, 2.1), (0.05, 1.9), (0.3, 0.5), (0.3, 7e-6), (0.3, 7e6)]
)
def test_a_count_that_the_correction_takes_to_zero_is_a_sure_loss(s: float, lost: float) -> None:
    """Correct counts such as 9 : 1, which become 10 : 0 if a tenth of the labels is flipped.

    In float64, 0.9 · 2.1 − 0.1 · 18.9 is 2e-16, but it counts as 0.
    """
    data = Comparisons.from_table([[0, lost * (1 - s) / s], [lost, 0]])
    fit = minimise(data, robust_dpo(s), 1.0)
    assert_array_equal(fit.vanishing, [False, True])
    assert not fit.attained


def test_contexts_are_judged_each_by_itself() -> None:
    """Check four contexts at once, each with a different kind of counts.

    a and b are even. Once corrected, c surely beats d, and i surely beats h. e, f and g form a
    cycle with negative counts.
    """
    even, sure, circle = (
        [("a", "b"), ("b", "a")],
        [("c", "d"), ("d", "c")],
        [("e", "f"), ("f", "g"), ("g", "e")],
    )
    pairs = [*even, *sure, *circle, ("h", "i"), ("i", "h")]
    one = Comparisons.from_pairs(pairs, weights=[1, 1, 9, 1, 1, 1, 1, 1, 9])
    data = Comparisons(
        one.winners, one.losers, one.actions, one.weights, [0, 0, 1, 1, 2, 2, 2, 3, 3]
    )
    fit = minimise(data, robust_dpo(0.1), 1.0)
    assert_array_equal(np.array(fit.actions)[fit.vanishing], ["d", "h"])
    assert_allclose(fit.policy, [0.5, 0.5, 1, 0, 1 / 3, 1 / 3, 1 / 3, 0, 1], rtol=1e-12)


def test_a_sure_loser_vanishes_beside_negative_counts() -> None:
    """Let a win 10 : 0 against b and c once corrected, while b, c and d form a cycle.

    The corrected counts of the cycle are negative in one direction.
    """
    wins = np.array([[0, 9, 9, 0], [1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0]], dtype=float)
    fit = minimise(Comparisons.from_table(wins), robust_dpo(0.1), 1.0)
    assert_allclose(fit.policy, [1, 0, 0, 0], atol=1e-12)
    assert not fit.attained
    hanging = np.zeros((4, 4))
    hanging[:3, :3] = [[0, 5, 10], [1, 0, 10], [10, 10, 0]]
    hanging[0, 3], hanging[3, 0] = 4, 1
    fit = minimise(Comparisons.from_table(hanging), robust_dpo(0.2), 1.0)
    alone = minimise(Comparisons.from_table(hanging[:3, :3]), robust_dpo(0.2), 1.0)
    assert alone.attained
    assert_allclose(fit.policy, [*alone.policy, 0], rtol=1e-12)
    mirrored = minimise(Comparisons.from_table(hanging[::-1, ::-1]), robust_dpo(0.2), 1.0)
    assert_allclose(mirrored.policy[::-1], fit.policy, rtol=1e-12)
    far = np.append(alone.log_ratio, -60.0)
    data = Comparisons.from_table(hanging)
    there = np.average(
        robust_dpo(0.2).value(far[data.winners] - far[data.losers], 1.0), weights=data.weights
    )
    assert_allclose(fit.loss, there, rtol=1e-12)


def test_a_loss_whose_slope_at_infinity_is_zero_is_refused() -> None:
    """Check counts whose slope is 0 as c rises: those of a over c and of b over c cancel."""
    ring = Comparisons.from_pairs([("a", "b"), ("b", "c"), ("c", "a")], weights=[1, 1, 9])
    with pytest.raises(
        ValueError, match=r"^loss 'robust DPO 0.1' has no minimum, or only just, on these data: "
    ):
        minimise(ring, robust_dpo(0.1), 1.0)


def test_nearly_half_the_labels_flipped() -> None:
    s = float(np.nextafter(0.5, 0))
    even = Comparisons.from_pairs([("a", "b"), ("b", "a")])
    assert_array_equal(minimise(even, robust_dpo(s), 1.0).policy, [0.5, 0.5])
    with pytest.raises(ValueError, match="has no minimum, or only just, on these data"):
        minimise(D2, robust_dpo(s), 1.0)


def test_a_linear_programme_that_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.optimize

    class Failed:
        success, message = False, "time is up"

    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: Failed)
    with pytest.raises(
        RuntimeError, match=r"^robust DPO 0.1: the linear programme .* was not solved: time is up$"
    ):
        minimise(D2, robust_dpo(0.1), 1.0)


def test_the_correction_is_unbiased() -> None:
    """Record a share s of the true wins the wrong way round, and check that this is corrected."""
    true, s = np.array([[0, 7.0, 3], [2, 0, 5], [4, 1, 0]]), 0.2
    recorded = (1 - s) * true + s * true.T
    counts = _corrected_counts.CorrectedCounts.of(Comparisons.from_table(recorded), s)
    assert_allclose(counts.wins, true[counts.first, counts.second], rtol=1e-14)
    assert_allclose(counts.losses, true[counts.second, counts.first], rtol=1e-14)
    assert not minimise(D1, psipo.losses.cdpo(0.1), 1.0).vanishing.any()
