"""What is seldom asked of the reader of preference files, and what seldom happens to it."""

import io
import json
import os
import pickle
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from psipo_explore import Comparisons, _workers
from psipo_explore._data import collected, files, lists, reading
from psipo_explore._data.asked import Asked
from psipo_explore._data.reader import Reader
from psipo_explore._data.unreadable import UnreadableError
from psipo_explore._writing import whole_file
from psipo_explore.diagnosis import diagnose_file
from psipo_explore.standings import standings_of

GOOD = {"prompt": "Name a tree", "chosen": "Elm", "rejected": "Spoon"}
ARRAY = b"[%s%%s1]" % json.dumps(GOOD).encode()
TALK = [{"role": "user", "content": "Name a tree"}]
ELM, SPOON = ({"role": "assistant", "content": text} for text in ("Elm", "Spoon"))


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": "parrot"}, r"^shape = 'parrot', must be one of pairs, messages"),
        ({"ties": "maybe"}, r"^ties = 'maybe', must be half, drop or error"),
        ({"outcome": "x"}, r"^answers and outcome belong together"),
        ({"answers": "ab", "outcome": "x"}, r"^answers = 'ab', must be the names of two fields"),
        (
            {"answers": ("a", "b"), "outcome": "x", "chosen": "a"},
            r"^answers, and chosen or rejected",
        ),
        ({"shape": "shp", "chosen": "a"}, r"^shape says which fields hold the answers"),
        (
            {"chosen": "a", "rejected": "a"},
            r"^rejected and chosen both name 'a', must be different",
        ),
        ({"shape": "pairs", "first": "x"}, r"^--first, --second and --tie explain words, but"),
        ({"chosen": "chosen", "first": "x"}, r"^--first, --second and --tie explain words, but"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons.from_records([GOOD], **options)


def test_named_fields_may_hold_dialogues() -> None:
    record = {"better": [*TALK, ELM], "worse": [*TALK, SPOON]}
    data = Comparisons.from_records([record], chosen="better", rejected="worse")
    assert data.actions == ("assistant: Elm", "assistant: Spoon")
    text = "\n\nHuman: Name a tree\n\nAssistant: {}"
    record = {"better": text.format("Elm"), "worse": text.format("Spoon")}
    data = Comparisons.from_records([record], chosen="better", rejected="worse")
    assert data.actions == (" Elm", " Spoon")
    with pytest.raises(ValueError, match=r"^records\[0\]: has no field 'prompt'"):
        Comparisons.from_records(
            [{"better": "Elm", "worse": "Spoon"}], chosen="better", rejected="worse"
        )


def test_another_prompt_may_be_named_for_a_known_shape() -> None:
    votes = {"history": "h", "human_ref_A": "a", "human_ref_B": "b", "labels": 1, "post": "p"}
    data = Comparisons.from_records([votes, {**votes, "post": "q"}], prompt="post")
    assert data.contexts.max() == 1


@pytest.mark.parametrize("winner", ["winner", "model_a"])
def test_a_table_of_votes_has_no_column_of_winners(winner: str, tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("model_a,model_b,winner\nred,blue,model_a\n")
    with pytest.raises(ValueError, match=rf"^winner names the column '{winner}', which holds"):
        Comparisons.from_csv(path, winner=winner, loser="model_b")
    path.write_text("prompt,chosen,rejected\np,a,b\n")
    data = Comparisons.from_csv(path, winner="chosen", loser="rejected", context="prompt")
    assert data.actions == ("a", "b")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"prompt": "p", "answers": [{"answer": "a", "rank": 1}]},
            "must be a list of at least two",
        ),
        (
            {"prompt": "p", "answers": [{"answer": "a", "rank": 1}, {"answer": "b", "rank": 1}]},
            "rank 1 stands at several of 'answers', must stand at one",
        ),
        ({"messages": [*TALK, *TALK], "rejected_response": "b"}, "messages, the assistant's last"),
        ({"messages": [*TALK, ELM], "rejected_response": []}, "must be a string or several"),
        ({"prompt": "p", "chosen": "a", "rejected": []}, "must hold at least one answer"),
        (
            {
                "prompt": "p",
                "response_a": "a",
                "response_b": "b",
                "winner_model_a": 1,
                "winner_model_b": 1,
                "winner_tie": 0,
            },
            "2 of the fields 'winner_model_a', 'winner_model_b', 'winner_tie' are 1, must be one",
        ),
        ({"chosen": [*TALK, ELM], "rejected": [SPOON]}, "begin with different messages"),
        (
            {"chosen": [*TALK, ELM, *TALK], "rejected": [*TALK, ELM]},
            "is the beginning of the other",
        ),
        (
            {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: c\n\nAssistant: d"},
            "do not share a beginning up to",
        ),
        (
            {
                "chosen": "\n\nHuman: a\n\nAssistant: b",
                "rejected": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
            },
            "is the beginning of the other",
        ),
    ],
)
def test_a_record_that_cannot_be_understood_is_refused(
    record: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"^records\[0\]: ") as refused:
        Comparisons.from_records([record])
    assert message in str(refused.value)


def test_ties_may_be_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^records\[0\]: is a tie, must have a winner; --ties half"
    ):
        Comparisons.from_records([{**GOOD, "status": "tie"}], ties="error")
    with pytest.raises(ValueError, match=r"^records holds no comparison, .*; 1 ties dropped$"):
        Comparisons.from_records([{**GOOD, "status": "tie"}], ties="drop")


def test_standard_input_is_a_file(tmp_path: Path) -> None:
    path, kept = write(tmp_path / "pairs.jsonl", GOOD), os.dup(0)
    try:
        with path.open("rb") as file:
            os.dup2(file.fileno(), 0)
        assert diagnose_file("-").comparisons == 1
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    with pytest.raises(ValueError, match=r"^- can be read only once, but a list or a clean file"):
        diagnose_file("-", lists={"ties": tmp_path / "out.jsonl"})


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        (b"{}", "parquet", "is no Parquet file"),
        (b"", "json", "holds no comparison"),
        (ARRAY % b" ", "json", "line 1: Expecting ',' or ']' in a JSON array"),
        (b"[]\n\n[]", None, "line 3: Extra data after a JSON array"),
        (ARRAY % b"\n\n\n ", "json", "line 4: Expecting ',' or ']' in a JSON array"),
        (b'["' + b"a" * 300, None, "line 1: is longer than 100 characters"),
    ],
)
def test_arrays_and_tables_that_are_none_are_refused(
    content: bytes,
    format: str | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "_LONGEST_RECORD", 100)
    monkeypatch.setattr(files, "_PIECE", 50)
    path = tmp_path / "records"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^records") as refused:
        diagnose_file(path, format=format)
    assert message in str(refused.value)


def test_long_arrays_and_late_beginnings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "records"
    records = [{**GOOD, "prompt": f"{k}" + 1000 * "x"} for k in range(1200)]
    path.write_text(json.dumps([*records, {"prompt": "q"}], indent=1))
    with pytest.raises(ValueError, match=r"^records, line 6002: has no field 'chosen'"):
        diagnose_file(path)
    path.write_text(40 * " " + json.dumps(GOOD))
    assert diagnose_file(path).comparisons == 1
    path.write_text("prompt\tchosen\trejected\np\ta\tb\n")
    assert diagnose_file(path, format="tsv").comparisons == 1
    path.write_text("winner,loser\n", encoding="utf-8-sig")
    with pytest.raises(ValueError, match=r"^records holds no comparison"):
        Comparisons.from_csv(path, winner="winner", loser="loser")


class _Fails(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_disk_that_fails_is_no_damaged_archive() -> None:
    with pytest.raises(OSError, match="Input/output error"):
        files._Unpacked("pairs.gz", _Fails()).readinto(bytearray(10))


def test_a_disk_that_fails_is_no_damaged_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    path = tmp_path / "pairs.parquet"
    parquet.write_table(pa.Table.from_pylist([GOOD])[:0], path)
    with pytest.raises(ValueError, match=r"^pairs.parquet holds no comparison"):
        diagnose_file(path)

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(parquet, "ParquetFile", fails)
    with pytest.raises(OSError, match="Input/output error"):
        diagnose_file(path)


def test_zstd_is_read_by_python_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pairs.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + json.dumps(GOOD).encode())
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"^reading zstd needs pyarrow: run pip install"):
        diagnose_file(path)
    package = ModuleType("compression")
    package.zstd = ModuleType("zstd")  # type: ignore[attr-defined]
    package.zstd.open = lambda file: io.BytesIO(file.read()[4:])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression", package)
    assert diagnose_file(path).comparisons == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lists": {"parrots": "out"}}, r"^lists names 'parrots', must be one of collapsing"),
        ({"majority": True}, r"^majority says which records the clean file holds"),
        (
            {"clean": "out", "weight": "n"},
            r"^clean leaves out records that repeat earlier ones, but",
        ),
        ({"clean": "none/out"}, r"^none/out is in a folder that is not there"),
        ({"lists": {"ties": "out"}, "clean": "out"}, r"^two lists go to one file"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("pairs.jsonl"), GOOD)
    with pytest.raises(ValueError, match=message):
        diagnose_file("pairs.jsonl", **options)
    assert [path.name for path in Path().iterdir()] == ["pairs.jsonl"]


def test_bad_records_ties_and_files_without_any_are_left_out_of_a_clean_file(
    tmp_path: Path,
) -> None:
    folder, out = tmp_path / "shards", tmp_path / "out.jsonl"
    folder.mkdir()
    (folder / "README.md").write_text("# Trees\n")
    (folder / "info.json").write_text('{"trees": 3}')
    (folder / "damaged.gz").write_bytes(b"\x1f\x8b\x08")
    write(folder / "a.jsonl", GOOD, {**GOOD, "status": "tie"}, {**GOOD, "chosen": " "})
    with (folder / "a.jsonl").open("a") as file:
        file.write("no JSON\n" + json.dumps({**GOOD, "rejected": "\ud800"}) + "\n")
    found = diagnose_file(
        folder, ties="drop", skip_bad=True, clean=out, lists={"ties": tmp_path / "l"}
    )
    assert found.passed_over == ("shards/README.md", "shards/damaged.gz", "shards/info.json")
    assert "passed over: shards/README.md, shards/damaged.gz, " in str(found)
    assert "1 ties left out" in found.cleaned
    assert [json.loads(line)["rejected"] for line in out.read_text().splitlines()] == [
        "Spoon",
        "\ud800",
    ]
    write(folder / "a.jsonl", {**GOOD, "rejected": "Elm"})
    with pytest.raises(ValueError, match=r"with identical answers; passed over: shards/README.md"):
        diagnose_file(folder)


def test_a_file_that_changes_between_two_readings_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = write(tmp_path / "pairs.jsonl", GOOD, GOOD), tmp_path / "out.jsonl"
    marks = lists.marks

    def changed(records: list[dict[str, Any]]) -> Callable[..., lists.Marks]:
        def then_marks(*given: Any) -> lists.Marks:
            write(path, *records)
            return marks(*given)

        return then_marks

    for records in ([GOOD], [GOOD, GOOD, GOOD], [{"a": 1}, GOOD]):
        write(path, GOOD, GOOD)
        monkeypatch.setattr("psipo_explore.diagnosis.marks", changed(records))
        with pytest.raises(RuntimeError, match="changed while"):
            diagnose_file(path, clean=out)
        assert not out.exists()


def test_a_list_to_a_device_is_written_there(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {**GOOD, "rejected": "\ud800"})
    diagnose_file(path, lists={"collapsing": "/dev/null"})
    with whole_file(Path("/dev/null")) as file:
        file.write(b"nothing")


def test_a_span_of_a_file_is_read_like_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", *[{**GOOD, "prompt": f"{k}"} for k in range(20)])
    spans = list(files.line_spans(path, 0))
    assert spans == [(0, path.stat().st_size)]
    reader = Reader(Asked.of())
    reader.begin(GOOD, "line 1")
    part = reading.read_span(partial(reading.read_lines, reader, True, True), path, spans[0])
    assert part is not None
    assert (part.n_lines, part.collected.kinds.size, part.bad) == (20, 20, [])
    path.write_bytes(b"\xff\n")
    assert reading.read_span(partial(reading.read_lines, reader, True, True), path, (0, 2)) is None


def test_an_error_that_a_worker_sends_is_whole() -> None:
    error = UnreadableError("not JSON", "Expecting value", within=", column 1", word="w")
    sent = pickle.loads(pickle.dumps(error))
    assert (str(sent), vars(sent)) == (str(error), vars(error))


def test_a_worker_ends_at_an_interrupt() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        _workers._begin_work(os.getppid())
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_digests_that_share_a_half_are_told_apart() -> None:
    digests = np.array([[1, 2], [1, 3], [1, 2], [4, 2]], np.uint64)
    numbers, first = collected._numbered_digests(digests)
    assert numbers.tolist() == [0, 1, 0, 2]
    assert first.tolist() == [0, 1, 3]


def test_a_vote_between_two_who_both_won_is_even() -> None:
    found = standings_of(Comparisons.from_pairs([("a", "b"), ("b", "a")]))
    assert found.as_dict()["dpo"] == [0.0, 0.0]


def test_an_answer_with_an_outcome_is_not_the_chosen_one(tmp_path: Path) -> None:
    record = {"prompt": "p", "response_0": "a", "response_1": "b", "better_response_id": 1}
    path = write(tmp_path / "pairs.jsonl", record)
    with pytest.raises(
        ValueError, match=r"chosen or rejected names 'response_0', but which answer"
    ):
        diagnose_file(path, chosen="response_0", rejected="response_1")


def test_words_of_a_known_shape_may_be_explained(tmp_path: Path) -> None:
    votes = [{"model_a": "a", "model_b": "b", "winner": word} for word in ("model_a", "zebra")]
    data = Comparisons.from_records(votes, second="zebra")
    assert data.win_table().tolist() == [[0, 1], [1, 0]]
    with pytest.raises(
        ValueError, match=r"field 'winner' is 'zebra', must be .* \(1 record has it\)$"
    ):
        Comparisons.from_records(votes)


def test_a_weight_is_read_with_each_line(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {**GOOD, "n": 3}, {**GOOD, "n": 2})
    found = diagnose_file(path, weight="n")
    assert (found.comparisons, found.duplicates) == (2, 1)
    write(path, {**GOOD, "n": 3}, {**GOOD, "n": 0})
    with pytest.raises(ValueError, match=r"line 2: field 'n' is 0, must be positive"):
        diagnose_file(path, weight="n")


def test_usual_rows_of_a_table_are_read_by_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_ROWS_A_BATCH", 2)
    parquet, pa = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    path = tmp_path / "pairs.parquet"
    rows = [GOOD, {**GOOD, "rejected": "Fork"}, {**GOOD, "chosen": "Oak"}]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    assert (
        diagnose_file(path).as_dict() == diagnose_file(write(tmp_path / "a.jsonl", *rows)).as_dict()
    )
    parquet.write_table(pa.Table.from_pylist([*rows, {**GOOD, "chosen": None}]), path)
    with pytest.raises(ValueError, match=r"^pairs.parquet, row 4: "):
        diagnose_file(path)


def test_missing_values_of_tables_are_none() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame([{**GOOD, "score_chosen": 9.0, "score_rejected": 9.0}, GOOD])
    data = Comparisons.from_records(table)
    assert data.win_table().tolist() == [[0, 1.5], [0.5, 0]]
    numpy_numbers = [{**GOOD, "n": np.float64(2.0)}, {**GOOD, "n": np.int64(1), "m": pandas.NA}]
    assert Comparisons.from_records(numpy_numbers, weight="n").weights.tolist() == [2.0, 1.0]


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    def write_and_read() -> None:
        with whole_file(tmp_path / "out") as file:
            file.write((tmp_path / "another").read_bytes())

    with pytest.raises(FileNotFoundError, match="another"):
        write_and_read()
    assert not (tmp_path / "out").exists()


def test_identical_answers_are_counted_in_words(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", GOOD, {**GOOD, "rejected": "Elm"})
    assert "are left out: 1." in str(diagnose_file(path))


def test_a_header_may_hold_a_long_title(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(f"prompt,chosen,rejected,{'x' * 200_000}\np,a,b,c\n")
    assert diagnose_file(path).comparisons == 1


def test_several_processes_show_one_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(files, "_WORTH_SHARING", 0)
    monkeypatch.setattr(files, "_BLOCK", 500)
    path = write(tmp_path / "pairs.jsonl", *[{**GOOD, "prompt": f"{k}"} for k in range(40)])
    found = diagnose_file(path, processes=2, progress=True)
    assert found.contexts == 40
    size = f"{path.stat().st_size / 1e3:.2f}k"
    assert f"{size}/{size}" in capsys.readouterr().err


def test_no_path_is_no_data_set() -> None:
    with pytest.raises(ValueError, match=r"^paths is empty, must name at least one file"):
        diagnose_file([])


class _AtOnce(Executor):
    def submit(self, function: Any, /, *given: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*given))
        return future


class _Never(Executor):
    def submit(self, function: Any, /, *given: Any, **_: Any) -> Future[Any]:
        return Future()


def test_spans_come_in_order_and_the_caller_reads_while_workers_are_busy() -> None:
    spans = [(k, k + 1) for k in range(6)]
    read_here: list[tuple[int, int]] = []

    def read(span: tuple[int, int]) -> None:
        read_here.append(span)

    assert [span for span, _ in reading._in_order(_AtOnce(), read, spans, 2)] == spans
    read_here.clear()
    found = list(reading._in_order(_Never(), read, spans, 2))
    assert [span for span, _ in found] == spans
    assert [future.done() for _, future in found] == [False] * 2 + [True] * 4
    assert read_here == spans[2:]
