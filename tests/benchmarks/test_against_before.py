"""What was made faster, beside the commit before it.

Each work runs in a process of its own, on one thread. What is measured is the processor's time, so
that other programs disturb it less.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from before import ROOT, checked_out
from pytest_benchmark.fixture import BenchmarkFixture

from psipo_explore.views import VIEWS

COMMIT = "f9ab9e8"
ROUNDS = 3

IMPORTS = """
import numpy as np
from psipo_explore import *
from psipo_explore.views import VIEWS
rng = np.random.default_rng(0)
"""
GRID = """
q, beta = np.linspace(0.5, 1, 1000), np.geomspace(0.01, 100, 1000)
work = lambda: optimal_policy(tournament([(0, 1)], 2, q)[:, None], {psi}, beta)
"""
GIBBS = """
g, beta = rng.normal(size=({n}, {k})), np.linspace(0.1, 1, {n})
work = lambda: gibbs_policy(g, beta)
"""
CONTEXTS = """
sizes = rng.integers(2, 5, 100_000)
each, first = np.tile(sizes, 3), np.tile(np.cumsum(sizes) - sizes, 3)
winners = rng.integers(0, each)
losers = (winners + rng.integers(1, each)) % each
contexts = np.repeat(np.arange(100_000), sizes)
data = Comparisons(first + winners, first + losers, tuple(map(str, range(contexts.size))),
                   np.ones(winners.size), contexts)
options = {"batch_size": None, "seeds": 1, "record_every": 100, "steps": 20}
work = lambda: train(data, DPO, 1.0, **options)
"""
ARENA = """
k, n, ring = {k}, {n}, np.arange({k})
first = rng.integers(0, k, n)
second = (first + rng.integers(1, k, n)) % k
rewards = rng.normal(size=k)
wins = rng.random(n) < 1 / (1 + np.exp(rewards[second] - rewards[first]))
data = Comparisons(
    np.concatenate([ring, np.roll(ring, -1), np.where(wins, first, second)]),
    np.concatenate([np.roll(ring, -1), ring, np.where(wins, second, first)]),
    tuple(map(str, range(k))), np.ones(n + 2 * k), np.zeros(k, dtype=int))
work = lambda: minimise(data, {loss}, 1.0)
"""
FRAMES = """
from psipo_explore.views.kit import pages
view = VIEWS["{name}"]
view.compute_ahead(lambda pieces, title: pieces, pages._grid(view, {stops}))
work = lambda: pages.page(view, {stops})
"""
STEPS = """
view = VIEWS["{name}"]
panel, slider = view.panel(lambda pieces, title: pieces), view.sliders[0]
stops = sorted({{*slider.stops, slider.start}})
start = stops.index(slider.start)
way = [*stops[start + 1:], *stops[-2::-1], *stops[1:]][:30]
panel.reset()
def work():
    for stop in way:
        panel.move(**{{slider.name: stop}})
"""
WORKS = {
    "1000 × 1000 policies of two actions, logit": GRID.format(psi="LOGIT"),
    "1000 × 1000 policies of two actions, identity": GRID.format(psi="IDENTITY"),
    **{
        f"{300_000 // k} policies of {k} actions": GIBBS.format(n=300_000 // k, k=k)
        for k in (3, 8, 100, 100_000)
    },
    "20 full-batch steps on 10⁵ contexts of 2–4 actions": CONTEXTS,
    "240 runs of 18 000 steps": "work = lambda: train([D1, D2, D3], [DPO, IPO], (0.1, 0.3, 1, 3))",
    "IPO's minimiser, 10⁶ actions": ARENA.format(k=1_000_000, n=3_000_000, loss="IPO"),
    "Bradley–Terry, 10⁵ actions": ARENA.format(k=100_000, n=1_000_000, loss="DPO"),
    **{
        f"DPO's {name} at 10⁶ margins": f"x = rng.normal(size=10**6)\nwork = lambda: DPO.{name}(x)"
        for name in ("phi", "phi_slope", "phi_curvature")
    },
    "E_μ[σ(r − r')] of 150 000 actions": "r = rng.normal(size=150_000)\n"
    "work = lambda: expected_psi_bradley_terry(r, IDENTITY)",
    "a page of beyond_bradley_terry": FRAMES.format(name="beyond_bradley_terry", stops=9),
    "a page of training": FRAMES.format(name="training", stops=3),
    **{f"30 slider steps of {name}": STEPS.format(name=name) for name in VIEWS},
}
REMEMBERED = ("a page", "30 slider steps")  # what is drawn a second time is not drawn
LONG = ("IPO's minimiser", "Bradley–Terry")
MEASURED = """
import json, sys
from time import process_time
exec(sys.argv[1])
seconds = []
for _ in range(int(sys.argv[2])):
    start = process_time()
    work()
    seconds.append(process_time() - start)
print(json.dumps(min(seconds)))
"""


class _ProcessorClock:
    """A clock that adds up the times that the processes measured."""

    seconds = 0.0

    def read(self) -> float:
        return self.seconds


CLOCK = _ProcessorClock()


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with checked_out(COMMIT, tmp_path_factory.mktemp("before") / "package") as folder:
        yield folder


@pytest.mark.benchmark(timer=CLOCK.read)
@pytest.mark.parametrize(
    "when", ["now", pytest.param("before", marks=pytest.mark.peer(f"commit {COMMIT}"))]
)
@pytest.mark.parametrize("work", WORKS)
def test_processor_time(when: str, work: str, before: Path, benchmark: BenchmarkFixture) -> None:
    source = ROOT if when == "now" else before
    times = 1 if work.startswith((*REMEMBERED, *LONG)) else 5

    def measured() -> None:
        run = subprocess.run(
            [sys.executable, "-c", MEASURED, IMPORTS + WORKS[work], str(times)],
            env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
            cwd=source,
            capture_output=True,
            text=True,
            check=True,
        )
        CLOCK.seconds += json.loads(run.stdout.splitlines()[-1])

    benchmark.group = f"{work}, processor time"
    benchmark.pedantic(measured, rounds=ROUNDS)
