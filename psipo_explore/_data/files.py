"""Readers of preference files in CSV and JSON Lines, which read line by line.

`indexed` can keep digests instead of texts, so that memory grows with the number of answers and not
with their length. An error names the file and the line, and is raised or given to a callback that
counts the skipped lines.
"""

from __future__ import annotations

import csv
import io
import json
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices

_LONGEST_RECORD = 64_000_000  # characters; a million words have about 6 million
_LINES_A_STEP = 1000  # lines between two updates of the progress bar
_JSON = json.JSONDecoder(parse_int=float)  # int refuses numbers of over 4300 digits
_NOT_TEXT = {
    b"\x1f\x8b": "compressed by gzip",
    b"PK\x03\x04": "a ZIP archive",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
}
_ROLES = {"context": "prompt", "winner": "chosen", "loser": "rejected"}
_KINDS: dict[type | None, str] = {str: "a string", list: "a list of messages", None: "missing"}

OnBad = Callable[[ValueError, int], None]  # called with an error and its number of lines


class Row(NamedTuple):
    """One comparison in a file: two answers to a prompt, and how often it was made."""

    context: str
    winner: str
    loser: str
    weight: float


class Skipped:
    """Callback that counts the lines that could not be read, and keeps the first error message."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def __call__(self, error: ValueError, lines: int) -> None:
        self.first = self.first or str(error)
        self.count += lines


def refuse(error: ValueError, lines: int) -> None:
    """Raise the error instead of skipping its lines."""
    raise error from error.__cause__


def csv_rows(
    path: Path,
    columns: dict[str, str],
    *,
    strip: bool = True,
    on_bad: OnBad = refuse,
    progress: bool = False,
) -> Iterator[Row]:
    """Yield the comparisons of a CSV file with a header.

    `columns` maps each role to the name of its column. Blank lines are skipped.
    """
    usual_limit = csv.field_size_limit(_LONGEST_RECORD)  # the default is 131 072 characters
    try:
        with closing(_lines(path, progress)) as all_lines:
            lines = _LinesOfARecord(all_lines)
            place, _, header = next(
                _records(lines, path.name, refuse), (f"{path.name}, line 1", 1, [])
            )
            if not "".join(header).strip():
                raise ValueError(
                    f"{place}: is blank, must be a header with {', '.join(map(repr, columns.values()))}"
                )
            at = {role: _column(place, header, name) for role, name in columns.items()}
            for place, how_many, cells in _records(lines, path.name, on_bad):
                if len(cells) <= 1 and not "".join(cells).strip():
                    continue
                try:
                    row = _row_of_cells(
                        place,
                        [cell.strip() for cell in cells] if strip else cells,
                        len(header),
                        at,
                        columns,
                    )
                except ValueError as error:
                    on_bad(error, how_many)
                else:
                    yield row
    finally:
        csv.field_size_limit(usual_limit)


class _LinesOfARecord:
    """Iterator of lines for csv.reader that limits the length of a record.

    Without a limit, csv.reader would read the rest of the file into memory to find the end of an
    unclosed quote.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._length = 0
        self.number = 0

    def begin_record(self) -> None:
        self._length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self._length += len(line)
        if self._length > _LONGEST_RECORD:
            raise csv.Error(_too_long())
        return line


def _records(
    lines: _LinesOfARecord, file_name: str, on_bad: OnBad
) -> Iterator[tuple[str, int, list[str]]]:
    """Yield the place of each record in words, its number of lines, and its cells."""
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin_record()
        start = lines.number + 1
        place = f"{file_name}, line {start}"
        try:
            cells = next(reader)
            for cell in cells:
                _check_utf8(place, cell)
        except StopIteration:
            return
        except csv.Error as error:
            where = (
                place if lines.number == start else f"{file_name}, lines {start} to {lines.number}"
            )
            on_bad(ValueError(f"{where}: {error}, must be CSV"), lines.number + 1 - start)
        except ValueError as error:
            on_bad(error, lines.number + 1 - start)
        else:
            yield place, lines.number + 1 - start, cells


def _row_of_cells(
    place: str, cells: list[str], n_cells: int, at: dict[str, int], columns: dict[str, str]
) -> Row:
    if len(cells) != n_cells:
        raise ValueError(
            f"{place}: the number of cells is {len(cells)}, must be {n_cells} as in the header"
        )
    by_role = {role: cells[i] for role, i in at.items()}
    for role, cell in by_role.items():
        if not cell.strip():
            raise ValueError(f"{place}: column {columns[role]!r} is empty, must hold the {role}")
    weight = _weight(place, by_role["weight"]) if "weight" in by_role else 1.0
    return _row(place, by_role.get("context", ""), by_role["winner"], by_role["loser"], weight)


def _row(place: str, context: str, winner: str, loser: str, weight: float = 1.0) -> Row:
    if winner == loser:
        raise ValueError(f"{place}: winner and loser are both {winner[:60]!r}, must differ")
    return Row(context, winner, loser, weight)


def jsonl_rows(
    path: Path, fields: dict[str, str] = _ROLES, *, on_bad: OnBad = refuse, progress: bool = False
) -> Iterator[Row]:
    """Yield the comparisons of a file with one JSON object per line.

    `fields` maps each role to the name of its field. Blank lines are skipped. If no line has a
    field for the context, the context is the list of messages with which both answers begin.
    """
    first: tuple[int, dict[str, type]] | None = None
    with closing(_lines(path, progress)) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path.name}, line {number}"
            try:
                record = _record(
                    place,
                    line,
                    fields,
                    implicit_context=first is None or fields["context"] not in first[1],
                )
                kinds = {name: type(record[name]) for name in fields.values() if name in record}
                first = first or (number, kinds)
                _check_alike(place, kinds, *first)
                row = _row_of_fields(place, record, fields)
            except ValueError as error:
                on_bad(error, 1)
            else:
                yield row


def _record(
    place: str, line: str, fields: dict[str, str], *, implicit_context: bool
) -> dict[str, Any]:
    if len(line) > _LONGEST_RECORD:
        raise ValueError(f"{place}: {_too_long()}, must be one JSON object a line")
    _check_utf8(place, line)
    try:
        record = _JSON.decode(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{place}, column {error.pos + 1}: {error.msg}, must be one JSON object a line"
        ) from None
    except RecursionError:
        raise ValueError(f"{place}: is nested too deeply, must be one JSON object a line") from None
    if not isinstance(record, dict):
        raise ValueError(f"{place}: is a JSON {type(record).__name__}, must be an object")
    conversation = all(isinstance(record.get(fields[role]), list) for role in ("winner", "loser"))
    for role, name in fields.items():
        if name not in record and not (role == "context" and implicit_context and conversation):
            instead = (
                ", nor messages that both answers begin with"
                if role == "context" and implicit_context
                else ""
            )
            found = ", ".join(map(repr, record)) or "none"
            raise ValueError(f"{place}: has no field {name!r}{instead}; its fields are {found}")
        if name in record:
            _check_text(place, name, record[name])
    return record


def _check_text(place: str, field: str, value: Any) -> None:
    if not (
        isinstance(value, str)
        or (isinstance(value, list) and value and all(map(_is_message, value)))
    ):
        wanted = 'a string or a list of messages {"role": …, "content": …}'
        raise ValueError(f"{place}: field {field!r} is {str(value)[:60]!r}, must be {wanted}")


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "role" in value
        and ("content" in value or "tool_calls" in value)
    )


def _check_alike(
    place: str, kinds: dict[str, type], first_line: int, first_kinds: dict[str, type]
) -> None:
    if kinds == first_kinds:
        return
    for name in kinds.keys() | first_kinds.keys():
        here, there = (_KINDS[of.get(name)] for of in (kinds, first_kinds))
        if here != there:
            raise ValueError(
                f"{place}: field {name!r} is {here}, must be {there} as in line {first_line}"
            )


def _row_of_fields(place: str, record: dict[str, Any], fields: dict[str, str]) -> Row:
    texts = {role: _texts(record[name]) for role, name in fields.items() if name in record}
    winner, loser = texts["winner"], texts["loser"]
    if "context" not in texts:
        names = f"{fields['winner']!r} and {fields['loser']!r}"
        shared = next(
            (k for k, (a, b) in enumerate(zip(winner, loser, strict=False)) if a != b),
            min(len(winner), len(loser)),
        )
        if not shared:
            raise ValueError(
                f"{place}: {names} begin with different messages, must begin with those of the prompt"
            )
        texts = {"context": winner[:shared], "winner": winner[shared:], "loser": loser[shared:]}
    by_role = {role: "\n".join(text) for role, text in texts.items()}
    row = _row(place, by_role["context"], by_role["winner"], by_role["loser"])
    for role, text in by_role.items():
        if not text.strip():
            raise ValueError(f"{place}: field {fields[role]!r} is empty, must hold the {role}")
    return row


def _texts(value: str | list[dict[str, Any]]) -> list[str]:
    """Return the text of each chat message, such as "role: content", or a string as it is."""
    if isinstance(value, str):
        return [value]
    return [_message(message) for message in value]


def _message(message: dict[str, Any]) -> str:
    content = message.get("content")
    more = {
        name: message[name] for name in ("name", "tool_calls", "tool_call_id") if message.get(name)
    }
    if isinstance(content, str) and not more:
        return f"{message['role']}: {content}"
    # no space after the colon, so that the text differs from that of any plain message
    return f"{message['role']}:{json.dumps({**more, 'content': content}, sort_keys=True)}"


def indexed(
    file_name: str, rows: Iterable[Row], *, hashed: bool = False
) -> tuple[Indices, Indices, tuple[str, ...], Array, Indices]:
    """Return the winners, losers, labels, weights and contexts of the rows of a file.

    Actions and contexts are numbered in order of appearance. With `hashed`, a digest of 16 bytes is
    kept instead of each text, and the labels of the actions are numbers.
    """
    action: dict[tuple[str, str] | bytes, int] = {}
    context: dict[str | bytes, int] = {}
    context_of, winners, losers, weights = array("q"), array("q"), array("q"), array("d")
    for row in rows:
        where = _digest(row.context) if hashed else row.context
        k = context.setdefault(where, len(context))
        for text, ends in ((row.winner, winners), (row.loser, losers)):
            key = _digest(text, where) if isinstance(where, bytes) else (where, text)
            y = action.setdefault(key, len(action))
            if y == len(context_of):
                context_of.append(k)
            if row.weight > 0:
                ends.append(y)
        if row.weight > 0:
            weights.append(row.weight)
    if not weights:
        raise ValueError(f"{file_name} holds no comparison, must hold at least one")
    labels = (
        tuple(map(str, range(len(action))))
        if hashed
        else tuple(key[1] for key in action if isinstance(key, tuple))
    )
    return (
        np.array(winners, np.intp),
        np.array(losers, np.intp),
        labels,
        np.array(weights),
        np.array(context_of, np.intp),
    )


def _digest(text: str, where: bytes = b"") -> bytes:
    # JSON may hold lone surrogates, which plain UTF-8 cannot encode
    return blake2b(where + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _lines(path: Path, progress: bool) -> Generator[str, None, None]:
    """Yield the lines of a text file; the caller must close the generator.

    A line that is too long is cut. Bytes that are not UTF-8 become lone surrogates.
    """
    if path.is_dir():
        raise ValueError(f"{path.name} is a directory, must be a file")
    with path.open("rb") as file:
        if path.is_file():
            _check_start(path.name, file.peek(4))
        with io.TextIOWrapper(
            file, encoding="utf-8-sig", errors="surrogateescape", newline=""
        ) as text:
            lines = _cut_lines(text)
            yield from (
                _with_bar(lines, file, path.stat().st_size)
                if progress and path.is_file()
                else lines
            )


def _cut_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text, and cut each line that is longer than a record may be.

    A cut line keeps one character too many, so that the caller notices. Its rest is skipped.
    """
    while line := text.readline(_LONGEST_RECORD + 1):
        yield line
        while len(line) > _LONGEST_RECORD and not line.endswith(("\n", "\r")):
            line = text.readline(_LONGEST_RECORD + 1)


def _too_long() -> str:
    return f"is longer than {_LONGEST_RECORD:,} characters"


def _check_start(file_name: str, start: bytes) -> None:
    for magic, kind in _NOT_TEXT.items():
        if start.startswith(magic):
            raise ValueError(f"{file_name} is {kind}, must be text in UTF-8")


def _with_bar(lines: Iterable[str], file: io.BufferedReader, size: int) -> Iterator[str]:
    from tqdm.auto import tqdm

    with tqdm(total=size, desc="reading", unit="B", unit_scale=True) as bar:
        for number, line in enumerate(lines):
            if number % _LINES_A_STEP == 0:
                bar.update(file.tell() - bar.n)
            yield line
        bar.update(size - bar.n)


def _check_utf8(place: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        raise ValueError(
            f"{place}: byte 0x{byte:02x} is not UTF-8, must be saved as UTF-8"
        ) from None


def _column(place: str, header: list[str], name: str) -> int:
    titles = [title.strip() for title in header]
    if titles.count(name) != 1:
        problem = "has no column" if name not in titles else "has more than one column"
        raise ValueError(
            f"{place}: {problem} {name!r}; its columns are {', '.join(map(repr, titles)) or 'none'}"
        )
    return titles.index(name)


def _weight(place: str, cell: str) -> float:
    try:
        count = float(cell) if "_" not in cell else np.nan
    except ValueError:
        count = np.nan
    if not (count >= 0 and np.isfinite(count)):
        raise ValueError(f"{place}: weight {cell!r}, must be a finite number, at least 0")
    return count
