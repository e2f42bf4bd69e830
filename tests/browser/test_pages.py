"""The pages that need no Python, opened from disk.

At all values of the controls, they must show what `figure` draws.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from grids import DRAWINGS, at_start_and_end
from live import assert_shows
from playwright.sync_api import Browser, Page, expect

from psipo_explore.views import VIEWS, Choice, View
from psipo_explore.views.kit import pages, svg
from psipo_explore.views.kit.controls import Typed
from psipo_explore.views.kit.foreground import Foreground

# These controls would start seconds of training. The explorer tests controls that rebuild a page.
TRAINED_ANEW = ("comparisons", "batch_size")
FEW_STOPS = {name: at_start_and_end(view, kept=TRAINED_ANEW) for name, view in DRAWINGS.items()}

IN_MAKE_TEST = ("collapse", "explorer")
WALKED = [
    pytest.param(name, marks=[] if name in IN_MAKE_TEST else pytest.mark.slow) for name in FEW_STOPS
]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Yield a function that opens a view's page from disk, in a browser without network.

    If the page requests anything else, the test fails.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    complaints: list[str] = []

    def open_page(view: View, stops: int = 3) -> Page:
        path = tmp_path / f"{view.name}.html"
        path.write_text(pages.page(view, stops), encoding="utf-8")
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url) if request.url != path.as_uri() else None
            ),
        )
        page.goto(path.as_uri())
        page.locator("form :is(input, select)").first.wait_for()
        return page

    yield open_page
    context.close()
    assert complaints == []


def pixels(page: Page) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(page.locator(".psipo-whole").screenshot()))


def assert_looks_like(page: Page, view: View, values: Mapping[str, Any]) -> None:
    """Assert that the pixels of the page's picture are those of the figure.

    To compare them, this puts the figure in the place of the picture.
    """
    figure, artists = view.drawn(view.values(values))
    moving = artists.values()
    layers = svg.background(figure, moving) + Foreground(figure, moving).element(figure.sentence)
    shown = pixels(page)
    page.locator(".psipo-whole").evaluate("(picture, layers) => picture.innerHTML = layers", layers)
    drawn = pixels(page)
    assert shown.shape == drawn.shape
    assert np.ptp(drawn) > 0.5
    differs = np.abs(shown - drawn).max(-1)
    # Coordinates have fewer digits on the page, so edges may be smoothed a little differently.
    assert (differs > 0.4).sum() < 9, differs.max()


@pytest.mark.parametrize("name", WALKED)
def test_every_control_shows_what_the_figure_shows(
    name: str, open_page: Callable[[View], Page]
) -> None:
    view = FEW_STOPS[name]
    page = open_page(view)
    values = dict(view.values({}))
    assert_shows(page, view, values)
    place = page.locator(".psipo-sentence").bounding_box()
    assert place is not None
    assert place["y"] + place["height"] <= 720, "leaves a projector's screen"
    for control in view.controls:
        if isinstance(control, Typed):
            expect(page.get_by_label(control.label)).to_have_count(0)
            continue
        at_first = page.locator(".psipo-whole").inner_html()
        field = page.get_by_label(control.label, exact=True)
        if isinstance(control, Choice):
            field.select_option(control.stops[-1])
        else:
            field.press("End")
            assert field.evaluate("input => input.ariaValueText") == control.write(
                control.stops[-1]
            )
        values[control.name] = control.stops[-1]
        if len(control.stops) > 1:
            assert page.locator(".psipo-whole").inner_html() != at_first
        assert_shows(page, view, values)
    page.get_by_role("button", name="Reset").click()
    assert_shows(page, view, view.values({}))
    assert page.locator(".psipo-sentence").bounding_box() == place
    expect(page.locator("code")).to_have_text(f"{view.name}.figure()")
    field = page.get_by_label(view.sliders[0].label, exact=True)
    field.press("End")
    assert_looks_like(page, view, {view.sliders[0].name: view.sliders[0].stops[-1]})


def test_a_page_is_worked_by_keyboard_alone(open_page: Callable[[View], Page]) -> None:
    page = open_page(VIEWS["collapse"])
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.name || document.activeElement.textContent")
        )
    assert reached == ["p", "beta", "pi_ref_loser", "Reset"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Home")
    expect(page.locator("code")).to_have_text("collapse.figure(beta=0.01, pi_ref_loser=0.01)")
    figure = VIEWS["collapse"].figure(beta=0.01, pi_ref_loser=0.01)
    expect(page.locator(".psipo-sentence")).to_have_text(figure.sentence)


def test_a_panel_that_is_seen_before_its_frames_are_read_waits_for_them(
    browser: Browser, tmp_path: Path
) -> None:
    html = pages.page(at_start_and_end(VIEWS["collapse"]), 3)
    late = re.sub(
        r"(psipoFrames\(\"collapse\", .*?\))</script>", r"setTimeout(() => \1, 500)</script>", html
    )
    assert late != html
    path = tmp_path / "collapse.html"
    path.write_text(late, encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    expect(page.locator("psipo-panel form")).to_be_visible()
    page.close()


def test_without_javascript_the_first_picture_and_its_sentence_are_there(
    browser: Browser, tmp_path: Path
) -> None:
    view = VIEWS["psi_curve"]
    path = tmp_path / "psi_curve.html"
    path.write_text(pages.page(view, 3), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    figure = view.figure()
    expect(page.locator(".psipo-sentence")).to_have_text(figure.sentence)
    expect(page.get_by_role("img")).to_have_attribute("aria-label", figure.sentence)
    expect(page.get_by_text("if JavaScript ran")).to_be_visible()
    context.close()


@pytest.mark.parametrize("name", ["collapse", pytest.param("psi_curve", marks=pytest.mark.slow)])
def test_on_a_phone_the_parts_of_the_picture_stand_under_each_other(
    name: str, browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.html"
    path.write_text(pages.page(at_start_and_end(VIEWS[name]), 3), encoding="utf-8")
    for size in ((390, 844), (844, 390)):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        page = context.new_page()
        page.goto(path.as_uri())
        slider = page.locator("input[type=range]").first
        slider.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        shown = page.locator(".psipo-parts > svg" if size[0] < 600 else ".psipo-whole > svg")
        boxes = [part.bounding_box() for part in shown.all()]
        assert all(box and 100 < box["width"] <= size[0] for box in boxes)
        target = slider.bounding_box()
        assert target
        assert target["height"] >= 44
        assert target["y"] + target["height"] <= size[1], "the first slider is out of sight"
        if size[0] < 600:
            assert target["width"] > 300
            assert len(boxes) > 1
            assert [box["y"] for box in boxes if box] == sorted(box["y"] for box in boxes if box)
        context.close()


@pytest.fixture(scope="module")
def page_of_many_controls(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pages") / "shared_weights.html"
    path.write_text(pages.page(at_start_and_end(VIEWS["shared_weights"]), 3), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390)])
def test_many_controls_leave_most_of_a_phone_to_the_picture(
    width: int, height: int, browser: Browser, page_of_many_controls: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(page_of_many_controls)
    form = page.locator("psipo-panel form")
    form.wait_for()
    whole = form.bounding_box()
    assert whole
    assert (whole["height"] if width < height else whole["width"]) <= 0.4 * max(width, height)
    targets = page.locator("psipo-panel :is(input, select, button):visible").all()
    boxes = [box for target in targets if (box := target.bounding_box())]
    assert len(boxes) == (8 if width < height else 7)
    assert all(box["height"] >= 44 for box in boxes)
    assert all(box["y"] >= whole["y"] and box["y"] + box["height"] <= height for box in boxes)
    above = [box for box in boxes if box["width"] > 0.9 * whole["width"]]
    assert all(one["y"] + one["height"] <= two["y"] for one, two in pairwise(above))
    context.close()


def test_controls_that_would_take_too_much_of_a_low_window_are_folded(
    browser: Browser, page_of_many_controls: str
) -> None:
    first, *others = VIEWS["shared_weights"].sliders
    context = browser.new_context(viewport={"width": 390, "height": 640})
    page = context.new_page()
    page.goto(page_of_many_controls)
    expect(page.get_by_role("slider")).to_have_count(1)
    expect(page.get_by_label(first.label, exact=True)).to_be_visible()
    more = page.get_by_role("button", name="All 5 controls")
    expect(more).to_have_attribute("aria-expanded", "false")
    more.press("Enter")
    expect(page.get_by_role("slider")).to_have_count(5)
    last = page.get_by_label(others[1].label, exact=True)
    last.press("End")
    fewer = page.get_by_role("button", name="Fewer controls")
    expect(fewer).to_have_attribute("aria-expanded", "true")
    fewer.press("Enter")
    expect(page.get_by_role("slider")).to_have_count(1)
    expect(last).to_be_visible()
    page.set_viewport_size({"width": 1000, "height": 640})
    expect(page.get_by_role("slider")).to_have_count(5)
    expect(more).to_be_hidden()
    context.close()


def test_a_link_opens_at_given_values_and_the_address_follows(
    open_page: Callable[[View], Page],
) -> None:
    view = VIEWS["collapse"]
    page = open_page(view)
    address = page.url
    page.goto(f"{address}#p=1&beta=100")
    assert_shows(page, view, {"p": 1.0, "beta": 100.0})
    page.get_by_label(view.sliders[1].label, exact=True).press("Home")
    page.wait_for_url(f"{address}#p=1&beta=0.01")
    page.goto(f"{address}#pi_ref_loser=0.99")
    assert_shows(page, view, {"pi_ref_loser": 0.99})
    page.go_back()
    assert_shows(page, view, {"p": 1.0, "beta": 0.01})
    page.go_forward()
    assert_shows(page, view, {"pi_ref_loser": 0.99})
    page.reload()
    assert_shows(page, view, {"pi_ref_loser": 0.99})
    page.get_by_role("button", name="Reset").click()
    page.wait_for_url(address)


def test_a_link_with_mistakes_opens_at_the_nearest_and_says_so(
    open_page: Callable[[View], Page],
) -> None:
    view = VIEWS["collapse"]
    page = open_page(view)
    page.goto(f"{page.url}#p=7&beta=much&gamma=1")
    assert_shows(page, view, {"p": 1.0})
    expect(page.locator(".psipo-note")).to_have_text(
        "p = 7 is no stop here, and exactly 1 is the nearest. "
        "beta = much is no value here, so beta is 1. There is no control gamma here."
    )
    page.get_by_label(view.sliders[1].label, exact=True).press("End")
    expect(page.locator(".psipo-note")).to_be_empty()


def test_a_dark_page_has_dark_pictures_and_prints_light_ones(
    browser: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "collapse.html"
    path.write_text(pages.page(VIEWS["collapse"], 3), encoding="utf-8")
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(path.as_uri())
    page.locator("output").first.wait_for()
    assert pixels(page)[..., :3].mean() < 0.3
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert pixels(page)[..., :3].mean() > 0.7
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert pixels(page)[..., :3].mean() < 0.3
    page.emulate_media(color_scheme="light")
    assert pixels(page)[..., :3].mean() > 0.7
    context.close()


@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.slow)])
def test_play_moves_a_slider_to_its_end_and_pause_stops_it(
    open_page: Callable[..., Page], width: int
) -> None:
    view = VIEWS["underfitted_reward"]
    only_steps = [c if c.name == "steps" else replace(c, stops=(c.start,)) for c in view.controls]
    page = open_page(replace(view, controls=tuple(only_steps), guesses={}), 33)
    page.set_viewport_size({"width": width, "height": 844})
    slider = page.get_by_label("steps of descent", exact=False).and_(page.get_by_role("slider"))
    slider.press("End")
    at_end = slider.get_attribute("aria-valuetext")
    page.get_by_role("button", name="Play: steps of descent").click()
    page.get_by_role("button", name="Pause: steps of descent").click()
    paused = slider.get_attribute("aria-valuetext")
    assert paused != at_end
    page.wait_for_timeout(300)
    assert slider.get_attribute("aria-valuetext") == paused
    page.get_by_role("button", name="Play: steps of descent").click()
    expect(slider).to_have_attribute("aria-valuetext", str(at_end))
    expect(page.get_by_role("button", name="Play: steps of descent")).to_be_visible()
