"""Each lesson works in a real JupyterLab.

It runs without errors, and every slider moves the picture and the sentence.
"""

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from grids import DRAWINGS
from lab import ERRORS, run_all_cells
from playwright.sync_api import Locator, Page, expect

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LESSONS = {path.name: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
SHOWN = {
    name: re.findall(
        r"(\w+)\.panel\(",
        "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "code"),
    )
    for name, lesson in LESSONS.items()
}
SENTENCE = ".psipo-sentence"
NEWS = ".Toastify__toast"  # a pop-up that would cover the lesson
IN_MAKE_TEST = "01_psi_curve.ipynb"  # its view has sliders and a field for a typed formula
WALKED = [
    pytest.param(name, marks=[] if name == IN_MAKE_TEST else pytest.mark.slow) for name in LESSONS
]
CELLS_NOT_RUN = """() => [...window.jupyterapp.shell.currentWidget.content.widgets]
    .filter(cell => cell.model.type === 'code' && cell.model.executionCount === null).length"""


def panels(page: Page) -> list[Locator]:
    """Return the panels that have controls, which those of verdicts have not."""
    page.locator(SENTENCE).first.wait_for(timeout=30_000)
    shown = page.locator(".jp-OutputArea-output").filter(has=page.locator(SENTENCE))
    return shown.filter(has=page.locator(".noUi-handle")).all()


def seen(panel: Locator) -> tuple[str, str]:
    """Return the current sentence and both layers of the picture, even if not in view."""
    layers = panel.locator("svg").evaluate_all("layers => layers.map(layer => layer.innerHTML)")
    return panel.locator(SENTENCE).text_content() or "", "".join(layers)


def press(panel: Locator, handle: Locator, key: str) -> tuple[str, str]:
    """Press a key, and wait until the slider has changed both sentence and picture."""
    sentence, picture = seen(panel)
    handle.press(key)
    expect(panel.locator(SENTENCE)).not_to_have_text(sentence, timeout=10_000)
    now = seen(panel)
    assert now[1] != picture
    return now


def choose_each(panel: Locator, dropdown: Locator) -> None:
    """Choose all other options from the last to the first, and then the original one again.

    Each choice must change the sentence and the picture.
    """
    chosen, at_first = dropdown.evaluate("select => select.selectedIndex"), seen(panel)[0]
    for option in reversed(range(dropdown.locator("option").count())):
        if option != chosen:
            sentence, picture = seen(panel)
            dropdown.select_option(index=option)
            expect(panel.locator(SENTENCE)).not_to_have_text(sentence, timeout=10_000)
            assert seen(panel)[1] != picture
            assert_says_why(seen(panel)[0])
    dropdown.select_option(index=chosen)
    expect(panel.locator(SENTENCE)).to_have_text(at_first, timeout=10_000)


def type_formulas(panel: Locator, field: Locator) -> None:
    """Type formulas, text that is not a formula, and nothing.

    A formula must change the picture. Text that is not a formula must give a message under the
    field, in place of the picture. An empty field must restore the view.
    """
    at_first = seen(panel)
    complaint = panel.get_by_role("alert")
    for formula in ("q**2", "atan(logit(q))"):
        field.fill(formula)
        field.press("Enter")
        expect(panel.locator(SENTENCE)).to_contain_text(f"Ψ(q) = {formula}", timeout=10_000)
        assert seen(panel)[1] != at_first[1]
        expect(complaint).to_have_count(0)
    field.fill("q + q^2")
    field.press("Enter")
    expect(complaint).to_contain_text("a power is written **, not ^")
    assert "q + q^2\n     ^" in (complaint.locator("pre").text_content() or "")
    expect(panel.locator(SENTENCE)).to_contain_text("must be a formula")
    under, above = complaint.bounding_box(), field.bounding_box()
    assert under is not None
    assert above is not None
    assert 0 <= under["y"] - (above["y"] + above["height"]) < 20
    field.fill("")
    field.press("Enter")
    expect(panel.locator(SENTENCE)).to_have_text(at_first[0], timeout=10_000)
    expect(complaint).to_have_count(0)


def assert_controls_are_named_and_reached_by_tab(page: Page, panel: Locator) -> None:
    """Assert that each control has an accessible name, and that Tab goes from one to the next.

    A slider's accessible value must be the number that it shows.
    """
    controls = panel.locator("[role=slider], select, input, button").all()
    controls[0].focus()
    for control in controls:
        expect(control).to_be_focused()
        expect(control).to_have_accessible_name(re.compile(r"\w{4}"))
        page.keyboard.press("Tab")
    for label in panel.locator(".widget-label").all():
        assert label.evaluate("e => e.scrollWidth <= e.clientWidth"), label.text_content()
    for slider in panel.locator(".widget-slider").all():
        label, readout = (
            slider.locator(f".widget-{part}").text_content() or "" for part in ("label", "readout")
        )
        expect(slider.get_by_role("slider", name=label, exact=True)).to_have_attribute(
            "aria-valuetext", readout
        )
    expect(panel.get_by_role("img")).to_have_accessible_name(
        panel.locator(SENTENCE).text_content() or ""
    )


def assert_slider_picture_and_sentence_are_seen_together(page: Page, panel: Locator) -> None:
    """Assert that they fit into a window of 1280 × 720, below the menus.

    What was guessed stands under them, and need not fit.
    """
    controls, picture, notebook = (
        part.bounding_box()
        for part in (
            panel.locator(".psipo-controls"),
            panel.locator(".psipo-picture"),
            page.locator(".jp-WindowedPanel-outer"),
        )
    )
    assert controls is not None
    assert picture is not None
    assert notebook is not None
    assert picture["y"] + picture["height"] - controls["y"] <= notebook["height"]


@pytest.mark.slow
def test_in_a_large_window_the_picture_grows_and_is_still_seen_with_its_sentence(
    page: Page, open_lesson: Callable[[str], Page]
) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    open_lesson("00_start_here.ipynb")
    run_all_cells(page)
    explorer = page.locator(".psipo-panel").last
    explorer.locator(SENTENCE).wait_for(timeout=30_000)
    explorer.scroll_into_view_if_needed()
    assert_slider_picture_and_sentence_are_seen_together(page, explorer)
    picture, sentence = (explorer.locator(part).first.bounding_box() for part in ("svg", SENTENCE))
    assert picture is not None
    assert sentence is not None
    assert picture["width"] > 1300
    n_lines = sentence["height"] / (1.4 * 18)
    assert len(seen(explorer)[0]) / 115 <= round(n_lines) <= 4


def reset(panel: Locator, at_first: str) -> None:
    """Press Reset, and wait until the sentence is the one that the panel opened with."""
    panel.get_by_role("button", name="Reset").click()
    expect(panel.locator(SENTENCE)).to_have_text(at_first, timeout=10_000)


def assert_says_why(*sentences: str) -> None:
    """Assert that a sentence about what cannot be shown also says what must hold instead."""
    for sentence in sentences:
        assert "cannot be shown" not in sentence or "must be" in sentence


def assert_layers_lie_exactly_over_each_other(panel: Locator) -> None:
    still, *others = panel.locator(".psipo-picture svg").evaluate_all(
        """layers => layers.map(layer => {
            const {a, d, e, f} = layer.getScreenCTM();
            return [a, d, e, f, a * layer.viewBox.baseVal.width];
        })"""
    )
    assert len(others) in (1, 2)  # a panel that asks has a layer for guesses
    for other in others:
        assert other == pytest.approx(still, abs=0.01)
    assert still[-1] > 650


def walked_in(lesson: str) -> list[bool]:
    """Return for each panel of the lesson whether its controls are tested here.

    They are tested only in the lesson that shows the drawing for the first time.
    """
    earlier = [view for before, views in SHOWN.items() if before < lesson for view in views]
    return [view in DRAWINGS and view not in earlier for view in SHOWN[lesson]]


@pytest.mark.parametrize("lesson", WALKED)
def test_lesson_runs_and_every_control_moves_picture_and_sentence(
    lesson: str, run_lesson: Callable[[str], Page]
) -> None:
    page = run_lesson(lesson)
    for panel, walked in zip(panels(page), walked_in(lesson), strict=True):
        panel.scroll_into_view_if_needed()
        assert_layers_lie_exactly_over_each_other(panel)
        assert_slider_picture_and_sentence_are_seen_together(page, panel)
        if not walked:
            handle = panel.locator(".noUi-handle").first
            now, least = (handle.get_attribute(f"aria-value{name}") for name in ("now", "min"))
            press(panel, handle, "End" if now == least else "Home")
            continue
        assert_controls_are_named_and_reached_by_tab(page, panel)
        at_first = seen(panel)[0]
        for slider in panel.locator(".widget-slider").all():
            handle = slider.locator(".noUi-handle")
            handle.press("End")
            page.wait_for_timeout(500)
            at_end = seen(panel)
            at_start = press(panel, handle, "Home")
            assert press(panel, handle, "End") == at_end
            expect(handle).to_have_attribute(
                "aria-valuetext", slider.locator(".widget-readout").text_content() or ""
            )
            assert_says_why(at_start[0], at_end[0])
        reset(panel, at_first)
        for dropdown in panel.locator("select").all():
            choose_each(panel, dropdown)
        reset(panel, at_first)
        for field in panel.locator("input[list]").all():
            type_formulas(panel, field)
    assert page.evaluate(CELLS_NOT_RUN) == 0
    expect(page.locator(ERRORS)).to_have_count(0)
    expect(page.locator(NEWS)).to_have_count(0)


def test_a_saved_lesson_shows_its_pictures_without_a_kernel_and_untrusted(
    open_lesson: Callable[[str], Page], executed_lesson: str
) -> None:
    page = open_lesson(executed_lesson)
    pictures = page.locator(".jp-OutputArea-output img[src^='data:image/png']")
    pictures.first.wait_for(timeout=30_000)
    box = pictures.first.bounding_box()
    assert box is not None
    assert box["width"] > 600


DARK = "JupyterLab Dark"
IN_THEME = "name => document.body.dataset.jpThemeName === name"
CONTRAST = """(element) => {
    const luminance = color => color.match(/[\\d.]+/g).slice(0, 3).map(level => level / 255)
        .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
        .reduce((sum, x, k) => sum + x * [0.2126, 0.7152, 0.0722][k], 0);
    const paper = getComputedStyle(document.querySelector(".psipo-picture svg path")).fill;
    const [low, high] = [paper, getComputedStyle(element).color].map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


def change_theme(page: Page, name: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
    )
    page.wait_for_function(IN_THEME, arg=name)


@pytest.mark.slow
def test_in_a_dark_jupyterlab_picture_and_words_are_dark(
    run_lesson: Callable[[str], Page],
) -> None:
    page = run_lesson(IN_MAKE_TEST)
    (panel,) = panels(page)
    ground = panel.locator("svg path").first
    expect(ground).to_have_css("fill", "rgb(255, 255, 255)")
    change_theme(page, DARK)
    try:
        expect(ground).to_have_css("fill", "rgb(19, 20, 22)")
        expect(panel.locator("svg").first).to_have_css("fill", "rgb(232, 232, 232)")
        field = panel.locator("input[list]")
        field.fill("q + q^2")
        field.press("Enter")
        for words in (panel.get_by_role("alert"), panel.locator(SENTENCE)):
            expect(words).to_be_visible()
            assert words.evaluate(CONTRAST) >= 4.5
    finally:
        change_theme(page, "JupyterLab Light")


@pytest.mark.slow
def test_play_moves_a_slider_to_its_end_and_pause_stops_it(
    run_lesson: Callable[[str], Page],
) -> None:
    page = run_lesson("06_underfitted_reward.ipynb")
    (panel,) = panels(page)
    slider = panel.get_by_role("slider", name="steps of descent")
    slider.press("End")
    at_end = slider.get_attribute("aria-valuetext")
    panel.get_by_role("button", name="Play: steps of descent").click()
    panel.get_by_role("button", name="Pause: steps of descent").click()
    page.wait_for_timeout(500)
    paused = slider.get_attribute("aria-valuetext")
    assert paused not in (None, at_end)
    page.wait_for_timeout(500)
    assert slider.get_attribute("aria-valuetext") == paused
    panel.get_by_role("button", name="Play: steps of descent").click()
    expect(slider).to_have_attribute("aria-valuetext", str(at_end), timeout=30_000)
    expect(panel.get_by_role("button", name="Play: steps of descent")).to_be_visible()


@pytest.mark.slow
def test_back_and_forward_lead_from_lesson_to_lesson(
    open_lesson: Callable[[str], Page],
) -> None:
    page = open_lesson("00_start_here.ipynb")
    page.get_by_role("link", name="next: 01 the Ψ curve").first.click()
    expect(page).to_have_url(re.compile("01_psi_curve"), timeout=20_000)
    expect(page.get_by_role("heading", name="The Ψ curve")).to_be_visible(timeout=20_000)
    page.go_back()
    expect(page.get_by_role("heading", name="Start here")).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile("00_start_here"))
    page.go_forward()
    expect(page.get_by_role("heading", name="The Ψ curve")).to_be_visible(timeout=20_000)
    expect(page).to_have_url(re.compile("01_psi_curve"))
    page.go_back()
    expect(page.get_by_role("heading", name="Start here")).to_be_visible(timeout=20_000)
