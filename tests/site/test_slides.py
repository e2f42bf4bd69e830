"""The slides of the lecture and the handout, opened from disk in a browser that has no network.

`make walk` builds them before.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from live import assert_shows
from playwright.sync_api import Browser, Locator, Page, expect

from psipo_explore.site.lecture import lecture
from psipo_explore.views import VIEWS

SLIDES = Path(__file__).parents[2] / "slides"
STEPS = lecture()
PICTURES = [step for step in STEPS if step.view]
HERE = "section.present"
CUT = """slide => {
    const { width, height } = slide.closest(".slides").getBoundingClientRect();
    const shown = [...slide.querySelectorAll(".slide *")].filter(
        node => !node.closest("svg svg, svg g, .psipo-sentence, .psipo-parts, math, select"));
    return [slide, ...shown].filter(node => {
        const { left, top, right, bottom } = node.getBoundingClientRect();
        const isCut = left < -1 || top < -1 || right > width + 1 || bottom > height + 1;
        const isScrolled = node.matches(".slide") && node.scrollHeight > node.clientHeight + 2;
        return right > left && (isCut || isScrolled);
    }).map(node => `${node.tagName} ${node.className}`);
}"""


@pytest.fixture(params=["browser", "firefox"])
def opened(request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens a file of the slides. Whatever it complains of is an error."""
    browser: Browser = request.getfixturevalue(request.param)
    complaints: list[str] = []
    contexts = []

    def open_page(name: str = "index.html", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, **options})
        contexts.append(context)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on(
            "console", lambda said: complaints.append(said.text) if said.type == "error" else None
        )
        context.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith((SLIDES.as_uri(), "data:", "blob:", "about:"))
                else complaints.append(f"asks for {asked.url}")
            ),
        )
        page = context.new_page()
        page.goto(f"{SLIDES.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def place(page: Page) -> int:
    return int(page.evaluate("Reveal.getIndices().h"))


def shown_panel(page: Page) -> Locator:
    panel = page.locator(f"{HERE} psipo-panel")
    panel.locator("form :is(input, select)").first.wait_for()
    return panel


def first_picture(page: Page) -> Locator:
    page.evaluate(
        """Reveal.slide(Reveal.getSlides().findIndex(slide => slide.querySelector("psipo-panel")))"""
    )
    return shown_panel(page)


def test_every_slide_fits_a_projector_and_has_notes(opened: Callable[..., Page]) -> None:
    page = opened()
    slides = int(page.evaluate("Reveal.getTotalSlides()"))
    assert slides == 1 + sum(3 if step.view else 2 for step in STEPS)
    for number in range(slides):
        assert place(page) == number
        if page.locator(f"{HERE} psipo-panel").count():
            shown_panel(page)
        assert page.locator(HERE).evaluate(CUT) == [], number
        assert page.evaluate("Reveal.getSlideNotes()").strip(), number
        page.keyboard.press("ArrowRight")


def test_every_panel_begins_where_the_lecture_says_and_moves(opened: Callable[..., Page]) -> None:
    page = opened()
    for number, step in enumerate(PICTURES):
        page.evaluate(
            """number => Reveal.slide(Reveal.getSlides().indexOf(
                document.querySelectorAll("psipo-panel")[number].closest("section")))""",
            number,
        )
        panel = shown_panel(page)
        assert step.view
        assert_shows(panel, VIEWS[step.view], step.values)
        assert panel.locator(".psipo-guess").count() == 0
        for slider in panel.locator("input").all():
            before = panel.locator(".psipo-sentence").text_content()
            slider.press("Home" if slider.input_value() != "0" else "End")
            expect(panel.locator(".psipo-sentence")).not_to_have_text(before or "")


def test_the_keys_of_a_slider_move_it_and_those_of_a_remote_control_turn_the_slides(
    opened: Callable[..., Page],
) -> None:
    page = opened()
    first_picture(page)
    slider = page.locator("psipo-panel").first.locator("input").first
    at = place(page)
    slider.focus()
    before = int(slider.input_value())
    page.keyboard.press("ArrowRight")
    assert (int(slider.input_value()), place(page)) == (before + 1, at)
    page.keyboard.press("PageDown")
    assert place(page) == at + 1
    page.keyboard.press("ArrowLeft")
    assert (int(slider.input_value()), place(page)) == (before + 1, at)
    slider.focus()
    page.keyboard.press("Escape")
    assert not page.evaluate("Reveal.isOverview()")
    page.keyboard.press("ArrowRight")
    assert (int(slider.input_value()), place(page)) == (before + 1, at + 1)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (900, 480)])
def test_a_slider_follows_the_pointer_at_every_size(
    size: tuple[int, int], opened: Callable[..., Page]
) -> None:
    page = opened(viewport=dict(zip(("width", "height"), size, strict=True)))
    slider = first_picture(page).locator("input").first
    at, stops = place(page), int(slider.get_attribute("max") or 0)
    box = slider.bounding_box()
    assert box
    x, y = box["x"], box["y"] + box["height"] / 2
    for share in (0.2, 0.5, 0.8):
        page.mouse.move(x + box["width"] * 0.5, y)
        page.mouse.down()
        page.mouse.move(x + box["width"] * share, y, steps=4)
        page.mouse.up()
        assert abs(int(slider.input_value()) / stops - share) < 0.09
    assert place(page) == at


@pytest.mark.parametrize("opened", ["browser"], indirect=True)
def test_the_speaker_sees_the_notes_from_disk(opened: Callable[..., Page]) -> None:
    page = opened()
    with page.expect_popup() as opening:
        page.keyboard.press("s")
    notes = opening.value.locator(".speaker-controls-notes .value")
    expect(notes).to_contain_text("handout.html")
    page.keyboard.press("ArrowRight")
    expect(notes).to_contain_text("Minutes 0 to 6.")


@pytest.mark.parametrize("opened", ["browser"], indirect=True)
def test_the_handout_fits_four_sides_of_a4(opened: Callable[..., Page]) -> None:
    page = opened("handout.html")
    assert Axe().run(page, options={"preload": False}).violations_count == 0
    sheet = page.pdf(prefer_css_page_size=True)
    assert sheet.count(b"/Type /Page\n") == 4
    assert b"/MediaBox [0 0 594" in sheet or b"/MediaBox [0 0 595" in sheet
