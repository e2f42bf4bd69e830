"""The course's site, opened from disk and over http, in a browser that has no network.

`make walk` builds the site before.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import matplotlib.image
import pytest
from axe_playwright_python.sync_playwright import Axe
from live import assert_shows
from playwright.sync_api import Browser, Page, expect
from site_formulas import characters_of_the_font, drawn_characters

from psipo_explore.app import links
from psipo_explore.course import originals
from psipo_explore.views import VIEWS, Slider
from psipo_explore.views.kit.pages import MOST_BYTES

SITE = Path(__file__).parents[2] / "site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
WITH_PANELS = [name for name in PAGES if "<psipo-panel" in (SITE / name).read_text("utf-8")]
LESSONS = [path.stem for path in sorted((originals() / "notebooks").glob("*.ipynb"))]
IN_CHROMIUM = pytest.mark.parametrize("opened", ["browser"], indirect=True)
SIZES = {"projector": (1280, 720), "phone": (390, 844), "phone on its side": (844, 390)}
FOCUSED = """() => {
    const { name, textContent } = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    const isField = document.activeElement.closest("psipo-panel form");
    return [isField && (name || textContent), `${outlineStyle} ${outlineWidth}`];
}"""
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


@pytest.fixture(params=["browser", "firefox"])
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens a page of the site. Whatever the page complains of is an error."""
    browser: Browser = request.getfixturevalue(request.param)
    complaints: list[str] = []
    pages: dict[str, Page] = {}

    def new_page(at: str, options: dict[str, Any]) -> Page:
        page = browser.new_context(**options).new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{page.url}: {said.text}") if said.type == "error" else None
            ),
        )
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((at, "data:", "blob:"))
                else complaints.append(f"{page.url} asks for {asked.url}")
            ),
        )
        return page

    def open_page(name: str, at: str = SITE.as_uri(), **options: Any) -> Page:
        known = f"{at} {options}"
        if known not in pages:
            pages[known] = new_page(at, options)
        pages[known].goto(f"{at}/{name}")
        return pages[known]

    yield open_page
    for page in pages.values():
        page.context.close()
    assert complaints == []


def live_panels(page: Page) -> list[Any]:
    """Scroll to each panel of the page, and return them when they are live."""
    panels = page.locator("psipo-panel").all()
    for panel in panels:
        panel.scroll_into_view_if_needed()
        expect(panel).to_have_class(re.compile(r"\bpsipo-live\b"))
    return panels


def call_of(panel: Any) -> str:
    """Return the call in Python that draws what the panel shows."""
    return str(panel.locator(".psipo-call code").inner_text())


def values_of(call: str) -> dict[str, Any]:
    view, _, arguments = call.partition(".figure")
    return {**VIEWS[view].values({}), **eval(f"dict{arguments}")}


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
        assert html.count("<psipo-panel data-frames=") == source.count(").ask("), lesson


def test_a_lesson_asks_before_it_shows_and_explains(opened: Callable[..., Page]) -> None:
    page = opened("notebooks/00_start_here.html", asks=True)
    form = page.locator(".psipo-guess form").first
    panel = page.locator("psipo-panel").first
    panel.evaluate("panel => panel.parentElement.scrollIntoView()")
    form.wait_for()
    expect(panel).to_be_hidden()
    fold = page.locator("details", has_text="Guessed?").first
    expect(fold).to_have_js_property("open", False)
    form.get_by_role("textbox").first.fill("0.25")
    form.get_by_role("textbox").first.press("Enter")
    expect(panel).to_be_visible()
    expect(fold).to_have_js_property("open", True)
    expect(panel.locator(".psipo-whole .psipo-marks path")).to_have_count(1)
    told = page.locator(".psipo-told").first
    expect(told).to_contain_text("you guessed 0.25, and it is 0.1")
    told.get_by_role("button", name="Look").nth(3).click()
    expect(panel.locator(".psipo-call code")).to_have_text("collapse.figure(p=1.0)")
    page.reload()
    page.locator(".psipo-told").first.wait_for()
    expect(page.locator(".psipo-told").first).to_contain_text("you guessed 0.25")


@pytest.mark.parametrize("size", ["projector", "phone"])
def test_a_verdict_is_guessed_before_it_is_shown(size: str, opened: Callable[..., Page]) -> None:
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    page = opened("notebooks/07_your_hypothesis.html", asks=True, offline=True, viewport=viewport)
    verdicts = page.locator("psipo-panel[data-frames]")
    assert verdicts.count() == 4
    panel = verdicts.nth(1)
    panel.evaluate("panel => panel.parentElement.scrollIntoView()")
    form = page.locator(".psipo-guess form", has_text="that DPO keeps")
    form.wait_for()
    field = form.get_by_role("textbox")
    expect(panel).to_be_hidden()
    folds = page.locator("details", has_text="Guessed? Then read our verdict.")
    field.fill("1.5")
    field.press("Enter")
    expect(form.get_by_role("alert")).to_contain_text("1.5 is no number from 0 to 1")
    expect(panel).to_be_hidden()
    field.fill("50 %")
    field.press("Enter")
    expect(panel).to_be_visible()
    opened_folds = folds.evaluate_all("folds => folds.map(fold => fold.open)")
    assert opened_folds == [False, True, False, False]
    told = page.locator(".psipo-told", has_text="that DPO keeps")
    expect(told).to_contain_text("you guessed 50 %, and it is 0.76")
    expect(panel.locator(".psipo-sentence")).to_contain_text("DPO keeps: 0.76, from 0.75 to 0.78")
    shown = ".psipo-parts use[href$=guess]" if size == "phone" else ".psipo-whole .psipo-marks"
    expect(panel.locator(shown)).to_have_count(1)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    if size == "phone":
        (letters,) = panel.locator(".psipo-parts > svg").all()
        box = letters.bounding_box()
        assert box
        points = letters.evaluate("svg => svg.viewBox.baseVal.width")
        assert box["width"] / points > 0.9  # so that 10 points are read well
    page.reload()
    panel.evaluate("panel => panel.parentElement.scrollIntoView()")
    expect(panel).to_be_visible()


def test_what_the_site_has_otherwise_is_dropped_from_lessons() -> None:
    for lesson in LESSONS:
        html = (SITE / "notebooks" / f"{lesson}.html").read_text("utf-8")
        article = re.search(r"<article.*?</article>", html, re.S)
        assert article
        for twin in ("The picture without sliders", "figures/", "map</a> ·", "previous: 0"):
            assert twin not in article[0], (lesson, twin)


def test_defaults_are_written_by_name_in_the_reference() -> None:
    for page in (SITE / "reference").glob("*.html"):
        html = page.read_text("utf-8")
        assert "&lt;function" not in html, page.name
        assert "&lt;factory&gt;" not in html, page.name


def test_docstrings_link_public_names_and_keep_code_as_typed() -> None:
    html = (SITE / "reference" / "comparisons.html").read_text("utf-8")
    assert 'href="policy.html#psipo_explore.policy.optimal_policy"' in html
    assert ">--shapes</span>" in html


def test_formulas_are_drawn_in_the_font_of_the_site(opened: Callable[..., Page]) -> None:
    known = characters_of_the_font()
    for name in PAGES:
        formulas = re.findall(r"<math.*?</math>", (SITE / name).read_text("utf-8"), re.DOTALL)
        assert set().union(*map(drawn_characters, formulas)) <= known, name
    page = opened("notation.html", offline=True)
    page.wait_for_function("() => document.fonts.check('1em \"Course Math\"')")
    assert page.evaluate("() => [...document.fonts].map(font => font.status)") == ["loaded"]
    assert not (SITE / "_static" / "math.woff2").exists()
    assert (SITE / "_static" / "OFL.txt").exists()


def test_every_page_opens_from_disk_without_a_complaint(opened: Callable[..., Page]) -> None:
    for name in PAGES:
        page = opened(name, offline=True)
        expect(page.get_by_role("heading").first).to_be_visible()


@pytest.mark.parametrize("name", WITH_PANELS)
def test_every_slider_moves_its_picture_as_the_figure_moves(
    name: str, opened: Callable[..., Page], over_http: str
) -> None:
    page = opened(name, over_http)
    for panel in live_panels(page):
        if panel.get_attribute("data-frames"):
            continue  # it has no sliders
        view = VIEWS[panel.get_attribute("data-view")]
        sentence = panel.locator(".psipo-sentence")
        start = {**view.values({}), **json.loads(panel.get_attribute("data-values"))}
        assert_shows(panel, view, start)
        for control in view.controls:
            if not isinstance(control, Slider) or len(control.stops) == 1:
                continue
            field = panel.get_by_label(control.label, exact=True)
            for key, stop in (("End", control.stops[-1]), ("Home", control.stops[0])):
                field.press(key)
                if not (call := call_of(panel)):
                    expect(sentence).to_contain_text("This cannot be shown")
                    continue
                assert values_of(call)[control.name] == stop
                assert_shows(panel, view, values_of(call))
            panel.get_by_role("button", name="Reset").click()
        assert_shows(panel, view, start)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_screen(size: str, opened: Callable[..., Page]) -> None:
    width, height = SIZES[size]
    for name in PAGES:
        page = opened(name, viewport={"width": width, "height": height})
        live_panels(page)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, name


def test_a_link_of_a_lesson_opens_the_picture_as_it_was(opened: Callable[..., Page]) -> None:
    page = opened("notebooks/03_collapse.html", offline=True)
    panel = live_panels(page)[0]
    panel.get_by_label("β, strength of the KL term", exact=True).press("End")
    sentence = panel.locator(".psipo-sentence").inner_text()
    panel.get_by_role("link", name="Link to this").click()
    page.wait_for_url(re.compile(r"pictures/collapse\.html#p=0\.9{15}&beta=100$"))
    live_panels(page)
    expect(page.locator(".psipo-sentence")).to_have_text(sentence)
    page.evaluate("history.back()")
    expect(page).to_have_url(re.compile(r"03_collapse\.html$"))


def test_an_address_opens_a_picture_and_follows_it(
    opened: Callable[..., Page], over_http: str
) -> None:
    view = VIEWS["collapse"]
    page = opened("pictures/collapse.html#p=1&beta=10", over_http)
    (panel,) = live_panels(page)
    assert_shows(panel, view, view.values({"p": 1.0, "beta": 10.0}))
    panel.get_by_label("β, strength of the KL term", exact=True).press("Home")
    expect(page).to_have_url(f"{over_http}/pictures/collapse.html#p=1&beta=0.01")
    page.evaluate("location.hash = '#pi_ref_loser=7'")
    assert_shows(panel, view, view.values({"pi_ref_loser": 0.99}))
    expect(panel.locator(".psipo-note")).to_contain_text("pi_ref_loser = 7 is no stop here")
    for step, values in (
        ("back", {"p": 1.0, "beta": 0.01}),
        ("forward", {"pi_ref_loser": 0.99}),
    ):
        page.evaluate(f"history.{step}()")
        assert_shows(panel, view, view.values(values))


@IN_CHROMIUM
@pytest.mark.parametrize("name", VIEWS)
def test_app_and_site_read_each_other_s_addresses(
    name: str, opened: Callable[..., Page], over_http: str
) -> None:
    view = VIEWS[name]
    ends = {
        control.name: control.stops[-1] for control in view.controls if isinstance(control, Slider)
    }
    values = dict(view.values(ends))
    query = links.query(name, values)
    page = opened(f"pictures/{name}.html#{query.partition('&')[2]}", over_http)
    (panel,) = live_panels(page)
    expect(panel.locator(".psipo-note")).to_be_empty()
    if call := call_of(panel):
        assert values_of(call) == values
    slider = view.sliders[0]
    panel.get_by_label(slider.label, exact=True).press("Home")
    page.wait_for_timeout(300)  # the address follows a little later
    fragment = urlsplit(page.url).fragment
    place = links.place(f"?view={name}&{fragment}")
    assert place == (name, {**values, slider.name: slider.stops[0]}, ())


def test_every_link_leads_somewhere() -> None:
    anchors = {
        name: set(re.findall(r'\bid="([^"]+)"', (SITE / name).read_text("utf-8"))) for name in PAGES
    }
    for name in PAGES:
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', (SITE / name).read_text("utf-8")):
            address = urlsplit(unescape(link))
            if address.scheme:
                continue
            target = (SITE / name).parent / unquote(address.path) if address.path else SITE / name
            assert target.is_file(), f"{name}: {link}"
            found = target.resolve().relative_to(SITE).as_posix()
            if address.fragment and not found.startswith("pictures/"):
                assert unquote(address.fragment) in anchors[found], f"{name}: {link}"


@IN_CHROMIUM
@pytest.mark.parametrize("size", ["projector", "phone"])
def test_axe_finds_nothing_serious(size: str, opened: Callable[..., Page], over_http: str) -> None:
    width, height = SIZES[size]
    found = []
    for name in PAGES:
        page = opened(name, over_http, viewport={"width": width, "height": height})
        live_panels(page)
        for theme in ("light", "dark"):
            page.evaluate("theme => { document.body.dataset.theme = theme; }", theme)
            found += [(name, theme, *violation) for violation in serious(page)]
    assert found == []


def serious(page: Page) -> list[tuple[str, list[Any]]]:
    """Return what axe finds that keeps people out, and where."""
    return [
        (violation["id"], [node["target"] for node in violation["nodes"]][:3])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]


@IN_CHROMIUM
@pytest.mark.parametrize("lesson", ["00_start_here", "04_ipo"])
def test_axe_finds_nothing_serious_in_a_form(
    lesson: str, opened: Callable[..., Page], over_http: str
) -> None:
    page = opened(f"notebooks/{lesson}.html", over_http, asks=True)
    page.locator("psipo-panel").first.evaluate("panel => panel.parentElement.scrollIntoView()")
    form = page.locator(".psipo-guess form").first
    form.get_by_role("button", name="Show the picture").click()
    expect(form.get_by_role("alert")).to_be_visible()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.body.dataset.theme = theme; }", theme)
        assert serious(page) == []
    form.get_by_role("button", name="Show me").click()
    page.get_by_role("button", name="Guess first").first.wait_for()
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.body.dataset.theme = theme; }", theme)
        assert serious(page) == []


def test_a_lesson_is_worked_by_keyboard_alone(opened: Callable[..., Page]) -> None:
    page = opened("notebooks/03_collapse.html")
    live_panels(page)
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to content"
    page.keyboard.press("Enter")
    fields = page.locator("psipo-panel form :is(input, button)")
    wanted = fields.evaluate_all(
        "fields => fields.filter(f => f.offsetParent).map(f => f.name || f.textContent)"
    )
    reached: list[str] = []
    for _ in range(200):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        if name:
            assert outline == "solid 3px", name
            reached.append(name)
        if name == "beta":
            page.keyboard.press("End")
        if reached == wanted:
            break
    assert reached == wanted
    for panel in page.locator("psipo-panel").all():
        assert values_of(call_of(panel))["beta"] == 100.0


@IN_CHROMIUM
def test_nothing_moves_for_a_reader_who_asked_for_rest(opened: Callable[..., Page]) -> None:
    page = opened("notebooks/03_collapse.html", reduced_motion="reduce")
    live_panels(page)
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    page.locator("label.theme-toggle, button.theme-toggle").locator("visible=true").first.click()
    page.locator("psipo-panel input").first.press("End")
    assert (
        page.evaluate("document.getAnimations().filter(a => a.playState === 'running').length") == 0
    )


@IN_CHROMIUM
def test_a_printed_lesson_is_light_and_holds_the_answers(opened: Callable[..., Page]) -> None:
    page = opened("notebooks/03_collapse.html", color_scheme="dark")
    live_panels(page)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details").count() > 2
    for answer in page.locator("details > :not(summary)").all():
        expect(answer).to_be_visible()
        box = answer.bounding_box()
        assert box
        assert box["height"] > 0
    expect(page.locator("psipo-panel form").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    picture = matplotlib.image.imread(
        io.BytesIO(page.locator("psipo-panel .psipo-picture").first.screenshot())
    )
    assert picture[..., :3].mean() > 0.7


def test_the_reader_s_button_darkens_page_and_pictures(opened: Callable[..., Page]) -> None:
    page = opened("pictures/collapse.html")
    (panel,) = live_panels(page)
    button = page.locator(".content-icon-container button.theme-toggle")
    for _ in range(3):
        if page.evaluate("document.body.dataset.theme") != "dark":
            button.click()
    assert page.evaluate("document.body.dataset.theme") == "dark"
    for place in (page.locator("article h1"), panel.locator(".psipo-picture")):
        shown = matplotlib.image.imread(io.BytesIO(place.screenshot()))
        assert shown[..., :3].mean() < 0.35


def test_search_finds_from_disk(opened: Callable[..., Page]) -> None:
    page = opened("search.html?q=separated", offline=True)
    expect(page.locator("#search-results li").first).to_be_visible()


def test_without_javascript_pictures_and_sentences_are_there(opened: Callable[..., Page]) -> None:
    page = opened("pictures/collapse.html", java_script_enabled=False)
    figure = VIEWS["collapse"].figure()
    expect(page.locator("psipo-panel .psipo-sentence")).to_have_text(figure.sentence)
    expect(page.locator("psipo-panel [role=img]")).to_have_attribute("aria-label", figure.sentence)
