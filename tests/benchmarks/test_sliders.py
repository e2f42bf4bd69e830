"""The time from a key press on a slider to the picture on screen.

Our panel is compared with `interact` and the inline backend. A slider that writes one number shows
how much of the time is spent outside our code: in the browser, the server and the widgets.
"""

from collections.abc import Callable, Iterator
from itertools import chain, cycle
from pathlib import Path

import nbformat
import numpy as np
import pytest
from lab import KERNEL_IS_IDLE
from playwright.sync_api import Page
from pytest_benchmark.fixture import BenchmarkFixture

from psipo_explore.views import VIEWS, View

WARM_UP_STEPS, STEPS = 3, 30
PYTHON = {
    "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
}
DISPLAYS = {
    "interact": """\
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import SelectionSlider, interact
from psipo_explore.views.kit.palette import STYLE

slider = view.sliders[0]
options = [(slider.write(stop), stop) for stop in sorted({*slider.stops, slider.start})]

@interact(stop=SelectionSlider(options=options, value=slider.start, description=slider.label))
def draw(stop):
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=view.size)
        values = view.values({slider.name: stop})
        view.update(view.build(figure, **view.built_for(values)), **values)
        plt.show()""",
    "panel": "view.panel()",
    "number": """\
from ipywidgets import HTML, SelectionSlider, VBox

slider = SelectionSlider(options=range(20), value=10)
number = HTML()

def write(_):
    number.value = f'<svg role="img" width="90" height="30"><text y="20">{slider.value}</text></svg>'

slider.observe(write, "value")
write(None)
VBox([slider, number])""",
}
PICTURE = ".jp-OutputArea-output :is(svg[role=img], img)"
WATCH_NEXT_STEP = """selector => {  // until the task after the frame, when the picture has been painted
    const before = document.querySelector(selector).outerHTML;
    window.nextStep = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error('no other picture within 10 s')), 10_000);
        document.addEventListener('keydown', press => {
            const observer = new MutationObserver(async () => {
                const picture = document.querySelector(selector);
                if (!picture || picture.outerHTML === before) return;
                observer.disconnect();
                await picture.decode?.();
                window.timedPicture = picture.outerHTML;
                requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - press.timeStamp)));
            });
            const seen = {subtree: true, childList: true, attributes: true};
            observer.observe(document.querySelector('.jp-Notebook'), seen);
        }, {capture: true, once: true});
    });
}"""
IS_STILL_SHOWN = "selector => document.querySelector(selector)?.outerHTML === window.timedPicture"
KERNEL_CPU_SECONDS = """async () => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const seconds = "__import__('time').process_time()";
    const reply = await kernel.requestExecute({code: '', silent: true, user_expressions: {seconds}}).done;
    return Number(reply.content.user_expressions.seconds.data['text/plain']);
}"""


class PageClock:
    """A clock that adds up the times that the page measured.

    Wall-clock time would also count Playwright's own messages.
    """

    seconds = 0.0

    def read(self) -> float:
        return self.seconds


CLOCK = PageClock()


@pytest.fixture
def open_display(
    course: Path, page: Page, run_lesson: Callable[[str], Page]
) -> Iterator[Callable[[str, str], Page]]:
    """Yield a function that opens a notebook with one view, and end its kernel after the test."""

    def open_display(view: str, display: str) -> Page:
        source = (
            f"from psipo_explore.views import VIEWS\n\nview = VIEWS[{view!r}]\n{DISPLAYS[display]}"
        )
        notebook = nbformat.v4.new_notebook(
            metadata=PYTHON, cells=[nbformat.v4.new_code_cell(source)]
        )
        name = f"{display}_{view}.ipynb"
        nbformat.write(notebook, course / "notebooks" / name)
        run_lesson(name)
        page.locator(PICTURE).scroll_into_view_if_needed(timeout=30_000)
        return page

    yield open_display
    page.evaluate("() => window.jupyterapp?.shell.currentWidget?.sessionContext.shutdown()")


def arrow_keys(view: View) -> Iterator[str]:
    """Yield keys that move the first slider from its start to its end, then back and forth."""
    slider = view.sliders[0]
    stops = sorted({*slider.stops, slider.start})
    steps = len(stops) - 1
    to_end = steps - stops.index(slider.start)
    return chain(["ArrowRight"] * to_end, cycle(["ArrowLeft"] * steps + ["ArrowRight"] * steps))


@pytest.mark.benchmark(timer=CLOCK.read)
@pytest.mark.parametrize(
    "display",
    [
        pytest.param("interact", marks=pytest.mark.peer("the same figure under interact")),
        "panel",
    ],
)
@pytest.mark.parametrize("view", VIEWS)
def test_slider_step(
    view: str,
    display: str,
    open_display: Callable[[str, str], Page],
    benchmark: BenchmarkFixture,
) -> None:
    benchmark.group = f"slider step: {view}"
    measure_steps(open_display(view, display), arrow_keys(VIEWS[view]), benchmark)


@pytest.mark.benchmark(timer=CLOCK.read)
def test_slider_step_without_a_view(
    open_display: Callable[[str, str], Page], benchmark: BenchmarkFixture
) -> None:
    benchmark.group = "slider step: nothing to compute or draw"
    measure_steps(
        open_display("collapse", "number"), cycle(["ArrowLeft"] * 9 + ["ArrowRight"] * 9), benchmark
    )


def measure_steps(page: Page, keys: Iterator[str], benchmark: BenchmarkFixture) -> None:
    handle = page.locator(".jp-OutputArea-output .noUi-handle").first
    milliseconds = []

    def step() -> None:
        page.evaluate(WATCH_NEXT_STEP, PICTURE)
        handle.press(next(keys))
        elapsed = page.evaluate("() => window.nextStep")
        page.wait_for_function(KERNEL_IS_IDLE)
        page.wait_for_timeout(100)
        assert page.evaluate(IS_STILL_SHOWN, PICTURE), (
            "a picture was timed that another one replaced"
        )
        milliseconds.append(elapsed)
        CLOCK.seconds += elapsed / 1000

    for _ in range(WARM_UP_STEPS):
        step()
    milliseconds.clear()
    cpu_before = page.evaluate(KERNEL_CPU_SECONDS)
    benchmark.pedantic(step, rounds=STEPS)
    cpu = page.evaluate(KERNEL_CPU_SECONDS) - cpu_before
    median, p95 = np.percentile(milliseconds, [50, 95]).round(1).tolist()
    benchmark.extra_info |= {
        "median_ms": median,
        "p95_ms": p95,
        "kernel_cpu_ms": round(1000 * cpu / len(milliseconds), 1),
    }
