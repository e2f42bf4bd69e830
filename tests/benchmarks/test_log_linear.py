"""Policies that share weights, compared with regressions of SciPy and scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.optimize import linprog
from scipy.sparse import coo_array, eye_array, hstack
from scipy.sparse.linalg import lsqr
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from psipo_explore import DPO, IPO, Comparisons, MarginLoss, minimise_log_linear

Fit = Callable[[Comparisons, np.ndarray], np.ndarray]

LARGE = (100_000, 200)


def prompts_of_two_answers(
    n: int, d: int, *, separable: bool = False
) -> tuple[Comparisons, np.ndarray]:
    rng = np.random.default_rng(0)
    features, theta = rng.normal(size=(2 * n, d)), rng.normal(size=d) / np.sqrt(d)
    first = 2 * np.arange(n)
    margin = (features[first] - features[first + 1]) @ theta
    won = margin > 0 if separable else rng.random(n) < expit(margin)
    winners, losers = np.where(won, first, first + 1), np.where(won, first + 1, first)
    contexts = np.repeat(np.arange(n), 2)
    return Comparisons(winners, losers, range(2 * n), rng.uniform(0.5, 2, n), contexts), features


def differences(data: Comparisons, features: np.ndarray) -> np.ndarray:
    return features[data.winners] - features[data.losers]


def largest_gradient(
    data: Comparisons, loss: MarginLoss, features: np.ndarray, theta: np.ndarray
) -> float:
    z = differences(data, features)
    pull = data.weights / data.weights.sum() * loss.slope(z @ theta, 1.0)
    return float(np.abs(pull @ z).max())


def ipo_here(data: Comparisons, features: np.ndarray) -> np.ndarray:
    return minimise_log_linear(data, IPO, 1.0, features).theta


def ipo_by_lsqr(data: Comparisons, features: np.ndarray) -> np.ndarray:
    root = np.sqrt(data.weights)
    system = root[:, np.newaxis] * differences(data, features)
    return np.asarray(lsqr(system, root / 2, atol=1e-14, btol=1e-14)[0])


@pytest.mark.benchmark(group="IPO with shared weights: 10⁵ comparisons, 200 features")
@pytest.mark.parametrize(
    "fit", [ipo_here, pytest.param(ipo_by_lsqr, marks=pytest.mark.peer("SciPy's lsqr"))]
)
def test_ipo(benchmark: BenchmarkFixture, fit: Fit) -> None:
    data, features = prompts_of_two_answers(*LARGE)
    theta = benchmark.pedantic(fit, args=(data, features), rounds=3, warmup_rounds=1)
    benchmark.extra_info["largest gradient"] = largest_gradient(data, IPO, features, theta)


def dpo_here(data: Comparisons, features: np.ndarray) -> np.ndarray:
    return minimise_log_linear(data, DPO, 1.0, features).theta


def logistic_regression(data: Comparisons, features: np.ndarray, **options: object) -> np.ndarray:
    # scikit-learn wants two classes, so every other comparison is turned round.
    sign = np.where(np.arange(data.winners.size) % 2, 1.0, -1.0)
    model = LogisticRegression(C=np.inf, fit_intercept=False, max_iter=10_000, **options)
    z = differences(data, features)
    return np.asarray(model.fit(sign[:, np.newaxis] * z, sign, data.weights).coef_[0])


def dpo_by_lbfgs(data: Comparisons, features: np.ndarray) -> np.ndarray:
    return logistic_regression(data, features, solver="lbfgs", tol=1e-9)


def dpo_by_newton(data: Comparisons, features: np.ndarray) -> np.ndarray:
    return logistic_regression(data, features, solver="newton-cholesky", tol=1e-13)


@pytest.mark.benchmark(group="DPO with shared weights: 10⁵ comparisons, 200 features")
@pytest.mark.parametrize(
    "fit",
    [
        dpo_here,
        pytest.param(dpo_by_lbfgs, marks=pytest.mark.peer("scikit-learn, lbfgs")),
        pytest.param(dpo_by_newton, marks=pytest.mark.peer("scikit-learn, newton-cholesky")),
    ],
)
def test_dpo(benchmark: BenchmarkFixture, fit: Fit) -> None:
    data, features = prompts_of_two_answers(*LARGE)
    theta = benchmark.pedantic(fit, args=(data, features), rounds=3, warmup_rounds=1)
    benchmark.extra_info["largest gradient"] = largest_gradient(data, DPO, features, theta)


def separated_here(data: Comparisons, features: np.ndarray) -> np.ndarray:
    return minimise_log_linear(data, DPO, 1.0, features).separated


def separated_by_a_linear_programme(data: Comparisons, features: np.ndarray) -> np.ndarray:
    """Maximise Σ s subject to s ≤ Zv and 0 ≤ s ≤ 1."""
    z = differences(data, features)
    n, d = z.shape
    found = linprog(
        np.r_[np.zeros(d), -np.ones(n)],
        hstack([coo_array(-z), eye_array(n)], format="csr"),
        np.zeros(n),
        bounds=[(None, None)] * d + [(0, 1)] * n,
    )
    return np.asarray(found.x[d:] > 0.5)


@pytest.mark.benchmark(group="which of 10⁴ comparisons 50 features separate")
@pytest.mark.parametrize("separable", [False, True], ids=["none", "all"])
@pytest.mark.parametrize(
    "fit",
    [
        separated_here,
        pytest.param(separated_by_a_linear_programme, marks=pytest.mark.peer("SciPy's HiGHS")),
    ],
)
def test_separated(benchmark: BenchmarkFixture, fit: Fit, separable: bool) -> None:
    data, features = prompts_of_two_answers(10_000, 50, separable=separable)
    separated = benchmark.pedantic(fit, args=(data, features), rounds=1)
    assert (separated == separable).all()
