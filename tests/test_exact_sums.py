"""Rounding decides no answer: equal sums come out equal, and unequal sums come out unequal.

Where the difference is too small to tell, the answer is refused.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from math import fsum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table
from strategies import tables

import psipo_explore as psipo
from psipo_explore import (
    DPO,
    IDENTITY,
    IPO,
    LOGIT,
    Comparisons,
    expected_psi,
    gibbs_policy,
    minimise,
    optimal_policy,
    tournament,
)
from psipo_explore._exact_sums import (
    exact_sum,
    exact_sums,
    order_of_rates,
    refuse_what_rounding_decides,
)
from psipo_explore.psi import PROBIT

TERMS = st.lists(
    st.floats(-1e200, 1e200) | st.floats(-1, 1) | st.just(0.1), min_size=1, max_size=40
)


@given(TERMS)
def test_a_sum_is_rounded_once(terms: list[float]) -> None:
    largest = max(map(abs, terms))
    assert (
        abs(exact_sum(np.array(terms)) - fsum(terms))
        <= 2.0**-52 * abs(fsum(terms)) + 1e-28 * largest
    )


CANCELLING = st.builds(
    lambda n, unit: n * unit,
    st.integers(-9, 9),
    st.sampled_from([0.1, 0.01, 1e-11, 2.0**-60, 3e-30]),
)


@given(st.lists(CANCELLING | st.floats(-1, 1), min_size=1, max_size=9), st.data())
def test_sums_of_signed_terms_are_exact_however_much_cancels(
    terms: list[float], data: st.DataObject
) -> None:
    values = np.array([*terms, *data.draw(st.permutations(terms))])
    signs = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=values.size, max_size=values.size)
    entries = np.array(
        [[1.0] * len(terms) + [-1.0] * len(terms), data.draw(signs), data.draw(signs)]
    )
    found = exact_sums(entries.__matmul__, values.size, values)
    assert_allclose(found, [fsum(row * values) for row in entries], rtol=1e-15, atol=0)


def test_what_is_left_when_all_else_cancels_is_exact() -> None:
    """Sum values that cancel except for 3e-40: ten times the float 0.1, minus 1, minus 2⁻⁵⁴.

    Their second digits alone add up to four times the base.
    """
    values = np.array([0.1] * 10 + [1.0, 2.0**-54, 3e-40])
    signs = np.array([1.0] * 10 + [-1.0, -1.0, 1.0])
    assert fsum(signs * values) == 3e-40
    assert exact_sums(signs.__matmul__, values.size, values) == 3e-40
    assert exact_sums(signs.__matmul__, values.size, -values) == -3e-40


def test_small_masses_that_carry_are_put_in_order() -> None:
    unit = 2.0**-50
    mu = np.array([0.0, 0.0, 0.75 * unit, 0.75 * unit, unit, 1.0])
    signs = np.zeros((6, 6))
    signs[0, [2, 3]], signs[1, 4] = 1, 1
    assert_array_equal(order_of_rates(signs, mu), [2, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("n", [100, 10_000])
def test_many_terms_add_up_as_few_do(n: int) -> None:
    terms = np.random.default_rng(0).uniform(0.5, 1, (20, n)) * np.random.default_rng(1).choice(
        [1, 1, -1], (20, n)
    )
    assert_allclose(exact_sum(terms), [fsum(row) for row in terms], rtol=2.0**-52, atol=0)
    shuffled = np.random.default_rng(2).permuted(terms, axis=1)
    assert_array_equal(exact_sum(shuffled), exact_sum(terms))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_terms_changes_nothing(terms: list[float], random: Any) -> None:
    shuffled = random.sample(terms, len(terms))
    assert exact_sum(np.array(terms)) == exact_sum(np.array(shuffled))


@st.composite
def rates(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Draw a μ, and signs whose rows are of at most two kinds.

    With three kinds, one rate might be tied with two others that are not tied with each other.
    """
    k = draw(st.integers(2, 6))
    row = st.lists(st.sampled_from([-1, 0, 1]), min_size=k, max_size=k)
    kinds = np.array([draw(row), draw(row)], dtype=float)
    signs = kinds[draw(st.lists(st.integers(0, 1), min_size=k, max_size=k))]
    masses = st.integers(0, 4).map(float) | st.floats(-300, 0).map(
        lambda exponent: 2.0 ** round(exponent)
    )
    mu = np.array(draw(st.lists(masses, min_size=k, max_size=k)))
    return signs, mu / max(mu.sum(), 1.0)


@given(rates())
def test_rates_are_put_in_order_as_fractions_are(of: tuple[np.ndarray, np.ndarray]) -> None:
    signs, mu = of
    place = order_of_rates(signs, mu)
    exact = [
        sum((Fraction(float(m)) * int(sign) for sign, m in zip(row, mu, strict=True)), Fraction(0))
        for row in signs
    ]
    for y in range(len(mu)):
        for z in range(len(mu)):
            differ = [m for m, a, b in zip(mu, signs[y], signs[z], strict=True) if a != b]
            if abs(exact[y] - exact[z]) > Fraction(1e-12) * Fraction(max(differ, default=0.0)):
                assert (place[y] < place[z]) == (exact[y] < exact[z])
            elif exact[y] == exact[z]:
                assert place[y] == place[z]


def test_a_batch_is_put_in_order_one_by_one() -> None:
    rng = np.random.default_rng(0)
    signs, mu = rng.integers(-1, 2, (2, 3, 5, 5)).astype(float), rng.dirichlet(np.ones(5), (2, 3))
    places = order_of_rates(signs, mu)
    for at in np.ndindex(2, 3):
        assert_array_equal(places[at], order_of_rates(signs[at], mu[at]))


def test_a_tiny_mass_decides_and_so_do_equal_ones() -> None:
    """Let action 0 beat 2, and action 1 beat 2 and also 3, which μ hardly ever draws."""
    for least in (5e-13, 1e-17, 1e-100):
        mu = np.full(1000, (1 - least) / 999)
        mu[3] = least
        policy = optimal_policy(tournament([(0, 2), (1, 2), (1, 3)], 1000), LOGIT, 1.0, mu=mu)
        assert_array_equal(policy[:2], [0, 1])
    even = optimal_policy(tournament([(0, 2), (1, 2)], 1000), LOGIT, 1.0)
    assert_array_equal(even[:2], [0.5, 0.5])


def test_masses_that_add_up_to_the_same_are_equal_rates() -> None:
    """Compare the masses 0.1 + 0.2 with 0.3, which floats round differently."""
    table = tournament([(0, 2), (0, 3), (1, 4)], 6)
    policy = optimal_policy(table, LOGIT, 1.0, mu=[0.2, 0.2, 0.1, 0.2, 0.3, 0.0])
    assert_allclose(policy[:2], 0.5, rtol=1e-15)


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, PROBIT], ids=lambda psi: psi.name)
def test_equal_opponents_in_another_order_give_equal_scores(psi: psipo.Psi) -> None:
    q = np.array([0.61, 0.72, 0.83, 0.94])
    p = np.full((6, 6), 0.5)
    p[0, 2:], p[1, 2:] = q, q[[2, 0, 3, 1]]
    p[2:, :2] = 1 - p[:2, 2:].T
    for beta in (1e-16, 1e-12, 1.0):
        assert_array_equal(*optimal_policy(p, psi, beta)[:2])
    assert_array_equal(optimal_policy(p, psi, 1e-16)[:2], 0.5)
    assert_array_equal(
        optimal_policy(tournament([(0, 1), (1, 2), (2, 0)], 3, 0.8), psi, 1e-12), np.full(3, 1 / 3)
    )


@given(st.data(), st.sampled_from([1e-16, 1e-12, 1e-3]))
def test_names_do_not_matter(data: st.DataObject, beta: float) -> None:
    """Check that renumbering the actions changes neither the answer nor whether it is refused."""
    p, order = data.draw(tables(4, certain=True)), data.draw(st.permutations(range(4)))
    one, other = (
        policy_or_refusal(partial(optimal_policy, table, LOGIT, beta))
        for table in (p, p[np.ix_(order, order)])
    )
    assert isinstance(one, str) == isinstance(other, str)
    if not isinstance(one, str):
        assert_allclose(other, one[list(order)], rtol=1e-3)


def policy_or_refusal(call: Callable[[], Table]) -> Table | str:
    try:
        return call()
    except ValueError as error:
        return str(error)


SUMS_ALIKE = np.array([[0, 0, 0.1, 0.7], [0, 0, 0.7, 0.1], [0.3, 0.2, 0, 1], [0.2, 0.3, 1, 0]])


@pytest.mark.parametrize("loss", [DPO, IPO], ids=lambda loss: loss.name)
def test_a_tie_of_minimise_is_not_decided_by_rounding(loss: psipo.MarginLoss) -> None:
    data = Comparisons.from_table(SUMS_ALIKE)
    answer = policy_or_refusal(lambda: minimise(data, loss, 1e-16).policy)
    if isinstance(answer, str):
        assert answer.startswith(
            "beta = 1e-16 is too small: the scores of actions 0 and 1 differ by "
        )
        assert answer.endswith(", which rounding alone may have made")
    else:
        assert_array_equal(answer[:2], 0.5)
    assert_allclose(minimise(data, loss, 1e-6).policy[:2], 0.5, rtol=1e-6)


def scores_apart_by(gap: float, rounding: float) -> psipo.ExpectedPsi:
    nothing = np.zeros(3)
    return psipo.ExpectedPsi(
        nothing, nothing, np.array([0.0, 1.0 - gap, 1.0]), rounding=np.full(3, rounding)
    )


def test_only_a_difference_that_matters_and_may_be_rounding_is_refused() -> None:
    gap = 2.0**-50
    near = scores_apart_by(gap, gap)
    with pytest.raises(
        ValueError,
        match=r"^beta\[1\] = 1e-16 is too small: the scores of actions 1 and 2 differ by 8.9e-16, which",
    ):
        gibbs_policy(near, [1.0, 1e-16])
    assert_allclose(gibbs_policy(near, 1e-3)[1:], 0.5, rtol=1e-9)
    assert_allclose(
        gibbs_policy(scores_apart_by(gap, gap / 4), 1e-16), [0, np.exp(-gap / 1e-16), 1], rtol=1e-3
    )
    assert_array_equal(gibbs_policy(scores_apart_by(0.0, 1e-3), 1e-16), [0, 0.5, 0.5])
    assert_array_equal(gibbs_policy([0.0, 1.0 - gap, 1.0], 1e-18), [0, 0, 1])


def test_a_tie_among_those_that_get_nothing_is_no_reason_to_refuse() -> None:
    nothing = np.zeros(3)
    score = psipo.ExpectedPsi(
        nothing, nothing, np.array([0.0, 2.0**-52, 1.0]), rounding=np.full(3, 1e-15)
    )
    assert_array_equal(gibbs_policy(score, 1e-16), [0, 0, 1])
    assert_array_equal(gibbs_policy(score, 1e-16, pi_ref=[0.0, 0.5, 0.5]), [0, 0, 1])


def test_a_block_is_judged_by_its_own_best() -> None:
    blocks, rounding = np.array([0, 1, 1, 1]), np.full(4, 1e-14)
    scores = np.array([[1000.0, 0.0, 5e-15, 5e-14], [0.0, 1000.0, 1.0, 2.0]])
    refuse_what_rounding_decides(scores[1], rounding, np.array(1e-16), blocks)
    for batch in (scores[0], scores, scores[::-1]):
        with pytest.raises(
            ValueError,
            match=r"^beta = 1e-16 is too small: the scores of actions 1 and 2 differ by 5e-15",
        ):
            refuse_what_rounding_decides(batch, rounding, np.array(1e-16), blocks)


def test_contexts_are_not_compared_with_each_other() -> None:
    """Check that nearly equal scores in two different contexts do not matter to each other."""
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    one = Comparisons.from_pairs(pairs, weights=[3, 1, 3, 1 + 1e-13])
    data = Comparisons(one.winners, one.losers, one.actions, one.weights, [0, 0, 1, 1])
    assert_array_equal(minimise(data, IPO, 1e-13).policy, [1, 0, 1, 0])


def test_rounding_is_bounded_by_what_is_summed() -> None:
    p = tournament([(0, 1)], 3, 0.9)
    score = expected_psi(p, LOGIT)
    assert score.rounding is not None
    assert_allclose(score.rounding[:2], 4 * 2.0**-52 * np.log(9) / 3, rtol=1e-12)
    assert_array_equal(score.place, 0)


@pytest.mark.parametrize("psi", [LOGIT, IDENTITY, PROBIT], ids=lambda psi: psi.name)
# 3 actions take one block of rows and the table, 700 take several blocks and Chebyshev polynomials.
@pytest.mark.parametrize("n_actions", [3, 700])
def test_without_a_table_rounding_is_bounded_and_nothing_is_certain(
    psi: psipo.Psi, n_actions: int
) -> None:
    rewards = 3 + np.random.default_rng(0).normal(size=n_actions)
    by_table = expected_psi(psipo.bradley_terry(rewards), psi)
    score = psipo.expected_psi_bradley_terry(rewards, psi)
    assert score.rounding is not None
    assert by_table.rounding is not None
    assert (np.abs(score.value - by_table.value) <= score.rounding + by_table.rounding).all()
    assert (score.rounding < 1e-13 * (1 + np.abs(rewards))).all()
    assert_array_equal(score.place, np.zeros(n_actions))


def test_each_action_has_the_rounding_of_its_own_sum() -> None:
    p = tournament([(0, 1)], 3, 0.9)
    p[0, 2], p[2, 0] = 0.99, 0.01
    of_sum = np.array([np.log(9) + np.log(99), np.log(9), np.log(99)]) / 3
    assert_allclose(expected_psi(p, LOGIT).rounding, 4 * 2.0**-52 * of_sum, rtol=1e-12)
    mu = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    sure = tournament([(0, 1)], 3, 1.0)
    assert_array_equal(expected_psi(sure, LOGIT, mu=mu).place, [[1, 0, 1], [0, 0, 0]])
