"""Tests of what a view computes before it is shown live, and of how often it reads a formula."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import pytest
from grids import at_start_and_end

from psipo_explore import psi
from psipo_explore._bars import with_bar_in_terminal
from psipo_explore._psi import symbolic
from psipo_explore.app.page import Page
from psipo_explore.views import VIEWS, View
from psipo_explore.views.kit.pages import page
from psipo_explore.views.kit.view import Values

TRAINING, COLLAPSE = VIEWS["training"], VIEWS["collapse"]


def recording(view: View, calls: list[Values], on: tuple[str, ...]) -> View:
    return replace(view, compute=lambda **values: calls.append(values), compute_on=on)


def test_a_panel_opens_after_its_view_has_computed_for_every_stop() -> None:
    calls: list[Values] = []
    counted: list[str] = []

    def bar(pieces: Sequence[Values], title: str) -> Iterator[Values]:
        counted.append(f"{len(pieces)} pieces, {title}")
        yield from pieces

    view = recording(COLLAPSE, calls, ("pi_ref_loser", "beta"))
    stops = {slider.name: slider.stops for slider in view.sliders}
    view.panel(bar, beta=10.0)
    assert calls == [
        {"pi_ref_loser": pi, "beta": beta} for pi in stops["pi_ref_loser"] for beta in stops["beta"]
    ]
    assert counted == [f"{len(calls)} pieces, collapse: computing for the sliders"]


def test_a_page_has_computed_what_its_own_stops_ask_for(capfd: pytest.CaptureFixture[str]) -> None:
    for progress in (False, True):
        calls: list[Values] = []
        view = recording(at_start_and_end(COLLAPSE), calls, ("beta",))
        page(view, 3, progress=progress)
        assert calls == [{"beta": stop} for stop in view.sliders[1].stops]
        assert ("computing for the sliders" in capfd.readouterr().err) == progress


def test_the_app_s_page_shows_a_bar_while_a_view_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[type, ...]] = []

    def compute(**_: Any) -> None:
        (meanwhile,) = page.stage.children
        seen.append(tuple(map(type, meanwhile.children)))

    computing = replace(COLLAPSE, name="explorer", compute=compute, compute_on=("beta",))
    monkeypatch.setitem(VIEWS, "explorer", computing)
    page = Page()
    page.choice.value = "explorer"
    assert seen == [(widgets.HTML, widgets.IntProgress)] * len(COLLAPSE.sliders[1].stops)
    (panel,) = page.stage.children
    assert panel.values == COLLAPSE.values({})
    page.choice.value = "collapse"
    page.choice.value = "explorer"
    assert len(seen) == len(COLLAPSE.sliders[1].stops), "what is kept was computed again"


def test_never_wins_computes_ahead_what_training_does() -> None:
    assert VIEWS["never_wins"].compute is TRAINING.compute is not None
    assert VIEWS["never_wins"].compute_on == TRAINING.compute_on


@pytest.mark.parametrize("text", ["atan(q) + 1/7", "log(q/(1-q) + 1/7"])
def test_a_typed_formula_is_read_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(
        symbolic,
        "facts_of",
        lambda text, facts_of=symbolic.facts_of: (read.append(text), facts_of(text))[1],
    )
    psi._read.cache_clear()
    panel = VIEWS["psi_curve"].panel()
    panel.move(formula=text)
    panel.move(q=0.3)
    assert read == [text]


def test_no_terminal_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(with_bar_in_terminal(["a", "b"], "computing")) == ["a", "b"]
    assert capfd.readouterr() == ("", "")
