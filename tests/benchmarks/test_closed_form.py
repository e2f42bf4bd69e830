"""The closed form, compared at large sizes with code that one would write without the package."""

import subprocess
import sys

import numpy as np
import pytest
from measures import peak_megabytes
from numpy.testing import assert_allclose
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.special import expit, softmax

from psipo_explore import (
    IDENTITY,
    LOGIT,
    Psi,
    expected_psi_bradley_terry,
    optimal_policy,
    tournament,
)

GRID = 1000
VOCABULARY = 150_000


@pytest.mark.benchmark(group="grid of 1000 × 1000 (β, p), two actions")
@pytest.mark.parametrize("psi", [LOGIT, IDENTITY], ids=lambda psi: psi.name)
def test_grid_of_policies(benchmark: BenchmarkFixture, psi: Psi) -> None:
    q, beta = np.linspace(0.5, 1.0, GRID), np.geomspace(0.01, 100, GRID)
    policies = benchmark(
        lambda: optimal_policy(tournament([(0, 1)], 2, q)[:, np.newaxis], psi, beta)
    )
    assert policies.shape == (GRID, GRID, 2)


@pytest.mark.peer("SciPy's softmax in a loop over β, without any checks")
@pytest.mark.benchmark(group="grid of 1000 × 1000 (β, p), two actions")
def test_grid_of_policies_in_a_loop_over_beta(benchmark: BenchmarkFixture) -> None:
    q, beta = np.linspace(0.5, 1.0, GRID), np.geomspace(0.01, 100, GRID)

    def loop() -> list[object]:
        return [softmax(np.stack([q, 1 - q], -1) / (2 * b), axis=-1) for b in beta]

    assert len(benchmark(loop)) == GRID


def table_by_rows(r: np.ndarray, rows: int = 64) -> np.ndarray:
    blocks = range(0, r.size, rows)
    return np.concatenate([expit(r[i : i + rows, np.newaxis] - r).mean(1) for i in blocks])


@pytest.mark.benchmark(group="E_μ[σ(r − r')] under Bradley–Terry")
@pytest.mark.parametrize("n_actions", [10_000, VOCABULARY])
def test_win_rates_of_a_vocabulary(benchmark: BenchmarkFixture, n_actions: int) -> None:
    r = np.random.default_rng(0).normal(size=n_actions)
    g = benchmark(lambda: expected_psi_bradley_terry(r, IDENTITY).value)
    benchmark.extra_info["peak MB"] = round(
        peak_megabytes(lambda: expected_psi_bradley_terry(r, IDENTITY)), 1
    )
    benchmark.extra_info["largest error"] = largest_error(r, g)
    assert_allclose(g[:3], [expit(r[i] - r).mean() for i in range(3)], rtol=1e-12)


@pytest.mark.peer("10 000 actions, from the table in blocks")
@pytest.mark.benchmark(group="E_μ[σ(r − r')] under Bradley–Terry")
def test_win_rates_by_the_table_in_blocks(benchmark: BenchmarkFixture) -> None:
    r = np.random.default_rng(0).normal(size=10_000)
    assert benchmark.pedantic(table_by_rows, args=(r,), rounds=3).shape == (10_000,)


def largest_error(r: np.ndarray, g: np.ndarray) -> float:
    """Return the largest error against long double at 50 actions, including the extreme ones."""
    some = np.linspace(0, r.size - 1, 50).astype(int)
    some = np.argsort(r)[some]
    long_r = r.astype(np.longdouble)
    return max(abs(float(np.mean(1 / (1 + np.exp(long_r - long_r[i])))) - g[i]) for i in some)


@pytest.mark.benchmark(group="import, in a new process")
@pytest.mark.parametrize(
    "modules",
    [
        pytest.param("numpy, scipy.special", marks=pytest.mark.peer("import numpy, scipy.special")),
        "psipo_explore",
    ],
)
def test_import(benchmark: BenchmarkFixture, modules: str) -> None:
    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", f"import {modules}"], check=True),
        rounds=7,
        warmup_rounds=1,
    )
