"""What readers are asked before they see a picture, and that the picture shows the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from psipo_explore.views import VIEWS
from psipo_explore.views.kit.guess import Question, places, wire
from psipo_explore.views.kit.still import StillFigure
from psipo_explore.views.kit.view import Artists, View

ASKED = [
    pytest.param(view, question, id=f"{view.name}, {question.asks}")
    for view in VIEWS.values()
    for guess in view.guesses.values()
    for question in guess.questions
]
# What the picture shows of each question that has a place, in the order of the questions: the name
# that its view gives the artist. The other questions are answered by the sentence, and draw nothing.
SHOWN = {
    "psi_curve": ("slope here", "slope here", None, None),
    "beyond_bradley_terry": ("a logit here", "a DPO here", "a RLHF here"),
    "collapse": (
        "linear logit here",
        "linear identity here",
        "decades logit here",
        "decades identity here",
        "decades logit here",
        "decades identity here",
        None,
    ),
    "few_samples": ("collapse here", "logit here"),
    "regularisation": (
        "kl beta logit hollow",
        "kl beta identity hollow",
        "kl beta logit hollow",
        "kl beta identity hollow",
    ),
    "training": (
        "below 2 exact",
        "below 2 exact",
        "above 2 means",
        "above 2 means",
        "above 2 limit",
    ),
    "never_wins": ("below 2 exact",),
    "underfitted_reward": ("ridge here", "ridge here", "IPO here", "stopped here"),
    "shared_weights": ("DPO w here", "DPO o here", "IPO w here", "IPO o here", "DPO w to 0"),
    "leashes": ("p reverse KL here", "p χ² here", None, None),
    "self_play": ("learned path", "learned 0", "learned path"),
    "explorer": (None,),
}
SHOWS = [
    pytest.param(view, question, shown, id=f"{view.name}, {question.asks}")
    for name, view in VIEWS.items()
    for question, shown in zip(view.questions, SHOWN.get(name, ()), strict=True)
    if shown
]
every_question = pytest.mark.parametrize(("view", "question"), ASKED)


@cache
def drawn(
    name: str, values: frozenset[tuple[str, Any]], on_phone: bool
) -> tuple[StillFigure, Artists]:
    """Draw a picture, which no test changes, once for all questions at the same values."""
    form = VIEWS[name].on_phone if on_phone else VIEWS[name]
    return form.drawn(form.values(dict(values)))


def forms(view: View, question: Question) -> Iterator[tuple[StillFigure, Artists]]:
    """Draw the picture that answers a question, also as a phone has it."""
    for on_phone in (False, True)[: 1 + (view.narrow is not None)]:
        yield drawn(view.name, frozenset(question.values.items()), on_phone)


def test_every_picture_of_a_lesson_asks() -> None:
    assert {name for name, view in VIEWS.items() if not view.guesses} == set()


@every_question
def test_an_answer_is_one_that_can_be_given(view: View, question: Question) -> None:
    truth = question.truth()
    if question.answers:
        assert truth in question.answers
        assert len(set(question.answers)) == len(question.answers) > 1
    else:
        assert question.low <= float(truth) <= question.high


@every_question
def test_a_number_is_in_the_sentence_of_its_picture(view: View, question: Question) -> None:
    if question.answers:
        return
    (figure, _), *_ = forms(view, question)
    sentence = figure.sentence
    shown = question.answer
    assert any(
        spelling in sentence for spelling in (f" {shown}", f"{float(question.truth()):.3f}")
    ), (shown, sentence)


@every_question
def test_guesses_are_drawn_inside_their_axes(view: View, question: Question) -> None:
    if question.place is None:
        return
    for figure, _ in forms(view, question):
        places = question.drawn(figure, question.place)
        points = np.array(places["points"])
        box = figure.axes[question.axes].bbox
        slack = 8  # points; a mark at the edge is still whole
        assert np.isfinite(points).all()
        assert (points[:, 0] > box.x0 - slack).all()
        assert (points[:, 0] < box.x1 + slack).all()
        heights = figure.bbox.height - points[:, 1]
        assert (heights > box.y0 - slack).all()
        assert (heights < box.y1 + slack).all()
        assert box.x0 < places["middle"] < box.x1


@pytest.mark.parametrize(("view", "question", "shown"), SHOWS)
def test_the_true_answer_is_drawn_where_the_picture_shows_it(
    view: View, question: Question, shown: str
) -> None:
    """Find the true answer on the artist that shows it, in the axes of this artist.

    A number lies on a point of the artist. A word stands for a range of numbers, so that it lies
    beside the artist; but no other word is as near to it. Words that stand above each other stand
    above or below a point of the artist.
    """
    assert question.place is not None
    for figure, artists in forms(view, question):
        artist, axes = artists[shown], figure.axes[question.axes]
        assert artist.axes is axes, "the picture shows the answer in other axes"
        points = artist.get_transform().transform(artist.get_xydata())
        points = points[np.isfinite(points).all(axis=1)]
        answers = question.answers or (question.truth(),)
        places = axes.transData.transform([question.place(answer) for answer in answers])
        away = places[:, np.newaxis] - points
        nearest = np.linalg.norm(away, axis=2).min(axis=1)
        if question.answers:
            assert answers[nearest.argmin()] == question.truth(), nearest
            if np.ptp(places[:, 0]) == 0:
                assert np.abs(away[0, :, 0]).min() < 1, "no point is above or below the words"
        else:
            assert nearest.item() < 1, "the answer is not where the picture shows it"


def test_every_question_with_a_place_is_shown() -> None:
    for name, view in VIEWS.items():
        has_place = [question.place is not None for question in view.questions]
        assert has_place == [shown is not None for shown in SHOWN[name]]


def test_a_guess_is_drawn_where_its_value_is() -> None:
    question = VIEWS["collapse"].guesses["share"].questions[0]
    figure = VIEWS["collapse"].figure(p=0.9)
    assert question.place is not None
    points = question.drawn(figure, question.place)["points"]
    to_points = figure.axes[0].transData
    for k in (0, 32, 64):
        x, y = to_points.transform((0.9, (k / 64) ** 3))
        assert points[k] == pytest.approx([x, figure.bbox.height - y], abs=0.06)


def test_guesses_are_drawn_only_at_the_values_of_their_question() -> None:
    view = VIEWS["collapse"]
    guess, starts = view.guesses["share"], view.values({})
    for values, drawn in (({}, {"0", "1"}), ({"p": 1.0}, {"2", "3"}), ({"beta": 10.0}, set())):
        at = view.values(values)
        assert set(places(guess, starts, at, view.figure(**values))) == drawn


def test_what_is_sent_to_the_browser_is_json() -> None:
    for view in VIEWS.values():
        for guess in view.guesses.values():
            sent = wire(guess, view.values({}))
            assert len(json.loads(json.dumps(sent))["questions"]) == len(guess.questions)


def test_a_panel_asks_for_the_guess_that_is_named() -> None:
    panel = VIEWS["collapse"].panel(guess="doubt", p=1.0, beta=10.0)
    asking = panel.children[0]
    assert asking.guess["questions"][1]["truth"] == "0.488"
    assert "psipo-asked" in panel._dom_classes
    asking._handle_custom_msg({"look": 2}, [])
    assert panel.values == {"p": 1 - 1e-15, "beta": 100.0, "pi_ref_loser": 0.5}
    for nonsense in ({"look": 7}, {"look": "0"}, "look", {}, None, [1]):
        asking._handle_custom_msg(nonsense, [])
    assert panel.values["beta"] == 100.0
    panel.skip_guess()
    assert asking.is_answered


def test_a_panel_asks_for_nothing_by_itself() -> None:
    panel = VIEWS["collapse"].panel()
    assert "psipo-asked" not in panel._dom_classes
    panel.skip_guess()  # which is nothing then


def test_a_guess_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="guess = 'no', must be one of 'share', 'doubt'"):
        VIEWS["collapse"].panel(guess="no")


@pytest.mark.parametrize("question", VIEWS["training"].guesses["three"].questions[2:4])
def test_what_training_leaves_is_as_the_answer_says(question: Question) -> None:
    sentence = VIEWS["training"].figure(**question.values).sentence
    dpo = sentence.partition("DPO: ")[2].partition(";")[0]
    assert ("c <0.001" in dpo) == (question.truth() == "below 0.001"), dpo
