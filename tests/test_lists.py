import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preference_files import GOOD, lines, parquet_of, written

from psipo_explore import cli
from psipo_explore._data.lists import KINDS
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


one_record = st.tuples(
    st.integers(0, 2), st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from([0, 0, 1])
)
MEANINGS = {"answers": ("one", "two"), "outcome": "which", "first": "<", "tie": "="}


def as_record(k: int, row: tuple[int, str, str, int]) -> dict[str, object]:
    prompt, one, two, tied = row
    return {"k": k, "prompt": f"p{prompt}", "one": one, "two": two, "which": "=" if tied else "<"}


def in_container(records: list[dict[str, object]], container: str) -> bytes:
    if container == "array":
        return json.dumps(records, indent=1).encode()
    if container == "parquet":
        return parquet_of(*records)
    if container == "csv":
        rows = [",".join(map(str, record.values())) for record in records]
        return "\n".join([",".join(records[0]), *rows]).encode()
    return lines(*records).encode()


def reimplemented(
    records: list[dict[str, object]], *, majority: bool
) -> tuple[dict[str, set[int]], list[int]]:
    """Say which records are of each kind, and which are kept, as plainly as can be."""
    listed: dict[str, set[int]] = {kind: set() for kind in KINDS if kind != "collapsing"}
    wins: dict[tuple[object, object, object], list[int]] = {}
    seen = set()
    for k, record in enumerate(records):
        prompt, one, two, which = (record[x] for x in ("prompt", "one", "two", "which"))
        if one == two:
            listed["identical"].add(k)
            continue
        if which == "=":
            listed["ties"].add(k)
            one, two = sorted([str(one), str(two)])
        else:
            wins.setdefault((prompt, one, two), []).append(k)
        if (prompt, one, two, which) in seen:
            listed["duplicates"].add(k)
        seen.add((prompt, one, two, which))
    left_out = listed["identical"] | listed["duplicates"]
    for (prompt, one, two), those in wins.items():
        others = wins.get((prompt, two, one), [])
        if others:
            listed["contradicting"] |= {*those}
        if majority and len(those) > len(others) > 0:
            pair = {str(one), str(two)}
            of_pair = {
                k
                for k, record in enumerate(records)
                if record["prompt"] == prompt and {record["one"], record["two"]} == pair
            }
            left_out |= of_pair - {min(those)}
    return listed, [k for k in range(len(records)) if k not in left_out]


@settings(max_examples=60)
@given(
    st.lists(one_record, min_size=1, max_size=14).filter(
        lambda rows: any(r[1] != r[2] for r in rows)
    ),
    st.lists(st.integers(0, 14), max_size=2),
    st.sampled_from(["lines", "array", "csv", "parquet"]),
    st.booleans(),
)
def test_lists_and_clean_files_are_those_of_a_plain_program(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, str, str, int]],
    cuts: list[int],
    container: str,
    majority: bool,
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    records = [as_record(k, row) for k, row in enumerate(rows)]
    at = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    files = [
        written(folder, in_container(records[i:j], container), f"{i}") for i, j in pairwise(at)
    ]
    outputs = {kind: folder / f"{kind}.jsonl" for kind in KINDS}
    clean = folder / "clean.jsonl"
    found = diagnose_file(files, 1.0, lists=outputs, clean=clean, majority=majority, **MEANINGS)
    listed, kept = reimplemented(records, majority=majority)
    counts = {"duplicates": found.duplicates, "identical": found.identical, "ties": found.ties}
    assert counts == {kind: len(listed[kind]) for kind in counts}
    assert found.contradictory == len(listed["contradicting"])

    assert [int(json.loads(line)["k"]) for line in clean.read_text().splitlines()] == kept
    first = {"lines": 1, "csv": 2, "array": 2, "parquet": 1}[container]
    lines_of_record = 7 if container == "array" else 1
    of_prompt: dict[object, list[tuple[str, int]]] = {}
    for i, j in pairwise(at):
        for k in range(i, j):
            place = (str(folder / f"{i}"), first + (k - i) * lines_of_record)
            of_prompt.setdefault(records[k]["prompt"], []).append(place)
    for kind, those in listed.items():
        prompts = {records[k]["prompt"] for k in those}
        written_down = [json.loads(line) for line in outputs[kind].read_text().splitlines()]
        assert {one["prompt"] for one in written_down} == prompts
        assert len(written_down) == len(prompts)
        for one in written_down:
            places = [(record["file"], record["line"]) for record in one["records"]]
            assert places == of_prompt[one["prompt"]]

    again = folder / "again.jsonl"
    diagnose_file(clean, 1.0, clean=again, majority=majority, **MEANINGS)
    assert again.read_text() == clean.read_text()


def test_a_record_that_is_kept_for_one_of_its_judgements_is_counted(tmp_path: Path) -> None:
    records = [{**GOOD, "rejected": rejected} for rejected in (["b", "c"], ["b", "d"], ["c", "d"])]
    out = tmp_path / "clean.jsonl"
    found = diagnose_file(written(tmp_path, lines(*records)), 1.0, clean=out)
    assert out.read_text() == lines(*records[:2])
    assert found.cleaned.endswith(
        "2 of 3 records; 1 repeating an earlier one left out; 1 record is kept for some "
        "judgements though others would be left out"
    )


def test_two_lists_of_one_kind_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path, lines(GOOD)), tmp_path / "out"
    asked = ["--list", "ties", str(out), "--list", "ties", f"{out}2"]
    assert cli.main(["diagnose", str(path), *asked]) == 2
    assert capsys.readouterr().err.startswith("psipo: --list names one kind twice")
    assert not out.exists()
