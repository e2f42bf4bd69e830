"""The button that plays a slider moves it by one stop for each step that the browser asks for."""

from typing import Any

import ipywidgets as widgets
import pytest

from psipo_explore.views.kit.player import Player


def test_each_step_is_one_stop_and_after_the_last_comes_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(Player, "send", lambda _, content: said.append(content["ends"]))
    slider = widgets.SelectionSlider(options=[("one", 1), ("two", 2), ("three", 3)], value=3)
    player = Player(slider, "stops")
    seen = []
    for _ in range(4):
        player._hear(None, "step", [])
        seen.append(slider.value)
    assert seen == [1, 2, 3, 1]
    assert said == [False, False, True, False]


@pytest.mark.parametrize("junk", [None, 7, "steps", {"step": 1}, ["step"]])
def test_what_is_no_step_moves_nothing(junk: Any) -> None:
    slider = widgets.SelectionSlider(options=[1, 2], value=1)
    Player(slider, "stops")._hear(None, junk, [])
    assert slider.value == 1
