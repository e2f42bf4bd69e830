"""Simulated training in parts, on any executor of `concurrent.futures`: a process pool here, Dask on a cluster.

A run is the same whatever runs beside it, so that the parts, put together, are what `train` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import replace
from itertools import product
from typing import Any, TypeVar, cast

import numpy as np

from psipo_explore import _checks as checks
from psipo_explore._checks import Array, ArrayLike
from psipo_explore.comparisons import Comparisons
from psipo_explore.losses import MarginLoss
from psipo_explore.training import Settings, TrainingRun, log_ratios

_T = TypeVar("_T")
_Block = tuple[slice, slice, slice, slice]  # of data sets, losses, β's and seeds


def sweep(
    data: Comparisons | Sequence[Comparisons],
    loss: MarginLoss | Sequence[MarginLoss],
    beta: ArrayLike,
    *,
    executor: Executor,
    parts: int | None = None,
    progress: bool = False,
    **options: Any,
) -> TrainingRun:
    """Do what `train` does, in parts that an executor runs side by side.

    The experiment of §5.4 of arXiv:2310.12036 where it is too large for one process. The runs are cut by seed first, for
    batches depend on the seed alone, then by β, by loss and by data set.

    Parameters
    ----------
    data, loss, beta
        As in `train`.
    executor : concurrent.futures.Executor
        Such as ProcessPoolExecutor(), or Client(…).get_executor() of dask.distributed. It is not shut down.
    parts : int, optional
        At least how many parts, if there are so many runs; by default one for each seed.
    progress : bool
        Whether to show a bar that counts finished parts.
    **options
        pi_ref, optimiser, steps, batch_size, seeds and record_every, as in `train`.

    Returns
    -------
    TrainingRun
        That of `train`, number for number.

    Raises
    ------
    ValueError, TypeError
        As `train` does, before any part is begun; or if executor is none.
    RuntimeError
        If a part fails, with its place and the reason; parts not begun are then cancelled.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from psipo_explore import D1, IPO, train
    >>> with ThreadPoolExecutor() as pool:
    ...     run = sweep(D1, IPO, [0.1, 1.0], executor=pool, steps=300, seeds=4)
    >>> np.array_equal(run.policy, train(D1, IPO, [0.1, 1.0], steps=300, seeds=4).policy)
    True
    """
    if not isinstance(executor, Executor):
        raise TypeError(f"executor = {executor!r}, must be a concurrent.futures.Executor, such as ProcessPoolExecutor()")
    settings = Settings.checked(data, loss, beta, **options)
    blocks = _blocks(settings, len(settings.seeds) if parts is None else checks.count("parts", parts))
    whole = np.empty((*settings.runs, len(settings.recorded), settings.log_reference.size))
    for block, part in _with_bar(_finished(settings, blocks, executor), len(blocks), progress):
        whole[block] = part
    return settings.as_run(whole)


def _blocks(settings: Settings, parts: int) -> list[_Block]:
    cuts_of_axis = []
    for size in reversed(settings.runs):
        cuts = min(size, parts)
        parts = -(-parts // cuts)
        ends = np.linspace(0, size, cuts + 1).round().astype(int)
        cuts_of_axis.append([slice(*ends[k : k + 2].tolist()) for k in range(cuts)])
    return [cast(_Block, block) for block in product(*reversed(cuts_of_axis))]


def _finished(settings: Settings, blocks: Sequence[_Block], executor: Executor) -> Iterator[tuple[_Block, Array]]:
    """Each block with its log-ratios, as soon as they are there; if one fails, or the caller leaves, the rest is called off."""
    block_of: dict[Future[Array], _Block] = {}
    block = blocks[0]
    try:
        for block in blocks:
            block_of[executor.submit(log_ratios, _cut(settings, block))] = block
        for future in as_completed(block_of):
            block = block_of[future]
            yield block, future.result()
    except Exception as error:
        where = f"part {blocks.index(block) + 1} of {len(blocks)} ({_in_words(settings, block)})"
        raise RuntimeError(f"{where} failed: {error or type(error).__name__}") from error
    finally:
        for future in block_of:
            future.cancel()


def _cut(settings: Settings, block: _Block) -> Settings:
    tables, losses, betas, seeds = block
    return replace(
        settings,
        tables=settings.tables[tables],
        losses=settings.losses[losses],
        betas=settings.betas[betas],
        seeds=settings.seeds[seeds],
    )


def _in_words(settings: Settings, block: _Block) -> str:
    part = _cut(settings, block)
    data = f"data[{block[0].start}:{block[0].stop}], " if len(settings.tables) > 1 else ""
    losses = " and ".join(loss.name for loss in part.losses)
    return f"{data}{losses}, β {_span(part.betas.tolist())}, seeds {_span(part.seeds)}"


def _span(values: Sequence[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


def _with_bar(items: Iterator[_T], total: int, progress: bool) -> Iterable[_T]:
    if not progress:
        return items
    from tqdm.auto import tqdm

    return cast(Iterable[_T], tqdm(items, total=total, unit="part"))
