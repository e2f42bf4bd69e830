import json
import math
from pathlib import Path

import pytest
from preference_files import GOOD, lines, written

from psipo_explore.diagnosis import diagnose_file


def test_a_file_in_a_folder_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    path = written(folder, lines(GOOD, GOOD), "one.jsonl")
    link = tmp_path / "link.jsonl"
    link.hardlink_to(path)
    for out in (path, link):
        with pytest.raises(ValueError, match=r"is one of the files that are read"):
            diagnose_file(folder, 1.0, clean=out)
        with pytest.raises(ValueError, match=r"is one of the files that are read"):
            diagnose_file(folder, 1.0, lists={"ties": out})
    assert path.read_text() == lines(GOOD, GOOD)


def test_files_of_one_name_in_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name, content in (("x", "# No data here.\n"), ("y", lines(GOOD))):
        (tmp_path / name / "data").mkdir(parents=True)
        written(tmp_path / name / "data", content, "one")
    folders = [tmp_path / name / "data" for name in "xy"]
    out = tmp_path / "clean.jsonl"
    diagnose_file(folders, 1.0, clean=out)
    assert out.read_text() == lines(GOOD)


def test_a_record_of_an_array_is_kept_as_it_stands(tmp_path: Path) -> None:
    text = '{"prompt":"q\\n  q",\r\n \n "chosen":"a", "rejected":\n"b", "n":99, "x": 1.50}'
    text = text.replace("99", "9" * 5000)
    out = tmp_path / "clean.jsonl"
    diagnose_file(written(tmp_path, f"[{text}\n]"), 1.0, clean=out)
    kept = '{"prompt":"q\\n  q", "chosen":"a", "rejected": "b", "n":99, "x": 1.50}\n'
    assert out.read_text() == kept.replace("99", "9" * 5000)


def test_a_clean_file_from_parquet_is_json(tmp_path: Path) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    records = [{**GOOD, "n": math.nan, "more": {"m": [math.inf, 1.5]}}, {**GOOD, "chosen": "c"}]
    path, out = tmp_path / "pairs.parquet", tmp_path / "clean.jsonl"
    parquet.write_table(arrow.Table.from_pylist(records), path)
    diagnose_file(path, 1.0, clean=out)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    first, second = (json.loads(x, parse_constant=refuse) for x in out.read_text().splitlines())
    assert first == {**GOOD, "n": None, "more": {"m": [None, 1.5]}}
    assert second == {**GOOD, "chosen": "c", "n": None, "more": None}
