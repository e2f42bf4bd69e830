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
from typing import Any, NamedTuple

import psutil
import pytest
from lab import Server, free_port, serving
from playwright.sync_api import Browser, Locator, Page, expect

from psipo_explore.views import VIEWS

PSIPO = [str(Path(sys.executable).with_name("psipo"))]
SENTENCE = ".psipo-sentence"
FIND_THE_LOWEST_CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
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
def visit(app: App, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens the page as a new visitor."""
    contexts = []

    def visit(query: str = "", width: int = 1280, height: int = 720, **options: Any) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        arrive(page, app, query)
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def visitor(visit: Callable[..., Page]) -> Page:
    return visit("?view=explorer")


@pytest.fixture
def page(visitor: Page) -> Iterator[Page]:
    """Yield the page of a visitor, and reset it after the test."""
    yield visitor
    choose(visitor, "explorer")
    visitor.get_by_role("button", name="Reset").click()
    expect_view(visitor, "explorer")


def arrive(page: Page, app: App, query: str = "") -> None:
    page.goto(app.url + query)
    page.locator(SENTENCE).first.wait_for(timeout=60_000)


def menu(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Picture", exact=True)


def choose(page: Page, name: str) -> None:
    menu(page).select_option(VIEWS[name].title)


def beta(page: Page) -> Locator:
    return page.get_by_role("slider", name=BETAS.label)


def expect_view(page: Page, name: str, **values: object) -> None:
    """Expect the sentence of the view's figure, both under the picture and as its alt text."""
    sentence = VIEWS[name].figure(**values).sentence
    expect(page.locator(SENTENCE)).to_have_text(sentence, timeout=60_000)
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


@pytest.mark.slow
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


def test_it_opens_on_the_collapse_and_has_a_menu_of_all_views(visit: Callable[..., Page]) -> None:
    page = visit()
    expect_view(page, "collapse")
    assert page.url.endswith("/")
    expect(menu(page)).to_have_value(VIEWS["collapse"].title)
    said = [
        option.replace("\xa0", " ") for option in menu(page).locator("option").all_text_contents()
    ]
    assert said == [view.title for view in VIEWS.values()]
    menu(page).press("ArrowDown")
    expect_view(page, "few_samples")
    expect(page.get_by_role("heading", level=2)).to_have_text(VIEWS["few_samples"].title)


@pytest.mark.slow
def test_every_view_keeps_its_sliders(page: Page) -> None:
    beta(page).press("Home")
    expect_view(page, "explorer", beta=BETAS.stops[0])
    choose(page, "collapse")
    expect_view(page, "collapse")
    choose(page, "explorer")
    expect_view(page, "explorer", beta=BETAS.stops[0])
    expect(beta(page)).to_have_attribute("aria-valuetext", BETAS.write(BETAS.stops[0]))


def test_a_link_opens_a_view_and_the_address_follows_it(
    visit: Callable[..., Page], app: App
) -> None:
    page = visit("?view=collapse&p=1&beta=10")
    expect_view(page, "collapse", p=1, beta=10)
    expect(page).to_have_url(f"{app.url}?view=collapse&p=1.0&beta=10.0")
    page.get_by_role("slider", name="p, how often").press("ArrowLeft")
    expect_view(page, "collapse", p=1 - 1e-15, beta=10)
    expect(page).to_have_url(f"{app.url}?view=collapse&p=0.999999999999999&beta=10.0")
    page.reload()
    expect_view(page, "collapse", p=1 - 1e-15, beta=10)
    page.get_by_role("button", name="Reset").click()
    expect(page).to_have_url(f"{app.url}?view=collapse")


def test_back_and_forward_go_through_the_chosen_views(visit: Callable[..., Page], app: App) -> None:
    page = visit()
    choose(page, "explorer")
    expect_view(page, "explorer")
    field = page.get_by_label("typed, then Enter")
    field.fill("q**2 + 1")
    field.press("Enter")
    expect(page).to_have_url(f"{app.url}?view=explorer&formula=q%2A%2A2+%2B+1")
    choose(page, "psi_curve")
    expect(page).to_have_url(f"{app.url}?view=psi_curve")
    page.go_back(wait_until="commit")
    expect_view(page, "explorer", formula="q**2 + 1")
    expect(field).to_have_value("q**2 + 1")
    expect(menu(page)).to_have_value(VIEWS["explorer"].title)
    page.go_back(wait_until="commit")
    expect_view(page, "collapse")
    page.go_forward(wait_until="commit")
    expect_view(page, "explorer", formula="q**2 + 1")
    expect(page).to_have_url(f"{app.url}?view=explorer&formula=q%2A%2A2+%2B+1")


@pytest.mark.slow
def test_a_slider_that_is_dragged_changes_the_address_seldom(visit: Callable[..., Page]) -> None:
    page = visit()
    page.evaluate(
        "window.changes = 0; const replace = history.replaceState.bind(history);"
        "history.replaceState = (...all) => (window.changes++, replace(...all)); null"
    )
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == BETAS.label:
            break
    for _ in range(15):
        page.keyboard.press("ArrowRight")
    expect_view(page, "collapse", beta=BETAS.stops[BETAS.stops.index(1.0) + 15])
    expect(page).to_have_url(re.compile(f"beta={BETAS.stops[BETAS.stops.index(1.0) + 15]}$"))
    assert page.evaluate("window.changes") < 15


@pytest.mark.parametrize(
    ("query", "name", "values", "said"),
    [
        ("?view=%3Cb%3E&p=1", "collapse", {}, "There is no picture <b>"),
        ("?p=2&beta=x&gamma=1", "collapse", {"p": 1}, "This picture has no control gamma."),
        pytest.param(
            "?view=explorer&mu=nobody", "explorer", {}, "mu = nobody", marks=pytest.mark.slow
        ),
    ],
)
def test_a_wrong_link_opens_what_is_nearest_and_says_so(
    visit: Callable[..., Page], query: str, name: str, values: dict[str, Any], said: str
) -> None:
    page = visit(query)
    expect_view(page, name, **values)
    notice = page.get_by_role("status").filter(has_text=said)
    expect(notice).to_have_count(1)
    beta(page).press("Home")
    expect(notice).to_have_count(0)


@pytest.mark.slow
def test_a_wrong_formula_in_a_link_is_said_at_its_field(visit: Callable[..., Page]) -> None:
    page = visit("?view=explorer&formula=q%2B")
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    expect(page.get_by_label("typed, then Enter")).to_have_value("q+")


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), pytest.param(390, 844, marks=pytest.mark.slow)]
)
def test_a_new_visitor_guesses_before_the_picture(
    visit: Callable[..., Page], width: int, height: int
) -> None:
    page = visit("?view=collapse&p=1.0", width=width, height=height, asks=True)
    expect(page.locator(SENTENCE)).to_be_visible()  # a link to values shows them
    expect(page.locator(".psipo-guess form")).to_have_count(0)
    page.goto(page.url.partition("?")[0])
    asked = page.locator(".psipo-guess form:visible")
    asked.wait_for(timeout=60_000)
    expect(page.locator(SENTENCE)).to_be_hidden()
    expect(page.get_by_role("button", name="Reset")).to_be_hidden()
    asked.get_by_role("textbox").first.fill("20 %")
    asked.get_by_role("textbox").first.press("Enter")
    expect(page.locator(SENTENCE)).to_be_visible()
    expect(page.locator(".psipo-over path")).to_have_count(1)
    told = page.locator(".psipo-told:visible")
    expect(told.locator("li").first).to_contain_text("you guessed 20 %, and it is 0.1")
    told.get_by_role("button", name="Look").nth(2).click()
    expect(page.locator(SENTENCE)).to_have_text(VIEWS["collapse"].figure(p=1.0).sentence)
    choose(page, "few_samples")
    page.locator(".psipo-guess form:visible").wait_for(timeout=60_000)
    choose(page, "collapse")
    expect(page.locator(SENTENCE)).to_be_visible()


PHONES = [(390, 844), pytest.param(844, 390, marks=pytest.mark.slow)]
SEEN = "all => all.filter(each => each.checkVisibility()).map(each => each.getBoundingClientRect())"
NARROW = "document.scrollingElement.scrollWidth <= innerWidth"


PARTS = ".psipo-parts [aria-hidden] > svg"


@pytest.mark.parametrize(("width", "height"), PHONES)
def test_on_a_phone_picture_menu_and_controls_are_in_sight(
    visit: Callable[..., Page], width: int, height: int
) -> None:
    page = visit(width=width, height=height, has_touch=True, is_mobile=True)
    expect_view(page, "collapse")
    assert page.evaluate(NARROW)
    picture = page.locator(PARTS).nth(1) if width < height else page.locator("svg[role=img]")
    expect(picture).to_be_visible()
    # Where the heading takes too much of the height, one swipe brings all three into sight.
    page.locator(".psipo-choice" if width > height else ".psipo-title").evaluate(
        "it => it.scrollIntoView()"
    )
    boxes = [picture.bounding_box(), page.locator(".psipo-controls").bounding_box()]
    if width > height:
        boxes.append(menu(page).bounding_box())
    assert all(box and box["y"] >= 0 for box in boxes)
    assert all(box and box["y"] + box["height"] <= height for box in boxes)
    targets = page.locator(".psipo-page").locator("select, input, button, a, .noUi-handle")
    sizes = targets.evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert len(sizes) == 7
    assert min(sizes) >= 44
    for slider in page.locator(".psipo-controls .widget-slider").all():
        whole, track = slider.bounding_box(), slider.locator(".noUi-target").bounding_box()
        assert whole
        assert track
        assert track["width"] >= whole["width"] - 30
    page.get_by_role("slider", name="p, how often").tap()
    page.get_by_role("button", name="Reset").tap()
    expect_view(page, "collapse")


def test_on_a_phone_the_picture_s_parts_are_as_wide_as_it_and_follow_the_sliders(
    visit: Callable[..., Page],
) -> None:
    page = visit("?view=collapse&p=0.95", width=390, height=844, has_touch=True, is_mobile=True)
    expect_view(page, "collapse", p=0.95)
    parts = page.locator(PARTS)
    widths = parts.evaluate_all("all => all.map(each => each.getBoundingClientRect().width)")
    assert len(widths) == 3
    assert min(widths) >= 340
    before = [part.screenshot() for part in parts.all()]
    slider = page.get_by_role("slider", name="p, how often")
    slider.press("Home")
    expect_view(page, "collapse", p=0.5)
    assert all(part.screenshot() != old for part, old in zip(parts.all(), before, strict=True))
    controls = page.locator(".psipo-controls").bounding_box()
    assert controls
    assert controls["y"] + controls["height"] <= 844
    page.get_by_role("button", name="Reset").tap()
    page.goto(f"{page.url.split('?')[0]}?view=collapse&p=0.95")
    expect_view(page, "collapse", p=0.95)
    assert [part.screenshot() for part in parts.all()] == before


@pytest.mark.slow
def test_a_phone_keeps_its_place_when_it_is_turned_and_folds_many_controls(
    visit: Callable[..., Page],
) -> None:
    page = visit("?view=leashes&p=1.0", width=390, height=844, has_touch=True, is_mobile=True)
    expect_view(page, "leashes", p=1.0)
    sliders = page.locator(".psipo-controls").get_by_role("slider")
    expect(sliders).to_have_count(1)
    page.get_by_role("button", name="All 5 controls").tap()
    expect(sliders).to_have_count(4)  # the fifth is a list
    weak = page.get_by_role("slider", name="β")
    weak.press("Home")
    page.get_by_role("button", name="Fewer controls").tap()
    expect(sliders).to_have_count(1)
    expect(weak).to_be_visible()
    at_the_end = {"p": 1.0, "beta": VIEWS["leashes"].controls[1].stops[0]}
    expect_view(page, "leashes", **at_the_end)
    for size in ({"width": 844, "height": 390}, {"width": 390, "height": 844}):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        expect(page.locator(PARTS).first).to_be_visible(visible=size["width"] == 390)
        expect_view(page, "leashes", **at_the_end)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), PHONES)
def test_no_view_is_wider_than_a_phone(visit: Callable[..., Page], width: int, height: int) -> None:
    page = visit(width=width, height=height, has_touch=True, is_mobile=True)
    for name in VIEWS:
        choose(page, name)
        expect_view(page, name)
        assert page.evaluate(NARROW), name
        buttons = page.locator(".psipo-page button").evaluate_all(SEEN)
        assert min(box["height"] for box in buttons) >= 44, name
        sides = page.locator(".psipo-page").locator(
            f"select, input, button, .psipo-picture svg[role], {PARTS}, p, h2, .noUi-handle"
        )
        for box in sides.evaluate_all(SEEN):
            assert box["left"] >= 0, name
            assert box["right"] <= width, name


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_text_stands_out_in_light_and_dark(visit: Callable[..., Page], scheme: str) -> None:
    page = visit("?view=explorer&formula=q%2B&lam=9", color_scheme=scheme)
    page.get_by_role("alert").wait_for()
    contrast, where = page.evaluate(FIND_THE_LOWEST_CONTRAST)
    assert contrast >= 4.5, where
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    ground = page.locator(".psipo-picture svg path").first
    assert ground.evaluate("it => getComputedStyle(it).fill") == paper


def test_who_follows_a_link_from_another_site_is_shown_where_it_leads(app: App) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=20)
    query = "?view=collapse&p=1.0&beta=%22%3E%3Cb%3E"
    connection.request("GET", f"/{query}", headers={"Sec-Fetch-Site": "cross-site"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 403
    assert f'href="{app.url}{query.replace("&", "&amp;")}"' in text


@pytest.mark.slow
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


@pytest.mark.slow
def test_two_visitors_do_not_see_each_others_sliders(
    page: Page, visit: Callable[..., Page]
) -> None:
    one, other = page, visit("?view=explorer")
    assert kernel_name(one) != kernel_name(other)
    beta(one).press("End")
    expect_view(one, "explorer", beta=BETAS.stops[-1])
    expect_view(other, "explorer")
    beta(other).press("Home")
    expect_view(other, "explorer", beta=BETAS.stops[0])
    expect_view(one, "explorer", beta=BETAS.stops[-1])


@pytest.mark.slow
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


@pytest.mark.slow
def test_nothing_is_served_but_the_page(app: App) -> None:
    for path in NOTHING_THERE:
        status, text = get(app.port, path)
        assert status in (403, 404, 405, 500), path
        assert "root:" not in text
        assert "psipo_explore" not in text


@pytest.mark.slow
def test_the_page_shows_no_code_and_no_path(app: App) -> None:
    status, html = get(app.port, "/?template=reveal&theme=dark")
    assert status == 200
    assert "psipo-page" in html
    for word in ("import", "Page()"):
        assert word not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL), word
    assert str(Path(__file__).parents[2]) not in html
    assert "reveal" not in html


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_taken_port_is_said_by_the_address_of_another(app: App, tmp_path: Path) -> None:
    with serving(
        [*PSIPO, "app", "--no-browser", "--port", str(app.port)], os.environ, tmp_path
    ) as server:
        assert said_address(server) != app.port
        server.process.send_signal(signal.SIGHUP)  # a terminal sends this when it is closed
        assert server.process.wait(30) == 0


@pytest.mark.slow
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
