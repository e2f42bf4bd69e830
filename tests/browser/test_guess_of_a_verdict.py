"""A verdict asks for a number first, on a page whose picture is no view of the course."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from lab import open_notebook, run_all_cells
from playwright.sync_api import Browser, BrowserContext, Page, expect

from psipo_explore.site.kernel import element
from psipo_explore.views.kit import pages
from psipo_explore.views.verdict import Interval, verdict

ASKS = "The gain of the second"
TOLD = verdict({"first": Interval(0.1, 0.0, 0.2), "second": Interval(-0.4, -0.5, -0.3)}, claim=0)
VIEW = TOLD.ask(ASKS, about="They may lose.", of="second", low=-1, high=1)._view
FOLD = "<details><summary>Guessed? Then read.</summary>Why.</details>"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("guess") / "verdict.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><style>{pages.live('live.css')}</style><body>"
        f"{element(VIEW, {}, ASKS)}{FOLD}<details><summary>Guessed? Later.</summary></details>"
        f"<script>{pages.live('live.js')}</script>",
        encoding="utf-8",
    )
    return path.as_uri()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []

    def visit(**options: object) -> Page:
        contexts.append(browser.new_context(asks=True, **options))
        page = contexts[-1].new_page()
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()


def test_nothing_is_shown_before_a_number_is_guessed(visit: Callable[..., Page]) -> None:
    page = visit()
    field = page.get_by_role("textbox", name=ASKS)
    field.wait_for()
    expect(page.locator("psipo-panel")).to_be_hidden()
    assert "0.4" not in page.locator("body").inner_text()
    field.fill("−2")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(
        f"{ASKS}: −2 is no number from −1 to 1, such as 0.2, 20 % or 1/5."
    )
    expect(field).to_be_focused()
    expect(page.locator("psipo-panel")).to_be_hidden()
    assert page.locator("details").evaluate_all("all => all.map(each => each.open)") == [False] * 2


@pytest.mark.parametrize("guess", ["-0.25", "80 %"])
def test_a_guess_is_drawn_at_its_number(visit: Callable[..., Page], guess: str) -> None:
    page = visit()
    page.get_by_role("textbox", name=ASKS).wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type(guess)
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Your guess")).to_be_focused()
    expect(page.locator(".psipo-told li")).to_have_text(
        f"{ASKS}: you guessed {guess}, and it is −0.4. "
    )
    expect(page.locator(".psipo-sentence")).to_have_text(VIEW.figure().sentence)
    assert page.locator("details").evaluate_all("all => all.map(each => each.open)") == [
        True,
        False,
    ]
    figure = VIEW.figure()
    x, y = figure.axes[0].transData.transform((0.8 if "%" in guess else -0.25, 0.67))
    (path,) = page.locator(".psipo-whole .psipo-marks path").all()
    at = re.match(r"M([\d.]+) ([\d.]+)l", path.get_attribute("d") or "")
    assert at
    assert float(at[1]) == pytest.approx(x, abs=0.3)
    assert figure.bbox.height - float(at[2]) - 6 == pytest.approx(y, abs=0.3)
    for name in ("Look", "Reset", "Link to this"):
        expect(page.get_by_text(name)).to_have_count(0)
    page.get_by_role("button", name="Guess again").click()
    expect(page.locator("psipo-panel")).to_be_hidden()


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844), (844, 390)])
def test_it_fills_the_screen_and_is_no_wider(
    visit: Callable[..., Page], width: int, height: int
) -> None:
    page = visit(viewport={"width": width, "height": height})
    page.get_by_role("button", name="Show me").click()
    svg = page.locator(f".psipo-{'parts' if width < 600 else 'whole'} svg").first
    box = svg.bounding_box()
    assert box
    assert box["width"] > 0.85 * min(width - 16, 960)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_without_javascript_the_picture_is_there(visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=False)
    expect(page.locator(".psipo-sentence")).to_have_text(VIEW.figure().sentence)
    expect(page.locator("[role=img]")).to_be_visible()


@pytest.mark.slow
def test_the_lesson_asks_in_jupyterlab(browser: Browser, lab_url: Callable[[str], str]) -> None:
    context = browser.new_context(asks=True, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    open_notebook(page, lab_url("07_your_hypothesis.ipynb"))
    run_all_cells(page)
    form = page.locator(".psipo-guess form", has_text="that DPO keeps")
    form.wait_for(timeout=60_000)
    panel = page.locator(".psipo-panel", has=form)
    expect(panel.locator(".psipo-sentence")).to_be_hidden()
    fold = page.locator("details", has_text="exactly true for IPO")
    expect(fold).to_have_js_property("open", False)
    form.get_by_role("textbox").fill("1/2")
    form.get_by_role("textbox").press("Enter")
    told = page.locator(".psipo-panel", has_text="you guessed 1/2, and it is 0.76")
    expect(told.locator(".psipo-sentence")).to_contain_text("DPO keeps: 0.76, from 0.75 to 0.78")
    expect(told.locator(".psipo-marks path")).to_have_count(1)
    expect(told.locator(".psipo-sentence")).to_be_in_viewport()
    with_mark = told.locator(".psipo-picture").screenshot()
    told.locator(".psipo-marks").evaluate("marks => { marks.style.visibility = 'hidden'; }")
    assert told.locator(".psipo-picture").screenshot() != with_mark  # nothing lies over the guess
    expect(told.get_by_role("button", name="Reset")).to_have_count(0)
    expect(fold).to_have_js_property("open", True)
    context.close()
