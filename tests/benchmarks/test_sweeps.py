"""A sweep over two processes, compared with the same training in one process."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from psipo_explore import IPO, Comparisons, bradley_terry, sweep, train

GROUP = "2000 actions, 10 seeds, 4 β's, 500 steps on batches of 100"
OPTIONS = {"steps": 500, "batch_size": 100, "seeds": 10, "record_every": 500}
BETAS = [0.1, 0.3, 1.0, 3.0]


@pytest.fixture(scope="module")
def data() -> Comparisons:
    rng = np.random.default_rng(0)
    return Comparisons.sample(bradley_terry(rng.normal(size=2000)), 20_000, rng=rng)


@pytest.mark.peer("train, in one process")
@pytest.mark.benchmark(group=GROUP)
def test_train(benchmark: BenchmarkFixture, data: Comparisons) -> None:
    assert benchmark.pedantic(
        lambda: train(data, IPO, BETAS, **OPTIONS), rounds=3
    ).policy.shape == (4, 10, 2, 2000)


@pytest.mark.benchmark(group=GROUP)
def test_sweep(benchmark: BenchmarkFixture, data: Comparisons) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        # This first sweep lets the processes import the package before time is measured.
        sweep(data, IPO, BETAS, executor=pool, parts=2, **{**OPTIONS, "steps": 1})
        run = benchmark.pedantic(
            lambda: sweep(data, IPO, BETAS, executor=pool, parts=4, **OPTIONS), rounds=3
        )
    assert run.policy.shape == (4, 10, 2, 2000)
