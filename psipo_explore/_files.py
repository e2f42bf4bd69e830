"""Reading preference files line by line; whatever is wrong is said with the file and the line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from psipo_explore._checks import Array, Indices

_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_LONGEST_CELL = 1 << 30  # prompts are longer than csv's own limit of 131 072 characters


def csv_rows(path: Path, columns: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line's place in words and its cells by role; blank lines are passed over."""
    usual_limit = csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(_utf8_lines(path), strict=True)
    try:
        header = next(reader, [])
        at = {role: _column(path.name, header, name) for role, name in columns.items()}
        for row in reader:
            if len(row) <= 1 and not "".join(row).strip():
                continue
            place = f"{path.name}, line {reader.line_num}"
            if len(row) != len(header):
                raise ValueError(f"{place}: {len(row)} cells, must be {len(header)} as in the header")
            cells = {role: row[i].strip() for role, i in at.items()}
            for role, cell in cells.items():
                if not cell:
                    raise ValueError(f"{place}: column {columns[role]!r} is empty, must hold the {role}")
            yield place, cells
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {reader.line_num}: {error}, must be CSV") from None
    finally:
        csv.field_size_limit(usual_limit)


def jsonl_rows(path: Path, fields: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line's place in words and the text of its fields by role; blank lines are passed over."""
    for number, line in enumerate(_utf8_lines(path), start=1):
        if not line.strip():
            continue
        place = f"{path.name}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: of numbers with thousands of digits too
            raise ValueError(f"{place}: {error}, must be one JSON object a line") from None
        if not isinstance(record, dict):
            raise ValueError(f"{place}: is a JSON {type(record).__name__}, must be an object")
        for name in fields.values():
            if name not in record:
                raise ValueError(f"{place}: has no field {name!r}; its fields are {', '.join(map(repr, record)) or 'none'}")
        yield place, {role: _text(place, name, record[name]) for role, name in fields.items()}


def _text(place: str, field: str, value: Any) -> str:
    """A string as it is; chat messages as "role: content" lines."""
    if isinstance(value, str):
        return value
    try:
        if not isinstance(value, list) or not value:
            raise TypeError
        return "\n".join(f"{message['role']}: {message['content']}" for message in value)
    except (TypeError, KeyError):
        wanted = 'a string or a list of messages {"role": …, "content": …}'
        raise ValueError(f"{place}: field {field!r} is {str(value)[:60]!r}, must be {wanted}") from None


def indexed(
    file_name: str, rows: Iterable[tuple[str, dict[str, str]]]
) -> tuple[Indices, Indices, tuple[str, ...], Array, Indices]:
    """Winners, losers, labels, weights and contexts of rows of a file, actions and contexts in order of appearance."""
    action: dict[tuple[str, str], int] = {}
    context: dict[str, int] = {}
    ends, weights = [], []
    for place, cells in rows:
        where = cells.get("context", "")
        context.setdefault(where, len(context))
        if cells["winner"] == cells["loser"]:
            raise ValueError(f"{place}: winner and loser are both {cells['winner'][:60]!r}, must differ")
        pair = [action.setdefault((where, cells[role]), len(action)) for role in ("winner", "loser")]
        weight = _weight(place, cells["weight"]) if "weight" in cells else 1.0
        if weight > 0:
            ends.append(pair)
            weights.append(weight)
    if not ends:
        raise ValueError(f"{file_name} holds no comparison, must hold at least one")
    winners, losers = np.array(ends, dtype=np.intp).T
    labels = tuple(label for _, label in action)
    return winners, losers, labels, np.array(weights), np.array([context[where] for where, _ in action], dtype=np.intp)


def _utf8_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        for number, line in enumerate(file, start=1):
            if wrong := _NOT_UTF8.search(line):
                byte = ord(wrong.group()) - 0xDC00
                raise ValueError(f"{path.name}, line {number}: byte 0x{byte:02x} is not UTF-8, must be saved as UTF-8")
            yield line


def _column(file_name: str, header: list[str], name: str) -> int:
    titles = [title.strip() for title in header]
    if titles.count(name) != 1:
        problem = "has no column" if name not in titles else "has more than one column"
        raise ValueError(f"{file_name}, line 1: {problem} {name!r}; its columns are {', '.join(map(repr, titles)) or 'none'}")
    return titles.index(name)


def _weight(place: str, cell: str) -> float:
    try:
        count = float(cell) if "_" not in cell else np.nan
    except ValueError:
        count = np.nan
    if not (count >= 0 and np.isfinite(count)):
        raise ValueError(f"{place}: weight {cell!r}, must be a finite number, at least 0")
    return count
