"""A sweep gives the same bits as `train` on any executor, and reports every part that fails."""

import inspect
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faults import Dies, LeavesAFile, Raises
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from processes import alive_in_group, wait_until
from strategies import FIXED_LOSSES, MADE_LOSSES

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
    TrainingRun,
    losses,
    sweep,
    train,
)

SHORT: dict[str, Any] = {"steps": 60, "record_every": 25}
ALL_SIX = Comparisons.from_pairs(
    [("a", "b"), ("b", "c"), ("c", "a")] * 3 + [("b", "a"), ("c", "b"), ("a", "c")],
    weights=range(1, 13),
)
EVERY_LOSS = [*FIXED_LOSSES.values(), *(make() for make in MADE_LOSSES.values())]


def contexts(sizes: list[int]) -> Comparisons:
    """Return contexts of the given sizes, with each action compared with the next both ways."""
    context = np.repeat(np.arange(len(sizes)), sizes)
    first = np.flatnonzero(np.diff(context) == 0)
    winners, losers = np.concatenate([first, first + 1]), np.concatenate([first + 1, first])
    return Comparisons(
        winners,
        losers,
        tuple(map(str, range(sum(sizes)))),
        np.linspace(1, 3, winners.size),
        context,
    )


class AtOnce(Executor):
    """An executor that runs each task when it is submitted, and counts the tasks."""

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
    data=st.sampled_from([D1, ALL_SIX, [ALL_SIX], [D1, D3, ALL_SIX]]),
    loss=st.sampled_from([IPO, [DPO], [IPO, DPO, losses.HINGE]]),
    beta=st.sampled_from([0.3, np.array(0.3), [0.1, 1.0, 7.0], [[0.1, 0.2], [1.0, 30.0]]]),
    seeds=st.sampled_from([1, 3, [7, 2], np.array([4, 9, 0])]),
    # Some of these are smaller and some larger than the data sets, which hold 3 to 6 comparisons.
    batch_size=st.sampled_from([None, 2, 4, 9]),
    parts=st.sampled_from([None, 1, 2, 3, 5, 17, 1000]),
)
@settings(max_examples=20)
def test_parts_side_by_side_are_the_training(
    data: Any, loss: Any, beta: Any, seeds: Any, batch_size: int | None, parts: int | None
) -> None:
    options = {**SHORT, "seeds": seeds, "batch_size": batch_size}
    executor = AtOnce()
    run = sweep(data, loss, beta, executor=executor, parts=parts, **options)
    assert_same(run, train(data, loss, beta, **options))
    n_runs, n_seeds = run.policy[..., 0, 0].size, run.policy.shape[-3]
    assert min(parts or n_seeds, n_runs) <= executor.submitted <= n_runs


@pytest.mark.parametrize("optimiser", [Adam(0.05), GradientDescent(0.02)])
@pytest.mark.parametrize("sizes", [[3, 11, 2], [40]])
def test_every_loss_in_as_many_parts_as_runs(sizes: list[int], optimiser: Any) -> None:
    """Check that the results do not depend on the length of the arrays, which a part changes.

    Sums, exponentials and vector instructions might round differently for other lengths.
    """
    options = {**SHORT, "seeds": 2, "optimiser": optimiser}
    arguments = (contexts(sizes), EVERY_LOSS, np.geomspace(0.05, 5, 5))
    assert_same(
        sweep(*arguments, executor=AtOnce(), parts=110, **options), train(*arguments, **options)
    )


@pytest.mark.parametrize("n_features", [1, 2, 5, 40])
@pytest.mark.parametrize("parts", [2, 5, 17, 1000])
def test_parts_side_by_side_are_the_training_with_features(parts: int, n_features: int) -> None:
    features = np.random.default_rng(0).normal(size=(16, n_features))
    options = {**SHORT, "features": features, "seeds": 3}
    arguments = (contexts([3, 11, 2]), [DPO, IPO, losses.HINGE], np.geomspace(0.05, 5, 5))
    run = sweep(*arguments, executor=AtOnce(), parts=parts, **options)
    expected = train(*arguments, **options)
    assert run.theta is not None
    assert run.theta.shape == (3, 5, 3, 4, n_features)
    assert_array_equal(run.theta, expected.theta, strict=True)  # type: ignore[arg-type]
    assert_same(run, expected)


def test_without_features_there_are_no_weights() -> None:
    assert sweep(D1, IPO, 1.0, executor=AtOnce(), **SHORT).theta is None


def test_all_options_reach_the_parts() -> None:
    options = {
        "pi_ref": [0.5, 0.3, 0.2],
        "features": [[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]],
        "optimiser": GradientDescent(0.2),
        "steps": 31,
        "batch_size": None,
        "seeds": [5, 3],
    }
    assert_same(
        sweep(D1, IPO, 1.0, executor=AtOnce(), record_every=7, **options),
        train(D1, IPO, 1.0, record_every=7, **options),
    )


def test_the_options_and_their_defaults_are_those_of_train() -> None:
    of_train, of_sweep = (
        dict(inspect.signature(function).parameters) for function in (train, sweep)
    )
    assert (
        of_sweep.pop("executor").kind
        is of_sweep.pop("parts").kind
        is inspect.Parameter.KEYWORD_ONLY
    )
    assert list(of_train.items()) == list(of_sweep.items())


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (None, {(2, 2, 3, 1): 4}),
        (1, {(2, 2, 3, 4): 1}),
        (2, {(2, 2, 3, 2): 2}),
        (3, {(2, 2, 3, 1): 2, (2, 2, 3, 2): 1}),
        (5, {(2, 2, 1, 1): 4, (2, 2, 2, 1): 4}),
        (12, {(2, 2, 1, 1): 12}),
        (13, {(2, 1, 1, 1): 24}),
        (25, {(1, 1, 1, 1): 48}),
        (1000, {(1, 1, 1, 1): 48}),
    ],
)
def test_seeds_are_divided_first_then_betas_losses_and_data(
    parts: int | None, expected: dict[tuple[int, ...], int]
) -> None:
    shapes: list[tuple[int, ...]] = []

    class Shapes(AtOnce):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args, **kwargs)
            shapes.append(future.result().shape[:4])
            return future

    sweep([D1, D3], [IPO, DPO], [0.1, 1.0, 10.0], executor=Shapes(), parts=parts, seeds=4, steps=2)
    assert {shape: shapes.count(shape) for shape in shapes} == expected


def test_on_a_pool_of_processes() -> None:
    arguments, options = ([D1, ALL_SIX], [IPO, losses.exo(0.1)], [0.1, 1.0]), {**SHORT, "seeds": 3}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        run = sweep(*arguments, executor=pool, parts=6, **options)
        assert pool.submit(int).result() == 0
    assert_same(run, train(*arguments, **options))


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=lambda loss: loss.name)
def test_every_loss_can_be_sent_to_a_process(loss: MarginLoss) -> None:
    x = np.linspace(-2, 2, 9)
    sent = pickle.loads(pickle.dumps(loss))
    assert_array_equal(sent.phi_slope(x), loss.phi_slope(x))
    assert_array_equal(sent.value(x, 0.5), loss.value(x, 0.5))


def test_every_loss_is_among_those_tested() -> None:
    def names(made: list[Any]) -> set[str]:
        return {loss.name.split("(")[0] for loss in made if isinstance(loss, MarginLoss)}

    assert names(list(vars(losses).values())) <= names(EVERY_LOSS)


def test_comparisons_can_be_sent_to_a_process() -> None:
    data = contexts([3, 2])
    sent = pickle.loads(pickle.dumps(data))
    assert sent.actions == data.actions
    for name in ("winners", "losers", "weights", "contexts"):
        assert_array_equal(getattr(sent, name), getattr(data, name), strict=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"beta": 0.0}, ValueError, r"^beta = 0, must be"),
        ({"steps": 0}, ValueError, r"^steps = 0, must be at least 1"),
        ({"seeds": [1.5]}, ValueError, r"^seeds = \[1.5\]"),
        ({"seeds": [1, 2, 1]}, ValueError, r"^seeds holds 1 2 times, must hold it once"),
        ({"loss": [IPO, "dpo"]}, TypeError, r"^loss\[1\] = 'dpo', must be a MarginLoss"),
        ({"data": []}, ValueError, r"^data is empty"),
        ({"optimiser": GradientDescent}, TypeError, r"^optimiser = "),
        ({"pi_ref": [0.5, 0.6, 0.2]}, ValueError, r"^pi_ref"),
        ({"parts": 0}, ValueError, r"^parts = 0, must be at least 1"),
        ({"parts": 2.5}, TypeError, r"^parts = 2.5, must be a whole number"),
        ({"step": 5}, TypeError, r"unexpected keyword argument 'step'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_submitted(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    executor, arguments = AtOnce(), {"data": D1, "loss": IPO, "beta": 1.0, **arguments}
    with pytest.raises(error, match=message) as refused:
        sweep(executor=executor, **arguments)
    assert executor.submitted == 0
    if not {"parts", "step"} & set(arguments):
        with pytest.raises(error) as by_train:
            train(**arguments)
        assert str(by_train.value) == str(refused.value)


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, None, map])
def test_what_is_no_executor_is_refused(executor: Any) -> None:
    with pytest.raises(TypeError, match=r"^executor = .*, must be a concurrent.futures.Executor"):
        sweep(D1, IPO, 1.0, executor=executor)


@pytest.mark.parametrize(
    ("data", "seeds", "parts", "where"),
    [
        (D1, 3, 1, r"part 1 of 1 \(seeds 0, 1 and 2, β from 0.01 to 1, DPO and IPO\)"),
        (
            D1,
            10,
            2,
            r"part [12] of 2 \(seeds (0, 1, … and 4|5, 6, … and 9), β from 0.01 to 1, DPO and IPO\)",
        ),
        (D1, [12345678, 6], 8, r"part [1-8] of 8 \(seed (12345678|6), β = (0.01|1), (DPO|IPO)\)"),
        (
            [D1, D2],
            2,
            16,
            r"part ([1-9]|1[0-6]) of 16 \(data\[[01]\], seed [01], β = (0.01|1), (DPO|IPO)\)",
        ),
        (
            [D1, D2],
            2,
            1,
            r"part 1 of 1 \(data\[0\] and data\[1\], seeds 0 and 1, β from 0.01 to 1, DPO and IPO\)",
        ),
    ],
)
def test_a_part_that_fails_names_itself(data: Any, seeds: Any, parts: int, where: str) -> None:
    options = {**SHORT, "optimiser": GradientDescent(1e300), "seeds": seeds}
    with pytest.raises(
        RuntimeError,
        match=f"^{where} failed: the logits overflowed by step 25: try a smaller rate$",
    ) as failed:
        sweep(data, [DPO, IPO], [0.01, 1.0], executor=AtOnce(), parts=parts, **options)
    assert isinstance(failed.value.__cause__, RuntimeError)


def test_the_part_that_is_named_is_the_one_that_failed() -> None:
    """Train with four β's, of which only the third is too large for the rate."""
    options = {"optimiser": GradientDescent(1.0), "batch_size": None, "seeds": 1, **SHORT}
    where = r"^part 3 of 4 \(seed 0, β = 50, exponential\) failed: the logits overflowed"
    with pytest.raises(RuntimeError, match=where):
        sweep(
            ALL_SIX,
            losses.EXPONENTIAL,
            [0.1, 0.2, 50.0, 0.3],
            executor=AtOnce(),
            parts=4,
            **options,
        )


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), KeyboardInterrupt()], ids=["a failure", "an interrupt"]
)
def test_what_has_not_begun_is_cancelled_after(error: BaseException, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0.2)  # keeps the thread busy until all parts are submitted
        with pytest.raises(
            KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else RuntimeError
        ):
            sweep(
                D1, IPO, 1.0, executor=pool, seeds=2000, optimiser=Raises(tmp_path, error), **SHORT
            )
    assert 1 <= len(list(tmp_path.iterdir())) < 1000


def test_an_interrupt_between_two_parts_cancels_the_rest_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupt while a finished part is being stored, when no future is waited for."""

    class Interrupts(np.ndarray):
        def __setitem__(self, key: Any, value: Any) -> None:
            raise KeyboardInterrupt

    whole = SimpleNamespace(empty=lambda shape: np.zeros(shape).view(Interrupts))
    monkeypatch.setattr("psipo_explore.sweeps.np", whole)
    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        sweep(D1, IPO, 1.0, executor=pool, seeds=500, optimiser=LeavesAFile(tmp_path), **SHORT)
    assert 1 <= len(list(tmp_path.iterdir())) < 250


def test_an_error_without_a_message_is_named_by_its_kind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^part 1 of 1 \(.*\) failed: MemoryError$"):
        sweep(
            D1,
            IPO,
            1.0,
            executor=AtOnce(),
            parts=1,
            optimiser=Raises(tmp_path, MemoryError()),
            **SHORT,
        )


def test_a_pool_that_is_shut_down_is_reported_with_the_part() -> None:
    with ThreadPoolExecutor(1) as pool:
        pass
    with pytest.raises(
        RuntimeError,
        match=r"^part 1 of 10 \(seed 0, β = 1, IPO\) failed: cannot schedule new futures",
    ):
        sweep(D1, IPO, 1.0, executor=pool, **SHORT)


def test_what_cannot_be_sent_and_a_worker_that_dies_are_reported_with_the_part() -> None:
    local = MarginLoss("local", "", np.square, lambda x: 2 * x, np.ones_like, 0.0)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(
            RuntimeError, match=r"^part \d of 2 \(seed [01], β = 1, local\) failed: .*lambda"
        ):
            sweep(D1, local, 1.0, executor=pool, seeds=2, **SHORT)
        with pytest.raises(
            RuntimeError, match=r"^part \d of 2 \(seed [01], β = 1, IPO\) failed: A .*process"
        ) as failed:
            sweep(D1, IPO, 1.0, executor=pool, seeds=2, optimiser=Dies(), **SHORT)
    assert isinstance(failed.value.__cause__, BrokenProcessPool)


def test_the_bar_counts_finished_parts(capfd: pytest.CaptureFixture[str]) -> None:
    sweep(D1, IPO, 1.0, executor=AtOnce(), seeds=3, progress=True, **SHORT)
    bar = capfd.readouterr().err
    assert "3/3" in bar
    assert "part/s" in bar
    assert "step" not in bar
    sweep(D1, IPO, 1.0, executor=AtOnce(), seeds=3, **SHORT)
    assert not capfd.readouterr().err


INTERRUPTED = """
import signal, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
sys.path.insert(0, sys.argv[1])
from faults import LeavesAFile
from psipo_explore import D1, IPO, sweep
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell has it ignored
if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        sweep(D1, IPO, 1.0, executor=pool, seeds=100, steps=4000, optimiser=LeavesAFile(sys.argv[2]))
"""


@pytest.fixture
def sweeping(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a caller whose pool has begun some of its parts.

    Yield it with the folder that holds a file for each part that has begun.
    """
    script, begun = tmp_path / "interrupted.py", tmp_path / "begun"
    script.write_text(INTERRUPTED)
    begun.mkdir()
    command = [sys.executable, script, Path(__file__).parent, begun]
    caller = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert wait_until(lambda: len(list(begun.iterdir())) >= 3, 20)
        assert len(alive_in_group(caller.pid)) >= 3
        yield caller, begun
        assert wait_until(lambda: not alive_in_group(caller.pid), 20)
        assert len(list(begun.iterdir())) < 50
    finally:
        for process in alive_in_group(caller.pid):
            process.kill()
        caller.communicate()


POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and process groups are POSIX's")


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize(
    "whom", ["the group, as a terminal does", "the caller alone, as Jupyter may"]
)
def test_an_interrupt_leaves_no_process(
    whom: str, sweeping: tuple[subprocess.Popen[str], Path]
) -> None:
    caller, _ = sweeping
    (os.killpg if whom.startswith("the group") else os.kill)(caller.pid, signal.SIGINT)
    _, errors = caller.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert caller.returncode in (-signal.SIGINT, 128 + signal.SIGINT)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_caller_that_is_killed_leaves_no_process(
    number: signal.Signals, sweeping: tuple[subprocess.Popen[str], Path]
) -> None:
    caller, _ = sweeping
    caller.send_signal(number)
    caller.communicate(timeout=60)
    assert caller.returncode == -number


@POSIX
@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_no_process(
    sweeping: tuple[subprocess.Popen[str], Path],
) -> None:
    caller, _ = sweeping
    worker = next(
        process
        for process in alive_in_group(caller.pid)
        if process.num_threads() > 1 and process.pid != caller.pid
    )
    worker.kill()
    _, errors = caller.communicate(timeout=60)
    assert re.search(
        r"RuntimeError: part \d+ of 100 \(seed \d+, β = 1, IPO\) failed: A process in the process pool",
        errors,
    )
    assert caller.returncode == 1


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Yield the client of a Dask cluster with two worker processes on loopback."""
    import distributed

    alone = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "dashboard_address": None,
    }
    with distributed.LocalCluster(**alone) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_on_a_dask_cluster(client: Any) -> None:
    arguments, options = ([D1, ALL_SIX], [IPO, DPO], [0.1, 1.0]), {**SHORT, "seeds": 3}
    run = sweep(*arguments, executor=client.get_executor(), parts=6, **options)
    assert_same(run, train(*arguments, **options))
    with pytest.raises(
        RuntimeError,
        match=r"^part \d of 2 \(seed [01], β = 1, IPO\) failed: the logits overflowed by step 25",
    ):
        sweep(
            D1,
            IPO,
            1.0,
            executor=client.get_executor(),
            seeds=2,
            optimiser=GradientDescent(1e300),
            **SHORT,
        )


@pytest.mark.slow
def test_on_a_dask_cluster_that_loses_a_worker(client: Any, tmp_path: Path) -> None:
    """Run six parts on two workers, and kill a worker that is working on a part.

    That part begins again on the other worker.
    """
    options = {"steps": 15_000, "seeds": 6, "optimiser": LeavesAFile(tmp_path)}
    pid_of = client.run(os.getpid)
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(sweep, D1, IPO, 1.0, executor=client.get_executor(), **options)
        assert wait_until(lambda: len(list(tmp_path.iterdir())) >= 2, 20)
        at_work = client.run(lambda dask_worker: dask_worker.state.executing_count)
        killed = next(address for address, count in at_work.items() if count)
        os.kill(pid_of[killed], signal.SIGKILL)
        run = running.result(timeout=40)
    assert len(list(tmp_path.iterdir())) == 7
    assert_same(run, train(D1, IPO, 1.0, **options))
