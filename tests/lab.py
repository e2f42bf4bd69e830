"""A real JupyterLab, started as `psipo lab` starts it, a headless Chromium, and a Firefox.

`serving` runs any other server.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from psipo_explore.cli import lab_command, lab_environment
from psipo_explore.course import put

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

T = TypeVar("T")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
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

ERRORS = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']"

NO_BROWSER = (
    "no Chromium, so the lessons were not walked in a browser: `apt-get install chromium` "
    "and run this again"
)


def register(config: pytest.Config) -> None:
    """Make the fixtures of this module available; call this in `pytest_configure`."""
    this = sys.modules[__name__]
    if not config.pluginmanager.is_registered(this):
        config.pluginmanager.register(this)


def is_missing(browser: str | None) -> bool:
    return browser is None and os.environ.get("PSIPO_BROWSER") != "required"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if is_missing(CHROMIUM):
        terminalreporter.write_line(NO_BROWSER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if is_missing(CHROMIUM):
        skip = pytest.mark.skip(reason=NO_BROWSER)
        for item in items:
            if "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    if is_missing(CHROMIUM):  # for a test that names its browser only when it runs
        pytest.skip(NO_BROWSER)
    assert CHROMIUM, "PSIPO_BROWSER=required, but there is no Chromium"
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
    ask_only_if_told(browser)
    yield browser
    browser.close()


NEVER_ASK = """try { localStorage.setItem("psipo-never-ask", "yes"); } catch {}"""


def ask_only_if_told(browser: Browser) -> None:
    """Let panels show their pictures at once, except in `new_context(asks=True)`."""
    new_context = browser.new_context

    def contexts(*, asks: bool = False, **options: Any) -> BrowserContext:
        context = new_context(**options)
        if not asks:
            context.add_init_script(NEVER_ASK)
        return context

    vars(browser).update(
        new_context=contexts, new_page=lambda **options: contexts(**options).new_page()
    )


@pytest.fixture(scope="session")
def firefox(playwright: Playwright) -> Iterator[Browser]:
    if is_missing(FIREFOX):
        pytest.skip("no Firefox: `apt-get install firefox-esr` and run this again")
    assert FIREFOX, "PSIPO_BROWSER=required, but there is no Firefox"
    # The channel makes Playwright speak WebDriver BiDi, which needs no Firefox of its own. There it
    # waits in vain for a page that Firefox kept whole for the Back button.
    browser = playwright.firefox.launch(
        executable_path=FIREFOX,
        channel="moz-firefox",
        firefox_user_prefs={"browser.sessionhistory.max_total_viewers": 0},
    )
    ask_only_if_told(browser)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the lessons and figures into a folder that the browser may write to."""
    folder = tmp_path_factory.mktemp("course")
    put(folder)
    return folder


@pytest.fixture(scope="session")
def lab_url(
    course: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Start JupyterLab on the course, and return a function from notebooks to URLs."""
    command = lab_command(course, free_port(), open_browser=False)
    with jupyterlab(command, lab_environment(), tmp_path_factory.mktemp("jupyter")) as url:
        yield url


@contextmanager
def jupyterlab(
    command: list[str], environment: Mapping[str, str], home: Path, *, cwd: Path | None = None
) -> Iterator[Callable[[str], str]]:
    """Start JupyterLab by the command, and yield a function from notebooks to URLs.

    In its pages, `window.jupyterapp` lets tests look inside the application.
    """
    (home / "config").mkdir()
    (home / "config" / "jupyter_lab_config.json").write_text(
        '{"LabApp": {"expose_app_in_browser": true}}'
    )
    with serving(command, environment, home, cwd=cwd) as server:
        info = server.wait_for(lambda: _running(home / "runtime"))
        yield (
            lambda notebook: (
                f"{info['url']}doc/tree/notebooks/{notebook}?token={info['token']}&reset"
            )
        )


def _running(runtime: Path) -> dict[str, str] | None:
    for info in runtime.glob("jpserver-*.json"):
        with suppress(ValueError):  # the file is still being written
            running: dict[str, str] = json.loads(info.read_text())
            return running
    return None


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A running command, and the file that holds its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, sign: Callable[[], T | None]) -> T:
        """Call `sign` until it returns something other than None, and return that."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if (seen := sign()) is not None:
                return seen
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"waited in vain:\n{self.log.read_text()}")


@contextmanager
def serving(
    command: list[str], environment: Mapping[str, str], home: Path, *, cwd: Path | None = None
) -> Iterator[Server]:
    """Run a server with its own Jupyter folders, and end it as a user's system would."""
    dirs = {
        f"JUPYTER_{kind.upper()}_DIR": str(home / kind) for kind in ("config", "data", "runtime")
    }
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            env={**environment, **dirs},
            cwd=cwd,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Server(process, home / "log")
        finally:
            with suppress(ProcessLookupError):  # the server has already ended
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # This is the resolution of a typical projector.
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def open_lesson(page: Page, lab_url: Callable[[str], str]) -> Callable[[str], Page]:
    """Open a notebook of the course in JupyterLab and wait until its kernel is idle."""

    def open_lesson(notebook: str) -> Page:
        open_notebook(page, lab_url(notebook))
        return page

    return open_lesson


@pytest.fixture
def run_lesson(open_lesson: Callable[[str], Page]) -> Callable[[str], Page]:
    """Open a notebook of the course and run all its cells."""

    def run_lesson(notebook: str) -> Page:
        page = open_lesson(notebook)
        run_all_cells(page)
        return page

    return run_lesson


def open_notebook(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=90_000)


def run_all_cells(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(KERNEL_IS_IDLE, timeout=90_000)
