from pathlib import Path

import pytest
from preference_files import GOOD, wins, written

from psipo_explore import Comparisons

KAGGLE = "prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n"


@pytest.mark.parametrize(
    "text",
    [
        "history,human_ref_A,human_ref_B,labels\nh,a,b,1.0\nh,a,b,0.0\n",
        KAGGLE + "h,a,b,1.0,0.0,0.0\nh,a,b,0.0,1.0,0.0\n",
    ],
)
def test_pandas_writes_1_as_1_0(tmp_path: Path, text: str) -> None:
    data = Comparisons.from_file(written(tmp_path, text))
    assert wins(data) == [("a", "b", 1.0), ("b", "a", 1.0)]


def test_calls_of_different_functions_are_different_answers() -> None:
    def calls(name: str) -> list[dict[str, object]]:
        return [{"role": "assistant", "content": None, "function_call": {"name": name}}]

    record = {"prompt": "q", "chosen": calls("f"), "rejected": calls("g")}
    assert Comparisons.from_records([record]).n_actions == 2
    for messages in (record["chosen"], record["rejected"]):
        del messages[0]["content"]
    assert Comparisons.from_records([record]).n_actions == 2


def test_a_score_beyond_float64_is_no_tie() -> None:
    record = {**GOOD, "score_chosen": 10**400, "score_rejected": 1}
    assert wins(Comparisons.from_records([record])) == [("a", "b", 1.0)]


def test_named_answers_belong_to_the_prompt_that_is_there() -> None:
    names = ("prompt", "left", "right", "verdict")
    records = [dict(zip(names, row, strict=True)) for row in ("1abL", "2baL")]
    data = Comparisons.from_records(
        records, answers=("left", "right"), outcome="verdict", first="L"
    )
    assert data.contexts.tolist() == [0, 0, 1, 1]


def test_a_table_of_pandas_holds_arrays_and_missing_values(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    records = [
        {
            "input": {"messages": [{"role": "user", "content": "q"}], "tools": tools},
            "preferred_output": [{"role": "assistant", "content": first}],
            "non_preferred_output": [{"role": "assistant", "content": second}],
        }
        for first, second, tools in (("a", "b", ["t"]), ("b", "a", ["t"]), ("a", "b", ["u"]))
    ]
    pandas.DataFrame(records).to_parquet(tmp_path / "openai.parquet")
    frame = pandas.read_parquet(tmp_path / "openai.parquet")
    data = Comparisons.from_records(frame)
    assert wins(data) == wins(Comparisons.from_records(records))
    assert data.contexts.tolist() == [0, 0, 1, 1]
    table = pandas.DataFrame({**GOOD, "system": [None, pandas.NA, pandas.NaT, ""]})
    assert Comparisons.from_records(table).n_actions == 2
