"""The handlers of requests: they let visitors in, or tell them why not."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urlencode

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
    """A matcher for requests from other web sites, and for requests to a wrong host name.

    A server on loopback accepts only the names of loopback. A web site could let a name of its own
    point to this machine, and then a request to that name is the web site's. A server for a lecture
    room cannot know the names by which it is reached, so it accepts every name.
    """

    def __init__(self, ip: str) -> None:
        self._is_private = ip_address(ip).is_loopback

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return an empty dictionary if the request must be refused, and None otherwise."""
        is_foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
        return {} if is_foreign or (self._is_private and not _is_loopback(request.host)) else None


def _is_loopback(host: str) -> bool:
    name = split_host_and_port(host.lower())[0].strip("[]")
    with suppress(ValueError):
        return ip_address(name).is_loopback
    return name == "localhost"


def _opens_a_page(request: HTTPServerRequest) -> bool:
    """Whether a browser will show the answer as a page, and not as an image, script or frame."""
    return (
        "text/html" in request.headers.get("Accept", "")
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def _query(request: HTTPServerRequest) -> str:
    """Return the request's query, for a link that opens the view that was asked for."""
    values = parse_qsl(request.query, keep_blank_values=True)
    return f"?{urlencode(values)}" if values else ""


class _Notice(JupyterHandler):
    """A handler that can tell visitors in one sentence what is wrong."""

    def say(self, status: int, title: str, sentence: str, **options: Any) -> None:
        """Answer with a short page that holds the title and the sentence."""
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        template = self.settings["voila_jinja2_env"].get_template("notice.html.j2")
        self.finish(template.render(title=title, sentence=sentence, **options))


class Refused(_Notice):
    """The refusal of a stranger's request, with a link by which the visitor can open the page."""

    def initialize(self, server: Any) -> None:
        """Remember the server, whose address the link needs."""
        self._server = server

    async def prepare(self) -> None:
        """Refuse every request, whatever its method."""
        is_private = ip_address(self._server.ip).is_loopback
        page = self._server.address if is_private else "/"
        self.say(403, NOT_FROM_THERE, _OPEN_IT_HERE, link=page + _query(self.request))


class PageHandler(_Notice, TornadoVoilaHandler):
    """The handler that gives visitors their pages in order of arrival, as long as there is room."""

    _turn: asyncio.Task[None] | None = None
    _is_gone = False

    @tornado.web.authenticated
    async def get(self, path: str = "") -> None:
        """Answer with a page that has its own kernel, or say that all places are taken."""
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
        if self._is_gone:  # since `find_place` began, so there was no waiting to cancel
            return
        self._turn = asyncio.ensure_future(self.kernel_manager.wait_for_turn())
        try:
            await self._turn
        except asyncio.CancelledError:  # the visitor has left
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
        # If the visitor leaves at this moment, the kernel is ended because nobody connects to it.
        with suppress(StreamClosedError):
            await self.finish(page)

    def on_connection_close(self) -> None:
        """Give up the visitor's place in the queue."""
        super().on_connection_close()
        self._is_gone = True
        if self._turn:
            self._turn.cancel()


class QuietWebsocket(VoilaKernelWebsocketHandler):
    """A visitor's connection to the kernel, which closes when a message cannot be understood."""

    def on_message(self, ws_message: str | bytes) -> None:
        """Pass the message on, and close the connection if that fails."""
        try:
            super().on_message(ws_message)
        except Exception as error:
            self.log.debug("a visitor sent no message: %r", error)
            self.close()

    def write_message(self, message: Any, binary: bool = False) -> asyncio.Future[None]:
        """Send a message to the visitor, or lose it without a word if the visitor has just left."""
        sent: asyncio.Future[None] = super().write_message(message, binary)
        sent.add_done_callback(lambda sent: sent.cancelled() or sent.exception())
        return sent
