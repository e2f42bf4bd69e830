"""The process behind one visitor's page, with limited memory and without any output."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from typing import Any

MEMORY_LIMIT = 2**30  # in bytes; a process writes to 0.42e9 after every view has been shown


def run(connection_file: str) -> None:
    """Run a visitor's kernel until it is told to end or the server is gone."""
    if multiprocessing.parent_process():
        # Signals from the terminal must reach only the server, which ends its kernels itself.
        os.setsid()
        threading.Thread(target=_end_with_the_server, daemon=True).start()
    _be_silent()
    _limit_memory()

    # Importing debugpy would take a third of the start-up time, and visitors do not debug.
    sys.modules["debugpy"] = None  # type: ignore[assignment]

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
    # Without the target "jupyter.widget", a visitor can move existing widgets but make no new ones.
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
    """Discard everything that this process prints.

    Otherwise a traceback, for example, could reach a visitor or the lecturer's terminal.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _limit_memory() -> None:
    """Limit the memory that this process may write to.

    Windows has no such limit, and macOS ignores it. A limit on address space would be wrong,
    because each thread reserves 64 MB of it that it never uses.
    """
    try:
        import resource
    except ModuleNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))


def _end_if_out_of_memory(*_: Any, **__: Any) -> None:
    """End the process if it is out of memory, and ignore any other error.

    IPython calls this in place of showing a traceback. A process whose memory is full would go on
    in an unusable state.
    """
    if isinstance(sys.exc_info()[1], MemoryError):
        os._exit(1)


if __name__ == "__main__":
    run(sys.argv[1])
