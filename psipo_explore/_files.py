"""Reading preference files line by line; whatever is wrong is said with the file and the line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

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
            if not row:
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


def weight_of(place: str, cell: str) -> float:
    try:
        count = float(cell)
    except ValueError:
        count = np.nan
    if not (count >= 0 and np.isfinite(count)):
        raise ValueError(f"{place}: weight {cell!r}, must be a finite number, at least 0")
    return count
