import json
from pathlib import Path

import pytest
from preference_files import GOOD, lines, wins, written

from psipo_explore import Comparisons
from psipo_explore._data import files


@pytest.mark.parametrize("before", ["", "\n", " \r\n\t", "\ufeff", "\ufeff\n"])
@pytest.mark.parametrize("format", [None, "json"])
def test_an_array_may_begin_after_blanks(tmp_path: Path, before: str, format: str | None) -> None:
    path = written(tmp_path, before + json.dumps([GOOD, GOOD]))
    assert wins(Comparisons.from_file(path, format=format)) == [("a", "b", 1.0)] * 2


@pytest.mark.parametrize("piece", range(1, 40))
def test_an_array_is_read_in_pieces_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    more = {"n": -1.5e-3, "is": [False, None, True], "odd": float("-inf"), "\\": '\\"]}', "é": "🐟"}
    records = [{**GOOD, **more}, {**more, **GOOD, "chosen": "c\n\u2028"}]
    monkeypatch.setattr(files, "_PIECE", piece)
    for indent in (None, 20):
        path = written(tmp_path, json.dumps(records, indent=indent))
        assert wins(Comparisons.from_file(path)) == [("a", "b", 1.0), ("c\n\u2028", "b", 1.0)]


def test_a_fault_in_an_array_is_found_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PIECE", 100)
    monkeypatch.setattr(files, "_LONGEST_RECORD", 1000)
    rest = ",\n".join([json.dumps(GOOD)] * 100)
    path = written(tmp_path, f'[{json.dumps(GOOD)},\n{{"prompt" 3}},\n{rest}]')
    with pytest.raises(ValueError, match=r"line 2: Expecting ':' delimiter"):
        Comparisons.from_file(path)
    path = written(tmp_path, f'[{json.dumps(GOOD)},\n{{"prompt": "{rest}"}}]'.replace('{"p', "{'p"))
    with pytest.raises(ValueError, match=r"line 1: Expecting property name"):
        Comparisons.from_file(path)


def test_lines_are_no_array(tmp_path: Path) -> None:
    path = written(tmp_path, lines(GOOD))
    with pytest.raises(ValueError, match=r"line 1: begins with '{', must be a JSON array"):
        Comparisons.from_file(path, format="json")
    with pytest.raises(ValueError, match=r"^format = 'xml', must be one of jsonl, json, csv, tsv"):
        Comparisons.from_file(path, format="xml")
