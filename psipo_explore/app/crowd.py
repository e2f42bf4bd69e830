"""The places for visitors: how many there are, who has one, and who gets the next page."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import IOLoop
from traitlets import Bool, Float, Integer

from psipo_explore.app import processes

# In bytes. A page takes 50 MB of its own at first, and 160 MB after every view has been shown.
MEMORY_OF_A_VISITOR = 2**27
_LIMIT_OF_A_CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def places_in_memory() -> int:
    """Return how many visitors fit into half of the memory of this machine or its container."""
    return max(1, _memory() // 2 // MEMORY_OF_A_VISITOR)


def _memory() -> int:
    limits = []
    with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _LIMIT_OF_A_CONTAINER:
        with suppress(OSError, ValueError):  # the file is missing, or says "max"
            limits.append(int(Path(path).read_text()))
    return min(limits, default=2**33)


class Kernels(AsyncMappingKernelManager):
    """The kernels of the visitors, and a spare one that waits with its page already built.

    Voilà makes a subclass of this class, which builds the pages.
    """

    visitors = Integer(20, config=True, help="How many visitors there is a place for.")
    for_many = Bool(
        False, config=True, help="Whether other machines can reach the page, so that many may come."
    )
    time_to_connect = Float(
        15, config=True, help="Seconds until a page that never connects loses its place."
    )
    time_away = Float(
        60, config=True, help="Seconds until a visitor who left may lose the place to a new one."
    )
    time_to_leave = Float(
        1, config=True, help="Seconds by which a page's goodbye may arrive after its reload."
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._visited: set[str] = set()
        self._connected_once: set[str] = set()
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._loaded: Future[None] | None = None
        self._is_over = False

    async def start_kernel(self, **options: Any) -> str:
        """Start a kernel as soon as everything that it needs is loaded."""
        if self._is_over:
            raise RuntimeError("the server ends")
        if self._loaded is None:
            self._loaded = ThreadPoolExecutor(1).submit(processes.load, for_many=self.for_many)
        await asyncio.wrap_future(self._loaded)
        return str(await super().start_kernel(**options))

    async def shutdown_all(self, now: bool = True) -> None:
        """End all kernels, without waiting for any that has not started yet."""
        self._is_over = True
        while self._loaded and not self._loaded.done():
            processes.end_loading()
            await asyncio.sleep(0.1)
        ends = [self.shutdown_kernel(kernel_id, now=True) for kernel_id in self.list_kernel_ids()]
        # A kernel that is still starting notices by itself that the server is gone.
        await asyncio.gather(*ends, return_exceptions=True)

    async def find_place(self) -> bool:
        """Return whether there is a place, which may be taken from a visitor who went away."""
        if self._is_full():
            await asyncio.sleep(self.time_to_leave)
        if self._is_full():
            await self._end_the_longest_away()
        return not self._is_full()

    def _is_full(self) -> bool:
        return (
            len(self._visited.intersection(self.list_kernel_ids())) + self._waiting >= self.visitors
        )

    async def _end_the_longest_away(self) -> None:
        away = {
            kernel: self._seconds_away(kernel)
            for kernel in self._visited.intersection(self.list_kernel_ids())
        }
        longest = max(away, key=away.__getitem__, default=None)
        if longest and away[longest] > self.time_away:
            await self.shutdown_kernel(longest, now=True)

    def _seconds_away(self, kernel_id: str) -> float:
        connected = self._kernel_connections.get(kernel_id, 0)
        return (
            0
            if connected
            else (datetime.now(UTC) - self.get_kernel(kernel_id).last_activity).total_seconds()
        )

    async def wait_for_turn(self) -> None:
        """Wait until all visitors who came earlier have their page.

        A visitor whose waiting is cancelled gives up the place.
        """
        self._waiting += 1
        try:
            await self._turn.acquire()
        except asyncio.CancelledError:
            self._waiting -= 1
            raise

    def give_turn_up(self) -> None:
        """Give up the place of a visitor who left while waiting, without building a page."""
        self._waiting -= 1

    def end_turn(self) -> None:
        """Let the next visitor have a turn."""
        self._turn.release()

    async def next_page(self, notebook: str) -> tuple[str, str]:
        """Return the spare kernel and its page as HTML, and start the next spare kernel.

        Each visitor calls this once, during their turn.
        """
        kernel_id = ""
        try:
            while kernel_id not in self:  # it may have died while it waited
                if not self.get_pool_size(notebook):
                    self.fill_if_needed(delay=0, notebook_name=notebook)
                rendering, _, kernel_id = await self.get_rendered_notebook(notebook)
            self._visited.add(kernel_id)
        finally:
            self._waiting -= 1  # from now on, `_visited` counts this visitor
        try:
            pieces, rest = await rendering
            return kernel_id, "".join([*pieces, *[piece async for piece, _ in rest]])
        finally:
            IOLoop.current().call_later(self.time_to_connect, self._end_if_nobody_came, kernel_id)

    async def _end_if_nobody_came(self, kernel_id: str) -> None:
        if kernel_id in self and kernel_id not in self._connected_once:
            await self.shutdown_kernel(kernel_id, now=True)

    def notify_connect(self, kernel_id: str) -> None:
        """Record that a browser has connected to the kernel."""
        super().notify_connect(kernel_id)
        self._connected_once.add(kernel_id)

    def notify_disconnect(self, kernel_id: str) -> None:
        """Record that a browser has disconnected; from now on the visitor counts as away."""
        super().notify_disconnect(kernel_id)
        if kernel_id in self:
            self.get_kernel(kernel_id).last_activity = datetime.now(UTC)

    async def shutdown_kernel(self, kernel_id: str, *arguments: Any, **options: Any) -> None:
        """End the kernel, and free its place at once."""
        self._forget(kernel_id)
        await super().shutdown_kernel(kernel_id, *arguments, **options)

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel that no longer runs; it may have died by itself."""
        self._forget(kernel_id)
        return super().remove_kernel(kernel_id)

    def _forget(self, kernel_id: str) -> None:
        self._visited.discard(kernel_id)
        self._connected_once.discard(kernel_id)
