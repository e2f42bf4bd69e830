"""One context of each kind is solved, and the answer is that of solving all of them."""

from collections import Counter
from fractions import Fraction
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table

from psipo_explore import DPO, IPO, Comparisons, diagnose, minimise
from psipo_explore import _alike_contexts as alike_contexts
from psipo_explore._alike_contexts import AlikeContexts
from psipo_explore.losses import cdpo

BETAS = [0.05, 1.0, 40.0]
LOSSES = (DPO, cdpo(0.1), IPO)


class Context(NamedTuple):
    """The comparisons of one context, as (winner, loser, weight, tied), and its π_ref."""

    pi_ref: list[float]
    rows: list[tuple[int, int, float, bool]]

    def renamed(self, names: list[int], factor: float) -> "Context":
        """Return the context whose action y is called names[y]."""
        pi_ref = [self.pi_ref[names.index(y)] for y in range(len(names))]
        rows = [(names[w], names[lo], factor * weight, tied) for w, lo, weight, tied in self.rows]
        return Context(pi_ref, rows)


ALWAYS_TWO = Context([0.5, 0.5], [(0, 1, 1.0, False)])
BOTH_WAYS = Context([0.25, 0.75], [(0, 1, 1.0, False), (1, 0, 3.0, False)])
TIED = Context([0.5, 0.5], [(0, 1, 1.0, True)])
CHAIN = Context([0.25] * 4, [(0, 1, 1.0, False), (1, 2, 2.0, False), (2, 3, 1.0, False)])
AND_ONE_ALONE = Context([0.5, 0.5, 0.0], [(0, 1, 1.0, False)])
KINDS = [ALWAYS_TWO, BOTH_WAYS, TIED, CHAIN, AND_ONE_ALONE]


def together(contexts: list[Context], random: Any = None) -> tuple[Comparisons, Table]:
    """Return data of several contexts and their π_ref, all in random order if `random` is given."""
    actions = [(c, y) for c, context in enumerate(contexts) for y in range(len(context.pi_ref))]
    rows = [(c, *row) for c, context in enumerate(contexts) for row in context.rows]
    numbers = list(range(len(contexts)))
    if random is not None:
        for given_order in (actions, rows, numbers):
            random.shuffle(given_order)
    place = {action: k for k, action in enumerate(actions)}
    winners, losers, weights, ties = [], [], [], []
    for c, winner, loser, weight, tied in rows:
        for one, other in ((winner, loser), (loser, winner))[: 1 + tied]:
            winners.append(place[c, one])
            losers.append(place[c, other])
            weights.append(weight)
            ties.append(tied)
    data = Comparisons(
        np.array(winners),
        np.array(losers),
        tuple(f"{y} of {c}" for c, y in actions),
        np.array(weights),
        np.array([7 * numbers[c] - 10 for c, _ in actions]),
        np.array(ties),
    )
    return data, np.array([contexts[c].pi_ref[y] for c, y in actions])


@st.composite
def contexts_of(draw: Any, weights: st.SearchStrategy[float]) -> list[Context]:
    """Draw contexts of two to four actions, and copies of them under other names."""
    kinds = []
    for _ in range(draw(st.integers(1, 3))):
        k = draw(st.integers(2, 4))
        ends = st.lists(st.integers(0, k - 1), min_size=2, max_size=2, unique=True)
        drawn = draw(st.lists(st.tuples(ends, weights, st.booleans()), min_size=1, max_size=8))
        compared = {y for pair, _, _ in drawn for y in pair}
        # only an action that was not compared may have a π_ref of 0
        shares = [draw(st.integers(y in compared, 4)) for y in range(k)]
        rows = [(*pair, weight, tied) for pair, weight, tied in drawn]
        kinds.append(Context([share / sum(shares) for share in shares], rows))
    contexts = []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=7)):
        names = draw(st.permutations(range(len(kind.pi_ref))))
        contexts.append(kind.renamed(list(names), draw(st.sampled_from([1.0, 2.0, 3.0]))))
    return contexts


COUNTS = st.sampled_from([1.0, 1.0, 2.0, 5.0])
OVER_TWELVE_DECADES = st.floats(-6, 6).map(lambda exponent: 10.0**exponent)


@pytest.mark.parametrize("weights", [COUNTS, OVER_TWELVE_DECADES], ids=["counts", "any weights"])
@given(st.data(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=25)
def test_the_diagnosis_is_that_of_all_contexts_one_by_one(
    weights: st.SearchStrategy[float], draws: Any, random: Any, uniform: bool
) -> None:
    contexts = draws.draw(contexts_of(weights))
    data, pi_ref = together(contexts, random)
    found = diagnose(data, BETAS, pi_ref=None if uniform else pi_ref)
    kl: dict[str, list[Table]] = {loss.name: [] for loss in LOSSES}
    collapsing = vanishing = unconnected = 0
    for context in contexts:
        alone, reference = together([context])
        for loss in LOSSES:
            fit = minimise(alone, loss, BETAS, pi_ref=None if uniform else reference)
            terms = fit.policy[:, ~fit.vanishing] * fit.log_ratio[:, ~fit.vanishing]
            kl[loss.name].append(terms.sum(-1))
        gone = minimise(alone, DPO, 1.0).vanishing
        collapsing, vanishing = collapsing + gone.any(), vanishing + gone.sum()
        unconnected += np.unique(alone.components).size > 1
    assert (found.collapsing, found.vanishing) == (collapsing, vanishing)
    assert (found.contexts, found.unconnected) == (len(contexts), unconnected)
    won = Counter(
        (c, w, lo) for c, one in enumerate(contexts) for w, lo, _, tied in one.rows if not tied
    )
    drawn = Counter(
        (c, *sorted(row[:2])) for c, one in enumerate(contexts) for row in one.rows if row[3]
    )
    both = [(c, w, lo) for c, w, lo in won if (c, lo, w) in won]
    assert (found.comparisons, found.ties) == (won.total() + drawn.total(), drawn.total())
    assert found.duplicates == found.comparisons - len(won) - len(drawn)
    assert (found.contradictions, found.contradictory) == (
        len(both) / 2,
        sum(won[row] for row in both),
    )
    for name, of_each in kl.items():
        assert_allclose(found.mean_kl[name], np.mean(of_each, axis=0), rtol=1e-9, atol=1e-11)


fingerprints = pytest.mark.parametrize("told_apart", [True, False])


def first_alike(data: Comparisons, pi_ref: Table | None, *, told_apart: bool) -> list[int]:
    """Return the first context like each one, where fingerprints tell contexts apart or do not."""
    with pytest.MonkeyPatch.context() as patch:
        if not told_apart:
            patch.setattr(
                alike_contexts._Table, "fingerprints", lambda table: np.zeros(table.n_contexts)
            )
        found: list[int] = alike_contexts._first_alike(data.merged(), pi_ref).tolist()
    return found


@fingerprints
@given(contexts_of(COUNTS | OVER_TWELVE_DECADES), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_only_equal_contexts_are_held_for_alike(
    told_apart: bool, contexts: list[Context], random: Any
) -> None:
    data, pi_ref = together(contexts, random)
    for context, other in enumerate(first_alike(data, pi_ref, told_apart=told_apart)):
        assert other <= context
        one, another = (table_of(data, pi_ref, which) for which in (context, other))
        assert is_renamed(one, another)


@fingerprints
@pytest.mark.parametrize("pi_ref", [[0.5, 0.5, 0.0], [0.75, 0.25], [0.25, 0.75]])
def test_contexts_whose_comparisons_are_equal_may_differ(
    told_apart: bool, pi_ref: list[float]
) -> None:
    data, reference = together([ALWAYS_TWO, Context(pi_ref, ALWAYS_TWO.rows)])
    assert first_alike(data, reference, told_apart=told_apart) == [0, 1]
    uniform = first_alike(data, None, told_apart=told_apart)
    assert uniform == ([0, 0] if len(pi_ref) == 2 else [0, 1])


def table_of(data: Comparisons, pi_ref: Table, context: int) -> tuple[list[list[Fraction]], Table]:
    """Return the weights in one context as exact shares of their sum, and its π_ref."""
    here = np.flatnonzero(data.by_context.group == context)
    wins = data.win_table()[np.ix_(here, here)]
    total = sum(Fraction(weight) for weight in wins.ravel())
    return [[Fraction(weight) / total for weight in row] for row in wins], pi_ref[here]


def is_renamed(one: tuple[list[list[Fraction]], Table], other: tuple[Any, Table]) -> bool:
    k = len(one[0])
    return k == len(other[0]) and any(
        all(one[0][names[i]][names[j]] == other[0][i][j] for i in range(k) for j in range(k))
        and (one[1][list(names)] == other[1]).all()
        for names in permutations(range(k))
    )


@given(st.lists(st.sampled_from(KINDS), min_size=20, max_size=60), st.randoms())
def test_one_context_of_each_kind_is_left(drawn: list[Context], random: Any) -> None:
    contexts = []
    for kind in drawn:
        names = list(range(len(kind.pi_ref)))
        random.shuffle(names)
        contexts.append(kind.renamed(names, random.choice([0.25, 1.0, 3.0])))
    data, pi_ref = together(contexts, random)
    alike = AlikeContexts.of(data.merged(), pi_ref)
    times = [drawn.count(kind) for kind in KINDS if kind in drawn]
    assert sorted(alike.times) == sorted(times)
    sizes = [len(kind.pi_ref) * drawn.count(kind) for kind in KINDS]
    assert alike.times_of_action.sum() == sum(sizes) == data.n_actions
    assert AlikeContexts.each(data.merged(), pi_ref).times.tolist() == [1] * len(drawn)


def test_a_common_factor_of_the_weights_does_not_matter_if_it_is_exact() -> None:
    contexts = [BOTH_WAYS.renamed([0, 1], factor) for factor in (1.0, 2.0**-1000, 7.0, 0.125)]
    contexts += [ALWAYS_TWO.renamed([1, 0], factor) for factor in (0.1, 1 / 3, 1e-300, 5e-324)]
    sevenths = Context([0.25, 0.75], [(0, 1, 0.7, False), (1, 0, 0.3, False)])
    contexts += [sevenths, sevenths, sevenths.renamed([0, 1], 2.0)]
    data, pi_ref = together(contexts)
    assert AlikeContexts.of(data.merged(), pi_ref).times.tolist() == [4, 4, 2, 1]


def test_weights_of_any_size_are_compared_exactly() -> None:
    sizes = [5e-324, 1e-300, 1.0, 1e300]
    rows = [[(0, 1, one, False), (1, 0, other, False)] for one in sizes for other in sizes]
    rows.append([(0, 1, 1.7e308 / 2, False)])
    data, pi_ref = together([Context([0.5, 0.5], of_context) for of_context in rows])
    alike = AlikeContexts.of(data.merged(), None)
    assert alike.times.sum() == len(rows)
    assert alike.times[0] == 4  # equal weights both ways, of any size
    for context, other in enumerate(first_alike(data, None, told_apart=True)):
        one, another = (table_of(data, pi_ref, which) for which in (context, other))
        assert is_renamed(one, another)


def big_one(rng: np.random.Generator) -> Context:
    ends = [rng.choice(30, 2, replace=False).tolist() for _ in range(200)]
    return Context([1 / 30] * 30, [(*pair, 1.0, False) for pair in ends])


def test_a_big_context_among_many_small_ones_is_solved_too() -> None:
    contexts = [*KINDS] * 40
    contexts.insert(77, big_one(np.random.default_rng(0)))
    data, pi_ref = together(contexts)
    assert AlikeContexts.of(data.merged(), pi_ref).times.size == len(KINDS) + 1
    found = diagnose(data, BETAS, pi_ref=pi_ref)
    for loss in LOSSES:
        fit = minimise(data, loss, BETAS, pi_ref=pi_ref)
        kept = ~fit.vanishing
        total = (fit.policy[:, kept] * fit.log_ratio[:, kept]).sum(-1)
        assert_allclose(found.mean_kl[loss.name], total / len(contexts), rtol=1e-9)


def test_a_refusal_gives_actions_their_numbers_in_the_data() -> None:
    nearly_tied = Context(
        [0.25] * 4,
        [
            (0, 2, 0.1, False), (0, 3, 0.7, False), (1, 2, 0.7, False), (1, 3, 0.1 + 1e-15, False),
            (2, 0, 0.3, False), (2, 1, 0.2, False), (3, 0, 0.2, False), (3, 1, 0.3, False),
            (2, 3, 1.0, False), (3, 2, 1.0, False),
        ],
    )  # fmt: skip
    data, _ = together([ALWAYS_TWO] * 50 + [nearly_tied])
    with pytest.raises(ValueError, match="is too small: the scores of actions") as of_all:
        minimise(data, DPO, 1e-12)
    with pytest.raises(ValueError) as found:
        diagnose(data, 1e-12)
    assert str(found.value).replace("[0]", "") == str(of_all.value)
    assert "actions 100 and 101" in str(found.value)


def test_many_contexts_need_little_memory() -> None:
    import tracemalloc

    n = 20_000
    data, _ = together([ALWAYS_TWO.renamed([k % 2, 1 - k % 2], 1.0) for k in range(n)])
    tracemalloc.start()
    try:
        diagnose(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 300 * n


def test_the_data_stay_as_they_are() -> None:
    data, pi_ref = together([*KINDS] * 3)
    before = [np.array(field) for field in (*vars(data).values(), pi_ref) if field is not None]
    diagnose(data, pi_ref=pi_ref)
    after = [field for field in (*vars(data).values(), pi_ref) if field is not None]
    for one, other in zip(before, after, strict=True):
        assert_array_equal(one, other)
