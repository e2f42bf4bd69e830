"""A sweep is `train` in parts: the same numbers on any executor, and no part lost in silence."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from psipo_explore import D1, D2, D3, DPO, IPO, Comparisons, GradientDescent, MarginLoss, TrainingRun, losses, sweep, train

SHORT: dict[str, Any] = {"steps": 60, "record_every": 25}
REWARDED = Comparisons.from_pairs([("a", "b"), ("b", "a"), ("b", "c"), ("a", "c")], weights=[1, 2, 3, 0.5])


class AtOnce(Executor):
    """Runs what is submitted before it returns, and counts."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def assert_same(run: TrainingRun, expected: TrainingRun) -> None:
    assert run.actions == expected.actions
    for name in ("policy", "log_ratio", "steps"):
        assert_array_equal(getattr(run, name), getattr(expected, name), strict=True)


@given(
    data=st.sampled_from([D1, REWARDED, [D1, D3, REWARDED], [D2]]),
    loss=st.sampled_from([IPO, [IPO, DPO], [losses.discopop(0.05), losses.robust_dpo(0.1), losses.HINGE]]),
    beta=st.sampled_from([0.3, [0.1, 1.0], [[0.1], [1.0], [30.0]]]),
    seeds=st.sampled_from([1, 3, [7, 2]]),
    batch_size=st.sampled_from([None, 2, 9]),
    parts=st.sampled_from([None, 1, 2, 5, 1000]),
)
@settings(max_examples=25)
def test_parts_put_together_are_the_training(
    data: Any, loss: Any, beta: Any, seeds: Any, batch_size: int | None, parts: int | None
) -> None:
    options = {**SHORT, "seeds": seeds, "batch_size": batch_size}
    executor = AtOnce()
    run = sweep(data, loss, beta, executor=executor, parts=parts, **options)
    assert_same(run, train(data, loss, beta, **options))
    n_seeds = seeds if isinstance(seeds, int) else len(seeds)
    n_runs = run.policy[..., 0, 0].size
    assert min(parts or n_seeds, n_runs) <= executor.submitted <= n_runs


def test_seeds_are_cut_first_since_they_share_no_draws() -> None:
    executor = AtOnce()
    sweep([D1, D3], [IPO, DPO], [0.1, 1.0, 10.0], executor=executor, seeds=4, **SHORT)
    assert executor.submitted == 4


def test_other_settings_reach_the_parts() -> None:
    options = {**SHORT, "pi_ref": [0.5, 0.3, 0.2], "optimiser": GradientDescent(0.2), "batch_size": None, "seeds": 2}
    assert_same(sweep(D1, IPO, 1.0, executor=AtOnce(), **options), train(D1, IPO, 1.0, **options))


def test_on_a_pool_of_processes() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        run = sweep([D1, REWARDED], [IPO, losses.exo(0.1)], [0.1, 1.0], executor=pool, parts=6, seeds=3, **SHORT)
    assert_same(run, train([D1, REWARDED], [IPO, losses.exo(0.1)], [0.1, 1.0], seeds=3, **SHORT))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"beta": 0.0}, ValueError, r"^beta"),
        ({"steps": 0}, ValueError, r"^steps = 0, must be at least 1"),
        ({"optimiser": GradientDescent}, TypeError, r"^optimiser = "),
        ({"pi_ref": [0.5, 0.6, 0.2]}, ValueError, r"^pi_ref sums to 1.3"),
        ({"parts": 0}, ValueError, r"^parts = 0, must be at least 1"),
        ({"executor": ThreadPoolExecutor}, TypeError, r"^executor = <class .*must be a concurrent.futures.Executor"),
        ({"step": 5}, TypeError, r"unexpected keyword argument 'step'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_begun(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    executor = AtOnce()
    with pytest.raises(error, match=message):
        sweep(**{"data": D1, "loss": IPO, "beta": 1.0, "executor": executor, **arguments})
    assert executor.submitted == 0


@pytest.mark.parametrize(
    ("data", "parts", "where"),
    [
        (D1, 1, r"part 1 of 1 \(IPO and DPO, β 0.01 to 1, seeds 0 to 2\)"),
        (D1, 12, r"part \d+ of 12 \((IPO|DPO), β (0.01|1), seeds [012]\)"),
        ([D1, D2], 24, r"part \d+ of 24 \(data\[(0:1|1:2)\], (IPO|DPO), β (0.01|1), seeds [012]\)"),
    ],
)
def test_a_part_that_fails_names_itself(data: Any, parts: int, where: str) -> None:
    too_fast = {**SHORT, "optimiser": GradientDescent(1e300), "seeds": 3}
    with pytest.raises(RuntimeError, match=f"^{where} failed: the logits overflowed by step 25: try a smaller rate") as failed:
        sweep(data, [IPO, DPO], [0.01, 1.0], executor=AtOnce(), parts=parts, **too_fast)
    assert isinstance(failed.value.__cause__, RuntimeError)


class _Dies:
    """An optimiser that ends its process."""

    def steps(self, shape: tuple[int, ...]) -> Any:
        os._exit(1)


def test_a_worker_that_dies_is_reported_with_its_part() -> None:
    where = r"^part \d of 2 \(IPO, β 1, seeds \d\) failed: A process .* terminated"
    with (
        ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool,
        pytest.raises(RuntimeError, match=where) as failed,
    ):
        sweep(D1, IPO, 1.0, executor=pool, seeds=2, optimiser=_Dies(), **SHORT)
    assert isinstance(failed.value.__cause__, BrokenProcessPool)


class _FailsThenWaits:
    """An optimiser that fails at once the first time, and later after a while."""

    def __init__(self) -> None:
        self.begun = 0

    def steps(self, shape: tuple[int, ...]) -> Any:
        self.begun += 1
        time.sleep(0.1 * (self.begun > 1))
        raise RuntimeError("no")


def test_what_is_not_begun_when_a_part_fails_is_called_off() -> None:
    optimiser = _FailsThenWaits()
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="failed: no"):
        sweep(D1, IPO, 1.0, executor=pool, seeds=100, optimiser=optimiser, **SHORT)
    assert 1 <= optimiser.begun < 10


def test_a_bar_counts_finished_parts(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(D1, IPO, 1.0, executor=AtOnce(), seeds=3, progress=True, **SHORT)
    bar = capsys.readouterr().err
    assert "3/3" in bar
    assert "part" in bar


INTERRUPTED = """
import signal
from concurrent.futures import ProcessPoolExecutor
from psipo_explore import D1, IPO, sweep
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with interrupts ignored
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        pool.submit(int).result()
        print("begun", flush=True)
        sweep(D1, IPO, 1.0, executor=pool, seeds=400, steps=20_000)
"""


def children(process: subprocess.Popen[str]) -> set[int]:
    """Live processes of its group; it leads one of its own."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
            state, _, group = rest.rpartition(") ")[2].split()[:3]
        except OSError:
            continue
        if int(group) == process.pid and state != "Z":
            found.add(int(pid))
    return found - {process.pid}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are counted in /proc")
@pytest.mark.parametrize("whom", ["the group, as a terminal does", "the caller alone"])
def test_an_interrupt_leaves_no_processes(whom: str, tmp_path: Path) -> None:
    script = tmp_path / "sweep.py"
    script.write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(1.0)
        assert len(children(process)) >= 2
        if whom == "the caller alone":
            process.send_signal(signal.SIGINT)
        else:
            os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)  # 400 parts would take minutes
        assert "KeyboardInterrupt" in errors
        assert process.returncode != 0
        assert children(process) == set()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers of dask.distributed, each a process, on loopback."""
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_on_a_dask_cluster(cluster: Any) -> None:
    options = {**SHORT, "seeds": 3}
    run = sweep([D1, REWARDED], [IPO, DPO], [0.1, 1.0], executor=cluster.get_executor(), parts=6, **options)
    assert_same(run, train([D1, REWARDED], [IPO, DPO], [0.1, 1.0], **options))


def test_on_a_dask_cluster_that_loses_a_worker(cluster: Any) -> None:
    options = {"steps": 20_000, "record_every": 5000, "seeds": 6}
    runs: list[TrainingRun] = []
    thread = threading.Thread(target=lambda: runs.append(sweep(D1, IPO, 1.0, executor=cluster.get_executor(), **options)))
    pids = cluster.run(os.getpid)
    thread.start()
    deadline = time.monotonic() + 20
    while not any(cluster.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    busy = next(address for address, keys in cluster.processing().items() if keys)
    assert thread.is_alive()
    os.kill(pids[busy], signal.SIGKILL)
    thread.join(60)
    assert_same(runs[0], train(D1, IPO, 1.0, **options))
    assert pids[busy] not in cluster.run(os.getpid).values()


def test_every_loss_and_the_data_can_be_sent_to_a_process() -> None:
    import pickle

    kept = pickle.loads(pickle.dumps(REWARDED))
    assert_array_equal(kept.win_table(), REWARDED.win_table())
    x = np.linspace(-2, 2, 9)
    for loss in (value for value in vars(losses).values() if isinstance(value, MarginLoss)):
        assert_array_equal(pickle.loads(pickle.dumps(loss)).value(x, 0.5), loss.value(x, 0.5))
