"""The verdict on a claim: its numbers, its words and its picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import ttest_1samp

from psipo_explore.views.verdict import Interval, mean_interval, verdict

DRAWS = arrays(float, st.integers(2, 30), elements=st.floats(-1e6, 1e6))


@given(DRAWS, st.floats(0.01, 0.99))
def test_the_interval_is_that_of_the_t_test(values: np.ndarray, confidence: float) -> None:
    found = mean_interval(values, confidence)
    if np.ptp(values) < 1e-6:
        assert found.low == pytest.approx(found.high, abs=1e-5)
        return
    expected = ttest_1samp(values, 0.0).confidence_interval(confidence)
    assert found.mean == pytest.approx(values.mean(), abs=1e-9)
    assert (found.low, found.high) == pytest.approx(
        (expected.low, expected.high), rel=1e-9, abs=1e-9
    )


def test_nineteen_intervals_of_twenty_hold_the_mean() -> None:
    rng = np.random.default_rng(1)
    intervals = [mean_interval(rng.normal(3.0, 2.0, 10)) for _ in range(2000)]
    held = np.mean([low <= 3.0 <= high for _, low, high in intervals])
    assert held == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], "values has 1 entries, must have at least 2"),
        ([], "values has 0 entries, must have at least 2"),
        ([1.0, np.nan, np.inf], r"values\[1\] = nan, must be finite"),
    ],
)
def test_draws_that_have_no_interval_are_refused(values: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        verdict({"gain": values})


def test_a_confidence_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"confidence = 1\.0, must be between 0 and 1"):
        mean_interval([1.0, 2.0], 1.0)


def test_an_empty_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="measured is empty"):
        verdict({})


def test_the_picture_has_a_row_for_each_number_and_the_guess_above_them() -> None:
    told = verdict(
        {"DPO": [0.7, 0.8, 0.75], "of $100": Interval(0.9, 0.85, 0.95)}, claim=1.0, guess=0.5
    )
    figure = told.figure()
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "your guess",
        "DPO",
        r"of \$100",
    ]
    interval, mean = ax.lines[2:4]
    assert interval.get_xdata().tolist() == [0.85, 0.95]
    assert (mean.get_xdata()[0], mean.get_ydata()[0]) == (0.9, 2)
    low, high = ax.get_xlim()
    assert low < 0.5
    assert high > 1.0
    assert ax.texts[0].get_text() == "claim"
    assert figure.sentence == str(told)


def test_without_claim_and_guess_only_numbers_are_drawn() -> None:
    (ax,) = verdict({"gain": Interval(0.1, 0.0, 0.2)}).figure().axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["gain"]
    assert len(ax.lines) == 2
    assert not ax.texts


def test_a_notebook_gets_the_picture_with_its_words_as_alt_text() -> None:
    shown = verdict({"a < b": Interval(0.1, 0.0, 0.2)})._repr_mimebundle_()
    assert 'alt="a &lt; b: 0.1, from 0 to 0.2"' in shown["text/html"]
    assert shown["text/html"].endswith("<br>a &lt; b: 0.1, from 0 to 0.2")
    assert shown["text/plain"] == "a < b: 0.1, from 0 to 0.2"
