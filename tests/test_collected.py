"""Judgements are numbered alike from texts and from digests, and make comparisons as they are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from psipo_explore import Comparisons
from psipo_explore._data.collected import IDENTICAL, Collected, Row

rows = st.lists(
    st.builds(
        Row,
        st.sampled_from("pqrs"),
        st.sampled_from("abcd"),
        st.sampled_from("abcd"),
        st.sampled_from([1.0, 2.5]),
        st.booleans(),
    ),
    min_size=1,
    max_size=20,
)


@given(rows, st.randoms())
def test_digests_are_numbered_as_texts_are(judged: list[Row], random: Any) -> None:
    texts, digests = Collected(hashed=False), Collected(hashed=True)
    for each in (texts, digests):
        each.add(judged, 0, 1)
    kept = (texts.kinds != IDENTICAL) & [random.random() < 0.8 for _ in judged]
    if not kept.any():
        return
    one, other = texts.numbered(kept), digests.numbered(kept)
    for name in ("prompts", "winners", "losers", "contexts"):
        assert_array_equal(getattr(one, name), getattr(other, name))
    left = [row for row, keep in zip(judged, kept, strict=True) if keep]
    named = [(one.labels[y], one.labels[z]) for y, z in zip(one.winners, one.losers, strict=True)]
    assert named == [(row.winner, row.loser) for row in left]
    prompts = list(dict.fromkeys(row.context for row in left))
    assert_array_equal(one.contexts[one.winners], [prompts.index(row.context) for row in left])
    for context in range(len(prompts)):
        labels = [other.labels[y] for y in np.flatnonzero(other.contexts == context)]
        assert labels == [str(k) for k in range(len(labels))]


NAMES: dict[str, Any] = {
    "prompt": "prompt",
    "answers": ("response_a", "response_b"),
    "outcome": "winner",
    "first": "model_a",
    "second": "model_b",
    "tie": "tie",
    "weight": "times",
}
records = st.lists(
    st.fixed_dictionaries(
        {
            "prompt": st.sampled_from("pqr"),
            "response_a": st.sampled_from("abcd"),
            "response_b": st.sampled_from("abcd"),
            "winner": st.sampled_from(["model_a", "model_b", "tie"]),
            "times": st.sampled_from([1, 2.5]),
        }
    ),
    min_size=1,
    max_size=12,
)


@given(records)
def test_what_is_read_passes_the_checks_of_what_is_given(read: list[dict[str, Any]]) -> None:
    if all(record["response_a"] == record["response_b"] for record in read):
        return
    data = Comparisons.from_records(read, **NAMES)
    given_again = Comparisons(
        data.winners, data.losers, data.actions, data.weights, data.contexts, data.ties
    )
    for name, field in vars(given_again).items():
        if isinstance(field, np.ndarray):
            read_field = getattr(data, name)
            assert_array_equal(read_field, field)
            assert (read_field.dtype, read_field.shape) == (field.dtype, field.shape)
    assert data.actions == given_again.actions
    assert data.by_context.n_groups == given_again.by_context.n_groups


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1e308, 1e308], r"^weights sum to more than float64 holds"),
        ([1.0, 5e-324], r"^weights\[1\] = 0, must be positive"),
    ],
)
def test_weights_that_float64_cannot_add_or_halve_are_refused(
    weights: list[float], message: str
) -> None:
    records = [
        {"prompt": "p", "response_a": "a", "response_b": "b", "winner": winner, "times": weight}
        for winner, weight in zip(["model_a", "tie"], weights, strict=True)
    ]
    with pytest.raises(ValueError, match=message):
        Comparisons.from_records(records, **NAMES)
