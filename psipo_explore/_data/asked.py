"""What a caller says about the fields of records, and the shape that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypedDict

from psipo_explore._checks import listed
from psipo_explore._data.fields import Record, value_of
from psipo_explore._data.judgements import Chosen, Two, Word, words
from psipo_explore._data.shapes import BY_NAME, PAIRS, SHAPES, Shape, recognised, unknown

Ties = Literal["half", "drop", "error"]


class Options(TypedDict, total=False):
    """Keywords that say how records are read; `psipo diagnose` takes the same words."""

    shape: str | None
    prompt: str | Sequence[str] | None
    chosen: str | None
    rejected: str | None
    answers: tuple[str, str] | None
    outcome: str | None
    first: str | Sequence[str]
    second: str | Sequence[str]
    tie: str | Sequence[str]
    ties: Ties
    weight: str | None


@dataclass(frozen=True)
class Asked:
    """The checked options of a caller."""

    shape: Shape | None
    prompt: tuple[str, ...] | None
    chosen: str | None
    rejected: str | None
    answers: tuple[str, str] | None
    outcome: str | None
    meanings: dict[str, int]
    ties: Ties
    weight: str | None

    @classmethod
    def of(
        cls,
        *,
        shape: str | None = None,
        prompt: str | Sequence[str] | None = None,
        chosen: str | None = None,
        rejected: str | None = None,
        answers: tuple[str, str] | None = None,
        outcome: str | None = None,
        first: str | Sequence[str] = (),
        second: str | Sequence[str] = (),
        tie: str | Sequence[str] = (),
        ties: Ties = "half",
        weight: str | None = None,
    ) -> Asked:
        """Check the options, and refuse those that do not go together."""
        if shape is not None and shape not in BY_NAME:
            raise ValueError(f"shape = {shape!r}, must be one of {', '.join(BY_NAME)}")
        if ties not in ("half", "drop", "error"):
            raise ValueError(f"ties = {ties!r}, must be half, drop or error")
        if (answers is None) != (outcome is None):
            raise ValueError("answers and outcome belong together: two fields, and which is better")
        if answers is not None and (isinstance(answers, str) or len(answers) != 2):
            raise ValueError(f"answers = {answers!r}, must be the names of two fields")
        if answers is not None and (chosen or rejected):
            raise ValueError(
                "answers, and chosen or rejected: give the two answers with their outcome, or the "
                "chosen one and the rejected one"
            )
        if shape is not None and (answers or chosen or rejected):
            raise ValueError(
                "shape says which fields hold the answers: leave it out, or leave them out"
            )
        asked = cls(
            shape=BY_NAME[shape] if shape else None,
            prompt=None if prompt is None else _names(prompt),
            chosen=chosen,
            rejected=rejected,
            answers=answers,
            outcome=outcome,
            meanings=words(_names(first), _names(second), _names(tie)),
            ties=ties,
            weight=weight,
        )
        asked._refuse_one_field_for_two()
        return asked

    def _refuse_one_field_for_two(self) -> None:
        roles = {"chosen": self.chosen, "rejected": self.rejected, "outcome": self.outcome}
        named = [(role, name) for role, name in roles.items() if name]
        named += [("answers", name) for name in self.answers or ()]
        named += [("prompt", name) for name in self.prompt or ()]
        for k, (role, name) in enumerate(named):
            for other, same in named[:k]:
                if name == same:
                    raise ValueError(
                        f"{role} and {other} both name {name!r}, must be different fields: the "
                        "answer would stand in the other's place"
                    )

    def shape_of(self, record: Record) -> Shape:
        """Return the shape of a record, from its fields and what was asked."""
        if self.answers and self.outcome:
            judgement = Two(*self.answers, Word(self.outcome, self.meanings))
            usual = PAIRS.prompt if PAIRS.prompt[0] in record else ()
            return Shape("named fields", "named fields", self.prompt or usual, judgement, {})
        if self.chosen or self.rejected:
            return self._pairs(record).explained(self.meanings)
        shape = self._known(record).explained(self.meanings)
        return shape if self.prompt is None else self._with_prompt(record, shape)

    def _pairs(self, record: Record) -> Shape:
        judgement = Chosen(self.chosen or "chosen", self.rejected or "rejected")
        _refuse_answers_with_an_outcome(record, judgement)
        if self.prompt is not None:
            return Shape("named fields", "named fields", self.prompt, judgement, {})
        pairs = replace(PAIRS, judgement=judgement, title="named fields")
        if not pairs.fits(record):
            for name in ("messages", "hh-rlhf"):
                dialogues = replace(BY_NAME[name], judgement=judgement)
                if dialogues.fits(record):
                    return dialogues
        return pairs

    def _known(self, record: Record) -> Shape:
        if self.shape:
            return self.shape
        if self.prompt is None:
            known = recognised(record)
        else:
            known = recognised(record) or next(
                (
                    shape
                    for shape in SHAPES
                    if not shape.dialogues and replace(shape, prompt=self.prompt).fits(record)
                ),
                None,
            )
        if known is None:
            raise unknown(record)
        return known

    def _with_prompt(self, record: Record, shape: Shape) -> Shape:
        """Replace the fields of the prompt, but refuse to leave some of them out in silence."""
        assert self.prompt is not None
        left_out = [
            name
            for name in (*shape.prompt, *shape.context)
            if value_of(record, name) and name not in self.prompt
        ]
        if left_out and set(self.prompt) & {*shape.prompt, *shape.context}:
            whole = " ".join([*self.prompt, *left_out])
            raise ValueError(
                f"prompt = {' '.join(self.prompt)} leaves out {listed(left_out)}, which belongs to "
                f"the prompt in {shape.title}: say --prompt {whole}, or nothing"
            )
        return replace(shape, prompt=self.prompt, context=(), dialogues="")


def refuse_outcome_column(record: Record, columns: dict[str, str]) -> None:
    """Refuse to take a column that holds an outcome, or answers that it judges, for a winner's."""
    known = recognised(record)
    if known is None or not isinstance(known.judgement, Two):
        return
    outcome = known.judgement.outcome.fields
    for role, name in columns.items():
        if role in ("winner", "loser") and name in (*outcome, *known.judgement.answers):
            what = (
                "an outcome" if name in outcome else f"answers whose outcome is in {outcome[0]!r}"
            )
            raise ValueError(
                f"{role} names the column {name!r}, which holds {what}, not the {role} "
                f"({known.read_as(record)}): read the file with Comparisons.from_file"
            )


def _refuse_answers_with_an_outcome(record: Record, judgement: Chosen) -> None:
    known = recognised(record)
    if known is None or not isinstance(known.judgement, Two):
        return
    if both := sorted({*judgement.answers} & {*known.judgement.answers}):
        raise ValueError(
            f"chosen or rejected names {both[0]!r}, but which answer is better stands in "
            f"{known.judgement.outcome.fields[0]!r}: leave both out, and it is read as "
            f"{known.read_as(record)}"
        )


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(map(str, given))
