"""The kinds of answers that exercises ask for, and how each kind is judged.

An exercise holds what is right and, with reasons, what readers often get wrong. A reason never
holds the answer.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from psipo_explore._checks import cut, listed, shown

Level = Literal["right", "warm", "cold", "open", "answer", "unfit"]
Judgement = tuple[Level, str]
_FACTOR = 2  # a number is near if it is within this factor


class UnfitError(Exception):
    """An answer that is of another kind than the exercise asks for, and a sentence that says so."""


class Exercise(Protocol):
    """What an exercise says of an answer, and the answer."""

    @property
    def asks(self) -> str: ...  # what stands in the place of the dots
    @property
    def takes(self) -> str: ...  # of which kind that is
    @property
    def answer(self) -> str: ...  # the answer, and why

    def judge(self, answer: Any) -> Judgement: ...


@dataclass(frozen=True)
class Slip:
    """A wrong number that has a reason."""

    value: float
    reason: str
    level: Level = "warm"


@dataclass(frozen=True)
class Number:
    """A number, which is right within a relative tolerance."""

    asks: str
    truth: float
    answer: str
    lesson: str  # what a right answer has shown
    hint: str  # where to begin
    slips: tuple[Slip, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    beyond: str = ""  # why no number lies outside
    tolerance: float = 0.01

    @property
    def takes(self) -> str:
        return f"a number, {self.asks}"

    def judge(self, answer: Any) -> Judgement:
        x = as_number(answer)
        if math.isclose(x, self.truth, rel_tol=self.tolerance):
            return "right", f"(The tolerance is {100 * self.tolerance:.3g} %.) {self.lesson}"
        if slip := self._slip(x):
            return slip.level, slip.reason
        if not self.low <= x <= self.high:
            return "cold", f"{self.beyond} {self.hint}"
        size = "small" if x < self.truth else "large"
        if self._is_near(x):
            return "warm", f"Your number is near, but too {size}. {self.hint}"
        return "cold", f"Your number is far off, and too {size}. {self.hint}"

    def _is_near(self, x: float) -> bool:
        truth = self.truth
        if (self.low, self.high) == (0, 1):  # a probability, which is judged by its odds
            if x == 1:
                return False
            x, truth = x / (1 - x), truth / (1 - truth)
        return 1 / _FACTOR <= x / truth <= _FACTOR

    def _slip(self, x: float) -> Slip | None:
        """Return the nearest wrong number that is as close as a right one would have to be."""
        near = [
            slip
            for slip in self.slips
            if math.isclose(x, slip.value, rel_tol=self.tolerance, abs_tol=1e-12)
        ]
        return min(near, key=lambda slip: abs(x - slip.value), default=None)


@dataclass(frozen=True)
class Formula:
    """A function of one or two numbers, which is right if it is so at every point."""

    asks: str
    arguments: tuple[str, ...]
    points: tuple[tuple[float, ...], ...]
    truth: Callable[..., float]
    answer: str
    lesson: str
    hint: str
    slips: tuple[tuple[Callable[..., float], str], ...] = ()

    @property
    def takes(self) -> str:
        arguments = self.arguments
        return (
            f"a function of {' and '.join(arguments)}, such as lambda {', '.join(arguments)}: 0.5"
        )

    def judge(self, answer: Any) -> Judgement:
        if not callable(answer):
            raise UnfitError(f"{shown(answer)} is no function.")
        if not _can_be_called(answer, self.points[0]):
            arguments = " and ".join(self.arguments)
            raise UnfitError(f"Your function cannot be called with {arguments} alone.")
        values = [self._value(answer, point) for point in self.points]
        if values[0] is ...:
            return "open", ""
        given = [
            as_number(value, f"At {self._where(at)} your function gives {{}}, which is no number.")
            for value, at in zip(values, self.points, strict=True)
        ]
        is_right = self._agrees(given, self.truth)
        if all(is_right):
            return "right", f"(It was tried at {len(given)} points.) {self.lesson}"
        for slip, reason in self.slips:
            if all(self._agrees(given, slip)):
                return "warm", reason
        k = is_right.index(False)
        size = "small" if given[k] < self.truth(*self.points[k]) else "large"
        said = f"At {self._where(self.points[k])} your formula gives {given[k]:.4g}. That is too {size}."
        if any(is_right):
            at = self._where(self.points[is_right.index(True)])
            return "warm", f"At {at} your formula is right. {said} {self.hint}"
        return "cold", f"{said} {self.hint}"

    def _agrees(self, given: Sequence[float], formula: Callable[..., float]) -> list[bool]:
        return [
            math.isclose(x, formula(*at), rel_tol=1e-6, abs_tol=1e-9)
            for x, at in zip(given, self.points, strict=True)
        ]

    def _value(self, answer: Callable[..., Any], point: tuple[float, ...]) -> Any:
        try:
            with np.errstate(all="ignore"):
                return answer(*map(np.float64, point))  # which divides by zero
        except Exception as error:
            reason = f"{type(error).__name__}: {cut(error)}".rstrip(" .:")
            raise UnfitError(f"At {self._where(point)} your function raises {reason}.") from error

    def _where(self, point: tuple[float, ...]) -> str:
        return " and ".join(
            f"{name} = {x:g}" for name, x in zip(self.arguments, point, strict=True)
        )


@dataclass(frozen=True)
class Words:
    """One word for each of several questions."""

    asks: str
    truth: tuple[str, ...]
    wrong: tuple[Mapping[str, str], ...]  # for each question, the reason against a word
    answer: str
    lesson: str

    @property
    def takes(self) -> str:
        return self.asks

    def judge(self, answer: Any) -> Judgement:
        if isinstance(answer, np.ndarray):
            answer = answer.tolist()
        if not isinstance(answer, (list, tuple)):
            raise UnfitError(f"{shown(answer)} is no list of words.")
        words = [_written(word) for word in answer]
        if len(words) != len(self.truth):
            raise UnfitError(f"Your list has {len(words)} entries, and not {len(self.truth)}.")
        for k, word in enumerate(words):
            known = sorted({self.truth[k], *self.wrong[k]})
            if word not in known:
                raise UnfitError(
                    f"Word {k + 1} is {cut(word)}, and not one of these: {listed(known)}."
                )
        reasons = [self.wrong[k][word] for k, word in enumerate(words) if word != self.truth[k]]
        if not reasons:
            return "right", self.lesson
        return "cold" if len(reasons) == len(words) else "warm", reasons[0]


@dataclass(frozen=True)
class Pairs:
    """Some of the pairs that the exercise names."""

    asks: str
    names: str  # of the answers, a letter each
    options: tuple[tuple[int, int], ...]
    truth: frozenset[tuple[int, int]]
    against: Mapping[tuple[int, int], str]  # why a wrong pair is wrong
    answer: str
    lesson: str

    @property
    def takes(self) -> str:
        return self.asks.rstrip(",")

    def judge(self, answer: Any) -> Judgement:
        chosen = self._chosen(answer)
        if not (wrong := [pair for pair in self.options if pair in chosen - self.truth]):
            if chosen == self.truth:
                return "right", self.lesson
            if not chosen:
                return "cold", "You chose no pair. Some of them belong here."
            return "warm", "What you chose is not wrong. But one is missing."
        return "warm" if chosen & self.truth else "cold", self.against[wrong[0]]

    def _chosen(self, answer: Any) -> set[tuple[int, int]]:
        if isinstance(answer, np.ndarray):
            answer = answer.tolist()
        if not isinstance(answer, (str, list, tuple, set, frozenset)):
            raise UnfitError(f"{shown(answer)} names no pair.")
        known = {self._end(end) for pair in self.options for end in pair}
        is_one = isinstance(answer, str) or (
            len(answer) == 2 and all(self._end(end) in known for end in answer)
        )
        pairs = [answer] if is_one else list(answer)
        return {self._pair(pair) for pair in pairs}

    def _pair(self, pair: Any) -> tuple[int, int]:
        ends = [c for c in pair if c.isalnum()] if isinstance(pair, str) else pair
        try:
            found = tuple(self._end(end) for end in ends)
        except Exception:  # it has no ends
            found = ()
        for option in self.options:
            if option == found:
                return option
        options = listed([str(option) for option in self.options])
        raise UnfitError(
            f"{shown(pair)} is none of the pairs that may be chosen: {options}. The answers "
            f"{', '.join(self.names)} are {', '.join(map(str, range(len(self.names))))}."
        )

    def _end(self, end: Any) -> int | None:
        """Return the number of an answer, which is given by this number or by its letter."""
        letter = _written(end)
        if len(letter) == 1 and letter in self.names:
            return self.names.index(letter)
        return int(letter) if letter in {str(k) for k in range(len(self.names))} else None


@dataclass(frozen=True)
class Example:
    """Anything that does what the exercise asks, which is tried out."""

    asks: str
    answer: str
    judges: Callable[[Any], Judgement]

    @property
    def takes(self) -> str:
        return self.asks.rstrip(",")

    def judge(self, answer: Any) -> Judgement:
        return self.judges(answer)


def as_number(value: Any, else_says: str = "{} is no number.") -> float:
    """Return a real number of Python, NumPy or SymPy as a float that is not NaN."""
    is_text = isinstance(value, (str, bytes, bool, np.bool_))
    try:
        if is_text or np.ndim(value):
            raise TypeError
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    except Exception:
        raise UnfitError(else_says.format(shown(value))) from None
    if math.isnan(number):
        raise UnfitError(else_says.format("nan"))
    return number


def _written(word: Any) -> str:
    return (word if isinstance(word, str) else shown(word)).strip().lower()


def _can_be_called(function: Callable[..., Any], point: tuple[float, ...]) -> bool:
    """Whether a function takes so many numbers, as far as it tells."""
    try:
        inspect.signature(function).bind(*point)
    except TypeError:
        return False
    except ValueError:  # it does not tell
        return True
    return True
