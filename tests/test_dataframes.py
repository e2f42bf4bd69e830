"""Input of pandas users: data frames whose rows and columns have names.

`Frame` imitates the few parts of a DataFrame that the package uses.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from psipo_explore import IDENTITY, Comparisons, bradley_terry, optimal_policy

WINS = [[0, 3, 1], [2, 0, 5], [4, 6, 0]]
NAMES = ["Elm", "Oak", "Ash"]


class Frame:
    """An imitation of a DataFrame: an iterable of its columns' names, with an index."""

    def __init__(self, values: Any, index: Sequence[Hashable], columns: Sequence[Hashable]) -> None:
        self.values, self.index, self.columns = np.asarray(values), index, columns

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.values

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.columns)

    def itertuples(self, index: bool, name: str | None) -> Iterator[tuple[Hashable, ...]]:
        assert not index
        assert name is None
        return map(tuple, self.values)


def frame(
    values: Any, index: Sequence[Hashable] = NAMES, columns: Sequence[Hashable] = NAMES
) -> Any:
    return Frame(values, index, columns)


def test_a_table_s_names_are_the_actions() -> None:
    data = Comparisons.from_table(frame(WINS))
    assert data.actions == tuple(NAMES)
    assert_array_equal(data.win_table(), WINS)
    assert Comparisons.from_table(frame(WINS), actions="abc").actions == ("a", "b", "c")


def test_columns_are_put_in_the_order_of_the_rows() -> None:
    columns = ["Ash", "Elm", "Oak"]
    shuffled = np.array(WINS)[:, [NAMES.index(name) for name in columns]]
    data = Comparisons.from_table(frame(shuffled, columns=columns))
    assert data.actions == tuple(NAMES)
    assert_array_equal(data.win_table(), WINS)


@pytest.mark.parametrize("sides", [{"index": range(3)}, {"columns": range(3)}])
def test_names_on_one_side_are_those_of_both(sides: dict[str, Sequence[Hashable]]) -> None:
    assert Comparisons.from_table(frame(WINS, **sides)).actions == tuple(NAMES)


def test_names_need_not_be_texts() -> None:
    names = [("Elm", 1), 2.5, "Oak"]
    assert Comparisons.from_table(frame(WINS, names, names)).actions == ("('Elm', 1)", "2.5", "Oak")
    assert Comparisons.from_table(frame(WINS, range(3), range(3))).actions == ("0", "1", "2")


def test_preferences_keep_their_names() -> None:
    p = bradley_terry([1.0, 0.0, -0.5])
    table = frame(p[:, [2, 0, 1]], columns=["Ash", "Elm", "Oak"])
    population = Comparisons.from_preferences(table)
    assert population.actions == tuple(NAMES)
    assert_allclose(population.preferences(), p, rtol=1e-14)
    assert Comparisons.sample(table, 9, rng=np.random.default_rng(0)).actions == tuple(NAMES)
    assert_array_equal(optimal_policy(table, IDENTITY, 1.0), optimal_policy(p, IDENTITY, 1.0))


def test_pairs_are_the_rows_of_two_columns() -> None:
    pairs = frame([["Elm", "Oak"], ["Oak", "Ash"], ["Elm", "Oak"]], range(3), ["winner", "loser"])
    data = Comparisons.from_pairs(pairs)
    assert data.actions == ("Elm", "Oak", "Ash")
    assert data.winners.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Comparisons.from_table(frame(WINS, columns=["Elm", "Oak", "Yew"])),
            r"^wins has rows Elm, Oak, Ash and columns Elm, Oak, Yew, must name each action once "
            r"in both; or .*to_numpy\(\)",
        ),
        (
            lambda: Comparisons.from_table(frame(WINS, ["a", "a", "b"], ["a", "a", "b"])),
            r"^wins has rows a, a, b and columns",
        ),
        (
            lambda: Comparisons.from_table(frame([[0, 1, 2]], ["a"], ["a", "b", "c"])),
            r"^wins has rows a and columns a, b, c",
        ),
        (
            lambda: Comparisons.from_table(frame(WINS, [1, "1", 2], [1, "1", 2])),
            r"^actions names '1' twice",
        ),
        (
            lambda: optimal_policy(frame(bradley_terry([0, 1]), "ab", "xy"), IDENTITY, 1.0),
            r"^p has rows a, b and columns x, y",
        ),
        (
            lambda: Comparisons.from_pairs(
                frame([["a", "b", 1]], [0], ["winner", "loser", "weight"])
            ),
            r"^pairs has columns winner, loser, weight, must have two, winners and losers",
        ),
        (
            lambda: Comparisons.from_pairs([("a", "b"), ("a", np.nan)]),
            r"^pairs\[1\] = \('a', nan\), must be two labels",
        ),
        (
            lambda: Comparisons.from_pairs([("a", None)]),
            r"^pairs\[0\] = \('a', None\), must be two labels",
        ),
        (
            lambda: Comparisons.from_pairs([(["a"], ["b"])]),
            r"^pairs\[0\] = \(\['a'\], \['b'\]\), must be two labels",
        ),  # type: ignore[list-item]
    ],
)
def test_what_has_no_clear_names_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_mapping_s_values_are_not_dropped_in_silence() -> None:
    with pytest.raises(
        TypeError,
        match=r"^pairs is a mapping, must be a sequence: give its keys, and its values as weights",
    ):
        Comparisons.from_pairs({("a", "b"): 3})
