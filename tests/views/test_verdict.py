"""The verdict on a claim: its numbers, its words and its picture."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ipywidgets import Button
from scipy.stats import ttest_1samp

from psipo_explore.site.kernel import element
from psipo_explore.views.kit.guess import places
from psipo_explore.views.kit.parting import parts
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


MEASURED = {"DPO": [0.7, 0.8, 0.75], "of $100": Interval(0.9, 0.85, 0.95)}


def test_the_picture_has_a_row_for_each_number() -> None:
    told = verdict(MEASURED, claim=1.0)
    figure = told.figure()
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["DPO", r"of \$100"]
    interval, mean = ax.lines[2:4]
    assert interval.get_xdata().tolist() == [0.85, 0.95]
    assert (mean.get_xdata()[0], mean.get_ydata()[0]) == (0.9, 1)
    assert ax.get_xlim()[1] > 1.0
    assert ax.texts[0].get_text() == "claim"
    assert figure.sentence == str(told).replace("\n", "; ")


def test_without_a_claim_only_numbers_are_drawn() -> None:
    (ax,) = verdict({"gain": Interval(0.1, 0.0, 0.2)}).figure().axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["gain"]
    assert len(ax.lines) == 2
    assert not ax.texts


def test_a_form_asks_for_the_mean_that_is_named() -> None:
    panel = verdict(MEASURED).ask("It keeps", about="With flips.", of="of $100")
    asking, *_ = panel.children
    assert "psipo-asked" in panel._dom_classes
    assert asking.key == "psipo-guess:verdict:It keeps"
    assert asking.guess["about"] == "With flips."
    (question,) = asking.guess["questions"]
    assert (question["asks"], question["truth"], question["values"]) == ("It keeps", "0.9", {})
    assert (question["low"], question["high"]) == (0.0, 1.0)
    asking._handle_custom_msg({"look": 0}, [])
    assert "0.9, from 0.85 to 0.95" in panel.sentence
    first = verdict(MEASURED).ask("It keeps").children[0]
    assert first.guess["questions"][0]["truth"] == "0.75"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.1, 2.0)])
def test_a_guess_is_drawn_over_the_interval_that_it_is_of(low: float, high: float) -> None:
    view = verdict(MEASURED, claim=0.2).ask("It", of="of $100", low=low, high=high)._view
    for form in (view, view.on_phone):
        figure = form.figure()
        (ax,) = figure.axes
        drawn = places(form.guesses["It"], {}, {}, figure)["0"]
        for k in (0, 32, 64):
            x, y = ax.transData.transform((low + (high - low) * (k / 64) ** 3, 1 - 0.33))
            assert drawn["points"][k] == pytest.approx([x, figure.bbox.height - y], abs=0.06)
            assert ax.bbox.x0 < x < ax.bbox.x1
        height = ax.transData.transform((0, 0))[1] - ax.transData.transform((0, 1))[1]
        assert 0.33 * height > 6 + 4.5  # points from the middle of a diamond to that of a mean


def test_a_guess_changes_no_number() -> None:
    told = verdict(MEASURED)
    assert told.ask("It", low=-5, high=5).sentence == told.figure().sentence


def test_on_a_phone_names_stand_over_their_intervals() -> None:
    view = verdict(MEASURED, claim=1.0).ask("It")._view
    (part,) = parts(view.on_phone)
    assert part.width < 360
    (ax,) = view.on_phone.figure().axes
    assert [text.get_text() for text in ax.texts] == ["DPO", r"of \$100", "claim"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "IPO"}, r"of = 'IPO', must be one of 'DPO', 'of \$100'"),
        ({"low": 0.8}, r"low = 0\.8 leaves out 0\.75, the mean of 'DPO'"),
        ({"high": 0.5}, r"high = 0\.5 leaves out 0\.75, the mean of 'DPO'"),
        ({"low": -np.inf}, "low = -inf, must be finite"),
        ({"high": np.nan}, "high = nan, must be finite"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        verdict(MEASURED).ask("It", **options)


def test_a_picture_without_controls_names_no_sliders() -> None:
    panel = verdict(MEASURED).ask("It")
    shown = panel._repr_mimebundle_()
    assert shown["text/plain"] == panel.sentence
    assert "image/png" in shown
    assert not [w for w in panel.children[1].children if isinstance(w, Button)]


def test_a_page_gets_the_picture_with_its_frames() -> None:
    view = verdict(MEASURED).ask('Is it "<b>"')._view
    html = element(view, {}, 'Is it "<b>"')
    packed = re.search(r'data-frames="([^"]+)"', html)
    assert packed
    page = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    assert page["controls"] == []
    assert page["wide"]["drawings"][0]["guessed"].keys() == {'Is it "<b>"'}
    assert page["narrow"]
    assert 'data-guess="Is it &quot;&lt;b&gt;&quot;"' in html
    assert "data-view" not in html
    assert f">{view.figure().sentence}</p>" in html


def test_a_notebook_gets_the_picture_with_its_words_as_alt_text() -> None:
    shown = verdict({"a < b": Interval(0.1, 0.0, 0.2)})._repr_mimebundle_()
    assert 'alt="a &lt; b: 0.1, from 0 to 0.2"' in shown["text/html"]
    assert shown["text/html"].endswith("<br>a &lt; b: 0.1, from 0 to 0.2")
    assert shown["text/plain"] == "a < b: 0.1, from 0 to 0.2"
