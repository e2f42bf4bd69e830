"""A way for worker processes to end when their parent ends, even if it is killed."""

from __future__ import annotations

import os
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
