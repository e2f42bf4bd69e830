"""The parts of the builder of the site; `make walk` builds the whole and walks it."""

import json
import re
import sys
from base64 import b64decode
from html import unescape
from pathlib import Path

import nbformat
import pytest
from fontTools.ttLib import TTFont
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from site_formulas import FONT, characters_of_the_font, drawn_characters, formulas_of_the_course

from psipo_explore import cli
from psipo_explore.course import originals
from psipo_explore.site import building, frames, shared, slides
from psipo_explore.site.handout import asked_in_lessons, handout
from psipo_explore.site.kernel import StaticPanel, element
from psipo_explore.site.lecture import lecture
from psipo_explore.site.mathml import to_mathml
from psipo_explore.site.slides import deck
from psipo_explore.views import VIEWS
from psipo_explore.views.kit.guess import Question
from psipo_explore.views.kit.words import typeset

COLLAPSE = VIEWS["collapse"]


def test_a_panel_on_a_page_says_where_it_begins_and_shows_its_picture() -> None:
    start = COLLAPSE.values({"p": 1 - 1e-15, "beta": 10.0})
    shown = StaticPanel(COLLAPSE, start)._repr_mimebundle_()
    assert shown["text/plain"] == COLLAPSE.figure(**start).sentence
    html = shown["text/html"]
    assert html == element(COLLAPSE, start)
    values = re.search(r'data-values="([^"]*)"', html)
    assert values
    assert json.loads(unescape(values[1])) == start
    assert html.count("<svg") == 2


def test_the_starts_of_all_pages_are_found(tmp_path: Path) -> None:
    start = COLLAPSE.values({"p": 1 - 1e-15})
    for name, values in (("a", start), ("b", {"beta": 10.0})):
        (tmp_path / f"{name}.html").write_text(f"<p>{element(COLLAPSE, values)}</p>", "utf-8")
    assert frames.starts(tmp_path) == {"collapse": [start, COLLAPSE.values({"beta": 10.0})]}


def test_a_start_that_no_page_can_show_is_refused_by_page(tmp_path: Path) -> None:
    html = element(VIEWS["psi_curve"], {"formula": "q**2"})
    (tmp_path / "lesson.html").write_text(html, "utf-8")
    with pytest.raises(RuntimeError, match=r"^lesson\.html: the panel of psi_curve begins at"):
        frames.starts(tmp_path)


def test_every_view_has_a_page_with_its_texts(tmp_path: Path) -> None:
    pages = building._pictures(tmp_path)
    assert pages.keys() == {f"pictures/{name}.md" for name in (*VIEWS, "index")}
    again = building._pictures(tmp_path)
    assert again == pages
    for name, view in VIEWS.items():
        text = pages[f"pictures/{name}.md"].decode()
        assert text.startswith(f"# {view.title}\n\n{view.about}\n")
        assert f'data-view="{name}"' in text


def test_sources_are_put_and_what_is_right_is_left_alone(tmp_path: Path) -> None:
    building._put(tmp_path, {"a.md": b"a", "deep/b.md": b"b"})
    before = (tmp_path / "a.md").stat().st_mtime_ns
    building._put(tmp_path, {"a.md": b"a", "c.md": b"c"})
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.md", "c.md"}


def test_what_was_kept_by_another_version_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = shared.fingerprint(tmp_path)
    (tmp_path / "a.py").write_text("2")
    assert shared.fingerprint(tmp_path) != first


def test_a_formula_that_is_shown_as_typed_is_refused_by_page(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text(r"<p>a costs $5, b $6 <code>$\pi$</code></p>", "utf-8")
    building._refuse_bare_dollars(tmp_path)
    (tmp_path / "bad.html").write_text(r"<p>so $\pi^*(y)$ is</p>", "utf-8")
    with pytest.raises(RuntimeError, match=r"^bad\.html: a formula is shown as typed, \$\\pi"):
        building._refuse_bare_dollars(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MyST's own use of Sphinx is deprecated
def test_what_is_wrong_in_a_lesson_is_named_with_its_cell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lesson = new_notebook(
        cells=[
            new_markdown_cell("# A lesson"),
            new_code_cell("reached = 1 / 0"),
            new_markdown_cell(r"so $\nonsense$"),
        ]
    )
    source = tmp_path / "source"
    source.mkdir()
    (source / "lesson.ipynb").write_text(nbformat.writes(lesson), "utf-8")
    (source / "index.md").write_text(
        "# Home\n\n```{toctree}\nlesson\n```\n[gone](gone.md)", "utf-8"
    )
    with pytest.raises(RuntimeError, match=r"^the site was not built, for the reasons above"):
        building._run_sphinx(source, tmp_path / "out", tmp_path / "kept")
    complaint = capfd.readouterr().err
    assert "lesson.ipynb: WARNING: Executing notebook failed" in complaint
    assert "reached = 1 / 0" in complaint
    assert re.search(r"lesson\.ipynb:3\d+: WARNING: the formula .*nonsense", complaint)
    assert re.search(r"index\.md:\d+: WARNING: 'myst' cross-reference target not found", complaint)


def test_formulas_become_mathml_and_wrong_ones_are_named() -> None:
    assert to_mathml(r"a \\[4pt] b", displayed=True) == to_mathml(r"a \\ b", displayed=True)
    assert "mtable" in to_mathml(r"\max_{\substack{a \\ b}} f", displayed=False)
    for script in ("^2", "_2", "_1^2"):
        row = r'<mrow><mo minsize="1.2em" maxsize="1.2em">\)</mo></mrow><mn>'
        assert re.search(row, to_mathml(rf"\bigl(x\bigr){script}", displayed=False))
    with pytest.raises(ValueError, match=r"^the formula '.*nonsense.*' is not understood"):
        to_mathml(r"\nonsense{", displayed=False)


def test_the_font_has_every_character_of_every_formula() -> None:
    known = characters_of_the_font()
    lacking = {
        character: formula
        for formula in formulas_of_the_course()
        for character in drawn_characters(formula) - known
    }
    assert not lacking, f"run `make font`, which needs npm, and commit {FONT.name}: {lacking}"


def test_a_variable_is_drawn_in_italics_and_an_operator_is_not() -> None:
    drawn = drawn_characters(to_mathml(r"\pi h < \max 5\Psi", displayed=False))
    assert drawn == {*"𝜋ℎ<max5Ψ\u2061"}


def test_the_font_can_stretch_brackets_and_roots() -> None:
    font = TTFont(FONT)
    variants = font["MATH"].table.MathVariants.VertGlyphCoverage.glyphs
    assert {font.getBestCmap()[ord(sign)] for sign in "()[]{}√∑‖"} <= {*variants}


def test_the_font_of_a_page_is_within_its_style_sheet() -> None:
    rule = shared.font_rule(FONT.read_bytes())
    assert b64decode(rule.partition("base64,")[2].partition('"')[0]) == FONT.read_bytes()
    family = re.search('font-family: ("[^"]+")', rule)
    assert family
    assert f"math {{ font-family: {family[1]}," in FONT.with_name("site.css").read_text("utf-8")


def test_the_lecture_asks_shows_and_says_something_in_every_row() -> None:
    steps = lecture()
    assert [steps[0].begins, *(step.ends for step in steps)] == [
        *(step.begins for step in steps),
        45,
    ]
    assert [step.view for step in steps if step.view] == [
        "collapse",
        "collapse",
        "psi_curve",
        "few_samples",
        "training",
    ]
    for step in steps:
        assert "?" in step.asks
        assert step.then
        assert step.wrong
        assert step.home.endswith(".")
        assert "$" not in f"{step.asks}{step.then}{step.wrong}{step.home}"
    assert dict(steps[2].values) == {"p": 1}


def test_a_lecture_without_a_sentence_for_each_row_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (originals() / "docs" / "teaching.md").read_text("utf-8")
    (tmp_path / "docs").mkdir()
    short = re.sub(r"^7\. .*\n", "", text, flags=re.MULTILINE)
    (tmp_path / "docs" / "teaching.md").write_text(short, "utf-8")
    monkeypatch.setattr("psipo_explore.site.lecture.originals", lambda: tmp_path)
    with pytest.raises(RuntimeError, match=r"7 rows and 6 sentences to take home, must have one"):
        lecture()


def test_every_step_is_on_the_slides_with_notes_and_without_a_guess() -> None:
    steps = lecture()
    html = deck(steps)
    made = re.findall(r"<section.*?</section>", html, re.DOTALL)
    assert len(made) == 1 + sum(3 if step.view else 2 for step in steps)
    assert all('<aside class="notes"><p>' in slide for slide in made)
    shown = re.findall(r'<psipo-panel data-view="(\w+)"', html)
    assert shown == [step.view for step in steps if step.view]
    assert "data-guess" not in html
    assert "http://" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", html)
    assert "https://" not in html
    for step in steps:
        assert step.asks in html
        assert step.wrong in html
        assert step.home in html


def test_the_slides_are_reveal_s_and_ours_and_ask_for_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(slides, "draw", lambda made, kept: None)
    out = tmp_path / "out"
    assert cli.main(["slides", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'index.html'}\n{out / 'handout.html'}\n"
    for name in ("index.html", "handout.html"):
        html = (out / name).read_text("utf-8")
        asked = re.findall(r'<(?:script|link)[^>]* (?:src|href)="(?!data:)([^"]+)"', html)
        assert asked
        assert all((out / file).is_file() for file in asked)
    assert "Permission" in (out / "_static" / "reveal" / "LICENSE").read_text("utf-8")


def test_the_handout_asks_everything_and_computes_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tell(_: Question) -> str:
        raise AssertionError("the handout asks for an answer")

    monkeypatch.setattr(Question, "answer", property(tell))
    html = handout()
    for view in VIEWS.values():
        for guess in view.guesses.values():
            assert typeset(guess.about) in html
        for question in view.questions:
            room = re.escape(f"<li><span>{typeset(question.asks)}:</span> ") + "(.*?)</li>"
            found = re.findall(room, html)
            blank = '<span class="blank"></span>'
            choices = [typeset(answer) for answer in question.answers]
            rooms = [re.findall(r'class="box"></span>(.*?)</span>', each) for each in found]
            assert choices in rooms if choices else blank in found
    for step in lecture():
        assert step.asks in html
        assert step.wrong not in html
        assert step.home not in html
    assert "y_w" not in html


def test_the_handout_has_every_guess_once_in_the_order_of_the_lessons() -> None:
    lessons = [*asked_in_lessons()]
    numbers = [number for number, _, _ in lessons]
    assert numbers == sorted(numbers)
    asked = [guess.about for _, _, guesses in lessons for guess in guesses]
    known = [guess.about for view in VIEWS.values() for guess in view.guesses.values()]
    of_verdicts = [
        guess.about for number, _, guesses in lessons for guess in guesses[1:] if number == "07"
    ]
    assert len(of_verdicts) == 4
    assert sorted(asked) == sorted([*known, *of_verdicts])
    assert typeset("Share of its log-ratios that DPO keeps") in handout()


@pytest.mark.parametrize(
    ("command", "module", "lacking", "needed"),
    [
        ("site", "building", "sphinx.cmd.build", "Sphinx"),
        ("slides", "slides", "sphinx_revealjs", "Sphinx and sphinx-revealjs"),
    ],
)
def test_what_site_and_slides_need_is_named_where_it_is_missing(
    command: str,
    module: str,
    lacking: str,
    needed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delitem(sys.modules, f"psipo_explore.site.{module}")
    monkeypatch.setitem(sys.modules, lacking, None)
    assert cli.main([command]) == 2
    assert capsys.readouterr().err == (
        f"psipo: {command} needs {needed}: run pip install 'psipo-explore[site]'\n"
    )
