"""From a record to its judgements, by the shape that the first record shows."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from psipo_explore._checks import cut
from psipo_explore._data import texts
from psipo_explore._data.asked import Asked
from psipo_explore._data.collected import Row
from psipo_explore._data.fields import Record, number, present, value_of
from psipo_explore._data.judgements import SECOND, Judged
from psipo_explore._data.judgements import TIE as TIED
from psipo_explore._data.shapes import Shape
from psipo_explore._data.unreadable import UnreadableError
from psipo_explore._data.usual import UsualRow, usual_names, usual_row


class Reader:
    """Turns records into judgements, by the shape that the first of them shows."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.shape: Shape | None = None
        self.read_as = ""
        self.file_name = ""  # of the file that is being read
        self._kinds: dict[str, str] = {}
        self._first_place = ""
        self._first: Record = {}

    def begin(self, record: Record, place: str) -> None:
        """Find out the shape of all records from the first one."""
        shape = self.asked.shape_of(record)
        self.read_as = shape.read_as(record)
        self._kinds = _kinds(shape, record)
        self._first_place = place
        self.shape = shape
        self._first = dict(record)

    def usual_names(self, fields: Set[str]) -> tuple[str, str, str] | None:
        """Return the names of prompt and answers, if records with these fields are read fast."""
        if self.shape is None or self.asked.weight or fields != self._first.keys():
            return None
        return usual_names(self.shape, self._first)

    def usual_row(self) -> UsualRow:
        """Return a function that reads lines like the first one fast."""
        if self.shape is None or self.asked.weight:
            return lambda line: None
        return usual_row(self.shape, self._first)

    def first_rows(self, record: Record, place: str) -> list[Row]:
        """Return the judgements of the first record, which shows the shape if it can be read."""
        self.begin(record, place)
        try:
            return self.rows(record)
        except UnreadableError:
            self.shape = None
            raise

    @property
    def is_of_votes(self) -> bool:
        """Whether answers are players, whose names are wanted."""
        return self.shape is not None and self.shape.is_of_votes

    def columns(self, record: Record) -> Sequence[str]:
        """Return the names of all fields that are read of records like the given one."""
        shape = self.shape or self.asked.shape_of(record)
        names = [*shape.fields, *shape.context, *shape.judgement.optional, "prompt"]
        return [*names, self.asked.weight] if self.asked.weight else names

    def rows(self, record: Record) -> list[Row]:
        """Return the judgements of a record, which may be none."""
        assert self.shape is not None
        judged = self.shape.judgement.judged(record)
        self._check_alike(record)
        weight = self._weight(record)
        if self.shape.dialogues:
            return [self._parted(record, one, weight) for one in judged]
        prompt = self._prompt(record)
        self._refuse_answer_in_prompt(record, judged)
        return [
            self._row(
                prompt, texts.joined(one.first), texts.joined(one.second), one.outcome, weight
            )
            for one in judged
        ]

    def _parted(self, record: Record, judged: Judged, weight: float) -> Row:
        assert self.shape is not None
        names = " and ".join(map(repr, self.shape.judgement.answers))
        if self.shape.dialogues == "strings":
            prompt, first, second = texts.parted_strings(names, judged.first[0], judged.second[0])
        else:
            shared, one, other = texts.parted(names, judged.first, judged.second)
            prompt, first, second = map(texts.joined, (shared, one, other))
        if more := self._more(record):
            prompt = texts.joined([prompt, *more])
        return self._row(prompt, first, second, judged.outcome, weight)

    def _row(self, prompt: str, first: str, second: str, outcome: int, weight: float) -> Row:
        if first == second:
            return Row(prompt, first, second, weight)
        assert self.shape is not None
        for name, text in zip(self.shape.judgement.answers, (first, second), strict=False):
            if not text or text.isspace():
                raise UnreadableError(
                    "an empty answer", f"field {name!r} is empty, must hold an answer"
                )
        if outcome == TIED and self.asked.ties == "error":
            raise UnreadableError(
                "a tie",
                "is a tie, must have a winner; --ties half counts it as half a win each way, --ties "
                "drop leaves it out",
            )
        winner, loser = (second, first) if outcome == SECOND else (first, second)
        return Row(prompt, winner, loser, weight, outcome == TIED)

    def _prompt(self, record: Record) -> str:
        assert self.shape is not None
        if not self.shape.prompt:
            return ""
        parts = [_prompt_text(name, present(record, name)) for name in self.shape.prompt]
        if not "".join(parts).strip():
            names = " and ".join(map(repr, self.shape.prompt))
            raise UnreadableError(
                "an empty prompt", f"field {names} is empty, must hold the prompt"
            )
        return texts.joined(parts + self._more(record))

    def _more(self, record: Record) -> list[str]:
        """Return the texts of the fields that belong to the prompt where they are there."""
        assert self.shape is not None
        also = [value_of(record, name) for name in self.shape.context]
        return [_context_text(value) if value else "" for value in also] if any(also) else []

    def _refuse_answer_in_prompt(self, record: Record, judged: Sequence[Judged]) -> None:
        """Refuse a prompt that ends with one of the answers."""
        assert self.shape is not None
        for name in self.shape.prompt:
            last = texts.last_turn(value_of(record, name), name)
            for one in judged if last else ():
                for answer in (one.first[-1], one.second[-1]):
                    if last in (answer, answer.strip(), f"assistant: {answer}"):
                        raise UnreadableError(
                            "an answer in the prompt",
                            f"field {name!r} ends with the answer {cut(answer)!r}, must hold the "
                            "prompt alone",
                        )

    def _weight(self, record: Record) -> float:
        name = self.asked.weight
        if name is None:
            return 1.0
        weight = number(name, present(record, name))
        if weight <= 0:
            raise UnreadableError(
                "a weight that is not positive", f"field {name!r} is {weight:g}, must be positive"
            )
        return weight

    def _check_alike(self, record: Record) -> None:
        """Refuse a record whose fields are of another kind than those of the first."""
        assert self.shape is not None
        kinds = _kinds(self.shape, record)
        if kinds == self._kinds:
            return
        name = next(name for name in kinds if kinds[name] != self._kinds[name])
        raise UnreadableError(
            "another shape than the first record",
            f"field {name!r} is {kinds[name]}, must be {self._kinds[name]} as in "
            f"{self._first_place.removeprefix(f'{self.file_name}, ')}",
        )


def _kinds(shape: Shape, record: Record) -> dict[str, str]:
    names = {*shape.prompt, *shape.judgement.answers, *(["prompt"] if shape.dialogues else [])}
    return {name: texts.kind(value_of(record, name)) for name in sorted(names)}


def _prompt_text(name: str, value: Any) -> str:
    return value if isinstance(value, str) else texts.joined(texts.parts(name, value))


def _context_text(value: Any) -> str:
    return value if isinstance(value, str) else texts.as_json(value)
