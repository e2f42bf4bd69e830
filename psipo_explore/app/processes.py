"""Starting the process of a visitor.

On Linux, the process is forked from one that has everything loaded, so that it is ready in a
fraction of a second and shares much of its memory. On other systems, it is a new interpreter.
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

_FORKS = sys.platform == "linux"  # elsewhere, a fork of a process with NumPy loaded may crash


def load(*, for_many: bool) -> None:
    """Start the process to fork from, and return when it has everything loaded.

    For many visitors it also has computed what the views compute ahead. Call this in a thread,
    because it takes some seconds. It also blocks SIGINT in that thread.
    """
    # More threads would not help: the views' matrices are small, and many visitors share the cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if _FORKS:
        # The tracker is started first, because starting it unblocks SIGINT again.
        resource_tracker.ensure_running()
        # Processes started here inherit the mask. Ctrl+C should reach only the server, which ends
        # its processes itself.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        forks = multiprocessing.get_context("forkserver")
        preloaded = "computed" if for_many else "loaded"
        forks.set_forkserver_preload([f"psipo_explore.app.{preloaded}"])
        forks.Process(target=int, daemon=True).start()


def end_loading() -> None:
    """End the process to fork from, so that a thread that waits for it can go on."""
    if pid := getattr(forkserver._forkserver, "_forkserver_pid", None):
        os.kill(pid, signal.SIGTERM)


class VisitorKernelManager(ServerKernelManager):
    """Manager that starts kernels by `kernel.run`, not by the kernels installed on the machine."""

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            provisioner = _Forked if _FORKS else _Started
            self.provisioner = provisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**options)


class _Started(LocalProvisioner):
    """Provisioner that starts a kernel in a new interpreter."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        command = [sys.executable, "-m", "psipo_explore.app.kernel", self.parent.connection_file]
        return await super().launch_kernel(command, **options)


class _Forked(LocalProvisioner):
    """Provisioner that starts a kernel as a fork of the process that has everything loaded."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        forks = multiprocessing.get_context("forkserver")
        process = forks.Process(target=kernel.run, args=[self.parent.connection_file], daemon=True)
        await asyncio.to_thread(process.start)
        self.process, self.pid = _LikePopen(process), process.pid
        return self.connection_info


class _LikePopen:
    """A `multiprocessing` process with the methods of Popen that a provisioner calls."""

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
