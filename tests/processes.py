"""Functions that find the living processes of a group, and that wait for a condition."""

import os
import time
from collections.abc import Callable
from typing import Any

import psutil


def alive_in_group(group: int) -> list[psutil.Process]:
    def is_alive(process: psutil.Process) -> bool:
        try:
            return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False

    return [process for process in psutil.process_iter() if is_alive(process)]


def wait_until(condition: Callable[[], Any], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
