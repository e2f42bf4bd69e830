"""`psipo app` with many visitors at once.

The tests cover places, the order of arrival, strangers, and visitors who try to harm others.
"""

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import tornado.httpclient
import tornado.websocket
from lab import Server, free_port, serving
from playwright.sync_api import Browser

from psipo_explore.app.crowd import places_in_memory

pytestmark = pytest.mark.slow

T = TypeVar("T")
PSIPO = [str(Path(sys.executable).with_name("psipo"))]
PLACES, SECONDS_TO_CONNECT = 4, 12
BROWSER = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
SERVE = """
from psipo_explore.app import server
server.SETTINGS["Kernels"] = {{"time_to_connect": {seconds}, "time_to_leave": 0.1}}
server.serve("127.0.0.1", {port}, visitors={places}, open_browser=False)
"""


class Crowd:
    """A server, and visitors who come to it without a browser."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.port = server, port

    def ask(
        self, method: str = "GET", path: str = "/", **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            method,
            path,
            headers={
                **BROWSER,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, answer.headers

    def come(self) -> str:
        """Ask for a page, assert that it is given, and return the kernel behind it."""
        status, html, _ = self.ask()
        assert status == 200, html
        return kernel_of(html)

    def leave(self, kernel: str) -> None:
        assert self.ask("POST", f"/voila/api/shutdown/{kernel}")[0] in (204, 404)

    def wait_until_all_is_seen(self) -> None:
        """Return when the server has seen every request, and every goodbye, that came before."""
        for _ in range(2):
            self.ask("HEAD")

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.server.process.pid).children(recursive=True)

    def kernels(self) -> set[int]:
        """Return the process ids of the visitors' kernels and of the spare one."""
        return {process.pid for process in self.processes() if process.num_threads() > 5}

    def is_quiet(self) -> bool | None:
        """Return True if only the spare kernel is left, with its page built, and None otherwise."""
        return True if len(self.kernels()) == 1 else None

    @asynccontextmanager
    async def connected(
        self, kernel: str, **headers: str
    ) -> AsyncIterator[tornado.websocket.WebSocketClientConnection]:
        address = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels?session_id=visitor"
        connection = await tornado.websocket.websocket_connect(
            tornado.httpclient.HTTPRequest(address, headers=headers)
        )
        yield connection
        connection.close()
        while await connection.read_message() is not None:
            pass


def kernel_of(html: str) -> str:
    config = re.search(
        r'id="jupyter-config-data" type="application/json">(.*?)</script>', html, re.DOTALL
    )
    assert config, html
    return str(json.loads(config[1])["kernelId"])


def connection_file(kernel: str) -> Path:
    (file,) = Path(tempfile.gettempdir()).glob(f"voila_*/kernel-{kernel}.json")
    return file


def message(kind: str, **content: Any) -> str:
    header = {
        "msg_id": kind,
        "msg_type": kind,
        "session": "visitor",
        "username": "",
        "version": "5.3",
        "date": "2025-01-01",
    }
    whole = {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": {"version": "1.0.0"},
        "content": content,
    }
    return json.dumps(whole | {"buffers": []})


def run(talk: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in a thread, because Playwright uses the main thread's event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, talk).result()


ALL_WIDGETS = (
    message("comm_open", comm_id="all", target_name="jupyter.widget.control", data={}),
    message("comm_msg", comm_id="all", data={"method": "request_states"}),
)


async def heard_until(
    word: str, connection: tornado.websocket.WebSocketClientConnection
) -> list[str]:
    """Return the server's messages, up to the first one that contains the word."""
    heard = [""]
    while word not in heard[-1]:
        answer = await asyncio.wait_for(connection.read_message(), 60)
        assert answer is not None
        heard.append(answer if isinstance(answer, str) else answer.decode(errors="replace"))
    return heard


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    port = free_port()
    code = SERVE.format(seconds=SECONDS_TO_CONNECT, port=port, places=PLACES)
    with serving(
        [sys.executable, "-c", code], os.environ, tmp_path_factory.mktemp("crowd")
    ) as server:
        crowd = Crowd(server, port)
        server.wait_for(lambda: "http://" in server.log.read_text() or None)
        server.wait_for(crowd.is_quiet)
        yield crowd
        processes = crowd.processes()
        # The log holds no traceback, and no line about a visitor's mistake.
        assert server.log.read_text() == f"http://127.0.0.1:{port}/\n"
        server.process.send_signal(signal.SIGKILL)
        assert psutil.wait_procs(processes, timeout=20)[1] == []


@pytest.fixture(autouse=True)
def _nobody_is_here(request: pytest.FixtureRequest) -> None:
    """Wait before each test until all visitors have left.

    By then, a visitor who never connected has lost the place.
    """
    if "crowd" in request.fixturenames:
        crowd = request.getfixturevalue("crowd")
        crowd.server.wait_for(crowd.is_quiet)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "image", "Accept": "image/*"},
        {"Sec_Fetch_Dest": "image", "Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Dest": "iframe", "Sec_Fetch_Site": "same-site"},
        # Some browsers send no Sec-Fetch headers over plain HTTP.
        {"Accept": "image/avif,image/webp,*/*;q=0.8"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "192.168.0.7"},
    ],
    ids=str,
)
def test_a_stranger_starts_no_kernel(crowd: Crowd, headers: dict[str, str]) -> None:
    before = crowd.kernels()
    assert crowd.ask(**headers)[0] in (403, 406)
    assert crowd.kernels() == before


def test_head_starts_no_kernel(crowd: Crowd) -> None:
    before = crowd.kernels()
    assert crowd.ask("HEAD")[0] == 405
    assert crowd.kernels() == before


def test_a_crowd_is_served_in_order_of_arrival_and_the_next_is_told_to_come_later(
    crowd: Crowd,
) -> None:
    connections = []
    for _ in range(PLACES):
        connections.append(http.client.HTTPConnection("127.0.0.1", crowd.port, timeout=60))
        connections[-1].request("GET", "/", headers=BROWSER)
        crowd.wait_until_all_is_seen()
    kernels = []
    for connection in connections:
        kernels.append(kernel_of(connection.getresponse().read().decode()))
        connection.close()
    assert len(set(kernels)) == PLACES
    began = [connection_file(kernel).stat().st_mtime_ns for kernel in kernels]
    assert began == sorted(began)  # the first visitor got the kernel that started first
    status, html, headers = crowd.ask()
    assert (status, headers["Retry-After"]) == (503, "60")
    assert "Try again in a minute" in html
    assert '<meta http-equiv="refresh" content="60">' in html
    crowd.leave(kernels.pop())
    for kernel in (crowd.come(), *kernels):
        crowd.leave(kernel)


def test_who_connects_keeps_his_page_and_who_does_not_loses_it(crowd: Crowd) -> None:
    async def stay() -> None:
        kernel, absent = crowd.come(), crowd.come()
        async with crowd.connected(kernel):
            await asyncio.to_thread(
                crowd.server.wait_for,
                lambda: crowd.ask(path=f"/api/kernels/{absent}")[0] == 404 or None,
            )
            assert crowd.ask(path=f"/api/kernels/{kernel}")[0] == 200
        crowd.leave(kernel)

    run(stay())


def test_who_stops_waiting_gives_his_place_up(crowd: Crowd) -> None:
    for _ in range(3 * PLACES):
        connection = http.client.HTTPConnection("127.0.0.1", crowd.port, timeout=60)
        connection.request("GET", "/", headers=BROWSER)
        connection.close()
    crowd.wait_until_all_is_seen()
    crowd.leave(crowd.come())


def test_a_process_that_dies_frees_its_place(crowd: Crowd) -> None:
    async def die() -> None:
        kernel = crowd.come()
        port = json.loads(connection_file(kernel).read_text())["shell_port"]
        (process,) = [
            each
            for each in crowd.processes()
            if port in {at.laddr.port for at in each.net_connections()}
        ]
        # A kernel to which nobody connects would be ended.
        async with crowd.connected(kernel) as connection:
            process.kill()
            await heard_until('"dead"', connection)
        assert crowd.ask(path=f"/api/kernels/{kernel}")[0] == 404

    run(die())


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Host": "evil.example", "Origin": "http://evil.example"}],
)
def test_another_site_cannot_talk_to_a_kernel(crowd: Crowd, headers: dict[str, str]) -> None:
    async def talk() -> None:
        async with crowd.connected(kernel, **headers):
            pass

    kernel = crowd.come()
    with pytest.raises(tornado.httpclient.HTTPClientError, match="403"):
        run(talk())
    crowd.leave(kernel)


NONSENSE: list[dict[str, Any]] = [
    {"method": "update", "state": {"index": 10**9}, "buffer_paths": []},
    {"method": "update", "state": {"index": "high"}, "buffer_paths": []},
    {"method": "update", "state": {"value": {"a": []}, "no_such_field": 1}, "buffer_paths": []},
    {"method": "update", "state": {"children": ["IPY_MODEL_none"]}, "buffer_paths": [["a", 0]]},
    {"method": "custom", "content": {"event": 7}},
    {"method": "nonsense"},
    {},
]


def test_a_message_out_of_range_is_answered_by_no_traceback(crowd: Crowd) -> None:
    async def talk() -> list[str]:
        kernel = crowd.come()
        async with crowd.connected(kernel) as connection:
            for ask in ALL_WIDGETS:
                await connection.write_message(ask)
            heard = await heard_until("update_states", connection)
            widgets = set(re.findall(r'"([0-9a-f]{32})": {"model_name"', heard[-1]))
            assert len(widgets) > 10
            for widget in widgets:
                for nonsense in NONSENSE:
                    await connection.write_message(
                        message("comm_msg", comm_id=widget, data=nonsense)
                    )
            await connection.write_message(
                message(
                    "comm_open", comm_id="new", target_name="jupyter.widget", data={"state": {}}
                )
            )
            await connection.write_message(message("kernel_info_request"))
            heard += await heard_until("kernel_info_reply", connection)
            await connection.write_message("no message")
        crowd.leave(kernel)
        return heard

    heard = "\n".join(run(talk()))
    assert "psipo-sentence" in heard
    for trace in ("Traceback", '"error"', "site-packages", "/psipo_explore/", '"stream"'):
        assert trace not in heard


def test_full_in_a_browser(crowd: Crowd, browser: Browser) -> None:
    kernels = [crowd.come() for _ in range(PLACES)]
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    answer = page.goto(f"http://127.0.0.1:{crowd.port}/")
    assert answer
    assert answer.status == 503
    page.get_by_role("heading", name="The page is full").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for kernel in kernels:
        crowd.leave(kernel)
    page.reload()
    page.locator(".psipo-sentence").wait_for(timeout=60_000)
    kernel = kernel_of(page.content())
    context.close()
    crowd.leave(kernel)


def test_a_server_that_is_stopped_while_it_loads_says_nothing_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    with serving(
        [*PSIPO, "app", "--no-browser", "--port", str(free_port())], os.environ, tmp_path
    ) as server:
        server.wait_for(lambda: "http://" in server.log.read_text() or None)
        processes = psutil.Process(server.process.pid).children(recursive=True)
        os.killpg(server.process.pid, signal.SIGINT)  # Ctrl+C signals the whole group
        assert server.process.wait(30) == 0
        assert psutil.wait_procs(processes, timeout=20)[1] == []
        assert len(server.log.read_text().splitlines()) == 1


def test_a_process_that_is_not_forked_shows_its_picture_too(tmp_path: Path) -> None:
    port = free_port()
    code = "from psipo_explore.app import processes; processes._FORKS = False" + SERVE.format(
        seconds=60, port=port, places=1
    )
    with serving([sys.executable, "-c", code], os.environ, tmp_path) as server:
        server.wait_for(lambda: "http://" in server.log.read_text() or None)
        crowd = Crowd(server, port)

        async def look() -> None:
            async with crowd.connected(crowd.come()) as connection:
                for ask in ALL_WIDGETS:
                    await connection.write_message(ask)
                await heard_until("psipo-sentence", connection)

        run(look())


def test_places_are_counted_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for memory, places in ((2**26, 1), (2**32, 16), (2**34, 64)):
        monkeypatch.setattr(
            os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory // 4096}.__getitem__
        )
        assert places_in_memory() == places


def test_the_process_that_waits_has_sympy_and_its_memory_has_a_limit() -> None:
    code = """
import sys
from psipo_explore.app import kernel, loaded
print("sympy" in sys.modules)
kernel._limit_memory()
try:
    bytearray(kernel.MEMORY_LIMIT)
except MemoryError:
    print("no more")
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split("\n")[:2] == [
        "True",
        "no more",
    ]
