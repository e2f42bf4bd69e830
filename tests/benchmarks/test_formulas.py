"""The time to read a typed Ψ, compared with SymPy without any checks.

It is measured for the first formula in a new process, for another one, and for a known one.
"""

import subprocess
import sys
from itertools import count

import pytest
import sympy as sp
from pytest_benchmark.fixture import BenchmarkFixture

from psipo_explore import Psi

IMPORTS = "import psipo_explore, sympy"


@pytest.mark.benchmark(group="a typed Ψ, in a new process")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(IMPORTS, marks=pytest.mark.peer(IMPORTS)),
        "from psipo_explore import Psi; Psi.from_formula('log(q/(1-q))')",
    ],
)
def test_the_first_formula(benchmark: BenchmarkFixture, code: str) -> None:
    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", code], check=True), rounds=5, warmup_rounds=1
    )


@pytest.mark.benchmark(group="a typed Ψ, another formula")
def test_another_formula(benchmark: BenchmarkFixture) -> None:
    Psi.from_formula("q")
    numbers = count(2)
    psi = benchmark.pedantic(
        lambda: Psi.from_formula(f"atan({next(numbers)}*log(q/(1-q)) + q)"), rounds=15
    )
    assert psi.bounded


@pytest.mark.peer("sympify, which executes text")
@pytest.mark.benchmark(group="a typed Ψ, another formula")
def test_another_formula_by_sympify(benchmark: BenchmarkFixture) -> None:
    """Measure `sympify`, which executes its text and is safe only for text that one trusts."""
    numbers = count(2)

    def by_sympify() -> tuple[object, ...]:
        q = sp.Symbol("q", positive=True)
        f = sp.sympify(f"atan({next(numbers)}*log(q/(1-q)) + q)", locals={"q": q})
        return (
            sp.lambdify(q, f),
            sp.lambdify(q, sp.diff(f, q)),
            sp.limit(f, q, 0, "+"),
            sp.limit(f, q, 1, "-"),
            sp.latex(f),
        )

    by_sympify()
    assert len(benchmark.pedantic(by_sympify, rounds=15)) == 5


@pytest.mark.benchmark(group="a typed Ψ, known")
def test_a_known_formula(benchmark: BenchmarkFixture) -> None:
    Psi.from_formula("q**2")
    assert benchmark(lambda: Psi.from_formula("q**2")).spread == 1
