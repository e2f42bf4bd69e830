"""Properties of every view; for example, its drawing depends only on the values of its controls."""

import re
from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from pathlib import Path

import matplotlib
import pytest
from grids import DRAWINGS, places
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from psipo_explore.views import VIEWS, View, diagnosis
from psipo_explore.views.kit import svg
from psipo_explore.views.kit.foreground import Foreground

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "figures"
DREW_THE_FIGURES = (
    f"matplotlib=={matplotlib.__version__}"
    in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
)


def each_of(views: Mapping[str, View], *, live: bool) -> pytest.MarkDecorator:
    """Try each view; live, those that compute for seconds before they open are left to `make slow`."""
    return pytest.mark.parametrize(
        "view",
        [
            pytest.param(view, id=name, marks=[pytest.mark.slow] if live and view.compute else [])
            for name, view in views.items()
        ],
    )


every_view = each_of(VIEWS, live=False)
every_panel = each_of(VIEWS, live=True)
IN_MAKE_TEST = "psi_curve"  # where a formula can be typed
every_drawing = pytest.mark.parametrize(
    "view",
    [
        pytest.param(view, id=name, marks=[] if name == IN_MAKE_TEST else pytest.mark.slow)
        for name, view in DRAWINGS.items()
    ],
)


def symbols_in(label: str) -> set[str]:
    """Find the Greek letters, the single letters and p*, each with its index, in a control's label."""
    found = re.findall(r"(?<!\w)(?:[^\W\d_A-Za-z]|[a-z])(?:_\w+|\*)?(?!\w)", label)
    article = {"a"} if not label.startswith("a,") else set()
    return set(found) - article


def paths(text: str) -> set[str]:
    return {" ".join(path.split()) for path in re.findall(r'\bd="([^"]+)"', text)}


@every_view
def test_module_view_and_figure_share_a_name(view: View) -> None:
    module = import_module(f"psipo_explore.views.{view.name}")
    assert view is module.VIEW
    assert module.figure().sentence == view.figure().sentence
    assert (FIGURES / f"{view.name}.svg").is_file()


@pytest.mark.parametrize(
    "about",
    [*(view.about for view in VIEWS.values()), diagnosis.ABOUT],
    ids=[*VIEWS, "diagnosis"],
)
def test_a_view_says_in_two_plain_sentences_what_it_shows(about: str) -> None:
    assert re.fullmatch(r"[A-Z][^.?!]*(?:\.\d[^.?!]*)*\. [A-Z][^.?!]*\.", about)
    assert len(about) <= 330
    assert not set(about) & set("$\\{}^`")


@every_view
def test_each_symbol_on_a_control_is_explained_in_what_the_view_says(view: View) -> None:
    for symbol in set[str]().union(*(symbols_in(control.label) for control in view.controls)):
        assert re.search(rf"(?<!\w){re.escape(symbol)}(?!\w)", view.about), symbol


def test_symbols_are_found_in_labels() -> None:
    assert symbols_in("π_ref(y_l), where y_l starts") == {"π_ref", "y_l"}
    assert symbols_in("a, how much o is like w") == {"a", "o", "w"}
    assert symbols_in("comparisons a step") == set()
    assert symbols_in("p*, the preferences") == {"p*"}
    assert symbols_in("Ψ: λ, from logit (0) to identity (2)") == {"Ψ", "λ"}


@every_panel
def test_a_module_s_panel_is_the_view_s(view: View) -> None:
    module = import_module(f"psipo_explore.views.{view.name}")
    assert module.panel().sentence == view.figure().sentence


@every_view
def test_a_view_draws_the_same_figure_twice_byte_for_byte(view: View) -> None:
    assert svg.document(view.figure()) == svg.document(view.figure())


@every_view
@pytest.mark.skipif(
    not DREW_THE_FIGURES,
    reason="another Matplotlib than that of constraints.txt sets text a hair elsewhere",
)
def test_the_committed_figure_is_what_the_view_draws_byte_for_byte(view: View) -> None:
    drawn = svg.document(view.figure())
    assert drawn == (FIGURES / f"{view.name}.svg").read_text(encoding="utf-8"), (
        "draw it again: make figures"
    )


@every_drawing
def test_panel_and_figure_are_equal_at_equal_values_and_no_text_leaves_the_picture(
    view: View,
) -> None:
    panel = view.panel()
    for values in places(view):
        panel.move(**values)
        if "cannot be shown" in panel.sentence:
            with pytest.raises(ValueError) as impossible:
                view.drawn(values)
            assert panel.sentence == f"This cannot be shown: {impossible.value}."
            continue
        figure, artists = view.drawn(values)
        assert panel.sentence == figure.sentence
        assert panel.foreground.startswith(
            Foreground(figure, artists.values()).element(figure.sentence)
        )
        assert paths(svg.document(figure)) <= paths(panel.background) | paths(panel.foreground)
        assert_no_text_leaves(figure)


def assert_no_text_leaves(figure: Figure) -> None:
    width, height = figure.bbox.size
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        if text.get_text() and text.get_visible():
            assert 0 <= box.x0 <= box.x1 <= width, text
            assert 0 <= box.y0 <= box.y1 <= height, text


@every_panel
def test_every_control_changes_the_picture(view: View) -> None:
    panel = view.panel()
    for control in view.controls:
        seen = set()
        for stop in (control.stops[0], control.stops[-1]):
            panel.move(**{control.name: stop})
            seen.add(panel.foreground)
        assert len(seen) == 2
        panel.reset()


@every_panel
def test_reset_puts_every_control_back(view: View) -> None:
    panel = view.panel()
    before = panel.foreground
    panel.move(**{control.name: control.stops[0] for control in view.controls})
    assert panel.foreground != before
    panel.reset()
    assert panel.foreground == before
    assert panel.values == view.values({})


@every_panel
def test_a_panel_may_begin_between_two_stops(view: View) -> None:
    slider = next(slider for slider in view.sliders if not isinstance(slider.stops[0], int))
    between = (slider.stops[3] + slider.stops[4]) / 2
    assert view.panel(**{slider.name: between}).values[slider.name] == between


@every_panel
def test_controls_that_do_not_exist_or_run_too_far_are_refused(view: View) -> None:
    slider = view.sliders[0]
    with pytest.raises(
        TypeError,
        match=rf"^betta is not a control of {view.name}, must be one of {view.controls[0].name}",
    ):
        view.figure(betta=1.0)
    for wrong in (slider.stops[-1] * 2, slider.stops[0] - 1, float("nan")):
        with pytest.raises(ValueError, match=rf"^{slider.name} = .*, must be from .* to "):
            view.panel(**{slider.name: wrong})
    with pytest.raises(TypeError, match=rf"^{slider.name} = 'x', must be a number"):
        view.figure(**{slider.name: "x"})  # type: ignore[arg-type]


@every_panel
def test_what_cannot_be_shown_is_said_in_the_sentence(view: View) -> None:
    def update(*_: object, **__: object) -> str:
        raise ValueError("<two> pairs were never compared")

    panel = view.panel()
    object.__setattr__(view, "update", (works := view.update, update)[1])
    try:
        panel.move(**{view.sliders[0].name: view.sliders[0].stops[0]})
    finally:
        object.__setattr__(view, "update", works)
    assert panel.sentence == "This cannot be shown: <two> pairs were never compared."
    assert "&lt;two&gt;" in panel.foreground
    panel.reset()
    assert "cannot" not in panel.sentence


@every_panel
def test_panel_and_figure_carry_a_still_picture_and_words(view: View) -> None:
    for shown in (view.panel(), view.figure()):
        bundle = shown._repr_mimebundle_()
        assert bundle["image/png"].startswith(b"\x89PNG")  # type: ignore[union-attr]
        assert bundle["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in view.panel()._repr_mimebundle_()


@pytest.mark.parametrize("name", ["collapse", "regularisation"])
def test_the_still_picture_of_a_panel_says_under_it_where_sliders_work(name: str) -> None:
    panel, figure = VIEWS[name].panel(), VIEWS[name].figure()
    before = panel.foreground
    shown = panel._repr_mimebundle_()
    still, noted = (imread(BytesIO(png)) for png in (figure._png(), shown["image/png"]))
    height = len(still)
    assert height + 30 < len(noted) < height + 40
    under = (noted[height:, :, :3] < 0.9).any(axis=(0, 2)).nonzero()[0]  # columns with letters
    assert len(under) > 0
    assert under.max() < noted.shape[1] - 20
    sentence, note = shown["text/plain"].split("\n")
    assert sentence == panel.sentence
    assert "JupyterLab" in note
    panel.reset()
    assert panel.foreground == before
    assert "sliders work" not in panel.foreground + svg.document(figure)
