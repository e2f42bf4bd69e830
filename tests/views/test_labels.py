"""Labels from data are shown as they are, and never read as mathematics.

If that is impossible, the picture shows the action's number and the sentence explains it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labels import NASTY
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text

from psipo_explore import Comparisons
from psipo_explore._tables import as_html
from psipo_explore.views import explorer, psi_curve, training
from psipo_explore.views.kit import fonts, labels, pages, svg
from psipo_explore.views.kit.labels import Room, labels_of

LITTLE, MUCH = Room(24, 11, beginning=3), Room(110, 11)


@pytest.fixture(scope="module", autouse=True)
def _runs_are_not_trained() -> Iterator[None]:
    """Replace training by constant policies, because these tests look only at the labels."""

    def flat(_: object, data: Comparisons, __: object, betas: Sequence[float]) -> training.Runs:
        policy = np.full((4, len(betas), 91, data.n_actions), 1 / data.n_actions)
        return training.Runs(np.arange(0, 18_001, 200), policy, policy, policy)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_runs", flat)
        yield


@pytest.fixture
def few_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide all fonts except those that come with Matplotlib."""
    monkeypatch.setattr(
        fontManager, "ttflist", [font for font in fontManager.ttflist if "matplotlib" in font.fname]
    )
    monkeypatch.setattr(fonts, "findSystemFonts", list)
    caches = (fonts._scanned, fonts._look_for_new_fonts, labels._labels_of)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def in_a_ring(actions: Sequence[str]) -> Comparisons:
    """Return comparisons in which each action beats the next, and the last beats the first."""
    return Comparisons.from_pairs(
        list(zip(actions, [*actions[1:], actions[0]], strict=True)), actions=actions
    )


def drawings(actions: Sequence[str]) -> list[tuple[Any, Any]]:
    """Draw the figure and the panel of each view that takes data."""
    data = in_a_ring(actions)
    views = [
        explorer.view_of(data, prior=1.0),
        *([training.view_of(data)] if len(actions) <= training.MOST_ACTIONS else []),
    ]
    # Nothing is computed ahead, because the tests move no control.
    return [(view.figure(), replace(view, compute=None).panel()) for view in views]


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def holding(figure: Figure, words: str) -> list[Text]:
    return [text for text in texts(figure) if words in text.get_text()]


def assert_sound(figure: Any, panel: Any) -> None:
    """Assert that figure and panel are well-formed and agree, with all text inside the picture."""
    ElementTree.fromstring(svg.document(figure))
    ElementTree.fromstring(f"<div>{panel.background}{panel.foreground}</div>")
    assert figure.sentence == panel.sentence
    assert "cannot be shown" not in figure.sentence
    json.dumps(panel.foreground, ensure_ascii=False).encode()
    width, height = figure.bbox.size
    for text in texts(figure):
        box = text.get_window_extent()
        assert 0 <= box.x0 <= box.x1 <= width, text
        assert 0 <= box.y0 <= box.y1 <= height, text
    assert figure._png().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(NASTY), training.MOST_ACTIONS))
def test_any_label_gives_a_sound_picture_and_page(start: int) -> None:
    for figure, panel in drawings((NASTY + NASTY)[start : start + training.MOST_ACTIONS]):
        assert_sound(figure, panel)


def test_many_labels_of_any_kind_give_a_sound_picture() -> None:
    for figure, panel in drawings(NASTY[: explorer.MOST_ACTIONS]):
        assert_sound(figure, panel)


SOME_LABELS = st.lists(st.text(st.characters(), max_size=12), min_size=2, max_size=5, unique=True)


@given(SOME_LABELS)
@settings(max_examples=20, deadline=None)
def test_random_labels_fit_their_room_and_are_told_apart(actions: list[str]) -> None:
    told = labels_of(actions, LITTLE, MUCH)
    for room, drawn in zip((LITTLE, MUCH), told.drawn, strict=True):
        assert len({" ".join(words.split()) for words in drawn}) == len(actions)
        assert all(
            labels.width(words, room.size, told.font["family"]) <= room.width for words in drawn
        )
    ElementTree.fromstring(f"<p>{as_html(told.note + ', '.join(told.said))}</p>")


@pytest.mark.slow
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOME_LABELS)
def test_random_labels_give_a_sound_picture_and_page(actions: list[str]) -> None:
    for figure, panel in drawings(actions):
        assert_sound(figure, panel)


@pytest.mark.parametrize(
    "label", ["$x$", "costs $5 to $9", "$\\frac{1}$", "\\$", "a_b^c", "\\alpha"]
)
def test_no_label_is_read_as_mathematics(label: str) -> None:
    for figure, _ in drawings([label, "other"]):
        figure.draw_without_rendering()
        found = holding(figure, label)
        assert found
        assert not any(text.get_parse_math() for text in [*found, *holding(figure, "oth")])
        assert label in figure.sentence


@pytest.mark.usefixtures("few_fonts")
def test_a_number_is_shown_where_no_font_has_the_letters() -> None:
    for figure, _ in drawings(["tea", "猫", "🐈"]):
        assert figure.sentence.endswith(
            " No font here can draw 猫 (№1) and 🐈 (№2): the picture shows their numbers."
        )
        assert "猫 0.333" in figure.sentence
        assert holding(figure, "tea")
        assert holding(figure, "№1")
        assert holding(figure, "№2")
        assert not holding(figure, "猫")
    assert (
        labels_of(["tea", "猫"], MUCH).note
        == " No font here can draw 猫 (№1): the picture shows its number."
    )


@pytest.mark.usefixtures("few_fonts")
def test_a_font_that_has_the_letters_is_used_by_the_labels_that_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [svg.document(view.figure()) for view in (explorer, psi_curve)]
    path = font_with(tmp_path, "Some Sans", "猫犬")
    # Pretend that the font was installed after Matplotlib wrote its list of fonts.
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: [str(path)])
    for figure, panel in drawings(["tea", "猫"]):
        assert_sound(figure, panel)
        assert "No font" not in figure.sentence
        (drawn, *_) = holding(figure, "猫")
        assert drawn.get_fontfamily() == ["DejaVu Sans", "Some Sans"]
        assert "SomeSans" in svg.document(figure)
    assert labels_of(["tea"], MUCH).font["family"] == ["DejaVu Sans"]
    assert [svg.document(view.figure()) for view in (explorer, psi_curve)] == before


@pytest.mark.usefixtures("few_fonts")
def test_a_font_without_outlines_is_of_no_use(tmp_path: Path) -> None:
    fontManager.addfont(font_with(tmp_path, "Colour Emoji", "🐈", outlines=False))
    assert fonts.families(["🐈", "a"]) == [None, ("DejaVu Sans",)]
    fontManager.addfont(font_with(tmp_path, "Cats Only", "🐈"))
    assert fonts.families(["🐈 and é"]) == [("DejaVu Sans", "Cats Only")]
    fontManager.addfont(font_with(tmp_path, "Two Cats", "🐈猫"))
    assert fonts.families(["🐈猫", "犬🐈"]) == [("DejaVu Sans", "Two Cats"), None]


def test_letters_that_join_or_change_order_are_drawn_where_matplotlib_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "SHAPES", False)
    monkeypatch.setattr(labels, "SHAPES", False)
    labels._labels_of.cache_clear()
    told = labels_of(["שלום", "e\u0301", "❤\ufe0f"], MUCH)
    assert told.drawn == (("№0", "é", "❤\ufe0f"),)
    assert told.note.startswith(
        " Matplotlib before 3.11 cannot join the letters of \u2068שלום\u2069 (№0): the picture"
    )
    labels._labels_of.cache_clear()


@pytest.mark.skipif(
    not fonts.SHAPES, reason="Matplotlib before 3.11 neither joins letters nor draws isolates"
)
def test_letters_that_are_read_leftwards_stand_in_isolates() -> None:
    assert labels_of(["שלום"], MUCH) == (
        (("\u2068שלום\u2069",),),
        # Without the isolate, it would change the order of the text beside it.
        ("\u2068שלום\u2069",),
        "",
        {"parse_math": False, "family": ["DejaVu Sans"]},
    )


@pytest.mark.parametrize(
    ("actions", "little", "much"),
    [
        (("tea", "coffee"), ("tea", "cof"), ("tea", "coffee")),
        (("answer one", "answer two"), ("№0", "№1"), ("№0 answer one", "№1 answer two")),
        (("x" * 99, "x" * 98 + "y"), ("№0", "№1"), ("№0 xxxxxxx…xxxx", "№1 xxxxxxx…xxxy")),
        (("A" * 99, "B" * 99), ("AAA", "BBB"), ("AAAAAAAA…AAAA", "BBBBBBBB…BBBBB")),
        (("WWWW", "iiii"), ("WW", "iii"), ("WWWW", "iiii")),
        (("a", " a", "a\u200b"), ("№0", "№1", "№2"), ("№0 a", "№1  a", "№2 a\u200b")),
        (("é", "e\u0301"), ("№0", "№1"), ("№0 é", "№1 é")),
        (("", " ", "\n"), ('""', "␣", "↵"), ('""', "␣", "↵")),
        (("\ufe0f", "\x00", "\u202ea"), ("␣", "�", "�a"), ("␣", "�", "�a")),
        (("№1", "\ue123"), ("№0", "№1"), ("№0 №1", "№1")),
        (
            ("x\u0301v\u0301z\u0303q\u0301",),
            ("x\u0301v\u0301z\u0303",),
            ("x\u0301v\u0301z\u0303q\u0301",),
        ),
    ],
)
def test_what_is_cut_stays_legible_and_apart(
    actions: Sequence[str], little: Sequence[str], much: Sequence[str]
) -> None:
    assert labels_of(actions, LITTLE, MUCH).drawn == (little, much)


def test_labels_that_look_alike_are_told_apart_in_the_sentence_too() -> None:
    told = labels_of(["a", " a", "b"], MUCH)
    assert told.said == ("a (№0)", " a (№1)", "b")
    assert (
        told.note
        == " a (№0) and  a (№1) would look alike in so little room: the picture shows their numbers."
    )
    assert labels_of(["x" * 10_000], MUCH).said == ("x" * 36 + "…" + "x" * 24,)
    for figure, _ in drawings(["answer one", "answer two"]):
        assert "answer one 0.5" in figure.sentence
        assert holding(figure, "№0 answer one")
        assert figure.sentence.endswith(
            "would look alike in so little room: the picture shows their numbers."
        )


@pytest.mark.parametrize("n", range(2, 7))
def test_wide_labels_keep_clear_of_what_stands_beside_them(n: int) -> None:
    _, artists = training.view_of(in_a_ring([letter + "W" * 20 for letter in "MWQGOD"[:n]])).drawn(
        training.view_of(in_a_ring("ab")).values({"loss": "cDPO, 10 % of labels taken as flipped"})
    )
    for row in ("above", "below"):
        name, numbers = (
            artists[f"{row} {part}"].get_window_extent() for part in ("name", "numbers")
        )
        assert name.x1 < numbers.x0


def test_what_cannot_be_shown_is_said_in_characters_that_can() -> None:
    gaps = Comparisons.from_pairs([("\ud800", "b"), ("b", "\x1b")])
    panel = explorer.panel(data=gaps)
    assert (
        "prior = 0 leaves pairs that were never compared without a preference: � and �"
        in panel.sentence
    )
    ElementTree.fromstring(f"<div>{panel.background}{panel.foreground}</div>")


def test_a_page_holds_any_label() -> None:
    view = explorer.view_of(in_a_ring(["\ud800", "$", "</script>", "猫"]), prior=1.0)
    one_each = {"preferences": ("your data",), "mu": ("uniform",), "pi_ref": ("uniform",)}
    few = tuple(
        replace(control, stops=one_each.get(control.name, control.stops))
        for control in view.controls
    )
    page = pages.page(replace(view, controls=few), stops=3)
    page.encode()
    assert "� 0.25, $ 0.25, &lt;/script&gt; 0.25, 猫 0.25" in page


def test_a_comment_in_a_typed_formula_is_no_mathematics(monkeypatch: pytest.MonkeyPatch) -> None:
    # Choose the candidate that is taken where the LaTeX of the formula is too wide.
    monkeypatch.setattr(psi_curve, "fitting", lambda candidates, *_: candidates[1])
    values = psi_curve.VIEW.values({"formula": "q # $x$"})
    figure, artists = psi_curve.VIEW.drawn(values)
    assert artists["chosen"].get_text() == r"$\Psi(q)$ = q # \$x\$"  # type: ignore[attr-defined]
    assert r"<!-- $\Psi(q)$ = q # \$x\$ -->" in svg.document(figure)


def font_with(folder: Path, family: str, characters: str, *, outlines: bool = True) -> Path:
    """Make a font that draws each of the characters as a square, and return its path."""
    names = [".notdef", *(f"u{ord(character):x}" for character in characters)]
    pen = TTGlyphPen(None)
    if outlines:
        pen.moveTo((100, 0))
        for corner in ((900, 0), (900, 800), (100, 800)):
            pen.lineTo(corner)
        pen.closePath()
    square = pen.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap(dict(zip(map(ord, characters), names[1:], strict=True)))
    font.setupGlyf(dict.fromkeys(names, square))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable(
        {"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")}
    )
    font.setupOS2(usWeightClass=400)
    font.setupPost()
    path = folder / f"{family}.ttf"
    font.save(path)
    return path
