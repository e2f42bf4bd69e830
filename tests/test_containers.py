import bz2
import csv
import gzip
import io
import json
import lzma
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from preference_files import GOOD, lines, parquet_of, wins, written

from psipo_explore import Comparisons, diagnose
from psipo_explore._data import files
from psipo_explore._data.asked import Ties
from psipo_explore.diagnosis import diagnose_file


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


TEXT = lines(*({**GOOD, "chosen": f"c{i}"} for i in range(4))).encode()


def zstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression.zstd import compress
    else:
        pytest.importorskip("pyarrow")
        compress = pytest.importorskip("zstandard").compress
    packed: bytes = compress(data)
    return packed


PACK = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress, "zstd": zstd}


@pytest.mark.parametrize("packing", PACK)
def test_an_archive_is_read_whole_or_refused(tmp_path: Path, packing: str) -> None:
    packed = PACK[packing](TEXT)
    assert len(Comparisons.from_file(written(tmp_path, packed)).winners) == 4
    assert len(Comparisons.from_file(written(tmp_path, packed * 2)).winners) == 8
    for end in range(0, len(packed), 3):
        with pytest.raises(ValueError, match=r"^pairs.txt"):
            Comparisons.from_file(written(tmp_path, packed[:end]))
    with pytest.raises(ValueError, match=r"^pairs.txt is binary"):
        Comparisons.from_file(written(tmp_path, gzip.compress(packed)))


def test_a_damaged_table_is_refused_by_name(tmp_path: Path) -> None:
    whole = parquet_of(GOOD, GOOD)
    for at in range(0, len(whole), 5):
        with pytest.raises(ValueError, match=r"^pairs.txt"):
            Comparisons.from_file(written(tmp_path, whole[:at]))
        damaged = bytearray(whole)
        damaged[at] ^= 0x81
        said = "pairs.txt"
        try:
            Comparisons.from_file(written(tmp_path, damaged))
        except ValueError as error:
            said = str(error)
        assert said.startswith("pairs.txt")
        assert "\n" not in said


@pytest.mark.parametrize("packing", ["", *PACK])
def test_a_packed_table_comes_through_a_pipe_byte_by_byte(tmp_path: Path, packing: str) -> None:
    pack = PACK.get(packing, bytes)
    array = json.dumps([GOOD] * 3).encode()
    for content in (TEXT[:-1], array, b"prompt;chosen;rejected\nq;a;b", parquet_of(GOOD)):
        pipe = tmp_path / f"pipe-{packing}-{len(content)}"
        os.mkfifo(pipe)

        def write(pipe: Path = pipe, content: bytes = pack(content)) -> None:
            with pipe.open("wb", buffering=0) as file:
                for byte in content:
                    file.write(bytes([byte]))

        thread = threading.Thread(target=write)
        thread.start()
        data = Comparisons.from_file(pipe)
        thread.join()
        expected = Comparisons.from_file(written(tmp_path, content))
        assert wins(data) == wins(expected)


def test_a_loop_of_links_is_no_folder_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "shards" / "inner"
    folder.mkdir(parents=True)
    (folder / "loop").symlink_to(tmp_path / "shards")
    (folder / "nothing").symlink_to(tmp_path / "nothing")
    written(folder, lines(GOOD), os.fsdecode(b"na\xffme\n.jsonl"))
    (folder / ".hidden").write_text(lines(GOOD))
    assert wins(Comparisons.from_file(tmp_path)) == [("a", "b", 1.0)]


Row = tuple[str, str, str, int]  # prompt, two answers, and 1, 0 or -1: who won
rows_of_data = st.lists(
    st.tuples(
        st.sampled_from(["p", 'q, "x"; y', "r\t1"]),
        st.sampled_from(["a", "b;,", "c\n é", '"']),
        st.sampled_from(["a", "b;,", "c\n é", '"']),
        st.sampled_from([1, 0, -1]),
    ),
    min_size=1,
    max_size=12,
).filter(lambda rows: any(row[1] != row[2] for row in rows))


def kaggle(prompt: str, one: str, two: str, won: int) -> dict[str, object]:
    wins = {"winner_model_a": won == 1, "winner_model_b": won == -1, "winner_tie": won == 0}
    texts = {"prompt": prompt, "response_a": one, "response_b": two}
    return {**texts, **{name: int(value) for name, value in wins.items()}}


def helpsteer2(prompt: str, one: str, two: str, won: int) -> dict[str, object]:
    texts = {"prompt": prompt, "response_1": one, "response_2": two}
    return {**texts, "preference_strength": -2 * won}


def pairs(prompt: str, one: str, two: str, won: int) -> dict[str, object]:
    chosen, rejected = (two, one) if won == -1 else (one, two)
    scores = {"score_chosen": abs(won), "score_rejected": 0}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **scores}


def webgpt(prompt: str, one: str, two: str, won: int) -> dict[str, object]:
    texts = {"question.full_text": prompt, "answer_0": one, "answer_1": two}
    return {**texts, "score_0": won / 2, "score_1": -won / 2}


def table(records: list[dict[str, object]], separator: str) -> bytes:
    writer = csv.DictWriter(text := io.StringIO(), list(records[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


@settings(max_examples=40)
@given(
    rows_of_data,
    st.sampled_from([kaggle, helpsteer2, webgpt]),
    st.sampled_from(["half", "drop"]),
    st.integers(0, 12),
)
def test_data_are_the_same_in_every_container_and_shape(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Row],
    shaped: Callable[..., dict[str, object]],
    ties: Ties,
    cut: int,
) -> None:
    folder = tmp_path_factory.mktemp("data")

    def found(*contents: bytes) -> dict[str, Any]:
        files = [written(folder, content, f"{k}") for k, content in enumerate(contents)]
        said = diagnose_file(files, [0.1, 1.0], ties=ties).as_dict()
        return {**said, "read_as": ""}

    if ties == "drop" and all(row[1] == row[2] or not row[3] for row in rows):
        rows = [*rows, ("p", "a", "c\n é", 1)]
    records, plain = [shaped(*row) for row in rows], [pairs(*row) for row in rows]
    expected = found(lines(*plain).encode())
    array = json.dumps(records, ensure_ascii=False).encode()
    for content in (
        lines(*records).encode(),
        gzip.compress(array),
        lzma.compress(table(records, ",")),
        table(records, ";"),
        table(records, "\t"),
        parquet_of(*records),
    ):
        assert found(content) == expected
    if 0 < cut < len(rows):
        halves = table(records[:cut], ";"), bz2.compress(lines(*records[cut:]).encode())
        assert found(*halves) == expected
    if ties == "half":
        data = diagnose(Comparisons.from_records(plain), [0.1, 1.0]).as_dict()
        same = ("identical", "read_as", "mean_kl")
        assert {**expected, **{x: data[x] for x in same}} == data
        for name, kl in data["mean_kl"].items():
            assert_allclose(kl, expected["mean_kl"][name], rtol=1e-9, atol=1e-12)
