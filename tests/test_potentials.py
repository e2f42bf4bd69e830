"""The solver behind minimisers and rewards is exact for very unequal weights, or refuses."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from graphs import chain, clumps_on_a_thread, connected, random_digraph, strongly_connected
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from oracles import Table, minimiser_near

import psipo_explore as psipo
from psipo_explore import DPO, IPO, Comparisons, MarginLoss, _laplacians, _potentials, minimise
from psipo_explore._blocks import blocks_of, whole_components
from psipo_explore._damping import safe_share
from psipo_explore._data.graphs import components
from psipo_explore._laplacians import Springs
from psipo_explore.losses import EXPONENTIAL, SQUARED, cdpo, odpo, robust_dpo

ACCEPTED = [IPO, SQUARED, DPO, odpo(2.5), cdpo(0.1), cdpo(1e-9), EXPONENTIAL]
every_accepted_loss = pytest.mark.parametrize("loss", ACCEPTED, ids=lambda loss: loss.name)


def imbalance(data: Comparisons, loss: MarginLoss, u: Table) -> float:
    """Return the largest net pull on an action, as a share of the sizes of its pulls."""
    pull = data.weights * loss.phi_slope(u[data.winners] - u[data.losers])
    gradient = np.bincount(data.winners, pull, data.n_actions) - np.bincount(
        data.losers, pull, data.n_actions
    )
    pulls = np.bincount(data.winners, np.abs(pull), data.n_actions) + np.bincount(
        data.losers, np.abs(pull), data.n_actions
    )
    return float((np.abs(gradient) / pulls).max())


def assert_is_the_minimiser(data: Comparisons, loss: MarginLoss, u: Table) -> None:
    exact = minimiser_near(data, loss.name, u)
    for winner, loser in zip(data.winners.tolist(), data.losers.tolist(), strict=True):
        assert_allclose(
            u[winner] - u[loser], float(exact[winner] - exact[loser]), rtol=1e-12, atol=1e-12
        )


def test_integer_counts_over_eight_decades() -> None:
    wins = np.zeros((6, 6))
    wins[0, 5], wins[1, 2], wins[2, 0], wins[3, 4], wins[4, 1] = 100, 10**6, 10**6, 10**8, 10**7
    wins[5, [0, 3, 4]] = 10**8, 1000, 1000
    data = Comparisons.from_table(wins)
    u = minimise(data, DPO, 1.0).log_ratio
    assert imbalance(data, DPO, u) < 1e-12
    assert_is_the_minimiser(data, DPO, u)


def test_light_comparisons_that_saturate_share_the_margin() -> None:
    """Check a minimum that depends only on what is left when two pulls of 1 − 1e-20 cancel."""
    ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    for light in (1e-6, 3.0, 2.0**-20):
        data = Comparisons.from_pairs(
            ring, weights=[light, 1e12 * light, 1e12 * light, 1e12 * light, light]
        )
        u = minimise(data, DPO, 1.0).log_ratio
        assert_allclose(u[0] - u[1], u[4] - u[0], rtol=1e-12)
        assert_is_the_minimiser(data, DPO, u)


@pytest.mark.parametrize(
    "of", [partial(odpo, 2.5), partial(odpo, 0.0), partial(cdpo, 0.1), partial(cdpo, 0.0)]
)
def test_pulls_that_saturate_cancel_in_full_though_their_sum_has_more_bits_than_a_float(
    of: Callable[[], MarginLoss],
) -> None:
    """Check two data sets whose pulls almost cancel across a cut.

    In the first, weights 1 and 1e-11 balance a weight 1. In the second, 1 and 2 balance 3.
    """
    loss = of()
    ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 2), (3, 5)]
    data = Comparisons.from_pairs(ring, weights=[1, 1, 1e5, 1, 10, 1, 1, 1e-11])
    assert_is_the_minimiser(data, loss, minimise(data, loss, 1.0).log_ratio)
    heavy = [(y, y + 1) for y in range(19) if y != 9]
    light = [(9, 10), (19, 0), (18, 0)]
    data = Comparisons.from_pairs(
        [*heavy, *light], actions=range(20), weights=[1e12] * 18 + [3, 1, 2]
    )
    assert_is_the_minimiser(data, loss, minimise(data, loss, 1.0).log_ratio)


def test_robust_dpo_near_the_end_of_what_has_a_minimum_is_exact() -> None:
    """Check a ring with weights 1 and almost 9; with 9, there would be no minimum."""
    for short_by in (1e-1, 1e-3, 1e-4):
        loss = robust_dpo(0.1)
        data = Comparisons.from_pairs(
            [(0, 1), (1, 2), (2, 3), (3, 0)], weights=[1, 1.5, 2, 9 - short_by]
        )
        assert_is_the_minimiser(data, loss, minimise(data, loss, 1.0).log_ratio)


def test_a_last_step_of_a_millionth_of_a_long_margin_is_not_yet_rest() -> None:
    ring = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
    data = Comparisons.from_pairs(ring, weights=[1, 10, 10, 1e5, 1])
    assert_is_the_minimiser(data, odpo(2.5), minimise(data, odpo(2.5), 1.0).log_ratio)


@every_accepted_loss
@pytest.mark.parametrize("decades", [1, 6, 12])
@given(data=st.data())
@settings(max_examples=6)
def test_it_agrees_with_250_digits_however_unlike_the_weights(
    loss: MarginLoss, decades: float, data: st.DataObject
) -> None:
    comparisons = data.draw(strongly_connected(decades))
    assert_is_the_minimiser(comparisons, loss, minimise(comparisons, loss, 1.0).log_ratio)


@pytest.mark.parametrize("decades", [6, 12])
@pytest.mark.parametrize("seed", range(2))
def test_large_digraphs_are_balanced_in_every_action(seed: int, decades: float) -> None:
    data = random_digraph(seed, decades)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        u = minimise(data, DPO, 1.0).log_ratio
    assert imbalance(data, DPO, u) < 1e-10


@pytest.mark.parametrize(
    ("loss", "gain", "exponent"),
    [(DPO, 1.0, 2), (DPO, 1.0, 100), (EXPONENTIAL, 0.5, 30), (EXPONENTIAL, 0.5, 200)],
    ids=["DPO 2", "DPO 100", "exponential 30", "exponential 200"],
)
def test_margins_far_in_the_tail_are_exact(loss: MarginLoss, gain: float, exponent: int) -> None:
    """Check margins at which even the whole pulls are smaller than a gradient of 1e-12."""
    rare = 10.0**-exponent
    one_in_many = Comparisons.from_pairs(
        [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")], weights=[1, rare, 1, 1]
    )
    u = minimise(one_in_many, loss, 1.0).log_ratio
    assert_allclose([u[0] - u[1], u[1] - u[2]], [-gain * np.log(rare), 0], rtol=1e-9, atol=1e-9)
    bridge = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("b", "c"), ("c", "b")]
    weights = [1, 1, 1, 1, rare**0.5, rare**1.4]
    u = minimise(Comparisons.from_pairs(bridge, weights=weights), loss, 1.0).log_ratio
    assert_allclose(np.diff(u), [0, gain * 0.9 * np.log(rare), 0], rtol=1e-9, atol=1e-9)


def test_what_hangs_on_a_thread_is_exact() -> None:
    for thread in (1e-5, 1e-11, 1e-100):
        data = clumps_on_a_thread(150, thread)
        u = minimise(data, IPO, 1.0).log_ratio
        assert_allclose(u[0] - u[150], 0.25, rtol=1e-12)
        u = minimise(data, DPO, 1.0).log_ratio
        assert_allclose(u[0] - u[150], np.log(3), rtol=1e-10)


@pytest.mark.parametrize("decades", [1, 3, 6, 15])
@pytest.mark.parametrize("n_actions", [1800, 5000])
def test_a_long_chain_is_exact(n_actions: int, decades: float) -> None:
    """Check that the paths to the root are not written down, which would fill the memory."""
    data, margins = chain(n_actions, decades, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        u, of_exponential = (minimise(data, loss, 1.0).log_ratio for loss in (DPO, EXPONENTIAL))
    assert_allclose(-np.diff(u), margins, atol=1e-11)
    assert_allclose(-np.diff(of_exponential), margins / 2, atol=1e-11)


def test_a_tree_of_thousands_leaks_no_warning() -> None:
    rng = np.random.default_rng(4)
    child = np.arange(1, 2500)
    parent = np.array([rng.integers(max(0, k - 5), k) for k in child])
    margins = rng.normal(size=child.size)
    won = 10.0 ** rng.uniform(-15, 15, child.size)
    pairs = np.append(child, parent), np.append(parent, child)
    data = Comparisons(
        *pairs, range(2500), np.append(won, won * np.exp(-10 * margins)), np.zeros(2500, dtype=int)
    )  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        u = minimise(data, DPO, 1.0).log_ratio
    assert_allclose(u[child] - u[parent], 10 * margins, atol=1e-11)


@pytest.mark.parametrize("ridge", [1e-298, 1e-100, 1e-9, 1e9])
def test_a_ridge_far_from_the_weights_is_exact(ridge: float) -> None:
    """Check that the ridge keeps the mean of each of two components at 0, however weak it is."""
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    data = Comparisons.from_pairs(pairs, weights=[3e8, 1e8, 1e-8, 2e-8])
    r = psipo.fit_reward(data, ridge=ridge)
    assert_allclose([r[0] + r[1], r[2] + r[3]], 0, atol=1e-12)
    for winner, won, lost in ((0, 3e8, 1e8), (3, 2e-8, 1e-8)):
        h = r[winner] - r[winner - 1 if winner == 3 else winner + 1]
        slope = ridge * h / 2 + lost / (1 + np.exp(-h)) - won / (1 + np.exp(h))
        assert abs(slope) <= 1e-9 * (won + ridge * abs(h))


def test_weights_that_float64_does_not_hold_together_are_refused() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    apart = Comparisons.from_pairs(pairs, weights=[3e300, 1e300, 3e-300, 1e-300])
    assert_allclose(
        minimise(apart, DPO, 1.0).loss,
        minimise(Comparisons.from_pairs(pairs[:2], weights=[3, 1]), DPO, 1.0).loss,
    )
    tied = Comparisons.from_pairs(
        [*pairs, ("b", "c"), ("c", "b")], weights=[3e300, 1e300, 3e-300, 1e-300, 1, 1]
    )
    message = (
        r"^data has weights of 1e-300 and 3e\+300 tied together, must not differ by more "
        r"than a factor of 1e\+300$"
    )
    with pytest.raises(ValueError, match=message):
        minimise(tied, DPO, 1.0)


def test_a_well_knit_graph_is_never_factorised(monkeypatch: pytest.MonkeyPatch) -> None:
    def factorised(*_: object) -> None:
        raise AssertionError("a factorisation would fill the memory at a million actions")

    monkeypatch.setattr(Springs, "_solve_grounded", factorised)
    data = connected(3000, 9000, 0)
    for loss in ACCEPTED:
        assert imbalance(data, loss, minimise(data, loss, 1.0).log_ratio) < 1e-9


@pytest.fixture
def precisions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the types in which conjugate gradients are run."""
    run: list[str] = []
    solve = _laplacians._Laplacian.solve

    def watched(self: _laplacians._Laplacian, b: Table, *rest: object) -> tuple[Table, bool]:
        run.append(b.dtype.name)
        return solve(self, b, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(_laplacians._Laplacian, "solve", watched)
    return run


def springs_of(data: Comparisons) -> Springs:
    return Springs(data.winners, data.losers, data.components, np.zeros(data.n_actions))


def assert_solves_like_a_factorisation(springs: Springs, curvature: Table, atol: float) -> None:
    b = springs.sum_at_actions(np.random.default_rng(1).normal(size=curvature.size))
    x = springs.solve(curvature, b, exactly=True, alike=True)
    by_factors = springs._solve_grounded(springs.laplacian(curvature).tocsc(), b)
    assert_allclose(x, by_factors, atol=atol * np.abs(by_factors).max())


def test_float32_refined_in_float64_is_as_exact_as_a_factorisation(precisions: list[str]) -> None:
    knit = connected(800, 4000, 0)
    assert_solves_like_a_factorisation(springs_of(knit), knit.weights, 1e-13)
    assert precisions == ["float32"] * 3
    two = Comparisons(
        np.append(knit.winners, knit.winners + 800),
        np.append(knit.losers, knit.losers + 800),
        tuple(map(str, range(1601))),
        np.append(knit.weights, knit.weights[::-1]),
        np.zeros(1601, dtype=int),
    )
    assert_solves_like_a_factorisation(springs_of(two), two.weights, 1e-13)


def test_what_float32_does_not_solve_is_solved_in_float64(precisions: list[str]) -> None:
    """Check a wide ring, whose smallest eigenvalue float32 can hardly tell from 0."""
    k = np.arange(3000)
    winners, losers = np.tile(k, 3), np.concatenate([(k + step) % 3000 for step in (1, 2, 3)])
    ring = Comparisons(
        winners, losers, tuple(map(str, k)), np.ones(9000), np.zeros(3000, dtype=int)
    )
    assert_solves_like_a_factorisation(springs_of(ring), ring.weights, 1e-9)
    assert precisions[-1] == "float64"


@pytest.mark.parametrize(("factor", "halves"), [(0.65, False), (0.7, True), (np.nan, False)])
def test_float32_that_does_not_halve_what_is_left_is_given_up(
    factor: float, halves: bool, precisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_float32 = _laplacians._Laplacian.in_float32

    def too_soft(self: _laplacians._Laplacian) -> _laplacians._Laplacian:
        single = in_float32(self)
        return replace(
            single,
            diagonal=single.diagonal * np.float32(factor),
            above=single.above * np.float32(factor),
        )

    monkeypatch.setattr(_laplacians._Laplacian, "in_float32", too_soft)
    knit = connected(800, 4000, 0)
    assert_solves_like_a_factorisation(springs_of(knit), knit.weights, 1e-12)
    assert (precisions.count("float32") > 20) is halves


def springs_between(first: Table, second: Table) -> Springs:
    k = int(max(first.max(), second.max())) + 1
    return Springs(first, second, np.zeros(k, dtype=np.intp), np.zeros(k))


def thin_random_graph(k: int) -> Springs:
    ring, steps = np.arange(k), np.random.default_rng(0).integers(1, k, k)
    return springs_between(np.append(ring, ring), np.append(np.roll(ring, 1), (ring + steps) % k))


def test_chains_trees_and_grids_are_factorised_but_no_thin_random_graph() -> None:
    k, grid = np.arange(7000), np.arange(3000).reshape(50, 60)
    below, right = (grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1])
    of_grid = [np.append(a, b) for a, b in zip(below, right, strict=True)]
    for first, second in ((k[1:], k[:-1]), (k[1:], 0 * k[1:]), (k[1:], k[1:] // 2), of_grid):
        assert springs_between(first, second)._fills_in_little
    assert not springs_between(*np.triu_indices(101, 1))._fills_in_little
    assert not thin_random_graph(7000)._fills_in_little


def test_a_crowd_that_only_met_one_action_does_not_make_a_graph_thick() -> None:
    ring, crowd = np.arange(1000), np.arange(1000, 6000)
    first = np.concatenate([ring, crowd, [6000]])
    second = np.concatenate([np.roll(ring, 1), np.full(5000, 6000), [0]])
    assert springs_between(first, second)._fills_in_little


def test_a_thin_random_graph_is_solved_as_exactly_without_a_factorisation(
    precisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_laplacians, "_NARROW", 200)
    assert_solves_like_a_factorisation(thin_random_graph(1500), np.ones(3000), 1e-12)
    assert set(precisions) == {"float32"}


def test_unlike_curvatures_are_not_left_to_float32(precisions: list[str]) -> None:
    even = connected(2100, 6000, 0)
    weights = even.weights * 10.0 ** np.random.default_rng(0).uniform(-2, 2, even.weights.size)
    minimise(Comparisons(even.winners, even.losers, even.actions, weights, even.contexts), IPO, 1.0)
    assert set(precisions) == {"float64"}


def test_pulls_that_balance_leave_nothing_to_solve() -> None:
    data = connected(800, 4000, 0)
    both_ways = Comparisons(
        np.append(data.winners, data.losers),
        np.append(data.losers, data.winners),
        data.actions,
        np.tile(data.weights, 2),
        data.contexts,
    )
    assert not minimise(both_ways, IPO, 1.0).log_ratio.any()


def test_the_pairs_of_a_laplacian_hold_all_their_comparisons() -> None:
    rng = np.random.default_rng(0)
    winners, steps = rng.integers(50, size=400), rng.integers(1, 50, 400)
    springs = Springs(winners, (winners + steps) % 50, np.zeros(60, dtype=np.intp), np.zeros(60))
    curvature = rng.uniform(0.1, 1, 400)
    above = springs._pairs.sums(curvature).toarray()
    assert_allclose(above, -np.triu(springs.laplacian(curvature).toarray(), 1), rtol=1e-14)
    nothing = np.zeros(0, dtype=np.intp)
    assert _laplacians._Pairs.of(nothing, nothing, 60).sums(np.zeros(0)).nnz == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_comparisons_inside_the_blocks_connect_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    winners = rng.integers(40, size=60)
    losers = (winners + rng.integers(1, 40, 60)) % 40
    data = Comparisons(winners, losers, tuple(map(str, range(40))), np.ones(60), np.zeros(40, int))
    for loss in (IPO, DPO):
        blocks = blocks_of(data, loss)
        connected_by = components(winners[blocks.inside], losers[blocks.inside], 40, "weak")
        pairs = np.unique(np.stack([blocks.of_action, connected_by]), axis=1)
        assert pairs.shape[1] == np.unique(connected_by).size == np.unique(pairs[0]).size


def test_curvatures_are_alike_if_they_are_so_in_each_component() -> None:
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    data = Comparisons.from_pairs(pairs)
    objective = _potentials._Objective.over(
        data, DPO, whole_components(data), 0.0, along_tree=False
    )
    for curvature, alike in (
        ([1, 1, 1, 0.5], True),
        ([1, 1, 1e-9, 1e-9], True),
        ([1, 1e-5, 1, 1], False),
    ):
        assert objective._alike(np.array(curvature, dtype=float)) is alike


@pytest.mark.parametrize("loss", [IPO, DPO], ids=lambda loss: loss.name)
def test_thousands_of_actions_whose_paths_are_too_long_are_balanced(
    loss: MarginLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_laplacians, "_MOST_STEPS_OF_PATHS", 1000)
    even = connected(2100, 6000, 0)
    weights = even.weights * 10.0 ** np.random.default_rng(0).uniform(-2, 2, even.weights.size)
    data = Comparisons(even.winners, even.losers, even.actions, weights, even.contexts)
    u = minimise(data, loss, 1.0).log_ratio
    assert imbalance(data, loss, u) < 1e-9
    if loss is IPO:
        springs = Springs(data.winners, data.losers, np.zeros(2100, dtype=np.intp), np.zeros(2100))
        least = np.linalg.solve(
            springs.laplacian(weights).toarray() + 1, springs.sum_at_actions(weights / 2)
        )
        assert_allclose(u - u.mean(), least - least.mean(), atol=1e-11)


def test_a_solver_that_stops_short_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_potentials, "_STEPS", 2)
    with pytest.raises(
        RuntimeError,
        match=r"^DPO was not minimised: a gradient is still \d.* of the pulls that meet in its",
    ):
        minimise(connected(5, 5, 0), DPO, 1.0)
    with pytest.raises(RuntimeError, match=r"^the reward was not fitted: a gradient is still"):
        psipo.fit_reward(psipo.D1, ridge=1e-6)


def test_a_singular_matrix_is_no_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    def singular(*_: object) -> None:
        raise RuntimeError("Factor is exactly singular")

    monkeypatch.setattr(Springs, "_solve_grounded", singular)
    with pytest.raises(RuntimeError, match=r"^DPO was not minimised: a gradient is still"):
        minimise(connected(5, 5, 0), DPO, 1.0)
    thread = clumps_on_a_thread(10, 1e-11)
    blocks = whole_components(thread)
    objective = _potentials._Objective.over(thread, IPO, blocks, 0.0, along_tree=False)
    assert objective.blur(objective.at(np.zeros(thread.n_actions), np.inf)) == np.inf


def test_a_tree_whose_curvature_has_lost_its_digits_is_none() -> None:
    springs = Springs(np.array([0, 1]), np.array([1, 2]), np.zeros(3, dtype=np.intp), np.zeros(3))
    nothing = np.zeros(2)
    assert (
        springs.tree(np.zeros(3), _laplacians.Pulls(*[nothing] * 4, np.array([1.0, 1e-310])))
        is None
    )
    assert (
        springs.tree(np.zeros(3), _laplacians.Pulls(*[nothing] * 4, np.array([1.0, 1e-300])))
        is not None
    )


def test_the_iterate_that_is_returned_is_the_one_that_is_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged = []
    settled = _potentials._Iterate.settled

    def watched(self: _potentials._Iterate, previous: _potentials._Iterate) -> bool:
        judged.append(self.x)
        return settled(self, previous)

    monkeypatch.setattr(_potentials._Iterate, "settled", watched)
    data = connected(5, 5, 0)
    assert _potentials.convex_potential(data, DPO, whole_components(data)) is judged[-1]


def test_each_step_lowers_the_sum_and_the_longest_are_shortened() -> None:
    data = random_digraph(0, 3)
    objective = _potentials._Objective.over(data, DPO, whole_components(data), 0.0, along_tree=True)
    at, sums, taken = objective.at(np.zeros(data.n_actions), np.inf), [np.inf], []
    for _ in range(20):
        step = objective.newton_step(at)
        assert step is not None
        taken.append(safe_share(DPO, at.curvature, objective.margins(step)))
        sums.append(float(objective.weights @ DPO.phi(objective.margins(at.x))))
        at = objective.at(at.x + taken[-1] * step, 0.0)
    assert (np.diff(sums) < 0).all()
    assert min(taken) < 0.3
    assert safe_share(DPO, at.curvature, np.zeros(data.winners.size)) == 1


# The paths have thousands of entries, so both limits are too small: one at once, one later.
@pytest.mark.parametrize("most", [10, 3000])
def test_where_paths_are_too_long_to_write_down_a_thread_is_refused(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_laplacians, "_MOST_STEPS_OF_PATHS", most)
    data = clumps_on_a_thread(60, 1e-11)
    with pytest.raises(RuntimeError, match="its rounding alone would move a margin"):
        minimise(data, IPO, 1.0)


def test_few_actions_and_many_are_solved_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 40, 300)
    second = (first + rng.integers(1, 40, 300)) % 40
    springs = Springs(first, second, np.zeros(40, dtype=np.intp), np.full(40, 0.5))
    curvature, b = rng.uniform(0.1, 1, 300), springs.centred(rng.normal(size=40))
    dense, table = (
        springs.solve(curvature, b, exactly=True, alike=True),
        springs._dense_laplacian(curvature),
    )
    assert_allclose(table, springs.laplacian(curvature).toarray(), rtol=1e-14)
    monkeypatch.setattr(_laplacians, "_FEW", 0)
    assert_allclose(springs.solve(curvature, b, exactly=True, alike=True), dense, rtol=1e-11)


def test_a_singular_table_is_refused_as_a_singular_matrix_is() -> None:
    springs = Springs(np.array([0]), np.array([1]), np.zeros(2, dtype=np.intp), np.zeros(2))
    with pytest.raises(RuntimeError, match="Singular matrix"):
        springs.solve(np.zeros(1), np.array([1.0, -1.0]), exactly=True, alike=False)


def test_a_solution_beyond_the_range_of_float64_is_refused() -> None:
    springs = Springs(np.array([0]), np.array([1]), np.zeros(2, dtype=np.intp), np.zeros(2))
    with pytest.raises(RuntimeError, match="a pivot is lost in rounding"):
        springs.solve(np.array([1e-305]), np.array([1.0, -1.0]), exactly=True, alike=True)


def test_a_pull_that_float64_does_not_hold_is_refused() -> None:
    """Give m pulls that shrink from 1e-300 by e^-50, because a and c have a margin of 100."""
    data = _between_two_far_apart(1e-300)
    with pytest.raises(RuntimeError, match=r"^DPO was not minimised: "):
        minimise(data, DPO, 1.0)


def test_a_pull_that_float64_still_holds_is_balanced() -> None:
    log_ratio = minimise(_between_two_far_apart(1e-290), DPO, 1.0).log_ratio
    assert_allclose(log_ratio - log_ratio[0], [0, -100, -50], rtol=1e-12)


def _between_two_far_apart(weight: float) -> Comparisons:
    pairs = [("a", "c"), ("c", "a"), ("a", "m"), ("m", "c")]
    return Comparisons.from_pairs(pairs, weights=[1, np.exp(-100), weight, weight])
