"""Each lesson runs from a fresh kernel, and has the structure that all lessons share."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("*.ipynb"))
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@every_lesson
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
    cells = read(path).cells
    assert len(cells) < 15
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert "import" in code[0]
    assert not any(re.search(r"^\s*(import|from)\b", source, re.M) for source in code[1:])
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    folds = 3 + prose.count("<summary>The symbols so far</summary>")
    assert prose.count("<details>") == prose.count("</details>") == folds
    assert prose.index("Write down") < prose.index("Written down?")
    assert re.search(
        r"<details><summary>Written "
        r"down\?[^<]*</summary>.*?!\[[^\]]{30,}\]\(\.\./figures/\w+\.svg\)\n\n</details>",
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
    for heading in ("theorem in three lines", "Two exercises", "What the paper leaves open"):
        assert heading in prose


@every_lesson
def test_pictures_and_links_lead_somewhere(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\((?!http)([^)]+)\)", cell.source):
                assert (NOTEBOOKS / target).exists(), target
