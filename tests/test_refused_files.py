import gzip
import sys
from pathlib import Path

import pytest
from preference_files import GOOD, lines, written

from psipo_explore import cli
from psipo_explore.diagnosis import diagnose_file


@pytest.mark.parametrize("bad", [None, [], 5])
def test_a_bad_first_record_does_not_decide_how_the_others_are_read(
    tmp_path: Path, bad: object
) -> None:
    path = written(tmp_path, lines({**GOOD, "chosen": bad}, GOOD, GOOD))
    found = diagnose_file(path, 1.0, skip_bad=True)
    assert (found.comparisons, found.skipped) == (2, 1)


def test_a_null_is_no_missing_field(tmp_path: Path) -> None:
    path = written(tmp_path, lines(GOOD, {**GOOD, "chosen": None}))
    with pytest.raises(ValueError, match=r"line 2: field 'chosen' is null, must hold a value$"):
        diagnose_file(path)


def test_a_long_name_of_a_field_is_cut(tmp_path: Path) -> None:
    record = {"prompt": "q", "x" * 10_000: 1, "chosen": "a"}
    with pytest.raises(ValueError, match="has no field 'rejected'") as refused:
        diagnose_file(written(tmp_path, lines(GOOD, record)))
    assert len(str(refused.value)) < 300


def test_a_word_has_one_meaning(tmp_path: Path) -> None:
    path = written(tmp_path, "model_a,model_b,winner\nx,y,left\n")
    with pytest.raises(ValueError, match=r"^first, second and tie share 'left'"):
        diagnose_file(path, first="left", second=["right", "Left"])


@pytest.mark.parametrize("depth", [*range(900, 1000, 4), 100_000])
def test_deep_nesting_is_refused_or_read(tmp_path: Path, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    talk = '[{"role": "user", "content": "q"}]'
    answers = '"preferred_output": "a", "non_preferred_output": "b"'
    tools = f'{{"input": {{"messages": {talk}, "tools": {deep}}}, {answers}}}\n'
    answer = f'{{"prompt": "q", "chosen": "a", "rejected": {deep}}}\n'
    for text in (tools, answer, f"[{tools}]"):
        said = ""
        try:
            diagnose_file(written(tmp_path, text), 1.0)
        except ValueError as error:
            said = str(error)
        assert len(said) < 300


def test_a_folder_says_what_is_asked_wrongly(tmp_path: Path) -> None:
    record = {"instruction": "Translate", "input": "chat", "chosen": "cat", "rejected": "car"}
    written(tmp_path, lines(record), "one.jsonl")
    with pytest.raises(ValueError, match=r"^prompt = instruction leaves out input"):
        diagnose_file(tmp_path, prompt="instruction")


def test_a_folder_says_what_must_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, lines(GOOD), "one.jsonl")
    written(tmp_path, b"PAR1" + bytes(40) + b"PAR1", "two.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"two.parquet: .* pip install 'psipo-explore\[parquet\]'"):
        diagnose_file(tmp_path)


def test_a_table_of_no_known_shape_is_named(tmp_path: Path) -> None:
    parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    path = tmp_path / "table.parquet"
    parquet.write_table(arrow.Table.from_pylist([{"frage": "Wo?"}]), path)
    with pytest.raises(ValueError, match=r"^table.parquet, row 1: its columns are frage"):
        diagnose_file(path)
    with pytest.raises(ValueError, match=r"1 skipped, first table.parquet, row 1"):
        diagnose_file(path, skip_bad=True)


def test_a_blank_header_and_one_word_for_two_answers_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "\n\nprompt,chosen,rejected\nq,a,b\n")
    with pytest.raises(ValueError, match=r"^pairs.txt, line 1: is blank, must be a header$"):
        diagnose_file(path)
    with pytest.raises(ValueError, match=r"^answers = 'ab', must be the names of two fields"):
        diagnose_file(path, answers="ab", outcome="c")  # type: ignore[arg-type]


def test_an_answer_alone_in_the_place_of_the_prompt_is_refused(tmp_path: Path) -> None:
    answer = [{"role": "assistant", "content": "a"}]
    other = [{"role": "assistant", "content": "b"}]
    path = written(tmp_path, lines({"prompt": answer, "chosen": answer, "rejected": other}))
    with pytest.raises(ValueError, match=r"line 1: field 'prompt' ends with the answer"):
        diagnose_file(path)


def bad_files() -> dict[str, tuple[str | bytes, str]]:
    """Return the content of files that are refused, with words of the complaint."""
    ranked = {"prompt": "q", "answers": [{"answer": x, "rank": 1} for x in "ab"]}
    vote = "model_a,model_b,winner\n"
    return {
        "nothing": ("", "holds no comparison"),
        "binary": (b"\x89PNG\r\n\x1a\n" + bytes(20), "is a picture"),
        "bytes": (b"prompt\0", "is binary"),
        "a cut archive": (gzip.compress(lines(GOOD).encode())[:-9], "cannot be unpacked"),
        "a cut table": (b"PAR1" + bytes(40), "no Parquet file"),
        "another encoding": (lines(GOOD).encode("utf-16"), "in UTF-16"),
        "a stray byte": (b'{"prompt": "\xe9"}', "line 1: byte 0xe9 is not UTF-8"),
        "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        "mixed shapes": (lines(GOOD, {"model_a": "x"}), "line 2: has no field 'chosen'"),
        "mixed kinds": (lines(GOOD, {**GOOD, "rejected": ["b"]}), "line 2: field 'rejected' is a"),
        "an unknown word": (vote + "x,y,sky\n" * 3, "line 2: column 'winner' is 'sky'"),
        "a rank tie": (lines(ranked), "line 1: rank 1 stands at several"),
        "nothing rejected": (lines({**GOOD, "rejected": []}), "line 1: field 'rejected' is []"),
        "an open quote": ('prompt,chosen,rejected\nq,a,b\nq,"a,b\n', "line 3: unexpected end"),
        "few cells": ("prompt,chosen,rejected\nq,a\n", "line 2: the number of cells is 2"),
        "no object": ("[1]", "line 1: is a JSON number"),
        "a cut array": (f"[{lines(GOOD)},", "line 2: Expecting value"),
    }


@pytest.mark.parametrize("case", bad_files())
def test_bad_input_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    content, words = bad_files()[case]
    assert cli.main(["diagnose", str(written(tmp_path, content))]) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith("psipo: pairs.txt")
    assert said.count("\n") == 1
    assert words in said
    assert case != "an unknown word" or "(3 records have it)" in said


def test_skipped_records_are_counted_by_kind(tmp_path: Path) -> None:
    bad = [{**GOOD, "rejected": []}, {**GOOD, "chosen": None}, {**GOOD, "n": 0}, {**GOOD, "n": "x"}]
    good = {**GOOD, "n": 2}
    content = lines(good, *({"n": 1, **record} for record in bad), good) + "{\n[]\n"
    found = diagnose_file(written(tmp_path, content), 1.0, skip_bad=True, weight="n")
    assert found.comparisons == 2
    assert found.skipped_by_kind == {
        "an empty list of answers": 1,
        "a field is missing": 1,
        "a weight that is not positive": 1,
        "not a number": 1,
        "not JSON": 1,
        "not an object": 1,
    }
    assert found.first_skipped.startswith("pairs.txt, line 2: field 'rejected' is []")


def test_a_file_that_an_option_swallows_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "--prompt", "topic", "pairs.csv"]) == 2
    assert "no file is named: name it before options that take several" in capsys.readouterr().err
