"""Each lesson runs from a fresh kernel, and has the structure that all lessons share."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from psipo_explore.views import VIEWS

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


IN_MAKE_TEST = ("00_start_here", "05_training")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[] if path.stem in IN_MAKE_TEST else pytest.mark.slow)
        for path in LESSONS
    ],
    ids=lambda path: path.stem,
)
def test_runs(path: Path) -> None:
    notebook = read(path)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    for cell in notebook.cells:
        assert [
            output for output in cell.get("outputs", []) if output.get("name") == "stderr"
        ] == []


@every_lesson
def test_is_stripped(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@every_lesson
def test_has_the_parts_of_a_lesson(path: Path) -> None:
    cells = [cell for cell in read(path).cells if not cell.source.startswith("check(")]
    exercises = [cell for cell in cells if re.search(r"^\*\*[12]\.\*\* ", cell.source, re.M)]
    assert len(cells) - len(exercises) < 15
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert "import" in code[0]
    assert not any(re.search(r"^\s*(import|from)\b", source, re.M) for source in code[1:])
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    folds = re.findall(r"<details><summary>(.*?)</summary>", prose)
    assert len(folds) == prose.count("<details>") == prose.count("</details>")
    assert folds.count("Answer") == 2
    assert folds[-1] == "The symbols so far"
    assert re.search(
        r"<details><summary>Guessed\? Then read what the picture shows\.</summary>(?:(?!</details>).)*"
        r"!\[[^\]]{30,}\]\(\.\./figures/\w+\.svg\)\n\n</details>",
        prose,
        re.S,
    )
    assert "?" in cells[0].source
    assert (
        prose.count("**After this lesson** you can ")
        == cells[0].source.count("**After this lesson**")
        == 1
    )
    assert ".panel(" in "\n".join(code)
    headings = re.findall(r"^## (.*)$", prose, re.M)
    for heading in ("The theorem", "Two exercises", "What the paper leaves open"):
        assert headings.count(heading) == 1
    assert headings[-1] == "What you know now"
    assert "\n> **Theorem" in prose


@every_lesson
def test_a_panel_that_asks_is_followed_by_the_fold_that_explains(path: Path) -> None:
    cells = read(path).cells
    asking = [k for k, cell in enumerate(cells) if '.panel(guess="' in cell.source]
    assert asking
    told = [k for k, cell in enumerate(cells) if ").ask(" in cell.source]
    for cell in (cells[k] for k in (*asking, *told)):
        assert "hide-output" not in cell.metadata.get("tags", [])
        assert not cell.metadata.get("jupyter", {}).get("outputs_hidden")
    folds = {k: cell.source for k, cell in enumerate(cells) if "<summary>Guessed?" in cell.source}
    prose = [k for k, cell in enumerate(cells) if cell.cell_type == "markdown"]
    assert [*folds] == [min(after for after in prose if after > k) for k in (*asking, *told)]
    for k, source in folds.items():
        reads = "what the picture" if k - 1 in asking else "our verdict."
        assert source.startswith(f"<details><summary>Guessed? Then read {reads}")
    for k in asking:
        view, guess = re.findall(r'(\w+)\.panel\(guess="(\w+)"', cells[k].source)[0]
        assert guess in VIEWS[view].guesses


def test_nothing_but_the_form_stands_between_a_question_and_its_fold() -> None:
    for path in LESSONS:
        cells = read(path).cells
        for k, cell in enumerate(cells):
            if ").ask(" in cell.source:
                for between in cells[k + 1 :]:
                    if between.cell_type == "markdown":
                        break
                    assert "hide-output" in between.metadata.tags
                    assert between.metadata.jupyter.outputs_hidden


def test_every_guess_is_asked_in_a_lesson() -> None:
    lessons = "".join(path.read_text(encoding="utf-8") for path in LESSONS)
    for name, view in VIEWS.items():
        for guess in view.guesses:
            assert rf"{name}.panel(guess=\"{guess}\"" in lessons, (name, guess)


THE_MAP = read(LESSONS[0]).cells[-1].source
NAMES = {LESSONS[0].name: "00 start here"} | {
    lesson: name for name, lesson in re.findall(r"^\| \[(.+?)\]\((.+?)\) \|", THE_MAP, re.M)
}


def test_each_lesson_leads_to_the_ones_before_and_after() -> None:
    for number, path in enumerate(LESSONS):
        cells = read(path).cells
        steps = {"previous": number - 1, "next": number + 1}
        ends = {"previous": "this is the first lesson", "next": "this is the last lesson"}
        way = []
        for step, other in steps.items():
            if 0 <= other < len(LESSONS):
                name = LESSONS[other].name
                way.append(f"[{step}: {NAMES[name]}]({name})")
            else:
                way.append(ends[step])
        if number:
            way.insert(1, f"[map]({LESSONS[0].name})")
        assert cells[0].source.split("\n")[0] == " · ".join(way)
        assert cells[-1].source.split("\n")[-1] == " · ".join(way)


@every_lesson
def test_pictures_and_links_lead_somewhere(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\((?!http)([^)]+)\)", cell.source):
                assert (NOTEBOOKS / target).exists(), target
