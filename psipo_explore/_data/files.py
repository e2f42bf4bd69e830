"""Preference files, opened and taken apart into records by their content, whatever their name is.

Each entry of a file is a record, which maps the names of fields to values, or says why there is
none. A file is read line by line, so that it need not fit into memory.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from psipo_explore._data.fields import Record
from psipo_explore._data.unreadable import UnreadableError

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet")
INSTALL = "run pip install 'psipo-explore[parquet]'"
_LONGEST_RECORD = 64_000_000  # characters; a million words have about 6 million
_LINES_A_STEP = 1000  # lines between two updates of the progress bar
_WORTH_SHARING = 30_000_000  # bytes of a file that several processes read
_BLOCK = 4_000_000  # characters of a block of lines
_PIECE = 1_000_000  # characters of a JSON array that are read at once
_LONGEST_WORD = 12  # characters of JSON that say nothing before the last: -Infinity, \ud83d
_LONGEST_HEADER = 1_000_000
_ROWS_A_BATCH = 2000
_JSON = json.JSONDecoder(parse_int=float)  # int refuses numbers of over 4300 digits
_JSON_KINDS = {list: "list", str: "string", float: "number", bool: "boolean", type(None): "null"}
_PARQUET = b"PAR1"
_BOM = b"\xef\xbb\xbf"
_UNREADABLE = {
    b"\x89PNG": "a picture, must hold records",
    b"PK\x03\x04": "a ZIP archive, must be unpacked",
    b"\xff\xfe": "in UTF-16, must be text in UTF-8",
    b"\xfe\xff": "in UTF-16, must be text in UTF-8",
    b"version https://git-lfs": "a pointer of Git LFS, must be the file itself: run git lfs pull",
}
_LONGEST_SIGN = max(map(len, _UNREADABLE))


class MissingPackageError(ValueError):
    """A package that is not installed is needed to read a file."""


class Entry(NamedTuple):
    """A record with the line at which it begins, or the reason why there is none."""

    number: int
    lines: int
    record: Record | UnreadableError
    text: str = ""  # its JSON, where the file is JSON


@dataclass(frozen=True)
class Source:
    """One file of a data set. Standard input has no path."""

    name: str
    path: Path | None
    in_folder: bool = False


@dataclass(frozen=True)
class Stream:
    """An open file whose container is known."""

    source: Source
    format: str
    file: BinaryIO
    text: io.TextIOWrapper  # the same file as text
    size: int  # bytes on the disk; 0 for a pipe
    position: Callable[[], int]
    is_packed: bool = False
    bar: Callable[[int], None] | None = None  # moves a progress bar to a position

    @property
    def can_be_shared(self) -> bool:
        """Whether several processes can read it, and it is worth starting them."""
        return self.size >= _WORTH_SHARING and not self.is_packed

    @property
    def is_table(self) -> bool:
        """Whether it has columns, not fields."""
        return self.format in ("csv", "tsv", "parquet")

    def place(self, number: int) -> str:
        """Say in words where an entry is."""
        if self.format == "records":
            return f"{self.source.name}[{number}]"
        return f"{self.source.name}, {'row' if self.format == 'parquet' else 'line'} {number}"


def sources(paths: Sequence[Path | str]) -> list[Source]:
    """Return the files that paths name; "-" is standard input, and a folder all files in it."""
    found: list[Source] = []
    for path in paths:
        if str(path) == "-":
            found.append(Source("standard input", None))
        elif (path := Path(path)).is_dir():
            found.extend(_in_folder(path))
        else:
            found.append(Source(path.name, path))
    return _with_whole_names(_each_once(found))


def _each_once(found: Sequence[Source]) -> list[Source]:
    """Leave out what a folder holds twice by links, and refuse a file that is named twice."""
    once: dict[Path | None, Source] = {}
    for source in found:
        real = source.path.resolve() if source.path else None
        if real not in once:
            once[real] = source
        elif not source.in_folder:
            raise ValueError(f"paths name {source.name} twice, must name each file once")
    return list(once.values())


def _with_whole_names(found: Sequence[Source]) -> list[Source]:
    """Name files by their whole paths where their names are not enough."""
    names = Counter(source.name for source in found)
    return [
        replace(source, name=str(source.path)) if names[source.name] > 1 else source
        for source in found
    ]


def _in_folder(folder: Path) -> list[Source]:
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    below = [(path, path.relative_to(folder)) for path in inside]
    seen = [
        Source(str(folder.name / name), path, in_folder=True)
        for path, name in below
        if not any(part.startswith(".") for part in name.parts)
    ]
    if not seen:
        raise ValueError(f"{folder.name or folder} is a folder without files, must hold some")
    return seen


@contextmanager
def opened(
    source: Source, format: str | None = None, *, progress: bool = False
) -> Iterator[Stream]:
    """Open a file, unpack it if it is compressed, and tell its container by its content."""
    with ExitStack() as stack:
        raw = stack.enter_context(source.path.open("rb") if source.path else _standard_input())
        size = source.path.stat().st_size if source.path and source.path.is_file() else 0
        position = raw.tell if size else lambda: 0
        start, file = _begun(raw)
        unpack = next((open_ for sign, open_ in _PACKED.items() if start.startswith(sign)), None)
        if unpack:
            packed = unpack(file)
            start, file = _begun(io.BufferedReader(_Unpacked(source.name, packed)))
        for sign, kind in _UNREADABLE.items():
            if start.startswith(sign):
                raise ValueError(f"{source.name} is {kind}")
        if b"\0" in start and not start.startswith(_PARQUET):
            raise ValueError(
                f"{source.name} is binary, must be text in UTF-8, Parquet or packed text"
            )
        if start.startswith(_PARQUET):
            told = "parquet"
        elif format in (None, "parquet"):
            told = _text_format(start)
        else:
            told = str(format)
        if format == "parquet" != told:
            raise ValueError(f"{source.name} is no Parquet file")
        bar = stack.enter_context(_bar(size)) if progress and size else None
        # Bytes that are not UTF-8 become lone surrogates.
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        stack.enter_context(text)
        yield Stream(source, told, file, text, size, position, unpack is not None, bar)
        if bar:
            bar(size)


def _standard_input() -> BinaryIO:
    return open(0, "rb", closefd=False)


@contextmanager
def _bar(size: int) -> Iterator[Callable[[int], None]]:
    from tqdm.auto import tqdm

    with tqdm(total=size, desc="reading", unit="B", unit_scale=True) as bar:
        yield lambda position: bar.update(position - bar.n)


def _begun(file: Any) -> tuple[bytes, Any]:
    """Return the first bytes of a file, and the file with them still to come."""
    start = file.peek(_LONGEST_SIGN)
    if len(start) >= _LONGEST_SIGN:
        return start, file
    start = file.read(_LONGEST_SIGN)  # waits for a pipe
    return start, io.BufferedReader(_Again(start, file))


class _Again(io.RawIOBase):
    """A file whose first bytes have been read, and are read once more."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start = start
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        given = self._start[: len(buffer)] or self._file.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


class _Unpacked(io.RawIOBase):
    """What a compressed file holds. An archive that is cut off or damaged is a ValueError."""

    def __init__(self, name: str, packed: Any) -> None:
        self._name = name
        self._packed = packed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            given = self._packed.read(len(buffer))
        except (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
            if getattr(error, "errno", None):
                raise
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self._name} cannot be unpacked, is cut off or damaged: {reason}"
            ) from None
        buffer[: len(given)] = given
        return len(given)


def _zstd(file: BinaryIO) -> Any:
    with suppress(ModuleNotFoundError):  # Python has it from 3.14 on
        from compression import zstd

        return zstd.open(file)
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        raise MissingPackageError(f"reading zstd needs pyarrow: {INSTALL}") from None
    return pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")


_PACKED: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _zstd,
}


def _text_format(start: bytes) -> str:
    first = start.removeprefix(_BOM).lstrip()
    return "json" if first.startswith(b"[") else "jsonl" if first.startswith(b"{") else "csv"


def entries(stream: Stream, wanted: Callable[[Record], Sequence[str]] | None) -> Iterator[Entry]:
    """Yield the records of a file that is not JSON Lines.

    `wanted` returns the fields that are read of records like the given one; the others need not be
    there.
    """
    if stream.format == "parquet":
        return chain.from_iterable(map(Batch.entries, parquet_batches(stream, wanted)))
    if stream.format == "json":
        return array_entries(stream)
    return csv_entries(stream)


def line_blocks(stream: Stream) -> Iterator[list[str]]:
    """Yield the lines of a text file, many at a time; a line that is too long is cut."""
    size = min(_BLOCK, _LONGEST_RECORD)
    while block := stream.file.read(size):
        if not block.endswith(b"\n"):
            block += stream.file.readline(size)
        lines = plain_lines(block)
        if lines is None:
            yield from _careful_blocks(stream, block)
            return
        if stream.bar:
            stream.bar(stream.position())
        yield lines


def line_spans(path: Path, start: int) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of each block of lines from a place in a file on."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        while start < size:
            file.seek(min(start + _BLOCK, size))
            file.readline(_BLOCK)
            yield start, file.tell()
            start = file.tell()


def plain_lines(block: bytes) -> list[str] | None:
    """Return the lines of a block, or None if they are not plain.

    Plain lines are in UTF-8, end with a line feed alone, and are short.
    """
    if b"\r" in block or block.startswith(_BOM):
        return None
    try:
        lines = list(io.StringIO(block.decode()))
    except UnicodeDecodeError:
        return None
    return lines if max(map(len, lines)) < min(_BLOCK, _LONGEST_RECORD) else None


def _careful_blocks(stream: Stream, read: bytes) -> Iterator[list[str]]:
    """Yield the lines of a file from a block on that has been read."""
    again = io.BufferedReader(_Again(read, stream.file))
    # Bytes that are not UTF-8 become lone surrogates.
    text = io.TextIOWrapper(again, encoding="utf-8-sig", errors="surrogateescape", newline="")
    block: list[str] = []
    length = 0
    for line in _followed(_cut_lines(text), stream):
        block.append(line)
        length += len(line)
        if length >= _BLOCK:
            yield block
            block, length = [], 0
    yield block


def json_entries(lines: Iterable[str], start: int = 1) -> Iterator[Entry]:
    """Yield the record of each line that holds one JSON object. Blank lines are skipped."""
    for number, line in enumerate(lines, start):
        if line.isspace() or not line:
            continue
        try:
            yield Entry(number, 1, _object(line), line)
        except UnreadableError as error:
            yield Entry(number, 1, error)


def _object(line: str) -> Record:
    if len(line) > _LONGEST_RECORD:
        raise UnreadableError("too long", f"{_too_long()}, must be one JSON object a line")
    _check_utf8(line)
    try:
        record = _JSON.decode(line)
    except json.JSONDecodeError as error:
        raise UnreadableError(
            "not JSON",
            f"{error.msg}, must be one JSON object a line",
            within=f", column {error.pos + 1}",
        ) from None
    except RecursionError:
        raise UnreadableError(
            "not JSON", "is nested too deeply, must be one JSON object a line"
        ) from None
    return _checked_object(record)


def _checked_object(record: Any) -> Record:
    if not isinstance(record, dict):
        raise UnreadableError(
            "not an object", f"is a JSON {_JSON_KINDS[type(record)]}, must be an object"
        )
    return record


def array_entries(stream: Stream) -> Iterator[Entry]:
    """Yield the objects of a JSON array, which is read piece by piece."""
    name = stream.source.name
    buffer, is_first = _Pieces(_text_pieces(stream)), True
    sign, at = buffer.next_sign(0)
    if not sign:
        return
    if sign != "[":
        raise ValueError(
            f"{name}, line {buffer.line(at)}: begins with {sign!r}, must be a JSON array"
        )
    at += 1
    while True:
        sign, at = buffer.next_sign(at)
        if sign == "]":
            break
        if not is_first:
            if sign != ",":
                raise ValueError(
                    f"{name}, line {buffer.line(at)}: Expecting ',' or ']' in a JSON array"
                )
            sign, at = buffer.next_sign(at + 1)
        is_first = False
        line = buffer.line(at)
        record, end = buffer.value(name, at)
        yield Entry(line, 1, record, buffer.text(at, end))
        at = buffer.drop(end)
    sign, at = buffer.next_sign(at + 1)
    if sign:
        raise ValueError(f"{name}, line {buffer.line(at)}: Extra data after a JSON array")


class _Pieces:
    """A text that is read when it is needed, and forgotten when it is not."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._counted = 0, 1  # a place, and its line
        self._ended = False

    def _read_on(self) -> bool:
        piece = next(self._pieces, "")
        self._text += piece
        self._ended = not piece
        return not self._ended

    def next_sign(self, at: int) -> tuple[str, int]:
        """Return the next character that is not blank, and where it is; nothing at the end."""
        while True:
            while at < len(self._text):
                if not self._text[at].isspace() and self._text[at] != "\ufeff":
                    return self._text[at], at
                at += 1
            if not self._read_on():
                return "", at

    def line(self, at: int) -> int:
        """Return the number of the line of a place."""
        start, line = self._counted
        self._counted = at, line + self._text.count("\n", start, at)
        return self._counted[1]

    def value(self, name: str, at: int) -> tuple[Record | UnreadableError, int]:
        """Return the value at a place, and where it ends."""
        while True:
            try:
                value, end = _JSON.raw_decode(self._text, at)
            except json.JSONDecodeError as error:
                # A string, or a word such as false, may go on in the next piece.
                goes_on = error.msg.startswith("Unterminated") or (
                    error.pos >= len(self._text) - _LONGEST_WORD
                )
                if goes_on and len(self._text) - at > _LONGEST_RECORD:
                    raise ValueError(f"{name}, line {self.line(at)}: {_too_long()}") from None
                if goes_on and not self._ended and self._read_on():
                    continue
                place = f"{name}, line {self.line(error.pos)}"
                raise ValueError(f"{place}: {error.msg}, must be a JSON array of objects") from None
            except RecursionError:
                raise ValueError(f"{name}, line {self.line(at)}: is nested too deeply") from None
            try:
                _check_utf8(self._text[at:end])
                return _checked_object(value), end
            except UnreadableError as error:
                return error, end

    def text(self, at: int, end: int) -> str:
        """Return the text between two places."""
        return self._text[at:end]

    def drop(self, end: int) -> int:
        """Forget the text before a place if it is long, and return where the place is then."""
        if end < 1_000_000:
            return end
        self._counted = 0, self.line(end)
        self._text = self._text[end:]
        return 0


def csv_entries(
    stream: Stream, *, strip: bool = False, check: Callable[[str, list[str]], None] | None = None
) -> Iterator[Entry]:
    """Yield the rows of a file with a header, whose cells are parted by a comma, ; or a tab.

    `check` is called with the place and the titles of the header. A title that stands twice names
    no field.
    """
    text = _text_lines(stream)
    first = next(text, "")
    if not first:
        if check:
            check(f"{stream.source.name}, line 1", [])
        return
    lines = _LinesOfARecord(chain([first], text))
    titles: list[str] | None = None
    for number, how_many, cells in _cells(lines, _delimiter(first, stream.format)):
        if titles is None:
            place = f"{stream.source.name}, line {number}"
            titles = _titles(place, cells)
            if check:
                check(place, titles)
            if not "".join(titles):
                raise ValueError(f"{place}: is blank, must be a header")
            titles = [f"{t} (twice)" if titles.count(t) > 1 else t for t in titles]
        elif isinstance(cells, UnreadableError):
            yield Entry(number, how_many, cells)
        elif len(cells) > 1 or "".join(cells).strip():
            yield Entry(number, how_many, _row(titles, cells, strip))


def _titles(place: str, cells: list[str] | UnreadableError) -> list[str]:
    if isinstance(cells, UnreadableError):
        raise cells.at(place)
    return [title.strip() for title in cells]


def _row(titles: list[str], cells: list[str], strip: bool) -> Record | UnreadableError:
    if len(cells) != len(titles):
        reason = f"the number of cells is {len(cells)}, must be {len(titles)} as in the header"
        return UnreadableError("another number of cells", reason)
    return dict(zip(titles, map(str.strip, cells) if strip else cells, strict=True))


def _delimiter(header: str, format: str) -> str:
    """Return the delimiter that parts the header into the most titles."""
    if format == "tsv":
        return "\t"
    return max(",;\t", key=lambda sign: _cells_in(header[:_LONGEST_HEADER], sign))


def _cells_in(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:  # a cell is too long
        return 0


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


def _cells(
    lines: _LinesOfARecord, delimiter: str
) -> Iterator[tuple[int, int, list[str] | UnreadableError]]:
    """Yield the first line of each record, its number of lines, and its cells."""
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    while True:
        lines.begin_record()
        start = lines.number + 1
        cells: list[str] | UnreadableError
        try:
            cells = _next_record(reader)
            for cell in cells:
                _check_utf8(cell)
        except StopIteration:
            return
        except csv.Error as error:
            to = f" to {lines.number}" if lines.number > start else ""
            cells = UnreadableError("not CSV", f"{error}, must be CSV", within=to)
        except UnreadableError as error:
            cells = error
        yield start, lines.number + 1 - start, cells


def _next_record(reader: Iterator[list[str]]) -> list[str]:
    usual_limit = csv.field_size_limit(_LONGEST_RECORD)  # the default is 131 072 characters
    try:
        return next(reader)
    finally:
        csv.field_size_limit(usual_limit)


class Batch(NamedTuple):
    """Some rows of a table, by columns."""

    start: int
    columns: dict[str, list[Any]]

    def entries(self) -> Iterator[Entry]:
        """Yield the rows as records."""
        for number, cells in enumerate(zip(*self.columns.values(), strict=True), self.start):
            yield Entry(number, 1, dict(zip(self.columns, cells, strict=True)))


def parquet_batches(
    stream: Stream, wanted: Callable[[Record], Sequence[str]] | None
) -> Iterator[Batch]:
    """Yield the rows of a Parquet file, of which only the wanted columns are read."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise MissingPackageError(
            f"{stream.source.name}: reading Parquet needs pyarrow: {INSTALL}"
        ) from None
    name = stream.source.name
    try:
        # A packed file or a pipe cannot be searched.
        file = stream.file if stream.file.seekable() else io.BytesIO(stream.file.read())
        table = parquet.ParquetFile(file)
        first = next(iter(table.iter_batches(1)), None)
        if first is None:
            return
        read = _read_columns(table.schema_arrow.names, first.to_pylist()[0], wanted)
        start = 1
        for batch in table.iter_batches(_ROWS_A_BATCH, columns=read):
            values = [column.to_pylist() for column in batch.columns]
            yield Batch(start, dict(zip(read, values, strict=True)))
            start += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None):
            raise
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} is cut off or no Parquet file: {reason}") from None


def _read_columns(
    columns: list[str], record: Record, wanted: Callable[[Record], Sequence[str]] | None
) -> list[str]:
    if wanted is None:
        return columns
    try:
        needed = set(wanted(record))
    except UnreadableError:  # it is said of the first row, with its place
        return columns
    needed |= {name.partition(".")[0] for name in needed}
    return [column for column in columns if column in needed]


def _text_lines(stream: Stream) -> Iterator[str]:
    return _followed(_cut_lines(stream.text), stream)


def _text_pieces(stream: Stream) -> Iterator[str]:
    return _followed(iter(lambda: stream.text.read(_PIECE), ""), stream)


def _cut_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text, and cut each line that is longer than a record may be.

    A cut line keeps one character too many, so that the caller notices. Its rest is skipped.
    """
    while line := text.readline(_LONGEST_RECORD + 1):
        yield line
        while len(line) > _LONGEST_RECORD and not line.endswith(("\n", "\r")):
            line = text.readline(_LONGEST_RECORD + 1)


def _followed(items: Iterator[str], stream: Stream) -> Iterator[str]:
    """Yield the items, and let the stream's progress bar follow."""
    if stream.bar is None:
        yield from items
        return
    for k, item in enumerate(items):
        if k % _LINES_A_STEP == 0:
            stream.bar(stream.position())
        yield item
    stream.bar(stream.position())


def _too_long() -> str:
    return f"is longer than {_LONGEST_RECORD:,} characters"


def _check_utf8(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        raise UnreadableError(
            "not UTF-8", f"byte 0x{byte:02x} is not UTF-8, must be saved as UTF-8"
        ) from None
