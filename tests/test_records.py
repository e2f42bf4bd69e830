"""Records at hand: lists, and tables and streams of the packages that people load data with."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psipo_explore import DPO, Comparisons, diagnose, minimise
from psipo_explore._data import files, usual
from psipo_explore._data.asked import Asked
from psipo_explore._data.collected import Collected
from psipo_explore._data.files import json_entries
from psipo_explore._data.reading import Reader
from psipo_explore._data.unreadable import UnreadableError
from psipo_explore.diagnosis import diagnose_file

USER = [{"role": "user", "content": "Name a tree"}]
RECORDS = [
    {
        "prompt": "Name a tree",
        "chosen": [*USER, {"role": "assistant", "content": better}],
        "rejected": [*USER, {"role": "assistant", "content": worse}],
        "score_chosen": 8.0,
        "score_rejected": score,
        "source": "made up",
    }
    for better, worse, score in (("Elm", "Spoon", 2.0), ("Elm", "Fork", 8.0), ("Oak", "Elm", 3.0))
]


def as_datasets(records: list[dict[str, Any]]) -> Iterable[Any]:
    return pytest.importorskip("datasets").Dataset.from_list(records)


def as_stream(records: list[dict[str, Any]]) -> Iterable[Any]:
    return pytest.importorskip("datasets").Dataset.from_list(records).to_iterable_dataset()


def as_pandas(records: list[dict[str, Any]]) -> Iterable[Any]:
    return pytest.importorskip("pandas").DataFrame(records)


def as_pandas_from_parquet(records: list[dict[str, Any]]) -> Iterable[Any]:
    """Make a table whose lists are arrays, as pandas reads them from Parquet."""
    pytest.importorskip("pandas")
    return pytest.importorskip("pyarrow").Table.from_pylist(records).to_pandas()


def as_polars(records: list[dict[str, Any]]) -> Iterable[Any]:
    return pytest.importorskip("polars").DataFrame(records)


@pytest.mark.parametrize(
    "made", [list, iter, as_datasets, as_stream, as_pandas, as_pandas_from_parquet, as_polars]
)
def test_tables_and_streams_are_read_like_lists(made: Callable[[Any], Iterable[Any]]) -> None:
    data = Comparisons.from_records(made(RECORDS))
    ends = ["user: Name a tree", "assistant: Elm"]
    assert json.loads(data.actions[0]) == ends
    assert data.win_table().tolist() == [
        [0, 1, 0.5, 0],
        [0, 0, 0, 0],
        [0.5, 0, 0, 0],
        [1, 0, 0, 0],
    ]
    found = diagnose(data)
    assert (found.comparisons, found.ties, found.contradictions) == (3, 1, 0)


def test_the_same_words_say_how_records_are_read() -> None:
    judged = [
        {"q": "Name a gas", "a": "Neon", "b": "Brick", "verdict": verdict, "times": times}
        for verdict, times in (("L", 3), ("R", 1), ("same", 2))
    ]
    words = {"answers": ("a", "b"), "outcome": "verdict", "first": "L", "second": "R"}
    data = Comparisons.from_records(judged, prompt="q", **words, tie="same", weight="times")
    assert data.win_table().tolist() == [[0, 4], [2, 0]]
    np.testing.assert_allclose(minimise(data, DPO, 1.0).policy, [2 / 3, 1 / 3], rtol=1e-12)
    dropped = Comparisons.from_records(
        judged, prompt="q", **words, tie="same", weight="times", ties="drop"
    )
    assert dropped.win_table().tolist() == [[0, 3], [1, 0]]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (
            [{"prompt": "p", "chosen": "a", "rejected": "b"}, 3],
            r"^records\[1\]: is '3', must be a ma",
        ),
        (
            [{"prompt": "p", "chosen": "a"}],
            r"^records\[0\]: its fields are prompt, chosen, which is",
        ),
        (
            [{"prompt": "p", "chosen": "a", "rejected": []}],
            r"^records\[0\]: field 'rejected' is \[\]",
        ),
        ([], r"^records holds no comparison"),
    ],
)
def test_bad_records_are_named_by_their_index(records: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons.from_records(records)


@pytest.mark.parametrize("records", [3, None, "prompt", {"prompt": "p"}])
def test_what_holds_no_records_is_of_the_wrong_kind(records: Any) -> None:
    with pytest.raises(TypeError, match=r"^records = "):
        Comparisons.from_records(records)


def test_pairs_may_be_in_contexts() -> None:
    pairs, contexts = [("a", "b"), ("b", "a"), ("a", "c")], ["x", "z", "x"]
    data = Comparisons.from_pairs(pairs, contexts=contexts, weights=[1, 2, 3])
    assert data.actions == ("a", "b", "b", "a", "c")
    assert data.contexts.tolist() == [0, 0, 1, 1, 0]
    assert data.weights.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match=r"^contexts has 1 entries, must have one for each of 3"):
        Comparisons.from_pairs(pairs, contexts=["x"])
    with pytest.raises(ValueError, match=r"^actions and contexts"):
        Comparisons.from_pairs(pairs, contexts=contexts, actions=["a", "b", "c"])


@pytest.mark.parametrize(
    ("ties", "message"),
    [
        ([True], r"^ties has shape \(1,\)"),
        ([1, 1], r"^ties has .* type int64, must be one bool"),
        ([True, False], "^ties must mark two comparisons in a row"),
    ],
)
def test_a_tie_is_two_comparisons_one_each_way(ties: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons([0, 1], [1, 0], ("a", "b"), [0.5, 0.5], [0, 0], ties=ties)
    with pytest.raises(ValueError, match=r"^ties must mark"):
        Comparisons([0, 0], [1, 1], ("a", "b"), [0.5, 0.5], [0, 0], ties=[True, True])


texts = st.text(st.characters(codec="utf-8") | st.sampled_from(" \n\t\0é\ud800"), max_size=3)
values = st.one_of(texts, st.none(), st.integers(), st.lists(texts, max_size=2), st.just(USER))
objects = st.dictionaries(
    st.sampled_from(["prompt", "chosen", "rejected", "more", "status"]), values, max_size=5
)
usual_objects = st.fixed_dictionaries({"prompt": texts, "chosen": texts, "rejected": texts})


@given(
    objects | usual_objects, st.booleans(), st.sampled_from(["\n", "\r\n", "", " \n", "x", "{}"])
)
def test_a_usual_line_is_read_as_the_careful_way_reads_it(
    record: dict[str, Any], ascii_only: bool, end: str
) -> None:
    """Or it is not read at all, and left to the careful way."""
    reader = Reader(Asked.of())
    reader.begin({"prompt": "p", "chosen": "a", "rejected": "b"}, "line 1")
    line = json.dumps(record, ensure_ascii=ascii_only) + end
    fast = reader.usual_row()(line)
    careful = []
    for entry in json_entries([line]):
        try:
            assert not isinstance(entry.record, UnreadableError)
            careful = reader.rows(entry.record)
        except (AssertionError, UnreadableError):
            careful = []
    if fast is not None:
        assert [fast] == [tuple(row)[:3] for row in careful]
        assert [tuple(row)[3:] for row in careful] == [(1.0, False)]
        assert fast[1] != fast[2]


@pytest.mark.parametrize(
    "first",
    [
        {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 2},
        {"prompt": "p", "chosen": "a", "rejected": ["b"]},
        {"prompt": "p", "chosen": "a", "rejected": "b", "system": "s"},
        {"history": "p", "human_ref_A": "a", "human_ref_B": "b", "labels": 1},
    ],
)
def test_records_that_say_more_are_read_carefully(first: dict[str, Any]) -> None:
    shape = Asked.of().shape_of(first)
    assert usual.usual_row(shape, first)(json.dumps(first)) is None


@given(
    st.lists(
        st.tuples(st.sampled_from("pq"), st.sampled_from("ab"), st.sampled_from("cd")), min_size=1
    )
)
def test_digests_and_texts_are_numbered_alike(rows: list[tuple[str, str, str]]) -> None:
    every = np.ones(len(rows), bool)
    numbered = []
    for hashed in (False, True):
        collected = Collected(hashed=hashed)
        collected.add_wins(rows, range(len(rows)), 0)
        numbered.append(collected.numbered(every))
    texts, digests = numbered
    for name in ("prompts", "winners", "losers", "contexts"):
        np.testing.assert_array_equal(getattr(texts, name), getattr(digests, name))


@pytest.mark.slow
@pytest.mark.parametrize("odd", ["", '{"prompt": "q", "chosen": "a", "rejected": "\\u00e9"}', "\r"])
def test_several_processes_read_what_one_reads(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain lines are shared; from a line on that is not plain, one process goes on."""
    monkeypatch.setattr(files, "_WORTH_SHARING", 0)
    monkeypatch.setattr(files, "_BLOCK", 2000)
    lines = [
        json.dumps({"prompt": f"p{k % 50}", "chosen": f"a{k % 3}", "rejected": f"b{k % 2}"})
        for k in range(600)
    ]
    lines[400:400] = [odd]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(lines) + "\n", newline="")
    one, two = (diagnose_file(path, 1.0, processes=n).as_dict() for n in (1, 2))
    assert one == two
    lines[550] = "no JSON"
    path.write_text("\n".join(lines) + "\n", newline="")
    for processes in (1, 2):
        with pytest.raises(ValueError, match=r"^pairs\.jsonl, line 551, column 1: Expecting value"):
            diagnose_file(path, processes=processes)
    found = [diagnose_file(path, skip_bad=True, processes=n) for n in (1, 2)]
    assert found[0].as_dict() == found[1].as_dict()
