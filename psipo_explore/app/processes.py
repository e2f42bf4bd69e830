"""How a visitor's process is started: on Linux as a fork of one that has everything loaded,
elsewhere from nothing.

A fork is there in a fraction of a second, and shares much of its memory.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from psipo_explore.app import kernel

_FORKS = sys.platform == "linux"  # elsewhere a fork of what has loaded NumPy may crash


def load() -> None:
    """Start the process that is forked from, and return when it has everything loaded; to be called
    in a thread.
    """
    # the views' matrices are small, and the visitors many
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if _FORKS:
        resource_tracker.ensure_running()  # which would take the next line back
        # Ctrl+C is for the server, which ends its processes itself
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        forks = multiprocessing.get_context("forkserver")
        forks.set_forkserver_preload(["psipo_explore.app.loaded"])
        forks.Process(target=int, daemon=True).start()


def end_loading() -> None:
    """End the process that is forked from, so that nobody waits for it any longer."""
    if pid := getattr(forkserver._forkserver, "_forkserver_pid", None):
        os.kill(pid, signal.SIGTERM)


class VisitorKernelManager(ServerKernelManager):
    """Starts a kernel by `kernel.run`, whatever kernels are installed on this machine."""

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            provisioner = _Forked if _FORKS else _Started
            self.provisioner = provisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**options)


class _Started(LocalProvisioner):
    """A process of its own from the beginning."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        command = [sys.executable, "-m", "psipo_explore.app.kernel", self.parent.connection_file]
        return await super().launch_kernel(command, **options)


class _Forked(LocalProvisioner):
    """A fork of the process that has everything loaded."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        forks = multiprocessing.get_context("forkserver")
        process = forks.Process(target=kernel.run, args=[self.parent.connection_file], daemon=True)
        await asyncio.to_thread(process.start)
        self.process, self.pid = _LikePopen(process), process.pid
        return self.connection_info


class _LikePopen:
    """A `multiprocessing` process with the methods of `subprocess.Popen` that a provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.kill, self.terminate = process.kill, process.terminate

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.is_alive() and self._process.pid:
            os.kill(self._process.pid, number)
