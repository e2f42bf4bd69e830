"""The usual record, whose prompt, chosen and rejected answer are strings, read fast.

The careful way reads every other record, and would understand these alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from psipo_explore._data.fields import Record
from psipo_explore._data.judgements import Chosen
from psipo_explore._data.shapes import Shape

Texts = tuple[str, str, str]  # prompt, winner, loser
UsualRow = Callable[[str], Texts | None]
_LONGEST = 1_000_000  # characters
_ENDS = ("\n", "", "\r\n")


def usual_names(shape: Shape, first: Record) -> tuple[str, str, str] | None:
    """Return the fields of the prompt and of the two answers, if records like the first are usual.

    None of their fields may say more than who was chosen.
    """
    names = [*shape.prompt, *shape.judgement.answers]
    says_more = {*shape.context, *shape.judgement.optional} & first.keys()
    if not isinstance(shape.judgement, Chosen) or len(names) != 3 or says_more:
        return None
    if not all(isinstance(first.get(name), str) for name in names):
        return None
    prompt, chosen, rejected = names
    return prompt, chosen, rejected


def are_usual(prompt: Any, chosen: Any, rejected: Any) -> bool:
    """Whether the three values are texts that are not blank, and the answers differ."""
    return (
        type(prompt) is type(chosen) is type(rejected) is str
        and chosen != rejected
        and not (prompt.isspace() or chosen.isspace() or rejected.isspace())
        and bool(prompt and chosen and rejected)
    )


def usual_row(shape: Shape, first: Record) -> UsualRow:
    """Return a function from a line to the texts of its judgement, or None if it is not usual.

    A usual record has the same fields as the first.
    """
    names = usual_names(shape, first)
    if names is None:
        return lambda line: None
    fields = first.keys()
    prompt, chosen, rejected = names
    scan = json.JSONDecoder(parse_int=float).scan_once  # type: ignore[attr-defined]

    def row(line: str) -> Texts | None:
        if len(line) > _LONGEST or not line.isascii():
            return None
        try:
            record, end = scan(line, 0)
        except (StopIteration, ValueError, RecursionError):
            return None
        if type(record) is not dict or record.keys() != fields or line[end:] not in _ENDS:
            return None
        texts = record[prompt], record[chosen], record[rejected]
        return texts if are_usual(*texts) else None

    return row
