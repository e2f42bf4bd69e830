import sys
from pathlib import Path

import pytest
from preference_files import GOOD, lines, written

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
