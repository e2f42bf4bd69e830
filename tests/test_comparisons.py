from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from psipo_explore import LOGIT, Comparisons, optimal_policy


def write(folder: Path, content: bytes | str) -> Path:
    path = folder / "games.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **columns: str) -> Comparisons:
    return Comparisons.from_csv(path, **{"winner": "winner", "loser": "loser", **columns})


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] != pair[1]),
        min_size=1,
    )
)
def test_pairs_tables_and_files_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]]
) -> None:
    data = Comparisons.from_pairs(pairs)
    again = Comparisons.from_table(data.win_table(), actions=data.actions)
    lines = "".join(f"{winner},{loser}\n" for winner, loser in pairs)
    filed = read(write(tmp_path_factory.mktemp("csv"), "winner,loser\n" + lines))
    assert data.actions == again.actions == filed.actions
    assert_array_equal(data.win_table(), again.win_table())
    assert_array_equal(data.win_table(), filed.win_table())
    assert data.win_table().sum() == len(pairs)


def test_actions_may_be_named_in_advance() -> None:
    data = Comparisons.from_pairs([("b", "a")], actions=("a", "b", "c"), weights=[2.5])
    assert data.actions == ("a", "b", "c")
    assert data.win_table()[1, 0] == 2.5
    assert Comparisons.from_table([[0, 1], [2, 0]]).actions == ("0", "1")
    assert Comparisons.from_table([[0]]).n_actions == 1


def test_a_weight_of_zero_leaves_the_comparison_out_and_the_actions_in() -> None:
    data = Comparisons.from_pairs([("a", "b"), ("c", "b")], weights=[1, 0])
    assert data.n_actions == 3
    assert len(data.winners) == 1


def test_preferences_are_shares_of_wins() -> None:
    data = Comparisons.from_table([[0, 3, 0], [1, 0, 2], [0, 0, 0]])
    with pytest.raises(ValueError, match=r"^prior = 0 leaves pairs .*: 0 and 2; must be positive"):
        data.preferences()
    p = data.preferences(prior=0.5)
    assert_allclose(p, [[0.5, 0.7, 0.5], [0.3, 0.5, 2.5 / 3], [0.5, 0.5 / 3, 0.5]])
    assert_allclose(p + p.T, 1)
    assert optimal_policy(p, LOGIT, 1.0).shape == (3,)
    with pytest.raises(ValueError, match=r"^prior = -1, must be at least 0"):
        data.preferences(prior=-1)
    with pytest.raises(ValueError, match=r"^prior has shape"):
        data.preferences(prior=[1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"0 and 1 \(and 2 more\)"):
        Comparisons.from_table(np.zeros((3, 3))).preferences()


def test_a_preference_keeps_its_smaller_side() -> None:
    p = Comparisons.from_table([[0, 1e30], [1, 0]]).preferences()
    assert p[1, 0] == pytest.approx(1e-30, rel=1e-15)


@pytest.mark.parametrize(
    "content",
    [
        "winner,loser\na,b\nb,c\n",
        "winner,loser\r\na,b\r\nb,c\r\n",
        "\ufeffwinner,loser\na,b\nb,c",
        "winner,loser\ra,b\rb,c\r",
        "extra,loser,winner\nx,b,a\n,c,b\n",
        '"winner"," loser "\n"a",b\n\n b ,c\n',
    ],
)
def test_files_as_spreadsheets_write_them(tmp_path: Path, content: str) -> None:
    assert read(write(tmp_path, content)).actions == ("a", "b", "c")


def test_labels_are_any_text(tmp_path: Path) -> None:
    data = read(write(tmp_path, 'winner,loser\n"São, Paulo","two\nlines"\n'))
    assert data.actions == ("São, Paulo", "two\nlines")


def test_contexts_keep_equal_labels_apart(tmp_path: Path) -> None:
    data = read(
        write(tmp_path, "prompt,winner,loser\nx,yes,no\nz,no,yes\nx,no,yes\n"), context="prompt"
    )
    assert data.actions == ("yes", "no", "no", "yes")
    assert data.contexts.tolist() == [0, 0, 1, 1]
    assert data.win_table().sum() == 3
    with pytest.raises(ValueError, match=r"^contexts are more than one"):
        data.preferences(prior=1.0)


def test_prompts_may_be_long(tmp_path: Path) -> None:
    long = "x" * 200_000
    assert (
        read(write(tmp_path, f"prompt,winner,loser\n{long},a,b\n"), context="prompt").n_actions == 2
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "winner,beaten\na,b\n",
            r"^games.csv, line 1: has no column 'loser'; its columns are 'winner', 'beaten'",
        ),
        ("winner,loser,loser\na,b,c\n", r"^games.csv, line 1: has more than one column 'loser'"),
        ("", r"^games.csv, line 1: is blank, must be a header with 'winner', 'loser'"),
        ("winner,loser\n", r"^games.csv holds no comparison"),
        ("winner,loser\na,b\n\nc,c\n", r"^games.csv, line 4: winner and loser are both 'c'"),
        (
            "winner,loser\na,b\nc,\n",
            r"^games.csv, line 3: column 'loser' is empty, must hold the loser",
        ),
        ("winner,loser\na,b\nc\n", r"^games.csv, line 3: the number of cells is 1, must be 2"),
        ("winner,loser\na,b,c\n", r"^games.csv, line 2: the number of cells is 3, must be 2"),
        (b"winner,loser\na,b\ncaf\xe9,b\n", r"^games.csv, line 3: byte 0xe9 is not UTF-8"),
        ("winner,loser\na,b\n".encode("utf-16"), r"^games.csv is in UTF-16, must be text in UTF-8"),
        ('winner,loser\na,"b\n', r"^games.csv, line 2: .*must be CSV"),
    ],
)
def test_bad_files_are_refused_with_their_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path, content))


@pytest.mark.parametrize("cell", ["-1", "nan", "inf", "many"])
def test_bad_weights_are_refused_with_their_line(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, f"winner,loser,times\na,b,3\na,b,{cell}\n")
    with pytest.raises(
        ValueError, match=rf"^games.csv, line 3: weight '{cell}', must be a finite number"
    ):
        read(path, weight="times")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("pairs", "options", "message"),
    [
        ([], {}, r"^pairs is empty"),
        ([("a", "b"), ("c", "c")], {}, r"^pairs\[1\] = \('c', 'c'\), an action cannot beat itself"),
        ([1, 2], {}, r"^pairs\[0\] = 1, must be \(winner, loser\)"),
        ([{"z", "a"}], {}, r"^pairs\[0\] = .*must be \(winner, loser\)"),
        ([("a", "b")], {"weights": [0.0]}, r"^weights are all 0"),
        ([("a", "b"), ("b", "a")], {"weights": [1e308, 1e308]}, r"^weights sum to more than"),
        (["ab"], {}, r"^pairs\[0\] = 'ab', must be \(winner, loser\)"),
        ([("a", "b", "c")], {}, r"^pairs\[0\] = .*must be \(winner, loser\)"),
        (
            [("a", "d")],
            {"actions": ("a", "b")},
            r"^pairs\[0\] names d, which is not among the actions a, b",
        ),
        ([("a", "b")], {"actions": ("a", "b", "a")}, r"^actions names 'a' twice"),
        ([("a", "b")], {"weights": [-1.0]}, r"^weights\[0\] = -1, must be finite and at least 0"),
        ([("a", "b")], {"weights": [1.0, 2.0]}, r"^weights has shape \(2,\), must be \(1,\)"),
    ],
)
def test_bad_pairs_are_refused(pairs: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons.from_pairs(pairs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wins", "message"),
    [
        ([[0, 1, 2], [0, 0, 1]], r"^wins has shape \(2, 3\), must be \(K, K\)"),
        ([[0, 1], [-2, 0]], r"^wins\[1, 0\] = -2, must be at least 0"),
        ([[0, 1], [1, 4]], r"^wins\[1, 1\] = 4, must be 0"),
        ([[0, np.nan], [1, 0]], r"^wins\[0, 1\] = nan"),
        (np.empty((0, 0)), r"^wins has shape \(0, 0\)"),
    ],
)
def test_bad_tables_of_counts_are_refused(wins: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons.from_table(wins)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^actions has 1 labels, must have 2"):
        Comparisons.from_table([[0, 1], [1, 0]], actions=["a"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            ([0], [2], ("a", "b"), [1.0], [0, 0]),
            r"^losers\[0\] = 2, must be the index of one of 2 actions",
        ),
        (([], [], (), [], []), r"^actions is empty"),
        (([-1], [1], ("a", "b"), [1.0], [0, 0]), r"^winners\[0\] = -1"),
        (([0], [0], ("a", "b"), [1.0], [0, 0]), r"^losers\[0\] = 0, must differ"),
        (([0], [1], ("a", "b"), [0.0], [0, 0]), r"^weights\[0\] = 0, must be positive"),
        (([0], [1], ("a", "b"), [1.0], [0, 1]), r"^losers\[0\] = 1, must be of the same context"),
        (
            ([0], [1], ("a", "b", "c"), [1.0], [0, 0, 7]),
            r"^contexts\[2\] = 7, must hold more than one action",
        ),
        (
            ([0], [1], ("a", "b"), [1.0], [0]),
            r"^contexts has 1 entries, must have one for each of 2",
        ),
        (
            ([0], [1, 0], ("a", "b"), [1.0], [0, 0]),
            r"^losers has shape \(2,\), must be that of winners, \(1,\)",
        ),
        (([[0]], [1], ("a", "b"), [1.0], [0, 0]), r"^winners has shape \(1, 1\)"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons(*fields)  # type: ignore[arg-type]


def test_indices_must_be_integers() -> None:
    with pytest.raises(TypeError, match=r"^winners holds float64"):
        Comparisons([0.0], [1], ("a", "b"), [1.0], [0, 0])  # type: ignore[arg-type]


def test_shown_as_a_table_with_its_labels_escaped() -> None:
    html = Comparisons.from_pairs([("<a>", "b"), ("<a>", "b")])._repr_html_()
    assert "&lt;a&gt;" in html
    assert "<td>2</td>" in html
    assert "2 actions, 2 pairs, total weight 2" in html


def records(folder: Path, *lines: str) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_preference_records_have_a_context_for_each_prompt(tmp_path: Path) -> None:
    data = Comparisons.from_jsonl(
        records(
            tmp_path,
            '{"prompt": "x", "chosen": "a", "rejected": "b"}',
            "",
            '{"prompt": "x", "chosen": "b", "rejected": "a", "score": 3}',
            '{"prompt": "z", "chosen": "a", "rejected": "c"}',
        )
    )
    assert data.actions == ("a", "b", "a", "c")
    assert data.contexts.tolist() == [0, 0, 1, 1]
    assert data.win_table()[:2, :2].tolist() == [[0, 1], [1, 0]]


def test_chat_messages_are_answers_too(tmp_path: Path) -> None:
    def answer(text: str) -> str:
        return f'[{{"role": "assistant", "content": "{text}"}}]'

    prompt = '[{"role": "user", "content": "hello"}]'
    line = f'{{"prompt": {prompt}, "chosen": {answer("yes")}, "rejected": {answer("no")}}}'
    assert Comparisons.from_jsonl(records(tmp_path, line)).actions == (
        "assistant: yes",
        "assistant: no",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"prompt": "x", "chosen"',
            r"^pairs.jsonl, line 2, column 26: Expecting ':' delimiter, must be one JSON object a line",
        ),
        ("[1, 2]", r"^pairs.jsonl, line 2: is a JSON list, must be an object"),
        (
            '{"prompt": "x", "chosen": "a"}',
            r"^pairs.jsonl, line 2: has no field 'rejected'; its fields are 'prompt', 'chosen'",
        ),
        (
            '{"prompt": "x", "chosen": 3, "rejected": "a"}',
            r"^pairs.jsonl, line 2: field 'chosen' is '3.0', must be a string or a list",
        ),
        (
            '{"prompt": "x", "chosen": [{"role": "a"}], "rejected": "a"}',
            r"^pairs.jsonl, line 2: field 'chosen' is ",
        ),
        (
            "[" * 100_000,
            r"^pairs.jsonl, line 2: is nested too deeply, must be one JSON object a line",
        ),
    ],
)
def test_bad_records_are_refused_with_line_and_field(
    tmp_path: Path, line: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Comparisons.from_jsonl(
            records(tmp_path, '{"prompt": "x", "chosen": "a", "rejected": "b"}', line)
        )


def test_an_empty_file_of_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^pairs.jsonl holds no comparison"):
        Comparisons.from_jsonl(records(tmp_path, ""))


def test_the_population_weighs_every_pair_by_how_often_it_meets_and_wins() -> None:
    p, mu = np.array([[0.5, 0.8, 1.0], [0.2, 0.5, 0.6], [0.0, 0.4, 0.5]]), np.array([0.5, 0.3, 0.2])
    data = Comparisons.from_preferences(p, mu=mu)
    expected = np.outer(mu, mu) * p
    np.fill_diagonal(expected, 0)
    assert_allclose(data.win_table(), expected)
    assert len(data.winners) == 5
    assert_allclose(data.preferences(), p)


def test_samples_come_from_the_population_and_from_the_generator_alone() -> None:
    p, mu = np.array([[0.5, 0.8, 1.0], [0.2, 0.5, 0.6], [0.0, 0.4, 0.5]]), np.array([0.5, 0.3, 0.2])
    data = Comparisons.sample(p, 40_000, rng=np.random.default_rng(1), mu=mu)
    again = Comparisons.sample(p, 40_000, rng=np.random.default_rng(1), mu=mu)
    assert_array_equal(data.winners, again.winners)
    expected = Comparisons.from_preferences(p, mu=mu).win_table()
    assert_allclose(data.win_table() / 40_000, expected / expected.sum(), atol=0.01)
    with pytest.raises(ValueError, match=r"^n = 0, must be at least 1"):
        Comparisons.sample(p, 0, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"^mu gives all its mass to one action"):
        Comparisons.sample(p, 5, rng=np.random.default_rng(1), mu=[1, 0, 0])
    with pytest.raises(ValueError, match=r"^p has shape \(1, 3, 3\), must be a single table"):
        Comparisons.from_preferences(p[None])
    with pytest.raises(ValueError, match=r"^mu has shape \(1, 3\), must be \(3,\)$"):
        Comparisons.from_preferences(p, mu=mu[None])


def test_components_of_the_comparison_graph() -> None:
    data = Comparisons.from_pairs(
        [("a", "b"), ("b", "a"), ("b", "c"), ("d", "e")], actions="abcdef"
    )
    strong, weak = data.strong_components, data.components
    assert strong[0] == strong[1]
    assert len(set(strong.tolist())) == 5
    assert weak[0] == weak[1] == weak[2]
    assert weak[3] == weak[4]
    assert len(set(weak.tolist())) == 3


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] != pair[1]),
        min_size=1,
    )
)
def test_merging_keeps_the_counts(pairs: list[tuple[int, int]]) -> None:
    data = Comparisons.from_pairs(pairs)
    merged = data.merged()
    assert_array_equal(merged.win_table(), data.win_table())
    assert len(merged.winners) == np.count_nonzero(data.win_table())
    assert merged.actions == data.actions


def test_merging_is_making_the_merged_comparisons() -> None:
    data = Comparisons(
        [3, 0, 3, 2], [0, 3, 0, 1], tuple("abcd"), [1.0, 2.0, 0.5, 4.0], [7, 2, 2, 7]
    )
    merged = data.merged()
    made = Comparisons([0, 2, 3], [3, 1, 0], tuple("abcd"), [2.0, 4.0, 1.5], [7, 2, 2, 7])
    for name in ("winners", "losers", "weights", "contexts"):
        assert_array_equal(getattr(merged, name), getattr(made, name), strict=True)
    assert_array_equal(merged.reference(), made.reference())
    assert_array_equal(data.weights, [1.0, 2.0, 0.5, 4.0])


def test_a_label_may_be_in_several_contexts_and_once_in_each() -> None:
    assert Comparisons([0], [1], tuple("abab"), [1.0], [0, 0, 1, 1]).n_actions == 4
    with pytest.raises(ValueError, match=r"^actions names 'b' twice in one context, must name"):
        Comparisons([0], [1], tuple("abbb"), [1.0], [0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"^actions names 'c' twice in one context, must name"):
        Comparisons([0], [2], tuple("bccbac"), [1.0], [5, -3, 5, -3, -3, 5])


def test_a_prior_too_large_to_add_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^prior = 1e\+308 and the weights sum to more"):
        Comparisons.from_pairs([("a", "b")]).preferences(prior=1e308)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Comparisons.sample([[0.5, 0.8], [0.2, 0.5]], 3, rng=0),
            r"^rng = 0, must be a Generator",
        ),  # type: ignore[arg-type]
        (lambda: Comparisons.from_pairs(None), r"^pairs = None, must be a sequence"),  # type: ignore[arg-type]
        (
            lambda: Comparisons.from_pairs([("a", "b")], actions=3),
            r"^actions = 3, must be a sequence",
        ),  # type: ignore[arg-type]
    ],
)
def test_what_is_of_another_kind_is_refused_by_name(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_labels_are_kept_as_text() -> None:
    data = Comparisons([0], [1], (1, 2), [1.0], [0, 0])  # type: ignore[arg-type]
    assert data.actions == ("1", "2")
    assert "<th" in data._repr_html_()
