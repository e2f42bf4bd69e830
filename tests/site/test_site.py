"""The course's site, opened from disk and over http, in a browser that has no network.

`make walk` builds the site before.
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from psipo_explore.course import originals
from psipo_explore.views import VIEWS, Slider, View
from psipo_explore.views.kit.pages import MOST_BYTES

SITE = Path(__file__).parents[2] / "site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
WITH_PANELS = [name for name in PAGES if "<psipo-panel" in (SITE / name).read_text("utf-8")]
LESSONS = [path.stem for path in sorted((originals() / "notebooks").glob("*.ipynb"))]
SIZES = {"projector": (1280, 720), "phone": (390, 844), "phone on its side": (844, 390)}
MOST_BYTES_OF_SITE = 15_000_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def over_http() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens a page of the site. Whatever the page complains of is an error."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_page(name: str, at: str = SITE.as_uri(), **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{name}: {said.text}") if said.type == "error" else None
            ),
        )
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((at, "data:", "blob:"))
                else complaints.append(f"{name} asks for {asked.url}")
            ),
        )
        page.goto(f"{at}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def live_panels(page: Page) -> list[Any]:
    """Scroll to each panel of the page, and return them when they are live."""
    panels = page.locator("psipo-panel").all()
    for panel in panels:
        panel.scroll_into_view_if_needed()
        panel.locator("form :is(input, select)").first.wait_for()
    return panels


def shown_values(panel: Any, view: View) -> dict[str, Any]:
    """Return the values at which the panel stands, from the call that it shows."""
    call = panel.locator(".psipo-call code").inner_text()
    assert call.startswith(f"{view.name}.figure(")
    return eval(call.replace(f"{view.name}.figure", "dict"))  # type: ignore[no-any-return]


def test_every_lesson_and_picture_is_there_and_the_whole_is_small() -> None:
    assert {f"notebooks/{lesson}.html" for lesson in LESSONS} < set(PAGES)
    assert {f"pictures/{name}.html" for name in VIEWS} < set(PAGES)
    sizes = {path: path.stat().st_size for path in SITE.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < MOST_BYTES_OF_SITE
    assert all(size < MOST_BYTES for size in sizes.values())


def test_each_panel_of_the_lessons_is_on_its_page() -> None:
    for lesson in LESSONS:
        cells = json.loads((originals() / "notebooks" / f"{lesson}.ipynb").read_text("utf-8"))
        source = "\n".join(
            "".join(cell["source"]) for cell in cells["cells"] if "code" in cell["cell_type"]
        )
        html = (SITE / "notebooks" / f"{lesson}.html").read_text("utf-8")
        called = re.findall(r"^(\w+)\.panel\(", source, re.MULTILINE)
        assert re.findall(r'<psipo-panel data-view="(\w+)"', html) == called, lesson


def test_every_page_opens_from_disk_without_a_complaint(opened: Callable[..., Page]) -> None:
    for name in PAGES:
        page = opened(name, offline=True)
        expect(page.get_by_role("heading").first).to_be_visible()
        page.context.close()


@pytest.mark.parametrize("name", WITH_PANELS)
def test_every_slider_moves_its_picture_as_the_figure_moves(
    name: str, opened: Callable[..., Page], over_http: str
) -> None:
    page = opened(name, over_http)
    for panel in live_panels(page):
        view = VIEWS[panel.get_attribute("data-view")]
        sentence = panel.locator(".psipo-sentence")
        start = {**view.values({}), **json.loads(panel.get_attribute("data-values"))}
        expect(sentence).to_have_text(view.figure(**start).sentence)
        for control in view.controls:
            if not isinstance(control, Slider) or len(control.stops) == 1:
                continue
            field = panel.get_by_label(control.label, exact=True)
            for key, stop in (("End", control.stops[-1]), ("Home", control.stops[0])):
                field.press(key)
                if not panel.locator(".psipo-call code").inner_text():
                    expect(sentence).to_contain_text("This cannot be shown")
                    continue
                values = shown_values(panel, view)
                assert values.get(control.name, view.values({})[control.name]) == stop
                expect(sentence).to_have_text(view.figure(**values).sentence)
            panel.get_by_role("button", name="Reset").click()
        expect(sentence).to_have_text(view.figure(**start).sentence)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_screen(
    size: str, scheme: str, opened: Callable[..., Page]
) -> None:
    width, height = SIZES[size]
    for name in PAGES:
        page = opened(name, viewport={"width": width, "height": height}, color_scheme=scheme)
        live_panels(page)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, name
        page.context.close()


def test_a_link_of_a_lesson_opens_the_picture_as_it_was(opened: Callable[..., Page]) -> None:
    page = opened("notebooks/03_collapse.html", offline=True)
    panel = live_panels(page)[0]
    panel.get_by_label("β, strength of the KL term", exact=True).press("End")
    sentence = panel.locator(".psipo-sentence").inner_text()
    panel.get_by_role("link", name="Link to this").click()
    page.wait_for_url(re.compile(r"pictures/collapse\.html#p=1&beta=100$"))
    live_panels(page)
    expect(page.locator(".psipo-sentence")).to_have_text(sentence)
    page.go_back()
    expect(page).to_have_url(re.compile(r"03_collapse\.html$"))


def test_search_finds_from_disk(opened: Callable[..., Page]) -> None:
    page = opened("search.html?q=separated", offline=True)
    expect(page.locator("#search-results li").first).to_be_visible()


def test_without_javascript_pictures_and_sentences_are_there(opened: Callable[..., Page]) -> None:
    page = opened("pictures/collapse.html", java_script_enabled=False)
    figure = VIEWS["collapse"].figure()
    expect(page.locator("psipo-panel .psipo-sentence")).to_have_text(figure.sentence)
    expect(page.locator("psipo-panel [role=img]")).to_have_attribute("aria-label", figure.sentence)
