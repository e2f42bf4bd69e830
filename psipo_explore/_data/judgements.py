"""What a record says of its answers: who was preferred to whom, and what is a tie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any, NamedTuple

from psipo_explore._checks import cut
from psipo_explore._data import texts
from psipo_explore._data.fields import Record, number, present, value_of, word
from psipo_explore._data.unreadable import UnreadableError

FIRST, TIE, SECOND = 1, 0, -1
_TIE_WORDS = ("tie", "tie (bothbad)", "both_bad", "bothbad")
_SCORES = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
)


class Judged(NamedTuple):
    """Two answers, each as the texts of its messages, and which of them was preferred."""

    first: Sequence[str]
    second: Sequence[str]
    outcome: int


@dataclass(frozen=True)
class Word:
    """A word says which of two answers is better."""

    field: str
    words: Mapping[str, int]

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    note = ""

    def of(self, record: Record) -> int:
        found = word(present(record, self.field))
        if found not in self.words:
            known = ", ".join(self.words) or "explained"
            reason = (
                f"field {self.field!r} is {cut(found)!r}, must be {known}; say what it means with "
                "--first, --second or --tie"
            )
            raise UnreadableError("an unknown outcome", reason, word=found)
        return self.words[found]


@dataclass(frozen=True)
class Sign:
    """A number says how much better the second answer is; negative, the first one is."""

    field: str

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    note = " (negative: the first is better; 0: a tie)"

    def of(self, record: Record) -> int:
        strength = number(self.field, present(record, self.field))
        return (strength < 0) - (strength > 0)


@dataclass(frozen=True)
class OneOf:
    """One of three fields is 1: the first answer is better, the second is better, a tie."""

    fields: tuple[str, str, str]

    note = ""

    def of(self, record: Record) -> int:
        are = [word(present(record, name)) in ("1", "true") for name in self.fields]
        if sum(are) != 1:
            names = ", ".join(map(repr, self.fields))
            raise UnreadableError(
                "an unknown outcome", f"{sum(are)} of the fields {names} are 1, must be one"
            )
        return (FIRST, SECOND, TIE)[are.index(True)]


@dataclass(frozen=True)
class Higher:
    """Each answer has a score, and the higher one is better."""

    fields: tuple[str, str]

    note = " (the higher is better; equal: a tie)"

    def of(self, record: Record) -> int:
        one, other = (number(name, present(record, name)) for name in self.fields)
        return (one > other) - (one < other)


@dataclass(frozen=True)
class Two:
    """There are two answers, and other fields say which one is better."""

    first: str
    second: str
    outcome: Word | Sign | OneOf | Higher

    optional = ()

    @property
    def answers(self) -> tuple[str, ...]:
        return self.first, self.second

    @property
    def fields(self) -> tuple[str, ...]:
        return *self.answers, *self.outcome.fields

    def note(self, record: Record) -> str:
        """Say how the outcome is read."""
        return self.outcome.note

    def judged(self, record: Record) -> list[Judged]:
        """Return the answers and who was preferred."""
        first, second = (texts.parts(name, present(record, name)) for name in self.answers)
        return [Judged(first, second, self.outcome.of(record))]


@dataclass(frozen=True)
class Chosen:
    """The chosen answer beats each rejected one, unless scores or a word say that they are equal."""

    chosen: str = "chosen"
    rejected: str = "rejected"
    scores: tuple[tuple[str, str], ...] = _SCORES
    status: str = "status"

    @property
    def optional(self) -> tuple[str, ...]:
        return self.status, *chain(*self.scores)

    @property
    def answers(self) -> tuple[str, ...]:
        return self.chosen, self.rejected

    @property
    def fields(self) -> tuple[str, ...]:
        return self.answers

    def note(self, record: Record) -> str:
        """Say what makes a tie of records like this one."""
        ties = [f"equal {' and '.join(pair)}" for pair in self.scores if _scores(record, pair)]
        if word(value_of(record, self.status)) in (*_TIE_WORDS, "unchanged", "swapped"):
            ties.append(f"{self.status} tie")
        return f" ({' or '.join(ties)}: a tie)" if ties else ""

    def judged(self, record: Record) -> list[Judged]:
        """Return the chosen answer with each rejected one."""
        chosen = texts.parts(self.chosen, present(record, self.chosen))
        rejected = texts.answers(self.rejected, present(record, self.rejected))
        return [
            Judged(chosen, other, TIE if self.is_tie(record, k) else FIRST)
            for k, other in enumerate(rejected)
        ]

    def is_tie(self, record: Record, k: int) -> bool:
        """Whether scores or a word say that the k-th rejected answer is as good as the chosen."""
        if self.status in record and word(record[self.status]) in _TIE_WORDS:
            return True
        told = filter(None, (_scores(record, pair, k) for pair in self.scores))
        return any(first == second for first, second in told)


def _scores(record: Record, names: tuple[str, str], k: int = 0) -> tuple[float, float] | None:
    """Return two scores, or None if a record lacks one of them.

    Where several answers were rejected, each may have a score; the k-th is returned.
    """
    if names[0] not in record or names[1] not in record:
        return None
    try:
        first, second = (record[name] for name in names)
        first, second = float(first), float(second[k] if isinstance(second, list) else second)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return None if math.isnan(first) or math.isnan(second) else (first, second)


@dataclass(frozen=True)
class Ranked:
    """A list of answers has a rank for each, and the lower rank is better."""

    field: str
    text: str
    rank: str

    optional = ()

    @property
    def answers(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def fields(self) -> tuple[str, ...]:
        return self.answers

    def note(self, record: Record) -> str:
        """Say what is read of each answer."""
        return f" (of each: {self.text}, {self.rank}; every pair is a comparison)"

    def judged(self, record: Record) -> list[Judged]:
        """Return every pair of answers, the better one first."""
        given = present(record, self.field)
        if not (isinstance(given, list) and len(given) > 1 and all(map(_is_object, given))):
            reason = (
                f"field {self.field!r} is {cut(given)!r}, must be a list of at least two objects"
            )
            raise UnreadableError("a field of the wrong kind", reason)
        ranks = [number(self.rank, present(answer, self.rank)) for answer in given]
        if len(set(ranks)) < len(ranks):
            twice = next(rank for rank in ranks if ranks.count(rank) > 1)
            reason = f"{self.rank} {twice:g} stands at several of {self.field!r}, must stand at one"
            raise UnreadableError("a rank tie", reason)
        order = sorted(range(len(given)), key=ranks.__getitem__)
        written = [texts.parts(self.text, present(given[i], self.text)) for i in order]
        return [Judged(better, worse, FIRST) for better, worse in combinations(written, 2)]


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


@dataclass(frozen=True)
class Continued:
    """A dialogue ends with the chosen answer, and another field holds one rejected or several."""

    dialogue: str
    rejected: str

    optional = ()

    @property
    def answers(self) -> tuple[str, ...]:
        return self.dialogue, self.rejected

    @property
    def fields(self) -> tuple[str, ...]:
        return self.answers

    def note(self, record: Record) -> str:
        """Say where the chosen answer is."""
        return f" ({self.dialogue} ends with the chosen answer)"

    def judged(self, record: Record) -> list[Judged]:
        """Return the dialogue with each one that ends with a rejected answer."""
        dialogue = present(record, self.dialogue)
        chosen = texts.parts(self.dialogue, dialogue)
        if not isinstance(dialogue, list) or dialogue[-1].get("role") != "assistant":
            reason = f"field {self.dialogue!r} must be a list of messages, the assistant's last"
            raise UnreadableError("a field of the wrong kind", reason)
        rejected = present(record, self.rejected)
        others = rejected if isinstance(rejected, list) else [rejected]
        if not others or not all(isinstance(other, str) for other in others):
            reason = f"field {self.rejected!r} is {cut(rejected)!r}, must be a string or several"
            raise UnreadableError("a field of the wrong kind", reason)
        return [Judged(chosen, [*chosen[:-1], f"assistant: {other}"], FIRST) for other in others]


Judgement = Two | Chosen | Ranked | Continued


def words(first: Iterable[str], second: Iterable[str], tie: Iterable[str] = ()) -> dict[str, int]:
    """Return what each word says of the outcome."""
    meanings: dict[str, int] = {}
    for outcome, several in ((FIRST, first), (SECOND, second), (TIE, tie)):
        for text in map(word, several):
            if meanings.setdefault(text, outcome) != outcome:
                raise ValueError(f"first, second and tie share {text!r}, must be different words")
    return meanings


VOTES = words(["model_a"], ["model_b"], _TIE_WORDS)
