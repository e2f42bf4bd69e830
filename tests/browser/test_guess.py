"""A guess is asked for before a picture is shown, drawn into it, and kept in the browser.

A mailed page, the app and a lesson share the form, so what all of them do is tested on the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from lab import open_notebook
from playwright.sync_api import Browser, Locator, Page, expect

from psipo_explore.views import VIEWS
from psipo_explore.views.kit import pages

VIEW = VIEWS["collapse"]
ASKED = VIEW.guesses["share"].questions


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("guess") / "collapse.html"
    path.write_text(pages.page(VIEW, 3), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    contexts = []

    def visit(fragment: str = "", width: int = 1280, height: int = 720) -> Page:
        contexts.append(browser.new_context(asks=True, viewport={"width": width, "height": height}))
        page = contexts[-1].new_page()
        page.goto(address + fragment)
        page.locator(".psipo-guess").wait_for()
        return page

    yield visit
    for context in contexts:
        context.close()


def form(page: Page) -> Locator:
    return page.locator(".psipo-guess form")


def picture(page: Page) -> Locator:
    return page.locator(".psipo-whole svg[role=img]")


def guess(page: Page, *numbers: str) -> None:
    for field, number in zip(form(page).get_by_role("textbox").all(), numbers, strict=False):
        field.fill(number)
    form(page).get_by_role("button", name="Show the picture with my guess").click()


def marks(page: Page) -> list[tuple[float, float]]:
    """Return where guesses are drawn, in points of the picture."""
    paths = page.locator(".psipo-whole .psipo-marks path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d'))"
    )
    found = [re.match(r"M([\d.]+) ([\d.-]+)", path) for path in paths]
    return [(float(match[1]), float(match[2]) + 6) for match in found if match]


def test_nothing_that_answers_is_on_the_screen_before(visit: Callable[..., Page]) -> None:
    page = visit()
    expect(form(page)).to_be_visible()
    expect(picture(page)).to_be_hidden()
    expect(page.locator(".psipo-sentence")).to_be_hidden()
    shown = page.locator("body").inner_text()
    for question in ASKED:
        assert not re.search(rf"(?<![\d.]){re.escape(question.answer)}(?![\d.])", shown)


def test_a_guess_is_drawn_where_its_value_is(visit: Callable[..., Page]) -> None:
    page = visit()
    guess(page, "0.25", "30 %", "1/10", "0,2")
    expect(picture(page)).to_be_visible()
    expect(form(page)).to_have_count(0)
    figure = VIEW.figure(p=0.9)
    to_points = figure.axes[0].transData
    expected = [to_points.transform((0.9, value)) for value in (0.3, 0.25)]
    drawn = marks(page)
    assert len(drawn) == 2
    for (x, y), at in zip(drawn, expected, strict=True):
        assert (x, figure.bbox.height - y) == pytest.approx(tuple(at), abs=0.3)
    words = page.locator(".psipo-told li").all_inner_texts()
    for text, number, question in zip(words, ("0.25", "30 %", "1/10", "0,2"), ASKED, strict=True):
        assert f"you guessed {number}, and it is {question.answer}" in text
    page.get_by_role("button", name=f"Look: {ASKED[3].asks}").click()
    expect(page.locator(".psipo-sentence")).to_have_text(VIEW.figure(p=1.0).sentence)
    assert len(marks(page)) == 2
    page.get_by_role("slider").nth(1).press("End")
    assert marks(page) == []


def test_after_a_guess_the_whole_picture_is_in_the_window(visit: Callable[..., Page]) -> None:
    page = visit()
    page.locator("body").evaluate(
        "body => body.insertAdjacentHTML('afterbegin', '<p>' + '<br>'.repeat(20))"
    )
    guess(page, "0.25")
    expect(picture(page)).to_be_in_viewport(ratio=1)


def test_a_guess_is_kept_and_can_be_made_again(visit: Callable[..., Page]) -> None:
    page = visit()
    guess(page, "0.25")
    page.reload()
    expect(picture(page)).to_be_visible()
    expect(page.locator(".psipo-told li").first).to_contain_text("you guessed 0.25, and it is 0.1")
    expect(page.locator(".psipo-told li").nth(1)).to_contain_text("if 90 % do: it is 0.401")
    assert len(marks(page)) == 1
    page.get_by_role("button", name="Guess again").click()
    expect(picture(page)).to_be_hidden()
    expect(form(page).get_by_role("textbox").first).to_be_focused()


@pytest.mark.parametrize(
    "wrong",
    [
        "two",
        *(
            pytest.param(x, marks=pytest.mark.slow)
            for x in ("1.5", "-0.1", "1/0", "0.1.2", "<b>x</b>")
        ),
    ],
)
def test_what_is_no_number_is_said_and_nothing_is_shown(
    visit: Callable[..., Page], wrong: str
) -> None:
    page = visit()
    guess(page, "0.2", wrong)
    fault = page.get_by_role("alert")
    expect(fault).to_contain_text(f"{wrong} is no number from 0 to 1, such as 0.2, 20 % or 1/5.")
    expect(fault.locator("b")).to_have_count(0)
    field = form(page).get_by_role("textbox").nth(1)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(picture(page)).to_be_hidden()
    field.fill("0.5")
    field.press("Enter")
    expect(picture(page)).to_be_visible()


@pytest.mark.slow
def test_an_empty_form_asks_for_one_guess(visit: Callable[..., Page]) -> None:
    page = visit()
    guess(page)
    expect(page.get_by_role("alert")).to_have_text("Guess at least one, or press “Show me”.")
    expect(picture(page)).to_be_hidden()


@pytest.mark.slow
def test_show_me_shows_it_also_next_time(visit: Callable[..., Page]) -> None:
    page = visit()
    page.get_by_role("button", name="Show me").click()
    expect(picture(page)).to_be_visible()
    expect(page.locator(".psipo-told li")).to_have_count(0)
    page.reload()
    expect(picture(page)).to_be_visible()
    page.get_by_role("button", name="Guess first").click()
    expect(picture(page)).to_be_hidden()


@pytest.mark.slow
def test_never_is_for_all_pictures_until_one_is_asked_for(visit: Callable[..., Page]) -> None:
    page = visit()
    page.get_by_role("button", name="Never ask me").click()
    assert page.evaluate("localStorage.getItem('psipo-never-ask')") == "yes"
    page.evaluate("localStorage.removeItem('psipo-guess:collapse:share')")
    page.reload()
    expect(picture(page)).to_be_visible()
    page.get_by_role("button", name="Guess first").click()
    assert page.evaluate("localStorage.getItem('psipo-never-ask')") is None


def test_a_link_to_values_asks_nothing(visit: Callable[..., Page]) -> None:
    page = visit("#p=1")
    expect(picture(page)).to_be_visible()
    expect(form(page)).to_have_count(0)
    expect(page.locator(".psipo-sentence")).to_have_text(VIEW.figure(p=1.0).sentence)


@pytest.mark.slow
def test_an_address_that_changes_shows_what_it_names(visit: Callable[..., Page]) -> None:
    page = visit()
    page.evaluate("location.hash = '#p=1'")
    expect(picture(page)).to_be_visible()
    expect(page.locator(".psipo-sentence")).to_have_text(VIEW.figure(p=1.0).sentence)


@pytest.mark.slow
def test_a_theme_that_changes_while_it_asks_shows_nothing(visit: Callable[..., Page]) -> None:
    page = visit()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    expect(picture(page)).to_be_hidden()
    assert complaints == []


@pytest.mark.slow
def test_what_another_version_has_kept_is_asked_again(visit: Callable[..., Page]) -> None:
    page = visit()
    for kept in ("guessed\n0.1", "[0.1, 0.2]", "nonsense"):
        page.evaluate("text => localStorage.setItem('psipo-guess:collapse:share', text)", kept)
        page.reload()
        expect(form(page)).to_be_visible()


def test_the_form_is_walked_with_the_keyboard_and_has_names(visit: Callable[..., Page]) -> None:
    page = visit()
    for question in ASKED:
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_accessible_name(question.asks)
        page.keyboard.type("0.3")
    for name in ("Show the picture with my guess", "Show me", "Never ask me"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_accessible_name(name)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Your guess")).to_be_focused()
    expect(picture(page)).to_be_visible()


def test_on_a_phone_marks_are_in_the_parts(visit: Callable[..., Page]) -> None:
    page = visit(width=390, height=844)
    guess(page, "0.25", "0.3")
    layer = page.locator(".psipo-whole .psipo-marks").get_attribute("id")
    assert page.locator(f".psipo-parts use[href='#{layer}']").count() >= 2
    cut = page.evaluate(
        """layer => [...document.querySelectorAll(`.psipo-parts use[href='#${layer}']`)].map(use => {
            const [window, marks] = [use.parentElement.getBoundingClientRect(), use.getBoundingClientRect()];
            return marks.left < window.left && marks.right > window.left
                || marks.left < window.right && marks.right > window.right;
        })""",
        layer,
    )
    assert not any(cut)
    expect(page.locator(".psipo-parts svg").first).to_be_visible()


@pytest.mark.slow
def test_without_javascript_the_picture_is_there(browser: Browser, address: str) -> None:
    context = browser.new_context(asks=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    expect(page.locator(".psipo-sentence")).to_be_visible()
    context.close()


@pytest.mark.slow
def test_a_lesson_asks_and_then_unfolds_what_explains(
    browser: Browser, lab_url: Callable[[str], str]
) -> None:
    context = browser.new_context(asks=True, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    open_notebook(page, lab_url("00_start_here.ipynb"))
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    asked = page.locator(".psipo-guess").filter(has=page.locator("form")).first
    asked.wait_for(timeout=60_000)
    panel = page.locator(".psipo-panel").first
    expect(panel.locator(".psipo-sentence")).to_be_hidden()
    fold = page.locator("details", has_text="Guessed?").first
    expect(fold).to_have_js_property("open", False)
    fields = asked.get_by_role("textbox")
    fields.nth(0).click()
    page.keyboard.type("0.2a")  # in command mode, "a" would add a cell
    cells = len(page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.map(String)"))
    page.keyboard.press("Backspace")
    fields.nth(1).fill("0.35")
    page.keyboard.press("Enter")
    expect(panel.locator(".psipo-sentence")).to_be_visible()
    expect(fold).to_have_js_property("open", True)
    expect(panel.locator(".psipo-marks path")).to_have_count(2)
    expect(panel.locator(".psipo-picture")).to_be_in_viewport(ratio=1)
    assert cells == len(
        page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.map(String)")
    )
    panel.get_by_role("button", name=f"Look: {ASKED[2].asks}").click()
    expect(panel.locator(".psipo-sentence")).to_have_text(
        VIEW.figure(p=1.0).sentence, timeout=10_000
    )
    expect(panel.locator(".psipo-marks path")).to_have_count(0)
    panel.get_by_role("button", name=f"Look: {ASKED[0].asks}").click()
    expect(panel.locator(".psipo-marks path")).to_have_count(2, timeout=10_000)
    context.close()
