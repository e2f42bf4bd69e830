"""`psipo app` under a crowd: places, the order of arrival, strangers, and what a visitor may not do to others."""

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import psutil
import pytest
import tornado.httpclient
import tornado.websocket
from lab import Server, free_port, serving
from playwright.sync_api import Browser

PSIPO = [str(Path(sys.executable).with_name("psipo"))]
PLACES, SECONDS_TO_CONNECT = 4, 12
BROWSER = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
SERVE = """
from psipo_explore.app import server
server.SETTINGS["Kernels"] = {{"time_to_connect": {seconds}, "time_to_leave": 0.1}}
server.serve("127.0.0.1", {port}, visitors={places}, open_browser=False)
"""


class Crowd:
    """Visitors without a browser, and the server they come to."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.port = server, port

    def ask(self, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            method, path, headers={**BROWSER, **{name.replace("_", "-"): value for name, value in headers.items()}}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, answer.headers

    def come(self) -> str:
        """The kernel behind a page that is given."""
        status, html, _ = self.ask()
        assert status == 200, html
        return kernel_of(html)

    def leave(self, kernel: str) -> None:
        assert self.ask("POST", f"/voila/api/shutdown/{kernel}")[0] in (204, 404)

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.server.process.pid).children(recursive=True)

    def kernels(self) -> set[int]:
        """Those that visitors have, and the one that waits."""
        return {process.pid for process in self.processes() if process.num_threads() > 2}

    def is_quiet(self) -> bool | None:
        """Whether only the kernel that waits is there, its page built."""
        return True if len(self.kernels()) == 1 else None

    async def connect(self, kernel: str, **headers: str) -> tornado.websocket.WebSocketClientConnection:
        address = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels?session_id=visitor"
        return await tornado.websocket.websocket_connect(tornado.httpclient.HTTPRequest(address, headers=headers))


def kernel_of(html: str) -> str:
    config = re.search(r'id="jupyter-config-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert config
    return str(json.loads(config[1])["kernelId"])


def message(kind: str, **content: Any) -> str:
    header = {"msg_id": kind, "msg_type": kind, "session": "visitor", "username": "", "version": "5.3", "date": "2025-01-01"}
    whole = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {"version": "2.1.0"}, "content": content}
    return json.dumps(whole | {"buffers": []})


def text_of(answer: str | bytes | None) -> str:
    assert answer is not None
    return answer if isinstance(answer, str) else answer.decode(errors="replace")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    port = free_port()
    code = SERVE.format(seconds=SECONDS_TO_CONNECT, port=port, places=PLACES)
    with serving([sys.executable, "-c", code], os.environ, tmp_path_factory.mktemp("crowd")) as server:
        crowd = Crowd(server, port)
        server.wait_for(lambda: "http://" in server.log.read_text() or None)
        server.wait_for(crowd.is_quiet)
        yield crowd
        processes = crowd.processes()
        assert server.log.read_text() == f"http://127.0.0.1:{port}/\n"  # no traceback, and not a line for a visitor's mistake
        server.process.send_signal(signal.SIGKILL)
        assert psutil.wait_procs(processes, timeout=20)[1] == []


@pytest.fixture(autouse=True)
def _nobody_is_here(request: pytest.FixtureRequest) -> None:
    """Each test begins when all have left; who never connects has lost his place by then."""
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
        {"Accept": "image/avif,image/webp,*/*;q=0.8"},  # of a browser that sends no Sec-Fetch over plain HTTP
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


def test_a_crowd_is_served_in_order_of_arrival_and_the_next_is_told_to_come_later(crowd: Crowd) -> None:
    connections = []
    for _ in range(PLACES):
        connections.append(http.client.HTTPConnection("127.0.0.1", crowd.port, timeout=60))
        connections[-1].request("GET", "/", headers=BROWSER)
    with ThreadPoolExecutor(PLACES) as pool:
        waiting = {pool.submit(lambda each: each.getresponse().read().decode(), each): each for each in connections}
        served = [(connections.index(waiting[done]), kernel_of(done.result())) for done in as_completed(waiting)]
    for connection in connections:
        connection.close()
    assert [place for place, _ in served] == list(range(PLACES))
    assert len({kernel for _, kernel in served}) == PLACES
    status, html, headers = crowd.ask()
    assert (status, headers["Retry-After"]) == (503, "60")
    assert "Try again in a minute" in html
    assert '<meta http-equiv="refresh" content="60">' in html
    crowd.leave(served[0][1])
    for kernel in (crowd.come(), *(kernel for _, kernel in served[1:])):
        crowd.leave(kernel)


def test_who_connects_keeps_his_page_and_who_does_not_loses_it(crowd: Crowd) -> None:
    async def stay() -> None:
        kernel, absent = crowd.come(), crowd.come()
        connection = await crowd.connect(kernel)
        await asyncio.to_thread(crowd.server.wait_for, lambda: crowd.ask(path=f"/api/kernels/{absent}")[0] == 404 or None)
        assert crowd.ask(path=f"/api/kernels/{kernel}")[0] == 200
        connection.close()
        crowd.leave(kernel)

    asyncio.run(stay())


def test_who_stops_waiting_gives_his_place_up(crowd: Crowd) -> None:
    for _ in range(3 * PLACES):
        connection = http.client.HTTPConnection("127.0.0.1", crowd.port, timeout=60)
        connection.request("GET", "/", headers=BROWSER)
        connection.close()
    crowd.leave(crowd.come())


def test_a_process_that_dies_frees_its_place(crowd: Crowd) -> None:
    async def die() -> None:
        (process,) = crowd.kernels()
        kernel = crowd.come()  # has the process that waited
        connection = await crowd.connect(kernel)  # so that it is not ended for its silence
        os.kill(process, signal.SIGKILL)
        while '"dead"' not in text_of(await connection.read_message()):
            pass
        assert crowd.ask(path=f"/api/kernels/{kernel}")[0] == 404
        connection.close()

    asyncio.run(die())


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example", "Origin": "http://evil.example"}]
)
def test_another_site_cannot_talk_to_a_kernel(crowd: Crowd, headers: dict[str, str]) -> None:
    kernel = crowd.come()
    with pytest.raises(tornado.httpclient.HTTPClientError, match="403"):
        asyncio.run(crowd.connect(kernel, **headers))
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
        kernel, heard = crowd.come(), []
        connection = await crowd.connect(kernel)
        await connection.write_message(message("comm_open", comm_id="all", target_name="jupyter.widget.control", data={}))
        await connection.write_message(message("comm_msg", comm_id="all", data={"method": "request_states"}))
        while "states" not in (heard.append(text_of(await connection.read_message())) or heard[-1]):
            pass
        widgets = sorted(set(re.findall(r'"([0-9a-f]{32})": {"model_name"', heard[-1])))
        assert len(widgets) > 10
        for widget in widgets:
            for nonsense in NONSENSE:
                await connection.write_message(message("comm_msg", comm_id=widget, data=nonsense))
        await connection.write_message(message("comm_open", comm_id="new", target_name="jupyter.widget", data={"state": {}}))
        await connection.write_message(message("kernel_info_request"))
        while "kernel_info_reply" not in (heard.append(text_of(await connection.read_message())) or heard[-1]):
            pass
        await connection.write_message("no message")
        while await connection.read_message() is not None:
            pass
        crowd.leave(kernel)
        return heard

    heard = "\n".join(asyncio.run(talk()))
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
    context.close()


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_server_that_is_stopped_while_it_loads_says_nothing_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    with serving([*PSIPO, "app", "--no-browser", "--port", str(free_port())], os.environ, tmp_path) as server:
        server.wait_for(lambda: "http://" in server.log.read_text() or None)
        processes = psutil.Process(server.process.pid).children(recursive=True)
        os.killpg(server.process.pid, getattr(signal, name))
        assert server.process.wait(30) == 0
        assert psutil.wait_procs(processes, timeout=20)[1] == []
        assert len(server.log.read_text().splitlines()) == 1


def test_there_is_at_least_one_place() -> None:
    done = subprocess.run([*PSIPO, "app", "--visitors", "0"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "psipo: visitors = 0, must be at least 1\n")


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
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split("\n")[:2] == ["True", "no more"]
