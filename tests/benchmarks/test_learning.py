"""Training and exact minimisers, compared with jitted JAX and Optax, choix, and SciPy's LSMR."""

from collections.abc import Callable, Iterator
from functools import partial

import choix
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from measures import peak_megabytes
from numpy.testing import assert_allclose
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import sparse

from psipo_explore import D1, D2, D3, DPO, IPO, Comparisons, MarginLoss, minimise, train

BETAS, SEEDS, STEPS, BATCH = (0.1, 0.3, 1.0, 3.0), 10, 18_000, 9
EXPERIMENT = (
    f"the experiment of §5.4: 2 losses, 3 data sets, {len(BETAS)} β, {SEEDS} seeds, {STEPS} steps"
)
MILLION = 1_000_000
MANY_CONTEXTS = (
    "20 full-batch steps of Adam, 10⁵ contexts of 2–4 actions, 3·10⁵ comparisons, set up before"
)


@pytest.mark.benchmark(group=EXPERIMENT)
def test_experiment(benchmark: BenchmarkFixture) -> None:
    run = benchmark.pedantic(
        lambda: train([D1, D2, D3], [DPO, IPO], BETAS, seeds=SEEDS), rounds=5, warmup_rounds=1
    )
    assert run.policy.shape == (3, 2, len(BETAS), SEEDS, 181, 3)
    assert_ends_where_the_minimisers_are(run.final.mean(-2))


@pytest.mark.benchmark(group=EXPERIMENT)
@pytest.mark.parametrize(
    "compiling",
    [
        pytest.param(True, marks=pytest.mark.peer("JAX and Optax, compiled each time")),
        pytest.param(False, marks=pytest.mark.peer("JAX and Optax, compiled before")),
    ],
)
def test_experiment_in_jax_with_optax(benchmark: BenchmarkFixture, compiling: bool) -> None:
    rounds = {"rounds": 3} if compiling else {"rounds": 5, "warmup_rounds": 1}
    finals = benchmark.pedantic(
        jax_experiment, setup=jax.clear_caches if compiling else None, **rounds
    )
    assert_ends_where_the_minimisers_are(np.asarray(finals).mean(-2))


def assert_ends_where_the_minimisers_are(means: np.ndarray) -> None:
    for d, data in enumerate((D1, D2, D3)):
        for k, loss in enumerate((DPO, IPO)):
            assert_allclose(means[d, k], minimise(data, loss, BETAS).policy, atol=0.05)


def jax_losses(h: jax.Array, beta: jax.Array) -> tuple[jax.Array, jax.Array]:
    return -jax.nn.log_sigmoid(beta * h), (h - 1 / (2 * beta)) ** 2


@partial(jax.jit, static_argnames="which")
def jax_runs(which: int, pairs: jax.Array, betas: jax.Array, seeds: jax.Array) -> jax.Array:
    """Return the final policies of all β's and seeds, recorded as often as in our training.

    The whole training is one compiled loop.
    """
    adam = optax.adam(0.01)

    def one_run(beta: jax.Array, seed: jax.Array) -> jax.Array:
        def mean_loss(theta: jax.Array, key: jax.Array) -> jax.Array:
            winners, losers = pairs[jax.random.randint(key, (BATCH,), 0, len(pairs))].T
            log_policy = jax.nn.log_softmax(theta)
            return jax_losses(log_policy[winners] - log_policy[losers], beta)[which].mean()

        def step(
            carry: tuple[jax.Array, optax.OptState], key: jax.Array
        ) -> tuple[tuple[jax.Array, optax.OptState], None]:
            theta, state = carry
            updates, state = adam.update(jax.grad(mean_loss)(theta, key), state)
            return (optax.apply_updates(theta, updates), state), None

        def hundred(
            carry: tuple[jax.Array, optax.OptState], keys: jax.Array
        ) -> tuple[tuple[jax.Array, optax.OptState], jax.Array]:
            carry, _ = jax.lax.scan(step, carry, keys)
            return carry, jax.nn.softmax(carry[0])

        theta = jnp.zeros(3)
        keys = jax.random.split(jax.random.key(seed), STEPS).reshape(STEPS // 100, 100)
        return jax.lax.scan(hundred, (theta, adam.init(theta)), keys)[1][-1]

    return jax.vmap(jax.vmap(one_run, (None, 0)), (0, None))(betas, seeds)


def jax_experiment() -> list[list[jax.Array]]:
    pairs = [jnp.array([data.winners, data.losers]).T for data in (D1, D2, D3)]
    betas, seeds = jnp.array(BETAS), jnp.arange(SEEDS)
    return [
        [jax_runs(which, one, betas, seeds).block_until_ready() for which in (0, 1)]
        for one in pairs
    ]


def arrays_of_two_to_four_actions(
    n_contexts: int,
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], np.ndarray, np.ndarray]:
    """Return winners, losers, labels, weights and contexts, as `Comparisons` takes them."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 5, n_contexts)
    first = np.cumsum(sizes) - sizes
    winners = rng.integers(0, np.tile(sizes, 3))
    losers = (winners + rng.integers(1, np.tile(sizes, 3))) % np.tile(sizes, 3)
    labels = tuple(map(str, range(sizes.sum())))
    contexts = np.repeat(np.arange(n_contexts), sizes)
    first_of_pairs = np.tile(first, 3)
    return (
        winners + first_of_pairs,
        losers + first_of_pairs,
        labels,
        np.ones(winners.size),
        contexts,
    )


def twenty_steps(data: Comparisons, loss: MarginLoss) -> np.ndarray:
    run = train(data, loss, 1.0, steps=20, batch_size=None, seeds=1, record_every=100)
    return run.log_ratio[0, -1]


@pytest.mark.benchmark(group=MANY_CONTEXTS)
@pytest.mark.parametrize("loss", [DPO, IPO], ids=lambda loss: loss.name)
def test_many_contexts(benchmark: BenchmarkFixture, loss: MarginLoss) -> None:
    data = Comparisons(*arrays_of_two_to_four_actions(100_000))
    benchmark.pedantic(twenty_steps, args=(data, loss), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group=MANY_CONTEXTS.replace("set up before", "from arrays"))
def test_many_contexts_from_their_arrays(benchmark: BenchmarkFixture) -> None:
    arrays = arrays_of_two_to_four_actions(100_000)
    benchmark.pedantic(lambda: twenty_steps(Comparisons(*arrays), DPO), rounds=5, warmup_rounds=1)


@jax.jit
def jax_step(
    theta: jax.Array,
    state: optax.OptState,
    winners: jax.Array,
    losers: jax.Array,
    weights: jax.Array,
) -> tuple[jax.Array, optax.OptState]:
    gradient = jax.grad(lambda t: weights @ jax_losses(t[winners] - t[losers], jnp.array(1.0))[0])(
        theta
    )
    updates, state = optax.adam(0.01).update(gradient, state)
    return optax.apply_updates(theta, updates), state


def jax_twenty_steps(theta: jax.Array, *comparisons: jax.Array) -> jax.Array:
    """Return the logits after 20 steps under DPO.

    XLA gives a compiled step both cores, but a compiled loop only one.
    """
    state = optax.adam(0.01).init(theta)
    for _ in range(20):
        theta, state = jax_step(theta, state, *comparisons)
    return theta.block_until_ready()


def jax_inputs(
    winners: np.ndarray,
    losers: np.ndarray,
    labels: tuple[str, ...],
    weights: np.ndarray,
    contexts: np.ndarray,
) -> tuple[jax.Array, ...]:
    """Return what `jax_twenty_steps` takes; equal comparisons are merged, as `train` does."""
    distinct, entry = np.unique(winners * len(labels) + losers, return_inverse=True)
    shares = np.bincount(entry, weights) / weights.sum()
    theta = jnp.zeros(len(labels))
    return theta, *map(jnp.asarray, (*np.divmod(distinct, len(labels)), shares))


@partial(jax.jit, static_argnames="n_contexts")
def jax_log_ratio(theta: jax.Array, contexts: jax.Array, n_contexts: int) -> jax.Array:
    """Return log π − log π_ref, where π_ref is uniform in each context."""
    total = jax.ops.segment_sum(jnp.exp(theta), contexts, n_contexts)
    size = jax.ops.segment_sum(jnp.ones_like(theta), contexts, n_contexts)
    return theta - jnp.log(total / size)[contexts]


@pytest.fixture(
    params=[
        pytest.param(in_64_bits, marks=pytest.mark.peer(f"JAX and Optax in {number}"))
        for in_64_bits, number in ((False, "float32"), (True, "float64"))
    ]
)
def in_float64(request: pytest.FixtureRequest) -> Iterator[bool]:
    jax.config.update("jax_enable_x64", request.param)
    yield request.param
    jax.config.update("jax_enable_x64", False)


@pytest.mark.benchmark(group=MANY_CONTEXTS.replace("set up before", "from arrays"))
def test_many_contexts_in_jax_with_optax_from_their_arrays(
    benchmark: BenchmarkFixture, in_float64: bool
) -> None:
    """Measure the set-up too, without any check of the arrays."""
    arrays = *_, contexts = arrays_of_two_to_four_actions(100_000)

    def all_of_it() -> np.ndarray:
        theta = jax_twenty_steps(*jax_inputs(*arrays))
        return np.asarray(jax_log_ratio(theta, jnp.asarray(contexts), 100_000))

    log_ratio = benchmark.pedantic(all_of_it, rounds=5, warmup_rounds=1)
    expected = twenty_steps(Comparisons(*arrays), DPO)
    assert_allclose(log_ratio, expected, atol=1e-13 if in_float64 else 1e-5)


@pytest.mark.benchmark(group=MANY_CONTEXTS)
def test_many_contexts_in_jax_with_optax_without_set_up(
    benchmark: BenchmarkFixture, in_float64: bool
) -> None:
    inputs = jax_inputs(*arrays_of_two_to_four_actions(100_000))
    theta = benchmark.pedantic(jax_twenty_steps, args=inputs, rounds=5, warmup_rounds=1)
    assert theta.dtype == (jnp.float64 if in_float64 else jnp.float32)


def random_comparisons(n_actions: int, n_comparisons: int) -> Comparisons:
    """Return comparisons decided at random by Bradley–Terry rewards.

    They include a ring of actions compared both ways, so that a minimum exists.
    """
    rng = np.random.default_rng(0)
    rewards, ring = rng.normal(size=n_actions), np.arange(n_actions)
    a, b = rng.integers(0, n_actions, (2, n_comparisons - 2 * n_actions))
    b = np.where(a == b, (b + 1) % n_actions, b)
    first_wins = rng.random(a.size) < 1 / (1 + np.exp(rewards[b] - rewards[a]))
    winners = np.concatenate([ring, np.roll(ring, -1), np.where(first_wins, a, b)])
    losers = np.concatenate([np.roll(ring, -1), ring, np.where(first_wins, b, a)])
    contexts = np.zeros(n_actions, dtype=int)
    return Comparisons(
        winners, losers, tuple(map(str, range(n_actions))), np.ones(winners.size), contexts
    )


@pytest.mark.benchmark(group="IPO's minimiser: 10⁶ actions, 5·10⁶ comparisons")
def test_ipo_of_a_million_actions(benchmark: BenchmarkFixture) -> None:
    data = random_comparisons(MILLION, 5 * MILLION)
    fit = benchmark.pedantic(minimise, args=(data, IPO, 1.0), rounds=3)
    benchmark.extra_info["peak MB"] = round(peak_megabytes(lambda: minimise(data, IPO, 1.0)))
    benchmark.extra_info["largest gradient, of the mean loss"] = largest_gradient(
        data, IPO, fit.log_ratio
    )


@pytest.mark.peer("SciPy's LSMR")
@pytest.mark.benchmark(group="IPO's minimiser: 10⁶ actions, 5·10⁶ comparisons")
def test_ipo_of_a_million_actions_by_lsmr(benchmark: BenchmarkFixture) -> None:
    data = random_comparisons(MILLION, 5 * MILLION)

    def lsmr() -> np.ndarray:
        rows, ones = np.arange(data.winners.size), np.ones(data.winners.size)
        ends = np.concatenate([data.winners, data.losers])
        incidence = sparse.coo_array(
            (np.concatenate([ones, -ones]), (np.tile(rows, 2), ends))
        ).tocsr()
        return np.asarray(sparse.linalg.lsmr(incidence, ones / 2, atol=1e-10, btol=1e-10)[0])

    u = benchmark.pedantic(lsmr, rounds=1)
    benchmark.extra_info["largest gradient, of the mean loss"] = largest_gradient(data, IPO, u)


def largest_gradient(data: Comparisons, loss: MarginLoss, u: np.ndarray) -> float:
    pull = data.weights / data.weights.sum() * loss.slope(u[data.winners] - u[data.losers], 1.0)
    pulls = np.bincount(data.winners, pull, u.size) - np.bincount(data.losers, pull, u.size)
    return float(np.abs(pulls).max())


def bradley_terry_here(data: Comparisons) -> np.ndarray:
    return minimise(data, DPO, 1.0).log_ratio


def bradley_terry_by_choix(data: Comparisons) -> np.ndarray:
    pairs = list(zip(data.winners.tolist(), data.losers.tolist(), strict=True))
    return np.asarray(choix.opt_pairwise(data.n_actions, pairs, alpha=0.0))


FITS = [
    bradley_terry_here,
    pytest.param(bradley_terry_by_choix, marks=pytest.mark.peer("choix")),
]


@pytest.mark.benchmark(group="Bradley–Terry maximum likelihood: 10⁴ actions, 10⁵ comparisons")
@pytest.mark.parametrize("fit", FITS)
def test_bradley_terry(
    benchmark: BenchmarkFixture, fit: Callable[[Comparisons], np.ndarray]
) -> None:
    data = random_comparisons(10_000, 100_000)
    rounds = 5 if fit is bradley_terry_here else 1
    u = benchmark.pedantic(fit, args=(data,), rounds=rounds)
    benchmark.extra_info["largest gradient, of the summed loss"] = (
        largest_gradient(data, DPO, u) * data.weights.sum()
    )


@pytest.mark.benchmark(
    group="Bradley–Terry maximum likelihood: a chain of 1000 actions, each 99:1 over the next"
)
@pytest.mark.parametrize("fit", FITS)
def test_chain(benchmark: BenchmarkFixture, fit: Callable[[Comparisons], np.ndarray]) -> None:
    links = [(k, k + 1) for k in range(999)]
    chain = Comparisons.from_pairs([*links * 99, *[(b, a) for a, b in links]])
    u = benchmark.pedantic(fit, args=(chain,), rounds=3)
    benchmark.extra_info["largest error of a link"] = float(
        np.abs(u[:-1] - u[1:] - np.log(99)).max()
    )
