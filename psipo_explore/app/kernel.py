"""The process behind one visitor's page: how much memory it may take, and that it tells nobody what
went wrong.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from typing import Any

MEMORY_LIMIT = 2**30  # bytes that a process may write to; 0.42e9 when every view has been shown


def run(connection_file: str) -> None:
    """Be a visitor's kernel, until it is told to end or the server is gone."""
    if multiprocessing.parent_process():
        # what ends the terminal's processes is for the server, which ends its kernels itself
        os.setsid()
        threading.Thread(target=_end_with_the_server, daemon=True).start()
    _be_silent()
    _limit_memory()

    sys.modules["debugpy"] = None  # type: ignore[assignment]  # it takes a third of the start, and visitors do not debug

    import comm
    from ipykernel.kernelapp import IPKernelApp
    from ipywidgets import Widget
    from traitlets.config import Config

    app = IPKernelApp.instance(
        config=Config(
            {"IPKernelApp": {"outstream_class": None}, "HistoryManager": {"enabled": False}}
        )
    )
    app.initialize(["-f", connection_file])
    app.shell.showtraceback = _end_if_out_of_memory
    # Not the target "jupyter.widget": a visitor moves the widgets that are there, and makes none.
    comm.get_comm_manager().register_target(
        "jupyter.widget.control", Widget.handle_control_comm_opened
    )
    app.start()


def _end_with_the_server() -> None:
    server = multiprocessing.parent_process()
    assert server
    server.join()
    os._exit(1)


def _be_silent() -> None:
    """Let nothing that is printed here, such as a traceback, reach a visitor or the lecturer's
    terminal.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _limit_memory() -> None:
    """Set the limit where the system has one: Windows has none, and macOS does not heed it.

    It is on what a process may write to. Address space would be the wrong measure: each thread
    takes 64 MB of that for nothing.
    """
    try:
        import resource
    except ModuleNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))


def _end_if_out_of_memory(*_: Any, **__: Any) -> None:
    """What IPython calls with an error: the visitor is not told, and a process that is full does
    not live on half dead.
    """
    if isinstance(sys.exc_info()[1], MemoryError):
        os._exit(1)


if __name__ == "__main__":
    run(sys.argv[1])
