"""Files that are named twice, reached twice or named alike, and outputs that would collide."""

import json
from pathlib import Path

import pytest

from psipo_explore import cli
from psipo_explore.diagnosis import diagnose_file


def write(path: Path, *records: dict[str, object]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


GOOD = {"prompt": "Name a tree", "chosen": "Elm", "rejected": "Spoon"}


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    one = write(tmp_path / "a" / "train.jsonl", GOOD)
    other = write(tmp_path / "b" / "train.jsonl", GOOD, {"prompt": "Name a tree"})
    with pytest.raises(ValueError, match=r"b/train\.jsonl, line 2: has no field 'chosen'"):
        diagnose_file([one, other])


def test_a_folder_may_hold_a_file_twice_by_links(tmp_path: Path) -> None:
    blob = write(tmp_path / "blobs" / "0123", GOOD)
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "train.jsonl").symlink_to(blob)
    assert diagnose_file(tmp_path).comparisons == 1
    with pytest.raises(ValueError, match=r"^paths name 0123 twice"):
        diagnose_file([tmp_path, blob])


@pytest.mark.parametrize(
    "prompt",
    [
        "\n\nHuman: Name a tree\n\nAssistant: Elm",
        [{"role": "user", "content": "Name a tree"}, {"role": "assistant", "content": "Elm"}],
    ],
)
def test_a_prompt_that_ends_with_an_answer_is_refused(prompt: object, tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {**GOOD, "prompt": prompt})
    with pytest.raises(ValueError, match=r"line 1: field 'prompt' ends with the answer 'Elm'"):
        diagnose_file(path)


def test_a_prompt_may_end_before_the_answer(tmp_path: Path) -> None:
    prompt = "\n\nHuman: Name a tree\n\nAssistant:"
    assert diagnose_file(write(tmp_path / "pairs.jsonl", {**GOOD, "prompt": prompt})).contexts == 1


def test_a_majority_is_of_records_with_one_pair(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {**GOOD, "rejected": ["Spoon", "Fork"]})
    with pytest.raises(
        ValueError, match=r"^majority keeps one record of each pair, but some records"
    ):
        diagnose_file(path, clean=tmp_path / "out.jsonl", majority=True)
    assert not (tmp_path / "out.jsonl").exists()
    diagnose_file(path, clean=tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == path.read_text()


def test_outputs_go_to_different_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = write(tmp_path / "pairs.jsonl", GOOD), tmp_path / "out.svg"
    assert cli.main(["diagnose", str(path), "--figure", str(out), "--clean", str(out)]) == 2
    assert "must go to different files" in capsys.readouterr().err
    assert not out.exists()
