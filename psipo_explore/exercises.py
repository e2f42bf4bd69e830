"""The exercises of the lessons, which say of your answer whether it is right, warm or cold, and why.

A lesson has two, such as "03.1" and "03.2".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from psipo_explore._checks import shown
from psipo_explore._exercises import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    lesson_10,
)
from psipo_explore._exercises.kinds import Exercise, Level, UnfitError
from psipo_explore._tables import as_html

__all__ = ["Verdict", "check"]

_LESSONS = (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03,
    lesson_04,
    lesson_05,
    lesson_06,
    lesson_07,
    lesson_08,
    lesson_09,
    lesson_10,
)
_EXERCISES: dict[str, Callable[[], Exercise]] = {
    f"{number:02}.{k}": exercise
    for number, lesson in enumerate(_LESSONS)
    for k, exercise in enumerate((lesson.first, lesson.second), 1)
}
_HEADS: dict[Level, str] = {
    "right": "Right.",
    "warm": "Warm.",
    "cold": "Cold.",
    "open": "Your turn.",
    "answer": "The answer.",
    "unfit": "Not an answer yet.",
}
_OPEN = (
    "Put {asks} in the place of the dots, and run the cell. "
    'check("{exercise}", "?") gives the answer.'
)


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` says of an answer.

    Parameters
    ----------
    exercise : str
        The exercise, such as "03.1".
    level : {"right", "warm", "cold", "open", "answer", "unfit"}
        "open" if nothing was answered yet, "answer" if the answer was asked for, and "unfit" if the
        exercise asks for something of another kind.
    why : str
        The reason, in sentences.

    Examples
    --------
    >>> from psipo_explore.exercises import Verdict
    >>> Verdict("03.1", "warm", "Which logarithm did you take?")
    Warm. Which logarithm did you take?
    """

    exercise: str
    level: Level
    why: str

    def __repr__(self) -> str:
        return f"{_HEADS[self.level]} {self.why}"

    def _repr_html_(self) -> str:
        return f"<p><strong>{_HEADS[self.level]}</strong> {as_html(self.why)}</p>"


def check(exercise: str, answer: Any) -> Verdict:
    """Say whether an answer to an exercise is right, warm or cold, and why.

    A number is right within 1 %, if the exercise does not say otherwise. It is near, and therefore
    warm, within a factor of two; a probability is, if its odds are. A number that comes from a
    known slip has its own reason. A formula is tried at several points.

    Parameters
    ----------
    exercise : str
        The lesson and the exercise, such as "03.1".
    answer : object
        Your number, function, words, pairs or policy, as the exercise asks. "?" asks for the
        answer, and `...` for what to put there.

    Returns
    -------
    Verdict
        It is shown in words. Its `level` is "right", "warm", "cold", "open", "answer" or "unfit".

    Raises
    ------
    ValueError
        If there is no such exercise.

    Examples
    --------
    >>> from psipo_explore.exercises import check
    >>> check("05.2", ...)
    Your turn. Put your β in the place of the dots, and run the cell.
    check("05.2", "?") gives the answer.
    >>> check("05.2", 0.7)
    Warm. Your number is near, but too small. Write the equation for a and for c.
    Then π(c) is a quotient with only one unknown.
    >>> check("05.2", "0.7")
    Not an answer yet. '0.7' is no number. This cell takes a number, your β.
    """
    if not isinstance(exercise, str) or exercise not in _EXERCISES:
        names = ", ".join(_EXERCISES)
        raise ValueError(f"exercise = {shown(exercise)}, must be one of {names}")
    asked = _asked(exercise)
    if isinstance(answer, str) and answer.strip() == "?":
        return Verdict(exercise, "answer", asked.answer)
    level: Level
    try:
        level, why = ("open", "") if answer is ... else asked.judge(answer)
    except UnfitError as unfit:
        level, why = "unfit", f"{unfit} This cell takes {asked.takes}."
    if level == "open":
        why = _OPEN.format(asks=asked.asks, takes=asked.takes, exercise=exercise)
    return Verdict(exercise, level, why)


@cache
def _asked(exercise: str) -> Exercise:
    """Return the exercise. Its numbers are computed once, which may take a second."""
    return _EXERCISES[exercise]()
