"""What `psipo app` computes before its visitors come, and the links into its page."""

import asyncio
import gc
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from lab import free_port
from tornado.websocket import WebSocketClosedError
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from psipo_explore.app import links, phone
from psipo_explore.app.door import QuietWebsocket
from psipo_explore.app.page import Page
from psipo_explore.app.phone import PhonePanel
from psipo_explore.views import VIEWS


def printed_by(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", code], text=True, env=os.environ)


@pytest.mark.slow
def test_for_many_visitors_all_is_computed_before_they_come() -> None:
    code = """
from psipo_explore.app import computed, phone
from psipo_explore.views import VIEWS, training
trained, parted = training._trained, phone.parts_of
before = trained.cache_info().misses, parted.cache_info().misses
for view in VIEWS.values():
    view.panel(lambda pieces, title: pieces)
    phone.PhonePanel(view, view.values({}))
print(before[0] > 0, trained.cache_info().misses - before[0])
print(before[1], parted.cache_info().misses - before[1])
"""
    assert printed_by(code) == f"True 0\n{len(VIEWS)} 0\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ip", "for_many"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True)]
)
def test_many_may_come_where_other_machines_reach_the_page(ip: str, for_many: bool) -> None:
    code = f"""
from psipo_explore.app.server import server_at
server = server_at({ip!r}, {free_port()}, 1)
print(server.config["Kernels"]["for_many"])
"""
    assert printed_by(code) == f"{for_many}\n"


@pytest.mark.parametrize("view", VIEWS.values(), ids=list(VIEWS))
def test_a_link_brings_back_every_stop_exactly(view: Any) -> None:
    assert "view" not in {control.name for control in view.controls}
    for control in view.controls:
        for stop in control.stops:
            values = {**view.values({}), control.name: stop}
            place = links.place(links.query(view.name, values))
            assert place == (view.name, values, ())
            assert str(place.values[control.name]) == str(stop)


FORMULA = "sqrt(q)/(sqrt(q) + sqrt(1-q)) & p=1#é"


@pytest.mark.parametrize(
    ("query", "moved", "faults"),
    [
        ("", {}, []),
        ("?", {}, []),
        ("view=collapse&p=1", {"p": 1.0}, []),
        ("?p=1&p=0.95", {"p": 0.95}, []),
        ("?p=0.999999999999999", {"p": 1 - 1e-15}, []),
        ("?p=0.96", {"p": 0.95}, ["p = 0.96 is not a stop of its slider, 0.95 is the nearest."]),
        (
            "?beta=inf",
            {"beta": 100},
            ["beta = inf is not a stop of its slider, 100 is the nearest."],
        ),
        (
            "?beta=-1",
            {"beta": 0.01},
            ["beta = -1 is not a stop of its slider, 0.01 is the nearest."],
        ),
        ("?beta=nan", {}, ["beta = nan is not a number, so it is 1."]),
        ("?beta=", {}, ["beta =  is not a number, so it is 1."]),
        ("?gamma=1&p=1", {"p": 1}, ["This picture has no control gamma."]),
        (f"?{'g' * 99}", {}, [f"This picture has no control {'g' * 60}…."]),
        ("?view=no&p=1", {}, ["There is no picture no, so this is the first one."]),
        ("?&&=&%&p=%ff", {}, None),
    ],
)
def test_what_is_wrong_in_a_link_is_said(
    query: str, moved: dict[str, float], faults: list[str] | None
) -> None:
    place = links.place(query)
    assert place[:2] == ("collapse", {**VIEWS["collapse"].values({}), **moved})
    assert faults is None or list(place.faults) == faults


def test_names_and_formulas_in_a_link() -> None:
    start = VIEWS["explorer"].values({})
    values = {**start, "mu": "first action only", "formula": FORMULA}
    place = links.place(links.query("explorer", values))
    assert place.values["formula"] == FORMULA
    assert place.values["mu"] == start["mu"]
    assert place.faults == ("mu = first action only is not a name to choose, so it is uniform.",)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Record what the page says to the browser: queries, and whether a view was chosen."""
    said: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        "psipo_explore.app.browser.Browser.send",
        lambda _, content: said.append((content["query"], content["chosen"])),
    )
    return said


def test_the_address_follows_the_page_and_the_page_the_address(
    said: list[tuple[str, bool]],
) -> None:
    page = Page()
    page.go_to("")
    assert said.pop() == ("", False)
    page.panel.move(p=1.0)
    assert said.pop() == ("?view=collapse&p=1.0", False)
    page.choice.value = "explorer"
    assert said.pop() == ("?view=explorer", True)
    page.go_to("?view=collapse&beta=1e9")
    assert said.pop() == ("?view=collapse&beta=100.0", False)
    assert page.panel.values == {**VIEWS["collapse"].values({}), "beta": 100}
    assert "beta = 1e9" in page.notice.value
    page.panel.reset()
    assert said == [("?view=collapse", False)]
    assert page.notice.value == ""


def turn(page: Page, is_narrow: bool) -> None:
    page.browser._hear(None, {"narrow": is_narrow}, [])


def test_a_phone_that_is_turned_keeps_view_and_values(said: list[tuple[str, bool]]) -> None:
    page = Page()
    page.go_to("?view=psi_curve&q=0.75")
    wide = page.panel
    said.clear()
    for is_narrow in (True, True, False):
        turn(page, is_narrow)
        assert isinstance(page.panel, PhonePanel) == is_narrow
        assert page.query == "?view=psi_curve&q=0.75"
        assert page.stage.children == (page.panel,)
    assert page.panel is wide
    page.panel.move(q=0.25)
    turn(page, True)
    page.panel.reset()
    assert page.panel.values == VIEWS["psi_curve"].values({})
    assert said == [("?view=psi_curve&q=0.25", False), ("?view=psi_curve", False)]


def classes(control: Any) -> list[str]:
    return [name for name in control._dom_classes if name.startswith("psipo")]


def test_on_a_phone_many_controls_are_folded_and_the_last_one_moved_stays() -> None:
    view = VIEWS["leashes"]
    panel = PhonePanel(view, view.values({}))
    controls = panel._controls
    kept = [name for name, control in controls.items() if classes(control) == ["psipo-kept"]]
    assert kept == ["lam"]
    panel.move(p=1.0)
    kept = [name for name, control in controls.items() if classes(control) == ["psipo-kept"]]
    assert kept == ["p"]
    box = panel.children[0]
    assert "psipo-folded" in classes(box)
    assert panel.fold.description == "All 5 controls"
    panel.fold.click()
    assert "psipo-folded" not in classes(box)
    panel.fold.click()
    assert "psipo-folded" in classes(box)
    few = PhonePanel(VIEWS["collapse"], VIEWS["collapse"].values({}))
    assert not hasattr(few, "fold")
    assert "psipo-folded" not in classes(few.children[0])


def test_the_parts_on_a_phone_are_those_of_the_drawing_shown() -> None:
    view = VIEWS["never_wins"]
    panel = PhonePanel(view, view.values({}))
    names = [f"psipo-{panel.model_id}-{layer}" for layer in ("still", "moving", "guess")]
    for stop in view.controls[0].stops[:2]:
        panel.move(comparisons=stop)
        of_drawing = phone.parts_of("never_wins", comparisons=stop)
        shown = panel._parts.value
        assert shown == phone._elements(of_drawing, names)
        assert shown.count("max-width:") == len(of_drawing)
        windows = sum(len(part.windows) for part in of_drawing)
        for name, html in zip(names, (panel.background, panel.foreground, None), strict=True):
            assert html is None or f'<g id="{name}">' in html  # the browser draws guesses
            assert shown.count(f'<use href="#{name}"/>') == windows


def test_what_is_wrong_in_a_link_is_no_html(said: list[tuple[str, bool]]) -> None:
    page = Page()
    page.go_to("?view=<script>")
    assert "&lt;script&gt;" in page.notice.value
    page.browser._hear(None, {"event": 7}, [])
    page.browser._hear(None, {"asked": "1", "query": 2}, [])
    page.browser._hear(None, {"narrow": 1}, [])
    assert len(said) == 1


def test_below_the_title_stands_what_a_view_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    about = "What p < 1 means."
    monkeypatch.setitem(VIEWS, "psi_curve", replace(VIEWS["psi_curve"], about=about))
    monkeypatch.setitem(VIEWS, "explorer", replace(VIEWS["explorer"], about=""))
    page = Page()
    page.choice.value = "psi_curve"
    assert page.title.value.endswith("</h2><p>What p &lt; 1 means.</p>")
    page.choice.value = "explorer"
    assert page.title.value.endswith("</h2>")


def test_nothing_is_said_of_a_message_to_a_visitor_who_has_just_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_lost(*_: Any) -> None:
        raise WebSocketClosedError

    monkeypatch.setattr(
        VoilaKernelWebsocketHandler,
        "write_message",
        lambda *message: asyncio.ensure_future(is_lost(*message)),
    )
    said: list[Any] = []

    async def send() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        object.__new__(QuietWebsocket).write_message("news")
        await asyncio.sleep(0.01)
        gc.collect()

    with ThreadPoolExecutor(1) as beside:  # in this thread Playwright may run a loop
        beside.submit(asyncio.run, send()).result()
    assert said == []
