import bz2
import gzip
import json
import lzma
import os
import sys
import threading
from pathlib import Path

import pytest
from preference_files import GOOD, lines, parquet_of, wins, written

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
