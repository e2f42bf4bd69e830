"""Simulated training in parts, on any executor of `concurrent.futures`.

The executor may be a process pool on this machine, or Dask on a cluster. No run depends on the runs
beside it, so the parts together equal what `train` returns, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._bars import with_bar
from psipo_explore._checks import Array, ArrayLike
from psipo_explore._workers import end_with
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss
from psipo_explore.optimisers import Optimiser
from psipo_explore.training import Settings, TrainingRun, trained

__all__ = ["sweep"]

_Block = tuple[slice, slice, slice, slice]  # slices of the data sets, losses, β's and seeds


def sweep(
    data: Comparisons | Sequence[Comparisons],
    loss: MarginLoss | Sequence[MarginLoss],
    beta: ArrayLike,
    *,
    executor: Executor,
    parts: int | None = None,
    pi_ref: ArrayLike | None = None,
    features: Any = None,
    optimiser: Optimiser | None = None,
    steps: int = 18_000,
    batch_size: int | None = 9,
    seeds: int | Sequence[int] = 10,
    record_every: int = 100,
    progress: bool = False,
) -> TrainingRun:
    """Compute the same TrainingRun as `train`, bit for bit, in parts on an executor.

    This serves experiments such as that in §5.4 of arXiv:2310.12036 if they are too long for one
    process. A part is a rectangular block of the runs. The seeds are divided first: batches depend
    only on the seed, so parts of different seeds do not draw the same batches again. If there are
    too few seeds, the β's are divided too, then the losses, then the data sets.

    Parameters
    ----------
    data : Comparisons, or a sequence of them with the same actions
        As in `train`.
    loss : MarginLoss, or a sequence of them
        As in `train`.
    beta : array_like, shape (...)
        Strength of the KL term.
    executor : concurrent.futures.Executor
        Executor of the parts, such as ProcessPoolExecutor(), or Client(…).get_executor() of
        dask.distributed. It is not shut down.
    parts : int, optional
        Least number of parts; by default, one for each seed. It is rounded up to fill the grid of
        blocks, but there are never more parts than runs.
    pi_ref, features, optimiser, steps, batch_size, seeds, record_every : as in `train`
        Each part passes them on to `train`.
    progress : bool
        Whether to show a bar that counts the finished parts.

    Returns
    -------
    TrainingRun
        Policies of shape (data sets,) + (losses,) + beta.shape + (seeds, records, K), as `train`
        returns them.

    Raises
    ------
    ValueError
        If `train` would refuse an argument, or parts is less than 1. This is checked before
        anything is submitted.
    TypeError
        If executor is not an executor, or another argument is of a wrong type. This is checked
        before anything is submitted.
    RuntimeError
        If a part fails. The message names the part, and the error that stopped it is the cause.
        Parts that have not begun are cancelled.

    Notes
    -----
    The result is the same to the last bit if all processes have the same NumPy and SciPy on the
    same kind of processor, and if the optimiser treats each logit by itself, as Adam and
    GradientDescent do.

    The pool belongs to the caller. An interrupt or a failed part cancels the parts that have not
    begun. At the end of its `with` block, a process pool still waits for the parts that its
    processes hold, so it stops sooner if the parts are smaller. If one of its processes is killed,
    the pool ends the others. If the caller is killed, each process that was ever given a part ends
    at once; `sweep` cannot end a process that was never given one.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from psipo_explore import D1, DPO, IPO, train
    >>> with ThreadPoolExecutor(2) as pool:
    ...     run = sweep(D1, [DPO, IPO], [0.1, 1.0], executor=pool, steps=200, seeds=4)
    >>> run.policy.shape
    (2, 2, 4, 3, 3)
    >>> np.array_equal(run.policy, train(D1, [DPO, IPO], [0.1, 1.0], steps=200, seeds=4).policy)
    True
    """
    checks.require_instance(
        "executor",
        executor,
        Executor,
        "a concurrent.futures.Executor, such as ProcessPoolExecutor()",
    )
    settings = Settings.checked(
        data,
        loss,
        beta,
        pi_ref=pi_ref,
        features=features,
        optimiser=optimiser,
        steps=steps,
        batch_size=batch_size,
        seeds=seeds,
        record_every=record_every,
    )
    blocks = _blocks(
        settings.runs, len(settings.seeds) if parts is None else checks.as_count("parts", parts)
    )
    weights = np.empty((*settings.runs, settings.n_records, settings.n_weights))
    part_of: dict[Future[Array], int] = {}
    try:
        for part, block in enumerate(blocks):
            with _named(settings, blocks, part):
                part_of[executor.submit(_run_part, _cut(settings, block), os.getpid())] = part
        for future in with_bar(as_completed(part_of), len(blocks), "part", progress):
            part = part_of.pop(future)  # so that the memory of its result can be freed
            with _named(settings, blocks, part):
                weights[blocks[part]] = future.result()
    finally:
        for future in part_of:
            future.cancel()
    return settings.as_run(weights)


def _run_part(settings: Settings, caller: int) -> Array:
    end_with(caller)
    return trained(settings)


def _blocks(runs: tuple[int, int, int, int], parts: int) -> list[_Block]:
    """Return a grid of at least `parts` blocks, or one block for each run if there are fewer."""
    n_data_sets, n_losses, n_betas, n_seeds = runs
    seeds, parts = _divided(n_seeds, parts)
    betas, parts = _divided(n_betas, parts)
    losses, parts = _divided(n_losses, parts)
    data_sets, _ = _divided(n_data_sets, parts)
    return list(product(data_sets, losses, betas, seeds))


def _divided(size: int, parts: int) -> tuple[list[slice], int]:
    """Divide an axis into as many slices as there are parts, or into single entries.

    Also return into how many parts each slice must be divided along the other axes.
    """
    n = min(size, parts)
    return [slice(size * k // n, size * (k + 1) // n) for k in range(n)], -(-parts // n)


def _cut(settings: Settings, block: _Block) -> Settings:
    data_sets, losses, betas, seeds = block
    return replace(
        settings,
        data_sets=settings.data_sets[data_sets],
        losses=settings.losses[losses],
        betas=settings.betas[betas],
        seeds=settings.seeds[seeds],
    )


@contextmanager
def _named(settings: Settings, blocks: Sequence[_Block], part: int) -> Iterator[None]:
    """Name the part in an error that stops it. An interrupt passes, as it is not an error."""
    try:
        yield
    except Exception as error:
        where = f"part {part + 1} of {len(blocks)} ({_in_words(settings, blocks[part])})"
        raise RuntimeError(f"{where} failed: {str(error) or type(error).__name__}") from error


def _in_words(settings: Settings, block: _Block) -> str:
    """Describe a block of runs, such as "seeds 4 and 5, β from 0.1 to 1, IPO".

    The data sets are named only if there are several.
    """
    cut = _cut(settings, block)
    data_sets = [f"data[{k}]" for k in range(len(settings.data_sets))][block[0]]
    seeds = (
        f"{'seed' if len(cut.seeds) == 1 else 'seeds'} "
        f"{_listed([checks.shown(seed) for seed in cut.seeds])}"
    )
    low, high = cut.betas.min(), cut.betas.max()
    beta = f"β = {low:g}" if low == high else f"β from {low:g} to {high:g}"
    losses = _listed([checks.cut(loss.name) for loss in cut.losses])
    return ", ".join([_listed(data_sets)] * (len(settings.data_sets) > 1) + [seeds, beta, losses])


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    shown = names if len(names) < 5 else [*names[:2], "…", names[-1]]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
