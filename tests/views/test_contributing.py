"""The example of a view in CONTRIBUTING.md works."""

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from matplotlib.text import Text

from psipo_explore import LOGIT, optimal_policy, tournament
from psipo_explore.views.kit.view import View

CONTRIBUTING = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> View:
    code = re.search(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert code
    (tmp_path / "win_rate.py").write_text(code[1], encoding="utf-8")
    spec = spec_from_file_location("win_rate", tmp_path / "win_rate.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "win_rate", module)
    spec.loader.exec_module(module)
    shown: View = module.VIEW
    return shown


def test_it_shows_what_it_says_at_both_ends_of_each_slider(view: View) -> None:
    panel = view.panel()
    seen = {panel.foreground}
    for slider in view.sliders:
        for stop in (slider.stops[0], slider.stops[-1]):
            panel.move(**{slider.name: stop})
            assert "cannot be shown" not in panel.sentence
            seen.add(panel.foreground)
            figure = view.figure(**panel.values)
            figure.draw_without_rendering()
            width, height = figure.bbox.size
            for text in (
                text for text in figure.findobj(Text) if text.get_text() and text.get_visible()
            ):
                box = text.get_window_extent()
                assert 0 <= box.x0 <= box.x1 <= width
                assert 0 <= box.y0 <= box.y1 <= height
        panel.reset()
    assert len(seen) == 5


def test_its_numbers_are_the_theory_s(view: View) -> None:
    p = tournament([(0, 1)], 2, 0.8)
    policy = optimal_policy(p, LOGIT, 2.0)
    _, artists = view.drawn(view.values({"p": 0.8, "beta": 2.0}))
    assert artists["logit here"].get_ydata()[0] == pytest.approx(policy @ p @ [0.5, 0.5])  # type: ignore[attr-defined]
    assert f"{policy @ p @ [0.5, 0.5]:.3g} under logit" in view.figure(p=0.8, beta=2.0).sentence
