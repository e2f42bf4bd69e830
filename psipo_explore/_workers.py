"""Worker processes that end with the process they work for, however that ends."""

from __future__ import annotations

import os
from functools import cache
from multiprocessing import parent_process
from threading import Thread
from typing import Any


def end_with(caller: int) -> None:
    """End this process as soon as its parent ends, if the parent is the caller.

    A worker that waits for work does not hear that its parent was killed: other workers hold the
    queue open.
    """
    _watch(caller, os.getpid())


@cache
def _watch(caller: int, worker: int) -> None:  # once in each process
    parent = parent_process()
    if parent is not None and parent.pid == caller:
        Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)
