"""A Voilà server for a single page, which runs no visitor's code and serves no other file.

Each visitor's browser talks to its own kernel. Voilà passes on only the messages of widgets.
"""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import threading
import webbrowser
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import zmq
from tornado.ioloop import IOLoop
from tornado.routing import Rule
from traitlets.config import Config
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from psipo_explore.app.crowd import Kernels, places_in_memory
from psipo_explore.app.door import PageHandler, QuietWebsocket, Refused, Stranger

_FOLDER = Path(__file__).parent
_NOTEBOOK = _FOLDER / "page.ipynb"


SETTINGS = {
    "VoilaConfiguration": {
        "strip_sources": True,
        "show_tracebacks": False,
        "file_allowlist": [],  # the page needs no other files
        "allow_template_override": "NO",  # ignores ?template=… in the address
        "allow_theme_override": "NO",
        "multi_kernel_manager_class": Kernels,
        # A spare kernel waits with its page built, so that the next visitor sees it at once.
        "preheat_kernel": True,
    },
    # "auto" makes kernels warn where encryption is missing.
    "KernelManager": {"transport_encryption": "auto" if zmq.has("curve") else "disabled"},
    # A page cannot continue with a new process, so a dead kernel just frees its place.
    "KernelRestarter": {"restart_limit": 0},
    "VoilaKernelManager": {"fill_delay": 0},
    # Closing a tab ends its kernel. These settings are for a tab that loses its connection: if
    # Wi-Fi returns within ten minutes, the sliders are still where they were. A visitor who stays
    # connected but only listens to the lecture keeps the page for as long as the lecture takes.
    "MappingKernelManager": {
        "cull_idle_timeout": 600,
        "cull_interval": 60,
        "cull_connected": False,
        "kernel_manager_class": "psipo_explore.app.processes.VisitorKernelManager",
    },
}
_OURS = {TornadoVoilaHandler: PageHandler, VoilaKernelWebsocketHandler: QuietWebsocket}


# A tab that closes sends a request without a token against forgery, because Voilà gives it none.
# The token is not needed: nobody is logged in, and to end a kernel one must know its long random
# name.
_TORNADO = {"disable_check_xsrf": True}


class _OneLine(logging.Formatter):
    """A formatter that leaves out the traceback, which is of no use to a lecturer."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        return f"psipo: {record.getMessage().splitlines()[0]}" + (f": {error!r}" if error else "")


class Server(Voila):
    """Voilà with our template and our handlers.

    It prints the page's address as soon as it listens there, and may open it in a browser.
    """

    opens = True
    _log_formatter_cls = _OneLine

    @property
    def address(self) -> str:
        """The URL at which visitors find the page."""
        host = socket.gethostname() if ip_address(self.ip).is_unspecified else self.ip
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def setup_template_dirs(self) -> None:
        """Put our template before Voilà's, which it extends."""
        super().setup_template_dirs()
        self.template_paths = [str(_FOLDER), *self.template_paths]

    def init_handlers(self) -> list[Any]:
        """Replace some of Voilà's handlers by ours, and refuse strangers before all others."""
        handlers = [
            (path, _OURS.get(handler, handler), *options)
            for path, handler, *options in super().init_handlers()
        ]
        return [Rule(Stranger(self.ip), Refused, {"server": self}), *handlers]

    def start(self) -> None:
        """Serve until Ctrl+C, the system or the closing of the terminal stops the server."""
        self.ioloop = IOLoop.current()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), self._handle_signal_stop)
        super().start()

    def launch_browser(self) -> None:
        """Print the address of the page, and open it if wanted.

        Voilà calls this when it listens. Its port is another one if the one asked for was taken.
        """
        print(self.address, flush=True)
        if self.opens:
            threading.Thread(target=webbrowser.open, args=[self.address], daemon=True).start()

    def stop(self) -> None:
        """End all kernels, and delete their files, even those of one that was just starting."""
        super().stop()
        shutil.rmtree(self.connection_dir, ignore_errors=True)


def serve(ip: str, port: int, *, visitors: int | None = None, open_browser: bool) -> int:
    """Serve the page until the server is stopped.

    By default it admits as many visitors at once as fit into half of the memory.

    Raises
    ------
    ValueError
        If ip is not an address of this machine, port is not from 1 to 65535, or visitors is less
        than 1.
    OSError
        If the server cannot listen at the address.
    """
    ip = _own_address(ip)
    if not 0 < port < 65536:
        raise ValueError(f"port = {port}, must be from 1 to 65535")
    if visitors is None:
        visitors = places_in_memory()
    if visitors < 1:
        raise ValueError(f"visitors = {visitors}, must be at least 1")
    if not ip_address(ip).is_loopback:
        print(_who_can_come(ip, visitors))
    server = server_at(ip, port, visitors)
    server.opens = open_browser
    server.start()
    return 0


def server_at(ip: str, port: int, visitors: int) -> Server:
    """Return a server that is not started yet and ignores this machine's Jupyter settings."""
    for_many = not ip_address(ip).is_loopback
    kernels = {"visitors": visitors, "for_many": for_many, **SETTINGS.get("Kernels", {})}
    server = Server(
        config=Config({**SETTINGS, "Kernels": kernels}),
        config_file_paths=[],
        tornado_settings=_TORNADO,
        notebook_path=str(_NOTEBOOK),
        ip=ip,
        port=port,
        open_browser=True,
        # Jupyter logs errors that a lecturer can do nothing about, such as the death of a process.
        log_level=logging.CRITICAL,
    )
    server.initialize([])
    _say_in_one_line()
    return server


def _say_in_one_line() -> None:
    """Print the log messages of all libraries in one line each, as the server prints its own."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    # Without this, there would be a line for each wrong address that a visitor types,
    logging.getLogger("tornado").setLevel(logging.ERROR)
    # and without this, one for each visitor who found no place.
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)


def _own_address(ip: str) -> str:
    try:
        found = str(socket.getaddrinfo(ip, None, type=socket.SOCK_STREAM)[0][4][0])
        with socket.socket(socket.AF_INET6 if ":" in found else socket.AF_INET) as trial:
            trial.bind((found, 0))
    except OSError:
        raise ValueError(
            f"ip = {ip!r}, must be an address of this machine, such as 127.0.0.1 or 0.0.0.0"
        ) from None
    return found


def _who_can_come(ip: str, visitors: int) -> str:
    where = "at any of its addresses" if ip_address(ip).is_unspecified else f"at {ip}"
    return (
        f"Everybody who can reach this machine {where} can open the page, without a password and "
        "unencrypted. "
        f"Visitors move sliders and run no code; each, of {visitors} at most, has a Python process "
        "here while the page is open."
    )
