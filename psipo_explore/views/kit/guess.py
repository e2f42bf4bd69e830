"""What a reader guesses before a picture is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from psipo_explore.views.kit.words import number

_FRACTIONS = np.linspace(0, 1, 65)  # their cubes are dense at 0, where an axis may be logarithmic


@dataclass(frozen=True)
class Question:
    """A number or one of several answers that a reader guesses.

    Parameters
    ----------
    asks : str
        What is guessed, in words that a colon and the answer can follow.
    truth : callable
        `truth()` computes the answer.
    values : mapping
        Values of the controls at which the picture shows the answer. The other controls begin where
        they do.
    answers : tuple of str
        Answers to choose from. If there are none, a number is asked for.
    low, high : float
        The least and the greatest number that may be guessed.
    axes : int
        Number of the axes into which a guess is drawn.
    place : callable, optional
        `place(guess)` is where in these axes, as (x, y). A guess without a place is not drawn.
    label : str
        What the guess is of, beside its mark in the picture.
    write : callable
        Turns a true number into words.
    """

    asks: str
    truth: Callable[[], float | str]
    values: Mapping[str, Any]
    answers: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    axes: int = 0
    place: Callable[[Any], tuple[float, float]] | None = None
    label: str = ""
    write: Callable[[float], str] = number

    @property
    def answer(self) -> str:
        """The true answer in words."""
        truth = self.truth()
        return truth if isinstance(truth, str) else self.write(truth)

    def drawn(self, figure: Figure, place: Callable[[Any], tuple[float, float]]) -> dict[str, Any]:
        """Return where the figure shows each guess, in points from its upper left corner.

        There is a point for each answer, or there are points of numbers whose cubic roots are
        evenly spread from low to high. With them comes the middle of the axes, so that a label finds room.
        """
        guesses = self.answers or [*self.low + (self.high - self.low) * _FRACTIONS**3]
        axes = figure.axes[self.axes]
        points = axes.transData.transform([place(guess) for guess in guesses])
        points[:, 1] = figure.bbox.height - points[:, 1]
        middle = (axes.bbox.x0 + axes.bbox.x1) / 2
        return {"points": points.round(1).tolist(), "middle": round(float(middle), 1)}


@dataclass(frozen=True)
class Guess:
    """Questions that are asked together, and a sentence that says what they are about."""

    about: str
    questions: tuple[Question, ...]


def wire(guess: Guess, starts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a guess as `guess.js` takes it, given where all controls of its view begin."""
    return {
        "about": guess.about,
        "questions": [
            {
                "asks": question.asks,
                "answers": question.answers,
                "low": question.low,
                "high": question.high,
                "truth": question.answer,
                "label": question.label,
                "values": {**starts, **question.values},
            }
            for question in guess.questions
        ],
    }


def places(
    guess: Guess, starts: Mapping[str, Any], values: Mapping[str, Any], figure: Figure
) -> dict[str, dict[str, Any]]:
    """Return where guesses are drawn in a figure at these values, by the number of the question."""
    return {
        str(which): question.drawn(figure, question.place)
        for which, question in enumerate(guess.questions)
        if question.place and {**starts, **question.values} == dict(values)
    }
