import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from preference_files import GOOD, lines, parquet_of, wins, written

from psipo_explore import Comparisons
from psipo_explore._data.shapes import BY_NAME, SHAPES
from psipo_explore.diagnosis import diagnose_file

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


def talk(*turns: str, names: tuple[str, str] = ("user", "assistant")) -> list[dict[str, str]]:
    return [{"role": names[k % 2], "content": turn} for k, turn in enumerate(turns)]


def said(*turns: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[k % 2], "value": turn} for k, turn in enumerate(turns)]


def hh(*turns: str) -> str:
    names = ("\n\nHuman: ", "\n\nAssistant: ")
    return "".join(names[k % 2] + turn for k, turn in enumerate(turns))


@pytest.mark.parametrize("shape", BY_NAME)
def test_the_example_of_a_shape_is_read_as_that_shape(tmp_path: Path, shape: str) -> None:
    record = dict(BY_NAME[shape].example)
    assert record
    first = next(one for one in SHAPES if one.fits(record))
    assert first.name == shape
    for asked in (None, shape):
        data = Comparisons.from_file(written(tmp_path, lines(record)), shape=asked)
        ((winner, loser, weight),) = wins(data)
        better = "oak" if shape == "arena" else "Carp"
        assert (better in winner, better in loser, weight) == (True, False, 1.0)
    read_as = diagnose_file(written(tmp_path, lines(record)), 1.0).read_as
    assert read_as.startswith(f"{BY_NAME[shape].title}: ")
    named = set(read_as.replace(",", " ").replace(";", " ").split())
    assert {*BY_NAME[shape].fields} <= named


Q, A, B, C = "Name a fish", "Carp", "Sofa", "Bed"
UF = {"prompt_id": "9f", "messages": talk(Q, A)}
VOTE = {"question_id": "58", "judge": "arena_user_1", "turn": 1, "anony": True, "tstamp": 1.5e9}
TALKS = {"conversation_a": talk(Q, "x"), "conversation_b": talk(Q, "y")}
SHP = {"post_id": "q1", "domain": "askacademia_train", "upvote_ratio": 0.98, "score_ratio": 2.0}
SHP |= {"history": Q, "human_ref_A": A, "human_ref_B": B, "score_A": 4, "score_B": 2}
SAFE = {"prompt": Q, "response_0": A, "response_1": B, "is_response_0_safe": False}
SAFE |= {"is_response_1_safe": True, "better_response_id": 0, "safer_response_id": 1}
HELP = {"domain": "general", "language": "english", "context": talk(Q), "response1": A}
HELP |= {"response2": B, "individual_preference": [{"score": 1, "reasoning": "r"}]}
POST = {
    "id": "t3_1",
    "post": "I saw a carp.",
    "title": "Carp",
    "subreddit": "fish",
    "article": None,
}
SUMMARIES = [{"text": text, "policy": "sup2", "note": "n"} for text in (A, B)]
NOTES = {"worker": "w", "batch": "b3", "split": "train", "extra": {"confidence": 7}}
WEB = {"question": {"dataset": "eli5", "id": "1", "full_text": Q}, "tokens_0": {"prefix": [1]}}
WEB |= {"quotes_0": {"title": ["t"], "extract": ["e"]}, "answer_0": A, "answer_1": B}
ANSWERS = [{"answer": x, "model": f"m{x}", "rank": r} for x, r in ((B, 2.0), (A, 1.0), (C, 3.0))]
KAGGLE_ROW = {"id": 7, "model_a": "m", "model_b": "n", "prompt": '["Hi","So?"]'}
KAGGLE_ROW |= {"response_a": '["Yo",null]', "response_b": '["Hey","\\ud83d"]'}
KAGGLE_ROW |= dict.fromkeys(("winner_model_a", "winner_model_b", "winner_tie"), 0)
ORCA = {"system": "", "input": Q, "chosen": A, "rejected": B, "order": ["A", "B"], "rationale": "r"}
ORCA |= {"generations": [A, B], "rating": [9.0, 8.0], "chosen_score": 9.0, "in_gsm8k_train": False}
ALPACA = {"instruction": "Name a", "input": "fish", "chosen": A, "rejected": B, "system": ""}
RANKED = {"context": talk(Q), "completions": [{"rank": 1, "completion": talk("", B)[1:]}]}
RANKED["completions"] += [{"rank": 0, "completion": talk("", A)[1:]}]
YES, TIED = [(A, B, 1.0)], [(A, B, 0.5), (B, A, 0.5)]
BACK = [(B, A, 1.0)]
SAME: dict[str, Any] = {"prompt": Q, "chosen": talk(Q, A), "rejected": talk(Q, B)}

REAL: dict[str, tuple[str, list[Mapping[str, Any]], list[tuple[str, str, float]]]] = {
    # what it is: the shape, records, and who beats whom
    "ultrafeedback_binarized": (
        "pairs",
        [
            {**UF, **SAME, "score_chosen": 8.5, "score_rejected": 6.0},
            {**UF, **SAME, "score_chosen": 6.0, "score_rejected": 6.0},
        ],
        YES + TIED,
    ),
    "ultrafeedback-binarized-preferences-cleaned": (
        "pairs",
        [
            {
                "source": "s",
                **SAME,
                "chosen-rating": 5.0,
                "chosen-model": "m",
                "rejected-rating": 5.0,
            }
        ],
        TIED,
    ),
    "dpo-mix-7k": (
        "messages",
        [
            {
                "dataset": "argilla/x",
                "chosen": talk("Hi", "Yo", Q, A),
                "rejected": talk("Hi", "Yo", Q, B),
                "chosen_rating": 5.0,
                "rejected_rating": rating,
            }
            for rating in (4.0, 5.0)
        ],
        YES + TIED,
    ),
    "hh-rlhf": (
        "hh-rlhf",
        [
            {"chosen": hh("Hi", "Yo", Q, A), "rejected": hh("Hi", "Yo", Q, B)},
            {"chosen": hh("Hi", "Yo", Q, B), "rejected": hh("Hi", "Yo", Q, A)},
        ],
        YES + BACK,
    ),
    "orca_dpo_pairs": (
        "orca",
        [{"system": "", "question": Q, "chosen": A, "rejected": B}],
        YES,
    ),
    "distilabel-intel-orca-dpo-pairs": (
        "distilabel",
        [{**ORCA, "status": status} for status in ("unchanged", "swapped", "tie")],
        YES + YES + TIED,
    ),
    "SHP": ("shp", [{**SHP, "labels": 1}, {**SHP, "labels": 0}], YES + BACK),
    "PKU-SafeRLHF": ("safe-rlhf", [SAFE], YES),
    "HelpSteer3": (
        "helpsteer3",
        [{**HELP, "overall_preference": strength} for strength in (-3, 2, 0)],
        YES + BACK + TIED,
    ),
    "HelpSteer2-preference": (
        "helpsteer2",
        [
            {"split": "train", "prompt": Q, "response_1": A, "response_2": B}
            | {"preference_strength": strength, "preference_statement": "@Response 1 is better"}
            for strength in (-1, 3)
        ],
        YES + BACK,
    ),
    "summarize_from_feedback": (
        "summarize-from-feedback",
        [{"info": POST, "summaries": SUMMARIES, "choice": choice, **NOTES} for choice in (0, 1)],
        YES + BACK,
    ),
    "Nectar": (
        "nectar",
        [
            {
                "prompt": hh(Q, ""),
                "answers": ANSWERS,
                "turns": 1,
                "source": ["s"],
                "good_natured": True,
            }
        ],
        [(A, B, 1.0), (A, C, 1.0), (B, C, 1.0)],
    ),
    "chatbot_arena_conversations": (
        "arena",
        [
            {**VOTE, "model_a": A, "model_b": B, "winner": winner, **TALKS}
            for winner in ("model_a", "model_b", "tie", "tie (bothbad)")
        ],
        YES + BACK + TIED + TIED,
    ),
    "arena-human-preference-140k": (
        "arena",
        [{"id": "u", "model_a": A, "model_b": B, "winner": "both_bad", "is_code": False, **TALKS}],
        TIED,
    ),
    "LMSYS at Kaggle": (
        "kaggle",
        [
            {**KAGGLE_ROW, winner: 1}
            for winner in ("winner_model_a", "winner_model_b", "winner_tie")
        ],
        [
            (str(KAGGLE_ROW[f"response_{one}"]), str(KAGGLE_ROW[f"response_{other}"]), weight)
            for one, other, weight in (
                ("a", "b", 1.0),
                ("b", "a", 1.0),
                ("a", "b", 0.5),
                ("b", "a", 0.5),
            )
        ],
    ),
    "webgpt_comparisons": (
        "webgpt",
        [{**WEB, "score_0": score, "score_1": -score} for score in (0.5, -1.0, 0.0)],
        YES + BACK + TIED,
    ),
    "stack-exchange-paired": (
        "stack-exchange",
        [
            {"qid": 1, "question": Q, "date": "2020/01/01", "metadata": ["u"]}
            | {"response_j": A, "response_k": B}
        ],
        YES,
    ),
    "OpenAI": (
        "openai",
        [
            {
                "input": {"messages": talk(Q), "tools": [], "parallel_tool_calls": True},
                "preferred_output": talk("", A)[1:],
                "non_preferred_output": talk("", B)[1:],
            }
        ],
        YES,
    ),
    "ms-swift": (
        "ms-swift",
        [{"messages": talk("Hi", "Yo", Q, A), "rejected_response": B}],
        YES,
    ),
    "ms-swift, several": (
        "ms-swift",
        [{"messages": talk(Q, A), "rejected_response": [B, C]}],
        [(A, B, 1.0), (A, C, 1.0)],
    ),
    "LLaMA-Factory, sharegpt": (
        "sharegpt",
        [
            {"conversations": said("Hi", "Yo", Q), "chosen": {"from": "gpt", "value": A}}
            | {"rejected": {"from": "gpt", "value": B}, "system": "Be brief."}
        ],
        YES,
    ),
    "LLaMA-Factory, alpaca": ("alpaca", [{**ALPACA, "history": [["Hi", "Yo"]]}], YES),
    "NeMo": ("nemo", [RANKED], YES),
}


def in_csv(records: list[Mapping[str, Any]], separator: str) -> str:
    writer = csv.DictWriter(text := io.StringIO(), list(records[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def plain(text: str) -> str:
    """Return the content of an answer, with or without its role."""
    listed = json.loads(text) if text.startswith('["user') else [text]
    return str(listed[-1]).removeprefix("assistant: ").removeprefix("gpt: ").strip()


def is_flat(case: str) -> bool:
    shape, records, _ = REAL[case]
    read = (*BY_NAME[shape].fields, *BY_NAME[shape].context)
    return not any(isinstance(records[0].get(name, []), (list, dict)) for name in read)


@pytest.mark.parametrize(
    ("case", "container"),
    [(case, container) for case in REAL for container in ("lines", "array", "parquet")]
    + [(case, separator) for case in REAL for separator in ",;" if is_flat(case)],
)
def test_records_of_real_data_sets(tmp_path: Path, case: str, container: str) -> None:
    shape, records, expected = REAL[case]
    content: str | bytes = lines(*records)
    if container == "array":
        content = json.dumps(records, indent=2)
    elif container == "parquet":
        content = parquet_of(*records)
    elif container != "lines":
        content = in_csv(records, container)
    path = written(tmp_path, content)
    data = Comparisons.from_file(path)
    found = [(plain(one), plain(other), weight) for one, other, weight in wins(data)]
    assert found == expected
    assert not data.contexts.any()
    assert diagnose_file(path, 1.0).read_as.startswith(BY_NAME[shape].title)


def test_the_safer_response_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, lines(SAFE))
    assert wins(Comparisons.from_file(path, shape="safe-rlhf-safer")) == BACK


def test_each_rejected_answer_may_have_a_score() -> None:
    record = {"prompt": "q", "chosen": "a", "rejected": ["b", "c"], "score_chosen": 9}
    data = Comparisons.from_records([{**record, "score_rejected": [9, 3]}])
    assert wins(data) == [("a", "b", 0.5), ("b", "a", 0.5), ("a", "c", 1.0)]


@pytest.mark.parametrize("name", ["system", "tools", "images"])
@pytest.mark.parametrize(
    "shape", ["pairs", "messages", "ms-swift", "ms-swift-messages", "sharegpt"]
)
def test_one_question_about_two_pictures_is_two_prompts(shape: str, name: str) -> None:
    record = dict(BY_NAME[shape].example)
    records = [{**record, name: value} for value in (["1"], ["2"], ["1"], None, [])]
    data = Comparisons.from_records(records)
    assert data.contexts.tolist() == [0, 0, 1, 1, 2, 2]
