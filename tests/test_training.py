import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import Table
from scipy import sparse, stats
from scipy.special import softmax

from psipo_explore import (
    D1,
    D2,
    D3,
    DPO,
    IPO,
    Adam,
    Comparisons,
    GradientDescent,
    MarginLoss,
    losses,
    minimise,
    minimise_log_linear,
    train,
)
from psipo_explore._batches import _counts, _counts_of_few, _drawn

NEVER_WINS = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("a", "c")])
DESCENT = {"optimiser": GradientDescent(0.4), "batch_size": None, "seeds": 1}


def connected(n_actions: int, seed: int) -> Comparisons:
    rng = np.random.default_rng(seed)
    ring = [(i, (i + 1) % n_actions) for i in range(n_actions)]
    pairs = ring + [(j, i) for i, j in ring]
    return Comparisons.from_pairs(
        pairs, actions=range(n_actions), weights=rng.uniform(0.5, 2, len(pairs))
    )


@pytest.mark.parametrize(
    "loss",
    [IPO, DPO, losses.SQUARED, losses.cdpo(0.1), losses.EXPONENTIAL],
    ids=lambda loss: loss.name,
)
@given(st.integers(0, 99), st.integers(2, 5))
@settings(max_examples=5)
def test_descent_from_the_reference_ends_at_the_minimiser(
    loss: object, seed: int, n_actions: int
) -> None:
    data = connected(n_actions, seed)
    pi_ref = np.random.default_rng(seed).dirichlet(np.full(n_actions, 5.0))
    run = train(data, loss, 1.0, pi_ref=pi_ref, steps=6000, record_every=6000, **DESCENT)  # type: ignore[arg-type]
    assert_allclose(run.final[0], minimise(data, loss, 1.0, pi_ref=pi_ref).policy, rtol=1e-6)  # type: ignore[arg-type]


def test_descent_keeps_the_sum_of_each_component_and_so_may_end_elsewhere_than_the_closest_policy() -> (
    None
):
    unseen = Comparisons.from_pairs([("a", "b")], actions="abc")
    ipo = train(unseen, IPO, 0.3, steps=2000, **DESCENT)  # type: ignore[arg-type]
    assert_allclose(ipo.final[0, 2], 1 / (1 + 2 * np.cosh(1 / (4 * 0.3))), rtol=1e-9)
    dpo = train(unseen, DPO, 0.3, steps=20_000, record_every=5000, **DESCENT)  # type: ignore[arg-type]
    assert (np.diff(dpo.probability("c")[0]) < 0).all()
    assert not minimise(unseen, IPO, 0.3).unique


def test_of_two_unbeaten_actions_descent_may_keep_one() -> None:
    """Check that π(a)/π(b) falls about like log t / t where DPO leaves it undetermined."""
    two_unbeaten = Comparisons.from_pairs([("a", "c"), ("b", "d"), ("d", "c")], actions="abcd")
    assert not minimise(two_unbeaten, DPO, 1.0).unique
    run = train(two_unbeaten, DPO, 1.0, steps=40_000, record_every=10_000, **DESCENT)  # type: ignore[arg-type]
    t = run.steps[1:]
    ratio = (run.probability("a") / run.probability("b"))[0, 1:]
    assert_allclose(ratio / ratio[0], (np.log(t) / t) / (np.log(t) / t)[0], rtol=0.1)
    margins = minimise_log_linear(two_unbeaten, DPO, 1.0, np.eye(4)).direction
    assert_allclose(margins / margins[1], [0, 1, -1, 0], atol=1e-9)


def test_a_step_of_descent_by_hand() -> None:
    run = train(NEVER_WINS, DPO, 2.0, steps=1, **DESCENT)  # type: ignore[arg-type]
    logits = 0.4 * 2.0 * 0.5 / 3 * np.array([1.0, 0.0, -1.0])
    assert_allclose(run.final[0], np.exp(logits) / np.exp(logits).sum())


@pytest.mark.parametrize("beta", [0.25, 2.0])
def test_a_step_of_ipo_by_hand_at_any_beta(beta: float) -> None:
    run = train(NEVER_WINS, IPO, beta, steps=1, **DESCENT)  # type: ignore[arg-type]
    logits = 0.4 * 2 * (1 / (2 * beta)) / 3 * np.array([1.0, 0.0, -1.0])
    assert_allclose(run.final[0], np.exp(logits) / np.exp(logits).sum())


def test_adam_by_hand() -> None:
    step = Adam(0.1, decay=0.5, square_decay=0.75, epsilon=1e-8).steps((1,))
    assert_allclose(step(np.array([2.0])), -0.1)
    mean, square = 0.5 * 1.0 + 0.5 * -1.0, 0.75 * 1.0 + 0.25 * 1.0
    assert_allclose(
        step(np.array([-1.0])), -0.1 * (mean / 0.75) / np.sqrt(square / (1 - 0.75**2)), atol=1e-9
    )


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_the_papers_datasets_go_where_they_were_measured_to_go(beta: float) -> None:
    options = {"steps": 6000, "record_every": 6000, "seeds": 4}
    assert_allclose(train(D1, DPO, beta, **options).mean()[-1], [1, 0, 0], atol=0.01)  # type: ignore[arg-type]
    for data, loss in ((D1, IPO), (D2, IPO), (D2, DPO), (NEVER_WINS, IPO)):
        trained = train(data, loss, beta, **options).mean()[-1]  # type: ignore[arg-type]
        assert_allclose(trained, minimise(data, loss, beta).policy, atol=0.05)
    assert train(NEVER_WINS, DPO, beta, **options).mean()[-1, 2] < 0.01  # type: ignore[arg-type]


def test_d3_as_printed_gives_c_no_gradient() -> None:
    for loss in (DPO, IPO):
        run = train(D3, loss, 0.3, steps=500, seeds=2)
        against_c = run.log_ratio - run.log_ratio[..., 2:]
        assert_allclose(against_c[..., 0], -against_c[..., 1], atol=1e-12)


def test_runs_are_the_same_whatever_runs_beside_them() -> None:
    options = {"steps": 300, "record_every": 70}
    many = train(D1, DPO, [[0.1, 1.0], [2.0, 3.0]], seeds=[4, 0, 7], **options)  # type: ignore[arg-type]
    assert many.policy.shape == (2, 2, 3, 6, 3)
    assert many.steps.tolist() == [0, 70, 140, 210, 280, 300]
    alone = train(D1, DPO, 3.0, seeds=[7], **options)  # type: ignore[arg-type]
    assert_array_equal(alone.policy[0], many.policy[1, 1, 2])
    longer = train(D1, DPO, 3.0, seeds=[7], steps=600, record_every=70)
    assert_array_equal(longer.policy[0, :5], alone.policy[0, :5])


def plain_training(
    data: Comparisons, loss: MarginLoss, beta: float, seed: int, steps: int, batch_size: int
) -> Table:
    """Train with Adam in plain loops over the steps and over the comparisons of a batch."""
    rng = np.random.default_rng(seed)
    data = data.merged()
    share = np.cumsum(data.weights) / data.weights.sum()
    u, mean, square = (np.zeros(data.n_actions) for _ in range(3))
    for count in range(1, steps + 1):
        gradient = np.zeros(data.n_actions)
        for k in np.searchsorted(share, rng.random(batch_size), side="right"):
            winner, loser = data.winners[k], data.losers[k]
            pull = loss.slope(u[winner] - u[loser], beta) / batch_size
            gradient[winner] += pull
            gradient[loser] -= pull
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        u = u - 0.01 * mean / (1 - 0.9**count) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
    return np.asarray(softmax(u))


# There are three comparisons, so one batch is smaller, one as large, and one larger than the data.
@pytest.mark.parametrize("batch_size", [2, 3, 9])
@pytest.mark.parametrize("loss", [DPO, IPO], ids=lambda loss: loss.name)
def test_training_is_the_plain_loop(loss: MarginLoss, batch_size: int) -> None:
    data = Comparisons.from_pairs(
        [("a", "b"), ("b", "c"), ("b", "c"), ("c", "a")], weights=[1.0, 2.0, 0.5, 1.5]
    )
    run = train(
        data, loss, [0.3, 2.0], steps=60, batch_size=batch_size, seeds=[3, 8], record_every=60
    )
    for b, beta in enumerate((0.3, 2.0)):
        for s, seed in enumerate((3, 8)):
            expected = plain_training(data, loss, beta, seed, 60, batch_size)
            assert_allclose(run.final[b, s], expected, rtol=1e-12)


@pytest.mark.parametrize("batch_size", [5, 9, 20])
def test_training_on_many_comparisons_is_the_plain_loop(batch_size: int) -> None:
    data = connected(5, 0)
    run = train(data, DPO, 0.3, steps=60, batch_size=batch_size, seeds=[3], record_every=60)
    assert_allclose(run.final[0], plain_training(data, DPO, 0.3, 3, 60, batch_size), rtol=1e-12)


def test_draws_are_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 8, 9):
        share = np.cumsum(rng.uniform(0.5, 2, n))
        share /= share[-1]
        uniform = rng.random((4, 3, 10))
        uniform.flat[: n - 1] = share[:-1]  # a draw on a border belongs to the next comparison
        which = np.searchsorted(share, uniform, side="right")
        expected = [[np.bincount(batch, minlength=n) for batch in of_step] for of_step in which]
        assert_array_equal(_counts(share, uniform), expected)
        assert_array_equal(_counts_of_few(share, uniform), expected)


@pytest.mark.parametrize("batch_size", [1, 20])
def test_the_largest_random_number_draws_the_last_comparison(batch_size: int) -> None:
    weights = np.full(10, 0.1)
    assert np.cumsum(weights)[-1] < weights.sum()  # rounding leaves a gap
    largest = np.full((1, 1, batch_size), np.nextafter(1, 0))
    which, share = _drawn(largest, weights)
    assert which[..., -1] == 9
    assert share[..., -1] == 1


@pytest.mark.parametrize("batch_size", [4, 6, None])
def test_data_sets_of_equal_weights_are_what_they_are_alone(batch_size: int | None) -> None:
    ring = [("a", "b"), ("b", "c"), ("c", "a")]
    rows = [ring, [(b, a) for a, b in ring], [*ring, ("a", "c"), ("b", "a")], ring[:1]]
    weights = [[1, 2, 3], [1, 2, 3], [1, 1, 1, 1, 1], [1]]
    tables = [
        Comparisons.from_pairs(pairs, actions="abc", weights=weight)
        for pairs, weight in zip(rows, weights, strict=True)
    ]
    tables.append(Comparisons.from_pairs(ring, actions="abc", weights=[3, 2, 1]))
    options = {"steps": 50, "record_every": 25, "batch_size": batch_size, "seeds": 2}
    run = train(tables, DPO, 1.0, **options)  # type: ignore[arg-type]
    for data, log_ratio in zip(tables, run.log_ratio, strict=True):
        assert_array_equal(train(data, DPO, 1.0, **options).log_ratio, log_ratio)  # type: ignore[arg-type]


def test_a_loss_of_ones_own_may_overwrite_the_array_it_is_given() -> None:
    def overwriting(x: Table) -> Table:
        return np.subtract(x, 1.0, out=x)

    several = [
        MarginLoss("½(x−1)²", "", np.square, slope, np.ones_like, best_x=1.0)
        for slope in (overwriting, lambda x: x - 1.0)
    ]
    run = train(D1, [IPO, *several, DPO], [0.3, 1.0], steps=50, seeds=2)
    assert np.ptp(run.final[1]) > 0.1
    assert_array_equal(run.log_ratio[1], run.log_ratio[2])
    assert_array_equal(run.log_ratio[3], train(D1, DPO, [0.3, 1.0], steps=50, seeds=2).log_ratio)


def test_data_sets_and_losses_side_by_side_are_what_they_are_alone() -> None:
    long = Comparisons.from_pairs(
        [("a", "b"), ("b", "a"), ("c", "a"), ("a", "c"), ("b", "c"), ("c", "b")],
        weights=range(1, 7),
    )
    options = {"steps": 200, "record_every": 50, "batch_size": 4, "seeds": 3}
    tables, several = [D1, long, D3], [DPO, IPO, losses.HINGE]
    run = train(tables, several, [0.3, 1.0], **options)  # type: ignore[arg-type]
    assert run.policy.shape == (3, 3, 2, 3, 5, 3)
    assert train(D1, several, 1.0, **options).policy.shape == (3, 3, 5, 3)  # type: ignore[arg-type]
    assert train(tables, DPO, 1.0, **options).policy.shape == (3, 3, 5, 3)  # type: ignore[arg-type]
    for d, data in enumerate(tables):
        for k, loss in enumerate(several):
            assert_array_equal(train(data, loss, [0.3, 1.0], **options).policy, run.policy[d, k])  # type: ignore[arg-type]
    full = train(tables, several, 1.0, steps=50, batch_size=None, seeds=1)
    assert_array_equal(
        train(long, DPO, 1.0, steps=50, batch_size=None, seeds=1).policy, full.policy[1, 0]
    )


def test_batches_follow_the_weights() -> None:
    data = Comparisons.from_pairs([("a", "b"), ("b", "a")], weights=[3.0, 1.0])
    run = train(data, IPO, 1.0, steps=8000, seeds=4, batch_size=50, record_every=100)
    assert_allclose(run.mean()[20:].mean(0), minimise(data, IPO, 1.0).policy, atol=0.01)


def test_contexts_are_trained_side_by_side() -> None:
    data = Comparisons([0, 1, 2], [1, 0, 3], tuple("abcd"), np.ones(3), [0, 0, 1, 1])
    run = train(data, IPO, 1.0, steps=3000, **DESCENT)  # type: ignore[arg-type]
    assert_allclose(run.final[0], minimise(data, IPO, 1.0).policy, rtol=1e-9)
    assert_allclose(run.policy[..., :2].sum(-1), 1)


def test_mean_and_interval_are_students() -> None:
    run = train(D2, DPO, [0.3, 1.0], steps=200, seeds=5)
    low, high = run.interval(0.9)
    expected = stats.t.interval(
        0.9, 4, loc=run.policy.mean(1)[1, -1], scale=stats.sem(run.policy, axis=1)[1, -1]
    )
    assert_allclose([low[1, -1], high[1, -1]], expected)
    assert low.shape == (2, 3, 3)


@pytest.mark.parametrize(
    "loss",
    [losses.HINGE, losses.robust_dpo(0.1), losses.exo(0.1), losses.discopop(0.05), losses.SAVAGE],
)
def test_losses_without_a_minimum_are_followed_without_a_warning(loss: object) -> None:
    run = train(D1, loss, [0.01, 100.0], steps=300, seeds=2, optimiser=Adam(1.0))  # type: ignore[arg-type]
    assert np.isfinite(run.policy).all()


@pytest.mark.parametrize(("loss", "beta"), [(IPO, 1e-12), (IPO, 1e-100), (DPO, 1e12)])
def test_policies_sum_to_one_however_large_the_logits(loss: MarginLoss, beta: float) -> None:
    run = train(D1, loss, beta, optimiser=GradientDescent(0.1), steps=50, batch_size=None, seeds=1)
    assert_allclose(run.policy.sum(-1), 1, rtol=1e-14)


def test_the_bar_counts_steps(capfd: pytest.CaptureFixture[str]) -> None:
    train(D1, DPO, 1.0, steps=20, seeds=2, progress=True)
    train(D1, DPO, 1.0, steps=20, seeds=2, batch_size=None, progress=True)
    assert capfd.readouterr().err.count("20/20") == 2


TWO_CONTEXTS = Comparisons(
    [0, 1, 2, 0, 3, 5, 4, 6, 3],
    [1, 2, 0, 2, 4, 3, 5, 3, 6],
    tuple("abcdefg"),
    np.linspace(0.5, 2, 9),
    [0, 0, 0, 1, 1, 1, 1],
)
IN_CONTEXTS = np.array([0.2, 0.5, 0.3, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    "loss",
    [IPO, DPO, losses.SQUARED, losses.cdpo(0.1), losses.EXPONENTIAL],
    ids=lambda loss: loss.name,
)
@given(st.integers(0, 99), st.sampled_from([2, 3, 9]))
@settings(max_examples=4)
def test_descent_with_features_ends_at_the_shortest_minimiser(
    loss: MarginLoss, seed: int, d: int
) -> None:
    """Take features of rank 2, so that d = 3 and 9 leave θ open; from 0, it stays the shortest."""
    rng = np.random.default_rng(seed)
    plane = np.array([[1, 0], [0, 1], [-1, -1], [1, 1], [0, -1], [-1, 0], [0.5, -0.5]])
    features = plane @ np.linalg.qr(rng.normal(size=(d, 2)))[0].T
    options = {"optimiser": GradientDescent(0.1), "batch_size": None, "seeds": 1}
    betas = [1.0, 1.5]
    run = train(
        TWO_CONTEXTS,
        loss,
        betas,
        pi_ref=IN_CONTEXTS,
        features=features,
        steps=4000,
        record_every=4000,
        **options,  # type: ignore[arg-type]
    )
    fit = minimise_log_linear(TWO_CONTEXTS, loss, betas, features, pi_ref=IN_CONTEXTS)
    assert fit.attained
    assert_allclose(run.final[:, 0], fit.policy, rtol=1e-6)
    assert_allclose(run.theta[:, 0, -1], fit.theta, rtol=1e-6, atol=1e-9)  # type: ignore[index]


@pytest.mark.parametrize("features", [np.eye(7), sparse.eye_array(7), np.eye(7)[:, ::-1]])
@pytest.mark.parametrize("batch_size", [None, 3, 20])
@pytest.mark.parametrize("optimiser", [Adam(0.05), GradientDescent(0.3)])
def test_one_hot_features_are_the_training_of_logits(
    features: object, batch_size: int | None, optimiser: object
) -> None:
    one_way = Comparisons([0, 3], [1, 4], TWO_CONTEXTS.actions, [1, 2], TWO_CONTEXTS.contexts)
    several = [DPO, IPO, losses.HINGE, losses.discopop(0.1)]
    options = {"optimiser": optimiser, "batch_size": batch_size, "steps": 120, "record_every": 50}
    options |= {"pi_ref": IN_CONTEXTS, "seeds": [4, 0, 7]}
    arguments = ([TWO_CONTEXTS, one_way], several, [[0.1, 1.0], [2.0, 3.0]])
    own, shared = (train(*arguments, features=f, **options) for f in (None, features))  # type: ignore[arg-type]
    assert own.theta is None
    assert shared.theta is not None
    assert shared.theta.shape == shared.policy.shape == (2, 4, 2, 2, 3, 4, 7)
    assert_allclose(shared.policy, own.policy, rtol=1e-11)
    assert_allclose(shared.log_ratio, own.log_ratio, rtol=1e-11, atol=1e-11)
    assert_array_equal(shared.steps, own.steps)


def test_weights_start_at_zero_and_make_the_policies() -> None:
    features = np.random.default_rng(0).normal(size=(7, 3))
    run = train(
        TWO_CONTEXTS,
        [DPO, IPO],
        [0.3, 1.0, 4.0],
        pi_ref=IN_CONTEXTS,
        features=features,
        steps=70,
        record_every=20,
        seeds=2,
    )
    assert run.theta is not None
    assert run.theta.shape == (2, 3, 2, 5, 3)
    assert run.policy.shape == (2, 3, 2, 5, 7)
    assert_array_equal(run.theta[..., 0, :], 0)
    assert (run.theta[..., 1:, :] != 0).all()
    assert_allclose(run.policy[..., 0, :], np.broadcast_to(IN_CONTEXTS, (2, 3, 2, 7)), rtol=1e-15)
    raised = IN_CONTEXTS * np.exp(run.theta @ features.T)
    for of_context in (slice(0, 3), slice(3, 7)):
        share = raised[..., of_context] / raised[..., of_context].sum(-1, keepdims=True)
        assert_allclose(run.policy[..., of_context], share, rtol=1e-13)
        ratio = np.log(share / IN_CONTEXTS[of_context])
        assert_allclose(run.log_ratio[..., of_context], ratio, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("loss", [DPO, IPO], ids=lambda loss: loss.name)
@pytest.mark.parametrize("batch_size", [2, 12])
def test_training_with_features_is_the_plain_loop(loss: MarginLoss, batch_size: int) -> None:
    features = np.random.default_rng(1).normal(size=(7, 4))
    options = {"steps": 60, "record_every": 60, "batch_size": batch_size, "seeds": [3]}
    run = train(TWO_CONTEXTS, loss, 0.5, features=features, **options)  # type: ignore[arg-type]
    rng, data = np.random.default_rng(3), TWO_CONTEXTS.merged()
    share = np.cumsum(data.weights) / data.weights.sum()
    theta, mean, square = (np.zeros(4) for _ in range(3))
    for count in range(1, 61):
        gradient = np.zeros(4)
        for k in np.searchsorted(share, rng.random(batch_size), side="right"):
            z = features[data.winners[k]] - features[data.losers[k]]
            gradient += z * loss.slope(z @ theta, 0.5) / batch_size
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        theta = theta - 0.01 * mean / (1 - 0.9**count) / (
            np.sqrt(square / (1 - 0.999**count)) + 1e-8
        )
    assert run.theta is not None
    assert_allclose(run.theta[0, -1], theta, rtol=1e-9)


def test_runs_with_features_do_not_depend_on_what_runs_beside_them() -> None:
    features = np.random.default_rng(2).normal(size=(7, 5))
    options = {"features": features, "steps": 200, "record_every": 70}
    many = train([TWO_CONTEXTS] * 2, [IPO, DPO], [0.1, 1.0, 3.0], seeds=[4, 0, 7], **options)  # type: ignore[arg-type]
    alone = train(TWO_CONTEXTS, DPO, 3.0, seeds=[7], **options)  # type: ignore[arg-type]
    assert_array_equal(alone.theta[0], many.theta[1, 1, 2, 2])  # type: ignore[index]
    assert_array_equal(alone.policy[0], many.policy[1, 1, 2, 2])


def test_only_differences_of_features_within_a_context_are_trained() -> None:
    """Add a constant to each context, which rounding turns into a gradient of 1e-16 times it."""
    features = np.random.default_rng(3).normal(size=(7, 3))
    moved = features + np.array([[5.0, 0, 0], [-3, 100, 20]])[TWO_CONTEXTS.contexts]
    useless = np.column_stack([features, TWO_CONTEXTS.contexts])
    options = {"steps": 200, "seeds": 2, "pi_ref": IN_CONTEXTS}
    run, same, wider = (
        train(TWO_CONTEXTS, [DPO, IPO], 1.0, features=f, **options)  # type: ignore[arg-type]
        for f in (features, moved, useless)
    )
    assert_allclose(same.policy, run.policy, rtol=1e-6)
    assert_allclose(wider.policy, run.policy, rtol=1e-6)
    assert_allclose(wider.theta[..., 3], 0, atol=1e-6)  # type: ignore[index]


def test_weights_that_overflow_are_refused() -> None:
    with pytest.raises(
        RuntimeError, match=r"^the logits overflowed by step \d+: try a smaller rate"
    ):
        train(
            TWO_CONTEXTS,
            losses.SQUARED,
            1.0,
            features=100 * np.eye(7),
            optimiser=GradientDescent(50.0),
            steps=2000,
            record_every=500,
            batch_size=None,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, r"^steps = 0, must be at least 1"),
        ({"record_every": 0}, r"^record_every = 0"),
        ({"batch_size": -1}, r"^batch_size = -1"),
        ({"seeds": 0}, r"^seeds = 0"),
        ({"seeds": []}, r"^seeds = \[\]"),
        ({"seeds": [1.5]}, r"^seeds = \[1.5\], must be how many, or whole numbers"),
        ({"seeds": 2.5}, r"^seeds = 2.5"),
        ({"seeds": "ab"}, r"^seeds = 'ab'"),
        (
            {"seeds": [0, 0, 0]},
            r"^seeds holds 0 3 times, must hold it once: equal seeds give equal runs",
        ),
        ({"seeds": [True, 2, np.int64(1)]}, r"^seeds holds 1 2 times"),
        ({"seeds": np.array([4, 2, 4])}, r"^seeds holds 4 2 times"),
        ({"beta": []}, r"^beta is empty"),
        ({"beta": 1e-310}, r"^beta = 1e-310, must be from 1e-100 to 1e100"),
        ({"seeds": [1, -2]}, r"^seeds = \[1, -2\]"),
        ({"pi_ref": [1.0, 0.0, 0.0]}, r"^pi_ref\[1\] = 0"),
        ({"beta": -1.0}, r"^beta = -1"),
        ({"data": Comparisons.from_table([[0, 0], [0, 0]])}, r"^data holds no comparison"),
        ({"data": []}, r"^data is empty, must hold at least one data set"),
        (
            {"data": [D1, NEVER_WINS, Comparisons.from_pairs([("a", "b")])]},
            r"^data\[2\] has actions a, b, must have those of data\[0\]: a, b, c",
        ),
        (
            {"data": [D1, Comparisons.from_table(np.zeros((3, 3)))]},
            r"^data\[1\] holds no comparison",
        ),
        ({"loss": []}, r"^loss is empty"),
    ],
)
def test_what_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(**{"data": D1, "loss": DPO, "beta": 1.0, **options})  # type: ignore[arg-type]


def test_optimisers_and_results_refuse_by_name() -> None:
    for call, message in (
        (lambda: GradientDescent(0.0), r"^rate = 0"),
        (lambda: Adam(decay=1.0), r"^decay = 1.0, must be in \[0, 1\)"),
        (lambda: Adam(epsilon=0.0), r"^epsilon = 0"),
        (lambda: Adam([0.1, 0.2]), r"^rate has shape \(2,\), must be a single number"),  # type: ignore[arg-type]
        (lambda: GradientDescent([1.0, 2.0]), r"^rate has shape \(2,\)"),  # type: ignore[arg-type]
        (lambda: train(D1, DPO, 1.0, steps=5).interval(1.5), r"^level = 1.5"),
        (
            lambda: train(D1, DPO, 1.0, steps=5, seeds=1).interval(),
            r"^seeds = 1, must be at least 2",
        ),
        (
            lambda: train(D1, DPO, 1.0, steps=5).probability("z"),
            r"^action 'z' is the label of 0 actions",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    for wrong in ("adam", Adam):
        with pytest.raises(TypeError, match=r"^optimiser = .*, must be an optimiser, such as Adam"):
            train(D1, DPO, 1.0, optimiser=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^data\[0\] = \('a', 'b'\), must be Comparisons"):
        train([("a", "b")], DPO, 1.0)  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"^loss = 'dpo'"):
        train(D1, "dpo", 1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^loss\[1\] = 'dpo', must be a MarginLoss"):
        train(D1, [IPO, "dpo"], 1.0)  # type: ignore[list-item]
    with pytest.raises(
        RuntimeError, match=r"^the logits overflowed by step 2000: try a smaller rate"
    ):
        train(
            D1,
            losses.SQUARED,
            1.0,
            optimiser=GradientDescent(50.0),
            steps=2000,
            record_every=2000,
            batch_size=None,
        )


@pytest.mark.parametrize("data", [None, 3])
def test_what_is_no_data_is_refused_by_name(data: object) -> None:
    with pytest.raises(TypeError, match=rf"^data = {data}, must be Comparisons, such as"):
        train(data, DPO, 1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^decay holds <U1 values"):
        Adam(decay="a")  # type: ignore[arg-type]


def test_a_run_shows_itself() -> None:
    run = train(D1, IPO, 1.0, steps=200, seeds=3)
    assert repr(run) == "TrainingRun(policy of shape (3, 3, 3), 200 steps, actions a, b, c)"
    assert "<caption>after 200 steps, over 3 seeds</caption>" in run._repr_html_()
    assert f"<td>{run.final[:, 2].mean():.6g}</td>" in run._repr_html_()
    assert (
        train(D1, IPO, [1.0, 2.0], steps=5, seeds=3)
        ._repr_html_()
        .startswith("<p>TrainingRun(policy of shape (2, 3, 2, 3)")
    )
