"""What `psipo app` computes before its visitors come, and the links into its page."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from lab import free_port

from psipo_explore.app import links
from psipo_explore.app.page import Page
from psipo_explore.views import VIEWS


def printed_by(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", code], text=True, env=os.environ)


@pytest.mark.slow
def test_for_many_visitors_all_is_computed_before_they_come() -> None:
    code = """
from psipo_explore.app import computed
from psipo_explore.views import VIEWS, training
before = training._trained.cache_info().misses
for view in VIEWS.values():
    view.panel(lambda pieces, title: pieces)
print(before > 0, training._trained.cache_info().misses - before)
"""
    assert printed_by(code) == "True 0\n"


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
        "psipo_explore.app.address.Address.send",
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


def test_what_is_wrong_in_a_link_is_no_html(said: list[tuple[str, bool]]) -> None:
    page = Page()
    page.go_to("?view=<script>")
    assert "&lt;script&gt;" in page.notice.value
    page.address._hear(None, {"event": 7}, [])
    page.address._hear(None, {"asked": "1", "query": 2}, [])
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
