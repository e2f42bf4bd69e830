"""One real JupyterLab, started as `psipo lab` starts it, and one headless Chromium; `serving` runs any server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from psipo_explore.cli import lab_command, lab_environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KERNEL_IS_IDLE = """() => {
    const widget = window.jupyterapp?.shell.currentWidget;
    const kernel = widget?.sessionContext?.session?.kernel;
    return widget?.context?.isReady && kernel?.connectionStatus === 'connected' && kernel?.status === 'idle';
}"""


NO_BROWSER = "no Chromium, so the lessons were not walked in a browser: `apt-get install chromium` and run this again"


def browser_is_missing() -> bool:
    return CHROMIUM is None and os.environ.get("PSIPO_BROWSER") != "required"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if browser_is_missing():
        terminalreporter.write_line(NO_BROWSER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if browser_is_missing():
        skip = pytest.mark.skip(reason=NO_BROWSER)
        for item in items:
            if "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "PSIPO_BROWSER=required, but there is no Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the lessons and figures, which the browser may write to."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("notebooks", "figures"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def lab_url(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """URL of a notebook in a JupyterLab on the course."""
    home = tmp_path_factory.mktemp("jupyter")
    port = free_port()
    command = [*lab_command(course, port, open_browser=False), "--LabApp.expose_app_in_browser=True"]
    with serving(command, lab_environment(), home) as server:
        token = server.wait_for(lambda: _token(home / "runtime"))
        yield lambda notebook: f"http://127.0.0.1:{port}/lab/tree/notebooks/{notebook}?token={token}&reset"


def _token(runtime: Path) -> str | None:
    for info in runtime.glob("jpserver-*.json"):
        with suppress(ValueError):  # it is being written
            return str(json.loads(info.read_text())["token"])
    return None


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running command, and what it has said."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, sign: Callable[[], T | None]) -> T:
        """What the sign gives, as soon as it gives something."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if (seen := sign()) is not None:
                return seen
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"waited in vain:\n{self.log.read_text()}")


@contextmanager
def serving(command: list[str], environment: Mapping[str, str], home: Path) -> Iterator[Server]:
    """Run a server with Jupyter folders of its own, then end it as a user's system would."""
    dirs = {f"JUPYTER_{kind.upper()}_DIR": str(home / kind) for kind in ("config", "data", "runtime")}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, env={**environment, **dirs}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield Server(process, home / "log")
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def open_lesson(page: Page, lab_url: Callable[[str], str]) -> Callable[[str], Page]:
    """Open a notebook in JupyterLab and wait until its kernel is idle."""

    def open_lesson(notebook: str) -> Page:
        page.goto(lab_url(notebook))
        page.wait_for_function(KERNEL_IS_IDLE, timeout=90_000)
        return page

    return open_lesson


@pytest.fixture
def run_lesson(open_lesson: Callable[[str], Page]) -> Callable[[str], Page]:
    """Open a notebook and run all its cells."""

    def run_lesson(notebook: str) -> Page:
        page = open_lesson(notebook)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(KERNEL_IS_IDLE, timeout=90_000)
        return page

    return run_lesson
