"""Worker processes that end when their parent ends, even if it is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import cache
from multiprocessing import parent_process
from threading import Thread
from typing import Any


def end_with(caller: int) -> None:
    """End this process as soon as its parent ends, if the parent is the caller.

    Otherwise a worker that waits for work would not notice that its parent was killed, because the
    other workers keep the queue open.
    """
    _watch(caller, os.getpid())


@cache
def _watch(caller: int, worker: int) -> None:
    # The worker's id makes the cache specific to a process, so that each starts one thread.
    parent = parent_process()
    if parent is not None and parent.pid == caller:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def workers(count: int | None = None) -> Iterator[Executor]:
    """Start processes that end with this one, and that an error here ends at once."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import active_children, get_context

    others = set(active_children())
    spawn = get_context("spawn")
    with ProcessPoolExecutor(
        count, mp_context=spawn, initializer=_begin_work, initargs=(os.getpid(),)
    ) as pool:
        try:
            yield pool
        except BaseException:
            for worker in set(active_children()) - others:
                worker.terminate()
            raise


@contextmanager
def interrupt_held() -> Iterator[None]:
    """Block Ctrl+C in this thread, and in new processes until they begin to work."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        _let_interrupts_through()


def _let_interrupts_through() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _begin_work(caller: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends the process without a traceback
    end_with(caller)
    _let_interrupts_through()
