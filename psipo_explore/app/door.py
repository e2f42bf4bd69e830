"""Who is let in, and what a visitor is told who is not."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import tornado.web
from jupyter_server.base.handlers import JupyterHandler
from tornado.httputil import HTTPServerRequest, split_host_and_port
from tornado.iostream import StreamClosedError
from tornado.routing import Matcher
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

_LOG = logging.getLogger(__name__)
SECONDS_TO_RETRY = 60
FULL = "The page is full"
_PLACE_LATER = (
    "As many people are here as this computer has room for. Try again in a minute: this "
    "page does so by itself."
)
NOT_FROM_THERE = "Another web site asked for this page"
_OPEN_IT_HERE = "Nothing was started for that. To see the page, open it yourself."
BROKEN = "The page could not be built"
_RELOAD = "Load it again in a moment."


class Stranger(Matcher):
    """Matches what comes from another web site, and what names a host that this machine does not
    have.

    A server on loopback has only loopback's names: what a web site calls by a name of its own,
    which it lets point here, is that site's request. A server for a lecture room is reached by
    names that it cannot know, so there any name will do.
    """

    def __init__(self, ip: str) -> None:
        self._is_private = ip_address(ip).is_loopback

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return the handler's arguments, which are none, if the request is to be refused."""
        is_foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        return {} if is_foreign or (self._is_private and not _is_loopback(request.host)) else None


def _is_loopback(host: str) -> bool:
    name = split_host_and_port(host.lower())[0].strip("[]")
    with suppress(ValueError):
        return ip_address(name).is_loopback
    return name == "localhost"


def _opens_a_page(request: HTTPServerRequest) -> bool:
    """Whether a browser shall show the answer, which it says of no image, script or frame."""
    return (
        "text/html" in request.headers.get("Accept", "")
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


class _Notice(JupyterHandler):
    """A handler that says what is wrong in a sentence for visitors."""

    def say(self, status: int, title: str, sentence: str, **options: Any) -> None:
        """Answer with one short page."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        template = self.settings["voila_jinja2_env"].get_template("notice.html.j2")
        self.finish(template.render(title=title, sentence=sentence, **options))


class Refused(_Notice):
    """Answers a stranger, with a link that is the visitor's own request."""

    def initialize(self, server: Any) -> None:
        """Remember whose door this is."""
        self._server = server

    async def prepare(self) -> None:
        """Answer whatever is asked."""
        is_private = ip_address(self._server.ip).is_loopback
        self.say(
            403, NOT_FROM_THERE, _OPEN_IT_HERE, link=self._server.address if is_private else "/"
        )


class PageHandler(_Notice, TornadoVoilaHandler):
    """Gives each visitor a page, in order of arrival, or says that there is no place."""

    _turn: asyncio.Task[None] | None = None
    _is_gone = False

    @tornado.web.authenticated
    async def get(self, path: str = "") -> None:
        """Give a page with a kernel of its own."""
        if path:
            self.redirect_to_file(path)
        elif not _opens_a_page(self.request):
            raise tornado.web.HTTPError(406)
        elif await self.kernel_manager.find_place():
            await self._give_page_in_turn()
        else:
            self.set_header("Retry-After", SECONDS_TO_RETRY)
            self.say(503, FULL, _PLACE_LATER, reload=SECONDS_TO_RETRY)

    async def _give_page_in_turn(self) -> None:
        self._turn = asyncio.ensure_future(self.kernel_manager.wait_for_turn())
        try:
            await self._turn
        except asyncio.CancelledError:  # nobody waits any more
            return
        try:
            if self._is_gone:
                self.kernel_manager.give_turn_up()
            else:
                await self._give_page()
        finally:
            self.kernel_manager.end_turn()

    async def _give_page(self) -> None:
        try:
            kernel_id, page = await self.kernel_manager.next_page(self.notebook_path)
        except Exception as error:
            _LOG.error("a page could not be built: %r", error)
            self.say(500, BROKEN, _RELOAD)
            return
        if self._is_gone:
            await self.kernel_manager.shutdown_kernel(kernel_id, now=True)
            return
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        with suppress(StreamClosedError):  # who is gone at this moment never connects
            await self.finish(page)

    def on_connection_close(self) -> None:
        """Give the place in the queue up."""
        super().on_connection_close()
        self._is_gone = True
        if self._turn:
            self._turn.cancel()


class QuietWebsocket(VoilaKernelWebsocketHandler):
    """A visitor's connection to his kernel, which ends when what he sends is no message."""

    def on_message(self, ws_message: str | bytes) -> None:
        """Pass the message on."""
        try:
            super().on_message(ws_message)
        except Exception as error:
            self.log.debug("a visitor sent no message: %r", error)
            self.close()
