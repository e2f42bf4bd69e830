"""A reader's copy of the lessons is complete, and only overwritten if the reader agrees."""

import json
import os
import stat
from pathlib import Path

import pytest

from psipo_explore import cli, course

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def write_own(notebook: Path, text: str) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    content["cells"].append(
        {"cell_type": "markdown", "id": "mine", "metadata": {}, "source": [text]}
    )
    notebook.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the folders in which JupyterLab would be opened, without opening it."""
    opened: list[str] = []
    monkeypatch.setattr(
        cli,
        "_run",
        lambda command, _: opened.append(next(word for word in command if "root_dir" in word)) or 0,
    )
    return opened


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_folder_gets_every_lesson_and_picture_byte_for_byte(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    copies = course.put(folder)
    assert [copy.name for copy in copies if copy.suffix == ".ipynb"] == [
        lesson.name for lesson in LESSONS
    ]
    for copy in copies:
        assert copy.read_bytes() == (ROOT / copy.relative_to(folder)).read_bytes()
        assert copy.stat().st_mode & stat.S_IWUSR
    assert {path for path in folder.rglob("*") if path.is_file()} == set(copies)
    assert course.put(folder) == []
    assert course.changed(folder) == []


def test_lab_without_a_folder_is_here_if_the_lessons_are_here(
    here: Path, asked_for: list[str]
) -> None:
    assert cli.main(["lab"]) == 0
    assert cli.main(["lab"]) == 0
    os.chdir("psipo_course")
    assert cli.main(["lab"]) == 0
    assert asked_for == [f"--ServerApp.root_dir={here / 'psipo_course'}"] * 3
    assert not (here / "psipo_course" / "psipo_course").exists()


def test_what_a_reader_wrote_is_kept_and_named_and_what_is_missing_comes_back(
    here: Path, asked_for: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["lab"])
    first, second, *_ = sorted((here / "psipo_course" / "notebooks").iterdir())
    write_own(first, "my own thought")
    mine = first.read_bytes()
    second.unlink()
    capsys.readouterr()
    assert cli.main(["lab"]) == 0
    assert first.read_bytes() == mine
    assert second.read_bytes() == LESSONS[1].read_bytes()
    said = capsys.readouterr().out
    assert f"copied to {here / 'psipo_course'}: {second.name}\n" in said
    assert f"kept as you left them: {first.name} (--restore" in said


def test_outputs_are_no_change(tmp_path: Path) -> None:
    course.put(tmp_path)
    notebook = tmp_path / course.FIRST_LESSON
    content = json.loads(notebook.read_text(encoding="utf-8"))
    code = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    code["outputs"], code["execution_count"] = (
        [{"output_type": "stream", "name": "stdout", "text": ["1"]}],
        3,
    )
    notebook.write_text(json.dumps(content), encoding="utf-8")
    run = notebook.read_bytes()
    assert course.changed(tmp_path) == []
    course.put_back(tmp_path)
    assert notebook.read_bytes() == run


@pytest.mark.parametrize("damage", ["", "no notebook", "[]", '{"cells": 3}', '{"cells": [{}]}'])
def test_a_damaged_lesson_is_a_change(damage: str, tmp_path: Path) -> None:
    course.put(tmp_path)
    (tmp_path / course.FIRST_LESSON).write_text(damage)
    assert course.changed(tmp_path) == [tmp_path / course.FIRST_LESSON]


@pytest.mark.parametrize(
    ("answer", "replaced"), [("y", True), ("Yes", True), ("", False), ("n", False), (None, False)]
)
def test_restore_replaces_a_reader_s_lesson_only_after_a_yes(
    answer: str | None,
    replaced: bool,
    here: Path,
    asked_for: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main(["lab", "mine"])
    write_own(here / "mine" / course.FIRST_LESSON, "my own thought")
    picture = here / "mine" / "figures" / "collapse.svg"
    picture.write_text("an older release's")
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", ask)
    assert cli.main(["lab", "mine", "--restore"]) == (0 if replaced else 2)
    assert len(questions) == 1
    assert course.FIRST_LESSON.name in questions[0]
    assert (course.changed(here / "mine") == []) == replaced
    assert ((ROOT / "figures" / "collapse.svg").read_bytes() == picture.read_bytes()) == replaced
    assert ("nothing was replaced" in capsys.readouterr().err) != replaced
    assert len(asked_for) == 1 + replaced


def test_restore_asks_nothing_where_nothing_would_be_lost(here: Path, asked_for: list[str]) -> None:
    assert cli.main(["lab", "--restore"]) == 0
    assert cli.main(["lab", "--restore"]) == 0
    assert len(asked_for) == 2


def test_a_copy_that_breaks_off_is_not_taken_for_the_readers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            course.put(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    course.put(tmp_path)
    assert (tmp_path / course.FIRST_LESSON).read_bytes() == LESSONS[0].read_bytes()


def test_a_file_in_the_way_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "taken").write_text("")
    assert cli.main(["lab", "taken"]) == 2
    assert "taken" in capsys.readouterr().err
