"""What readers are asked before they see a picture, and that the picture shows the answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from psipo_explore.views import VIEWS
from psipo_explore.views.kit.guess import Question, places, wire
from psipo_explore.views.kit.view import View

ASKED = [
    pytest.param(view, question, id=f"{view.name}, {question.asks}")
    for view in VIEWS.values()
    for guess in view.guesses.values()
    for question in guess.questions
]
every_question = pytest.mark.parametrize(("view", "question"), ASKED)


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
    sentence = view.figure(**question.values).sentence
    shown = question.answer
    assert any(
        spelling in sentence for spelling in (f" {shown}", f"{float(question.truth()):.3f}")
    ), (shown, sentence)


@every_question
def test_guesses_are_drawn_inside_their_axes(view: View, question: Question) -> None:
    if question.place is None:
        return
    for form in {view, view.on_phone}:
        figure = form.figure(**question.values)
        drawn = question.drawn(figure, question.place)
        points = np.array(drawn["points"])
        box = figure.axes[question.axes].bbox
        slack = 8  # points; a mark at the edge is still whole
        assert np.isfinite(points).all()
        assert (points[:, 0] > box.x0 - slack).all()
        assert (points[:, 0] < box.x1 + slack).all()
        heights = figure.bbox.height - points[:, 1]
        assert (heights > box.y0 - slack).all()
        assert (heights < box.y1 + slack).all()
        assert box.x0 < drawn["middle"] < box.x1


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
