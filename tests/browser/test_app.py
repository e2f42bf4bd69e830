"""`psipo app` in a real browser.

The pictures move, visitors do not affect each other, and no visitor runs code or reads a file.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from lab import Server, free_port, serving
from playwright.sync_api import Browser, Locator, Page, expect

from psipo_explore.views import VIEWS

pytestmark = pytest.mark.slow

PSIPO = [str(Path(sys.executable).with_name("psipo"))]
SENTENCE = ".psipo-sentence"
SEND_AS_A_VISITOR_DOES = (Path(__file__).parent / "visitor.js").read_text(encoding="utf-8")
BETAS = next(slider for slider in VIEWS["explorer"].sliders if slider.name == "beta")


class App(NamedTuple):
    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def kernels(self) -> list[psutil.Process]:
        return psutil.Process(self.server.process.pid).children(recursive=True)


def said_address(server: Server) -> int:
    """Wait until the command prints the address of the page, and return its port."""
    said = server.wait_for(
        lambda: re.search(r"^http://127\.0\.0\.1:(\d+)/$", server.log.read_text(), re.MULTILINE)
    )
    return int(said[1])


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    port = free_port()
    command = [*PSIPO, "app", "--no-browser", "--port", str(port)]
    with serving(command, os.environ, tmp_path_factory.mktemp("app")) as server:
        app = App(server, said_address(server))
        assert app.port == port
        yield app
        kernels = app.kernels()
        assert kernels
    assert psutil.wait_procs(kernels, timeout=5)[1] == []


@pytest.fixture(scope="module")
def visit(app: App, browser: Browser) -> Iterator[Callable[[], Page]]:
    """Yield a function that opens the page as a new visitor."""
    contexts = []

    def visit() -> Page:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 720}))
        page = contexts[-1].new_page()
        arrive(page, app)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def visitor(visit: Callable[[], Page]) -> Page:
    return visit()


@pytest.fixture
def page(visitor: Page) -> Iterator[Page]:
    """Yield the page of a visitor, and reset it after the test."""
    yield visitor
    visitor.get_by_label(VIEWS["explorer"].title).check()
    visitor.get_by_role("button", name="Reset").click()
    expect_view(visitor, "explorer")


def arrive(page: Page, app: App) -> None:
    page.goto(app.url)
    page.locator(SENTENCE).wait_for(timeout=60_000)


def beta(page: Page) -> Locator:
    return page.get_by_role("slider", name=BETAS.label)


def expect_view(page: Page, name: str, **values: object) -> None:
    """Expect the sentence of the view's figure, both under the picture and as its alt text."""
    sentence = VIEWS[name].figure(**values).sentence
    expect(page.locator(SENTENCE)).to_have_text(sentence, timeout=20_000)
    expect(page.locator("svg[role=img]")).to_have_attribute("aria-label", sentence)


def kernel_of(page: Page, app: App) -> psutil.Process:
    """Return the process behind the page."""
    (file,) = Path(tempfile.gettempdir()).glob(f"voila_*/kernel-{kernel_name(page)}.json")
    port = json.loads(file.read_text())["shell_port"]
    (ours,) = [kernel for kernel in app.kernels() if port in listening_at(kernel)]
    return ours


def listening_at(process: psutil.Process) -> list[int]:
    return [
        connection.laddr.port
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


def kernel_name(page: Page) -> str:
    return str(json.loads(page.locator("#jupyter-config-data").text_content() or "")["kernelId"])


def test_a_slider_moves_picture_and_sentence_by_keyboard_alone(page: Page) -> None:
    expect_view(page, "explorer")
    picture = page.locator("svg[role=img]").inner_html()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == BETAS.label:
            break
    page.keyboard.press("ArrowRight")
    expect_view(page, "explorer", beta=BETAS.stops[BETAS.stops.index(BETAS.start) + 1])
    assert page.locator("svg[role=img]").inner_html() != picture


def test_every_view_is_there_and_keeps_its_sliders(page: Page) -> None:
    titles = [view.title for view in VIEWS.values()]
    assert page.locator(".psipo-choice label:has(input)").all_text_contents() == [
        titles[-1],
        *titles[:-1],
    ]
    beta(page).press("Home")
    expect_view(page, "explorer", beta=BETAS.stops[0])
    page.get_by_role("radio").first.press("ArrowDown")
    expect_view(page, next(iter(VIEWS)))
    page.get_by_label(VIEWS["collapse"].title).check()
    expect_view(page, "collapse")
    page.get_by_label(VIEWS["explorer"].title).check()
    expect_view(page, "explorer", beta=BETAS.stops[0])
    expect(beta(page)).to_have_attribute("aria-valuetext", BETAS.write(BETAS.stops[0]))


def test_a_typed_formula_is_read_and_never_executed(page: Page, tmp_path: Path) -> None:
    field = page.get_by_label("typed, then Enter")
    field.fill("q**2")
    field.press("Enter")
    expect_view(page, "explorer", formula="q**2")
    trap = tmp_path / "trap"
    for attack, answer in (
        (f"__import__('os').system('touch {trap}')", "a formula is made of numbers"),
        (f"open('{trap}', 'w')", "open is not known"),
    ):
        field.fill(attack)
        field.press("Enter")
        complaint = page.get_by_role("alert")
        expect(complaint.locator("pre")).to_contain_text(attack[:40])
        expect(complaint).to_contain_text(answer)
        expect(page.locator(SENTENCE)).to_contain_text("This cannot be shown")
        under, above = complaint.bounding_box(), field.bounding_box()
        assert under is not None
        assert above is not None
        assert 0 <= under["y"] - (above["y"] + above["height"]) < 20
    assert not trap.exists()


def test_two_visitors_do_not_see_each_others_sliders(page: Page, visit: Callable[[], Page]) -> None:
    one, other = page, visit()
    assert kernel_name(one) != kernel_name(other)
    beta(one).press("End")
    expect_view(one, "explorer", beta=BETAS.stops[-1])
    expect_view(other, "explorer")
    beta(other).press("Home")
    expect_view(other, "explorer", beta=BETAS.stops[0])
    expect_view(one, "explorer", beta=BETAS.stops[-1])


@pytest.mark.parametrize("protocol", ["", "v1.kernel.websocket.jupyter.org"], ids=["JSON", "v1"])
def test_a_visitor_runs_no_code(protocol: str, page: Page, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    code = f"open({str(trap)!r}, 'w').close()"
    answered = page.evaluate(
        SEND_AS_A_VISITOR_DOES, {"kernel": kernel_name(page), "code": code, "protocol": protocol}
    )
    assert answered == ["kernel_info_reply"]
    assert not trap.exists()
    beta(page).press("End")
    expect_view(page, "explorer", beta=BETAS.stops[-1])


NOTHING_THERE = [
    "/voila/files/page.ipynb",
    "/voila/files/page.py",
    "/voila/files/",
    "/voila/files/../../README.md",
    "/voila/files/..%2f..%2fREADME.md",
    "/voila/files//etc/passwd",
    "/voila/static/../../../../../../../../../../etc/passwd",
    "/voila/static//etc/passwd",
    "/voila/templates/lab/static/../../../../../../../../../../etc/passwd",
    "/voila/labextensions/../../../../../../../../../../etc/passwd",
    "/voila/tree",
    "/voila/render/page.ipynb",
    "/voila/api/contents",
    "/files/page.ipynb",
    "/files/etc/passwd",
    "/page.ipynb",
    "/api/contents",
    "/api/contents/page.ipynb",
    "/api/kernels",
    "/api/sessions",
    "/api/terminals",
]


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the text at the path, which is sent unchanged.

    Redirections are followed.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Accept": "text/html"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return (
        get(port, answer.headers["Location"])
        if answer.status in (301, 302)
        else (answer.status, text)
    )


def test_nothing_is_served_but_the_page(app: App) -> None:
    for path in NOTHING_THERE:
        status, text = get(app.port, path)
        assert status in (403, 404, 405, 500), path
        assert "root:" not in text
        assert "psipo_explore" not in text


def test_the_page_shows_no_code_and_no_path(app: App) -> None:
    status, html = get(app.port, "/?template=reveal&theme=dark")
    assert status == 200
    assert "psipo-page" in html
    for word in ("import", "Page()"):
        assert word not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL), word
    assert str(Path(__file__).parents[2]) not in html
    assert "reveal" not in html


def test_a_page_fetches_nothing_elsewhere_and_its_kernel_ends_when_it_is_closed(
    app: App, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    arrive(page, app)
    assert len(asked) > 3
    assert [url for url in asked if not url.startswith((app.url, "data:", "blob:"))] == []
    kernel = kernel_of(page, app)
    page.close(run_before_unload=True)
    kernel.wait(10)
    context.close()


def test_who_vanished_is_culled_and_who_listens_is_not_and_all_that_is_said_is_the_address(
    browser: Browser, tmp_path: Path
) -> None:
    code = (
        "from psipo_explore.app import server; "
        "server.SETTINGS['MappingKernelManager'].update(cull_idle_timeout=3, cull_interval=1); "
        f"server.serve('127.0.0.1', {free_port()}, open_browser=False)"
    )
    with serving([sys.executable, "-c", code], os.environ, tmp_path) as server:
        app = App(server, said_address(server))
        # The spare kernel is now idle for longer than a visitor's kernel may be.
        time.sleep(4)
        context = browser.new_context()
        page = context.new_page()
        arrive(page, app)
        kernel = kernel_of(page, app)
        time.sleep(5.5)
        assert kernel.is_running()
        context.close()  # the page vanishes without telling the server
        kernel.wait(10)
        assert server.log.read_text() == f"{app.url}\n"


def test_a_taken_port_is_said_by_the_address_of_another(app: App, tmp_path: Path) -> None:
    with serving(
        [*PSIPO, "app", "--no-browser", "--port", str(app.port)], os.environ, tmp_path
    ) as server:
        assert said_address(server) != app.port
        server.process.send_signal(signal.SIGHUP)  # a terminal sends this when it is closed
        assert server.process.wait(30) == 0


def test_help_says_what_it_does() -> None:
    said = " ".join(subprocess.check_output([*PSIPO, "app", "--help"], text=True).split())
    for words in (
        "--port",
        "--ip",
        "--visitors",
        "--no-browser",
        "pip install voila",
        "Visitors run no code",
    ):
        assert words in said
