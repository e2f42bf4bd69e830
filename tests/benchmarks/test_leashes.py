"""Policies under other leashes than KL, and self-play, compared with KL and with plain solvers."""

import warnings

import nashpy
import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.special import softmax

from psipo_explore import IDENTITY, LOGIT, optimal_policy, tournament
from psipo_explore.divergences import (
    CHI_PO,
    CHI_SQUARED,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    Divergence,
    alpha,
    tilted_policy,
)
from psipo_explore.self_play import nash_policy

GRID = 1000
N_ANSWERS = 500
every_leash = pytest.mark.parametrize(
    "f",
    [
        pytest.param(KL, id="KL", marks=pytest.mark.peer("KL, which has a closed form")),
        pytest.param(REVERSE_KL, id="reverse KL"),
        pytest.param(CHI_SQUARED, id="chi squared"),
        pytest.param(CHI_PO, id="chi PO"),
        pytest.param(JENSEN_SHANNON, id="Jensen-Shannon"),
        pytest.param(alpha(0.5), id="alpha 0.5"),
        pytest.param(alpha(3), id="alpha 3"),
    ],
)


@pytest.mark.benchmark(group="other leashes, 1000 × 1000 (β, p), two actions")
@every_leash
def test_grid_of_policies(benchmark: BenchmarkFixture, f: Divergence) -> None:
    p = tournament([(0, 1)], 2, np.linspace(0.5, 1.0, GRID))[:, np.newaxis]
    beta = np.geomspace(0.01, 100, GRID)
    policies = benchmark.pedantic(
        lambda: optimal_policy(p, LOGIT, beta, divergence=f), rounds=3, warmup_rounds=1
    )
    assert policies.shape == (GRID, GRID, 2)
    benchmark.extra_info["largest |Σπ − 1|"] = float(abs(policies.sum(-1) - 1).max())


@pytest.mark.benchmark(group="other leashes, 1000 policies of 1000 actions")
@every_leash
def test_policies_of_many_actions(benchmark: BenchmarkFixture, f: Divergence) -> None:
    rng = np.random.default_rng(0)
    g, pi_ref = rng.normal(size=(GRID, GRID)), rng.dirichlet(np.ones(GRID))
    policies = benchmark.pedantic(
        lambda: tilted_policy(g, 0.3, f, pi_ref=pi_ref), rounds=3, warmup_rounds=1
    )
    assert policies.shape == (GRID, GRID)
    benchmark.extra_info["largest |Σπ − 1|"] = float(abs(policies.sum(-1) - 1).max())


def preferences(n_answers: int) -> np.ndarray:
    p = np.tril(np.random.default_rng(0).uniform(0.05, 0.95, (n_answers, n_answers)), -1)
    return np.asarray(p + np.triu(1 - p.T, 1) + np.eye(n_answers) / 2)


def residual(p: np.ndarray, beta: float, policy: np.ndarray) -> float:
    """Return the largest |log π − log of the right-hand side|, for a uniform reference."""
    return float(np.ptp(np.log(policy) - p @ policy / beta)) / 2


def by_averaging(p: np.ndarray, beta: float) -> np.ndarray:
    """Return the policy after steps in log π toward the best response, as long as is allowed."""
    u, step = np.zeros(len(p)), 1 / (1 + (0.1 / beta) ** 2)
    for _ in range(20_000):
        off = u - p @ softmax(u) / beta
        if np.ptp(off) < 2e-10:
            break
        u = u - step * off
    return np.asarray(softmax(u))


@pytest.mark.parametrize(
    "beta",
    [
        pytest.param(
            beta, marks=pytest.mark.benchmark(group=f"self-play, 500 answers, β = {beta:g}")
        )
        for beta in (1e-3, 1.0, 1e3)
    ],
)
def test_nash_policy(benchmark: BenchmarkFixture, beta: float) -> None:
    p = preferences(N_ANSWERS)
    policy = benchmark.pedantic(nash_policy, args=(p, IDENTITY, beta), rounds=3, warmup_rounds=1)
    benchmark.extra_info["residual"] = residual(p, beta, policy)


@pytest.mark.peer("small steps to the best response")
@pytest.mark.benchmark(group="self-play, 500 answers, β = 1")
def test_averaging(benchmark: BenchmarkFixture) -> None:
    p = preferences(N_ANSWERS)
    policy = benchmark.pedantic(by_averaging, args=(p, 1.0), rounds=3)
    benchmark.extra_info["residual"] = residual(p, 1.0, policy)
    assert benchmark.extra_info["residual"] < 1e-9


@pytest.mark.benchmark(group="self-play, 8 answers, β = 1e-3 beside β = 0")
def test_nash_policy_of_few_answers(benchmark: BenchmarkFixture) -> None:
    p = preferences(8)
    policy = benchmark(nash_policy, p, IDENTITY, 1e-3)
    benchmark.extra_info["best win rate against it"] = float((p @ policy).max())


@pytest.mark.peer("Nashpy's support enumeration, β = 0")
@pytest.mark.benchmark(group="self-play, 8 answers, β = 1e-3 beside β = 0")
def test_nashpy(benchmark: BenchmarkFixture) -> None:
    p = preferences(8)

    def first() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(next(nashpy.Game(p - 0.5).support_enumeration())[0])

    policy = benchmark.pedantic(first, rounds=3)
    benchmark.extra_info["best win rate against it"] = float((p @ policy).max())
