"""How long twenty visitors of `psipo app` wait for a picture, now and before there was a queue.

A visitor loads the page by HTTP, opens its websocket, and asks for the states of the widgets until
a picture is among them. Real browsers are not used, because twenty of them would load the machine
more than the server does.
"""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tornado.websocket
from before import ROOT, checked_out
from lab import free_port, serving
from pytest_benchmark.fixture import BenchmarkFixture
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

VISITORS = 20
BEFORE = "fcc4aee"


@pytest.fixture(
    params=[pytest.param("before", marks=pytest.mark.peer("before there was a queue")), "now"]
)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Yield the folder of the package, either as it is now or as it was before the queue."""
    if request.param == "now":
        yield ROOT
        return
    with checked_out(BEFORE, tmp_path / "old") as old:
        yield old


def test_twenty_at_once(source: Path, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    benchmark.group = f"app: {VISITORS} visitors at once see a picture"
    port = free_port()
    command = [
        sys.executable,
        "-c",
        f"from psipo_explore.cli import main; main(['app', '--no-browser', '--port', '{port}'])",
    ]
    with serving(
        command, {**os.environ, "PYTHONPATH": str(source)}, tmp_path, cwd=source
    ) as server:
        server.wait_for(lambda: "http://" in server.log.read_text() or None)
        asyncio.run(_come(port, 1))  # makes the server build a spare page
        time.sleep(20)
        seconds = benchmark.pedantic(lambda: asyncio.run(_come(port, VISITORS)), rounds=1)
    benchmark.extra_info |= {"first_s": seconds[0], "tenth_s": seconds[9], "last_s": seconds[-1]}


async def _come(port: int, visitors: int) -> list[float]:
    AsyncHTTPClient.configure(None, max_clients=visitors)
    start = time.perf_counter()
    came = [_see_a_picture(port, str(each), start) for each in range(visitors)]
    seconds, connections = zip(*await asyncio.gather(*came), strict=True)
    for connection in connections:  # all stay until the last one has seen the picture
        connection.close()
        while await connection.read_message() is not None:
            pass
    return sorted(seconds)


async def _see_a_picture(
    port: int, name: str, start: float
) -> tuple[float, tornado.websocket.WebSocketClientConnection]:
    page = await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{port}/",
        headers={"Accept": "text/html"},
        connect_timeout=300,
        request_timeout=300,
    )
    kernel = json.loads(
        re.findall(
            r'jupyter-config-data" type="application/json">(.*?)</script>',
            page.body.decode(),
            re.DOTALL,
        )[0]
    )
    address = f"ws://127.0.0.1:{port}/api/kernels/{kernel['kernelId']}/channels?session_id={name}"
    connection = await tornado.websocket.websocket_connect(
        HTTPRequest(address, connect_timeout=300, request_timeout=300)
    )
    for kind, content in (
        ("comm_open", {"comm_id": name, "target_name": "jupyter.widget.control", "data": {}}),
        ("comm_msg", {"comm_id": name, "data": {"method": "request_states"}}),
    ):
        header = {
            "msg_id": kind,
            "msg_type": kind,
            "session": name,
            "username": "",
            "version": "5.3",
            "date": "2025-01-01",
        }
        message = {
            "channel": "shell",
            "header": header,
            "parent_header": {},
            "metadata": {"version": "1.0.0"},
            "content": content,
        }
        await connection.write_message(json.dumps(message | {"buffers": []}))
    while "<svg" not in str(await connection.read_message()):
        pass
    return time.perf_counter() - start, connection
