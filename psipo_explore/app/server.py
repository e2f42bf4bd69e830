"""Voilà on the one page: quiet, closed to code, and with nothing to read but the page.

A visitor's browser talks to a kernel of its own, through which Voilà lets widgets' messages pass and no code.
"""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import webbrowser
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import zmq
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets.config import Config
from voila.app import Voila

_FOLDER = Path(__file__).parent
_NOTEBOOK = _FOLDER / "page.ipynb"


class Kernels(AsyncMappingKernelManager):
    """The kernels of visitors, who are not taken for absent because their kernel waited for them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._met: set[str] = set()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel if its visitor is gone; Voilà asks once a visitor has it, maybe before the browser has answered."""
        if kernel_id in self._met:
            await super().cull_kernel_if_idle(kernel_id)
        else:
            self._met.add(kernel_id)
            self.get_kernel(kernel_id).last_activity = datetime.now(UTC)


SETTINGS = {
    "VoilaConfiguration": {
        "strip_sources": True,
        "show_tracebacks": False,
        "file_allowlist": [],  # the page needs no file beside it
        "allow_template_override": "NO",  # by ?template=…
        "allow_theme_override": "NO",
        "multi_kernel_manager_class": Kernels,
        "preheat_kernel": True,  # one kernel waits with the page built, so that the next visitor sees it at once
    },
    "KernelManager": {"transport_encryption": "auto" if zmq.has("curve") else "disabled"},  # kernels warn where there is none
    # A tab that is closed ends its kernel. This is for those that vanish: Wi-Fi may be away for ten minutes and the sliders
    # are still where they were. Who is connected and only listens to the lecture keeps the page however long that takes.
    "MappingKernelManager": {"cull_idle_timeout": 600, "cull_interval": 60, "cull_connected": False},
}


# A tab says that it is closed without the token against forged requests, for Voilà gives it none. There is nothing to forge:
# nobody is logged in, and who would end a kernel must know its long random name.
_TORNADO = {"disable_check_xsrf": True}


class Server(Voila):
    """Voilà with our template, which prints the page's address once it answers there, and may open it."""

    opens = True

    @property
    def address(self) -> str:
        """Where visitors find the page."""
        host = socket.gethostname() if ip_address(self.ip).is_unspecified else self.ip
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def setup_template_dirs(self) -> None:
        """Put our template before Voilà's, on which it builds."""
        super().setup_template_dirs()
        self.template_paths = [str(_FOLDER), *self.template_paths]

    def launch_browser(self) -> None:
        """Say where the page is; Voilà calls this when it listens, at another port if the one asked for is taken."""
        print(self.address, flush=True)
        if self.opens:
            threading.Thread(target=webbrowser.open, args=[self.address], daemon=True).start()

    def stop(self) -> None:
        """End all kernels, and leave no file of theirs, also of one that was just starting."""
        super().stop()
        shutil.rmtree(self.connection_dir, ignore_errors=True)


def serve(ip: str, port: int, *, open_browser: bool) -> int:
    """Serve the page until it is stopped.

    Raises
    ------
    ValueError, OSError
        If ip is not an address of this machine, or port is not a port.
    """
    ip = _own_address(ip)
    if not 0 < port < 65536:
        raise ValueError(f"port = {port}, must be from 1 to 65535")
    if not ip_address(ip).is_loopback:
        print(_who_can_come(ip))
    server = server_at(ip, port)
    server.opens = open_browser
    with suppress(KeyboardInterrupt):
        server.start()
    return 0


def server_at(ip: str, port: int) -> Server:
    """The server, not started; the machine's own Jupyter settings do not reach it."""
    server = Server(
        config=Config(SETTINGS),
        config_file_paths=[],
        tornado_settings=_TORNADO,
        notebook_path=str(_NOTEBOOK),
        ip=ip,
        port=port,
        open_browser=True,
        log_level=logging.ERROR,
    )
    server.initialize([])
    logging.getLogger("tornado").setLevel(logging.ERROR)  # not a line for each wrong address that a visitor types
    return server


def _own_address(ip: str) -> str:
    try:
        found = str(socket.getaddrinfo(ip, None, type=socket.SOCK_STREAM)[0][4][0])
        with socket.socket(socket.AF_INET6 if ":" in found else socket.AF_INET) as trial:
            trial.bind((found, 0))
    except OSError:
        raise ValueError(f"ip = {ip!r}, must be an address of this machine, such as 127.0.0.1 or 0.0.0.0") from None
    return found


def _who_can_come(ip: str) -> str:
    where = "at any of its addresses" if ip_address(ip).is_unspecified else f"at {ip}"
    return (
        f"Everybody who can reach this machine {where} can open the page, without a password and unencrypted. "
        "Visitors move sliders and run no code; each has a Python process here while the page is open."
    )
