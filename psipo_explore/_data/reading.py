"""From preference files, or records at hand, to comparisons with numbered prompts and answers."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, starmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from psipo_explore._checks import Array, Indices, Mask, cut, listed
from psipo_explore._data import files
from psipo_explore._data.asked import Asked, refuse_outcome_column
from psipo_explore._data.collected import IDENTICAL, TIE, WIN, Collected, Numbered, Row
from psipo_explore._data.fields import Record, number
from psipo_explore._data.files import Entry, Source, Stream
from psipo_explore._data.reader import Reader
from psipo_explore._data.unreadable import OnBad, Skipped, UnreadableError, refuse
from psipo_explore._data.usual import Texts, are_usual
from psipo_explore._workers import interrupt_held, workers


@dataclass(frozen=True)
class Fields:
    """Comparisons as `Comparisons` keeps them; a tie is two of them, of half the weight each."""

    winners: Indices
    losers: Indices
    actions: tuple[str, ...]
    weights: Array
    contexts: Indices
    ties: Mask | None


@dataclass(frozen=True)
class Read:
    """What was read: every judgement, how it was understood, and what was left out."""

    fields: Fields
    judgements: Collected
    numbered: Numbered
    kept: Mask
    reader: Reader
    format: str | None
    skipped: Skipped
    passed_over: tuple[str, ...]
    sources: tuple[Source, ...]

    def count(self, kind: int) -> int:
        """Count the judgements of a kind."""
        return int((self.judgements.kinds == kind).sum())


class _Words:
    """An outcome that nobody explained, and how many records have it."""

    def __init__(self, error: UnreadableError) -> None:
        self.error = error
        self.count = 1


class Part(NamedTuple):
    """What some lines of a file hold, which are counted from 1."""

    collected: Collected
    bad: list[tuple[int, UnreadableError]]
    n_lines: int


ReadLines = Callable[[list[str]], Part]
Span = tuple[int, int]  # two places in a file, in bytes


def read_lines(reader: Reader, stops: bool, hashed: bool, lines: list[str]) -> Part:
    """Read lines of a JSONL file whose shape is known; a worker can do this.

    If the first bad line ends the reading, only it is returned, and those with unexplained words.
    """
    part = Part(Collected(hashed=hashed), [], len(lines))
    usual = reader.usual_row()
    won: list[Texts] = []
    of_lines: list[int] = []
    for at, line in enumerate(lines, start=1):
        if row := usual(line):
            won.append(row)
            of_lines.append(at)
            continue
        part.collected.add_wins(won, of_lines, 0)
        won, of_lines = [], []
        for entry in files.json_entries([line], at):
            try:
                if isinstance(entry.record, UnreadableError):
                    raise entry.record
                part.collected.add(reader.rows(entry.record), 0, at)
            except UnreadableError as error:
                part.bad.append((at, error))
                if stops and not error.word:
                    return part
    part.collected.add_wins(won, of_lines, 0)
    part.collected.pack()
    return part


def read_span(read: ReadLines, path: Path, span: Span) -> Part | None:
    """Read the lines between two places of a file in a worker, or None if they are not plain."""
    start, end = span
    with path.open("rb") as file:
        file.seek(start)
        lines = files.plain_lines(file.read(end - start))
    return None if lines is None else read(lines)


def _by_processes(
    read: ReadLines, stream: Stream, blocks: Iterator[list[str]], processes: int
) -> Generator[Part, None, None]:
    """Read the lines of an unpacked file by this process and others, as long as they are plain."""
    path = stream.source.path
    assert path is not None
    yield from map(read, islice(blocks, 1))  # the rest of the block that showed the shape
    at = stream.file.tell()
    with workers(processes - 1) as pool:
        spans = files.line_spans(path, at)
        for (_, end), future in _in_order(pool, partial(read_span, read, path), spans, processes):
            if (part := future.result()) is None:
                break
            if stream.bar:
                stream.bar(end)
            yield part
            at = end
    stream.file.seek(at)
    yield from map(read, files.line_blocks(stream))


def _in_order(
    pool: Executor, read: Callable[[Span], Part | None], spans: Iterable[Span], ahead: int
) -> Iterator[tuple[Span, Future[Part | None]]]:
    """Yield each span in order with what was read there.

    While the workers have enough to do, this process reads too.
    """
    waiting: deque[tuple[Span, Future[Part | None]]] = deque()
    for span in spans:
        if sum(not future.done() for _, future in waiting) >= ahead:
            waiting.append((span, _read_now(read, span)))
        else:
            with interrupt_held():  # a worker that starts would print a traceback at Ctrl+C
                waiting.append((span, pool.submit(read, span)))
        while waiting and waiting[0][1].done():
            yield waiting.popleft()
    yield from waiting


def _read_now(read: Callable[[Span], Part | None], span: Span) -> Future[Part | None]:
    future: Future[Part | None] = Future()
    future.set_result(read(span))
    return future


@dataclass
class _Files:
    """The state of reading several files: what was collected, and what was passed over."""

    reader: Reader
    collected: Collected
    on_bad: OnBad
    skipped: Skipped
    unexplained: _Words | None = None
    passed_over: list[str] = field(default_factory=list)

    def take(self, entries: Iterable[Entry], stream: Stream, file: int) -> None:
        """Collect the judgements of the entries of a file."""
        self.reader.file_name = stream.source.name
        for entry in entries:
            try:
                if isinstance(entry.record, UnreadableError):
                    raise entry.record
                if self.reader.shape is None:
                    rows = self.begin(entry.record, stream.place(entry.number))
                else:
                    rows = self.reader.rows(entry.record)
            except UnreadableError as error:
                self._bad(error, stream, entry.number, entry.lines)
            else:
                self.collected.add(rows, file, entry.number)

    def take_batches(self, stream: Stream, file: int) -> None:
        """Collect the judgements of a Parquet file, many rows at a time."""
        for batch in files.parquet_batches(stream, self.reader.columns):
            names = self.reader.usual_names(batch.columns.keys())
            texts = [*zip(*(batch.columns[name] for name in names), strict=True)] if names else []
            if texts and all(starmap(are_usual, texts)):
                lines = range(batch.start, batch.start + len(texts))
                self.collected.add_wins(texts, lines, file)
            else:
                self.take(batch.entries(), stream, file)

    def begin(self, record: Record, place: str) -> list[Row]:
        """Read the first record, which shows the shape of all; names of players are kept."""
        rows = self.reader.first_rows(record, place)
        self.collected.hashed &= not self.reader.is_of_votes
        return rows

    def take_lines(self, stream: Stream, file: int, processes: int) -> None:
        """Collect the judgements of the lines of a JSONL file, a block at a time."""
        self.reader.file_name = stream.source.name
        blocks = files.line_blocks(stream)
        done = 0
        while self.reader.shape is None and (block := next(blocks, None)):
            # The first record decides how the others are read.
            for entry in files.json_entries(block, done + 1):
                at = entry.number - done
                self.take([entry], stream, file)
                if self.reader.shape is not None:
                    blocks = chain([block[at:]], blocks)
                    done += at
                    break
            else:
                done += len(block)
        stops = self.on_bad is refuse
        hashed = self.collected.hashed
        read = partial(read_lines, self.reader, stops, hashed)
        shared = processes > 1 and hashed and stream.can_be_shared
        here = (read(block) for block in blocks)
        with closing(_by_processes(read, stream, blocks, processes) if shared else here) as parts:
            for part in parts:
                self.collected.extend(part.collected, file, done)
                for line, error in part.bad:
                    self._bad(error, stream, done + line, 1)
                done += part.n_lines

    def _bad(self, error: UnreadableError, stream: Stream, number: int, lines: int) -> None:
        said = (error.of_columns() if stream.is_table else error).at(stream.place(number))
        if self.on_bad is not refuse or not error.word:
            self.refuse_unexplained()
            self.on_bad(said, lines)
        elif self.unexplained is None:
            self.unexplained = _Words(said)
        elif self.unexplained.error.word == error.word:
            self.unexplained.count += 1

    def refuse_unexplained(self) -> None:
        """Refuse an outcome that nobody explained, and say how many records have it."""
        if self.unexplained:
            records = "record has" if self.unexplained.count == 1 else "records have"
            raise ValueError(f"{self.unexplained.error} ({self.unexplained.count} {records} it)")


def read_files(
    paths: Sequence[Path | str],
    asked: Asked,
    *,
    format: str | None = None,
    hashed: bool = False,
    skip_bad: bool = False,
    progress: bool = False,
    processes: int = 1,
) -> Read:
    """Read the judgements of several files, which are one data set."""
    if format not in (None, *files.FORMATS):
        raise ValueError(f"format = {format!r}, must be one of {', '.join(files.FORMATS)}")
    skipped = Skipped()
    all_files = files.sources(paths)
    state = _Files(
        Reader(asked), Collected(hashed=hashed), skipped if skip_bad else refuse, skipped
    )
    for k, source in enumerate(all_files):
        if source.in_folder and not _is_data(source, asked, format):
            state.passed_over.append(source.name)
            continue
        with files.opened(source, format, progress=progress) as stream:
            if stream.format == "parquet":
                state.take_batches(stream, k)
            elif stream.format != "jsonl":
                state.take(files.entries(stream, state.reader.columns), stream, k)
            else:
                state.take_lines(stream, k, processes)
    state.refuse_unexplained()
    names = all_files[0].name if len(all_files) == 1 else f"{len(all_files)} files"
    return _read(state, names, tuple(all_files), format)


def read_columns(path: Path, columns: dict[str, str]) -> Fields:
    """Read the comparisons of a CSV file whose columns are named, one for each role."""

    def check(place: str, titles: list[str]) -> None:
        if not "".join(titles):
            wanted = ", ".join(map(repr, columns.values()))
            raise ValueError(f"{place}: is blank, must be a header with {wanted}")
        for name in columns.values():
            if titles.count(name) != 1:
                problem = "has more than one column" if name in titles else "has no column"
                found = listed([repr(title) for title in titles])
                raise ValueError(f"{place}: {problem} {name!r}; its columns are {found}")
        refuse_outcome_column(dict.fromkeys(titles, ""), columns)

    collected = Collected(hashed=False)
    with files.opened(Source(path.name, path), "csv") as stream:
        for entry in files.csv_entries(stream, strip=True, check=check):
            try:
                collected.add([_row_of_columns(entry.record, columns)], 0, entry.number)
            except UnreadableError as error:
                raise error.of_columns().at(stream.place(entry.number)) from None
    weights = collected.weights
    if not weights.any():
        raise ValueError(f"{path.name} holds no comparison, must hold at least one")
    numbered = collected.numbered(np.ones(weights.size, bool))
    counted = weights > 0
    return Fields(
        winners=numbered.winners[counted],
        losers=numbered.losers[counted],
        actions=numbered.labels,
        weights=weights[counted],
        contexts=numbered.contexts,
        ties=None,
    )


def _row_of_columns(record: Record | UnreadableError, columns: dict[str, str]) -> Row:
    if isinstance(record, UnreadableError):
        raise record
    cells = {role: record[name] for role, name in columns.items()}
    for role, cell in cells.items():
        if not cell:
            reason = f"field {columns[role]!r} is empty, must hold the {role}"
            raise UnreadableError("an empty answer", reason)
    if cells["winner"] == cells["loser"]:
        reason = f"winner and loser are both {cut(cells['winner'])!r}, must differ"
        raise UnreadableError("an answer that beats itself", reason)
    weight = _weight_of_cell(cells["weight"]) if "weight" in cells else 1.0
    return Row(cells.get("context", ""), cells["winner"], cells["loser"], weight)


def _weight_of_cell(cell: str) -> float:
    try:
        count = number("weight", cell)
    except UnreadableError:
        count = -1.0
    if count < 0:
        reason = f"weight {cell!r}, must be a finite number, at least 0"
        raise UnreadableError("a weight below 0", reason)
    return count


def read_records(records: Iterable[Any], asked: Asked) -> Read:
    """Read the judgements of records at hand."""
    state = _Files(Reader(asked), Collected(hashed=False), refuse, Skipped())
    stream = Stream(
        Source("records", None),
        "records",
        io.BytesIO(),
        io.TextIOWrapper(io.BytesIO()),
        0,
        lambda: 0,
    )
    state.take(_numbered_records(records), stream, 0)
    state.refuse_unexplained()
    return _read(state, "records", (), None)


def entries_of(stream: Stream, reader: Reader | None) -> Iterator[Entry]:
    """Yield the entries of a file, with the fields that a reader needs, or with all of them."""
    if stream.format == "jsonl":
        return _line_entries(stream)
    return files.entries(stream, reader.columns if reader else None)


def _line_entries(stream: Stream) -> Iterator[Entry]:
    start = 1
    for block in files.line_blocks(stream):
        yield from files.json_entries(block, start)
        start += len(block)


def _is_data(source: Source, asked: Asked, format: str | None) -> bool:
    """Whether the first record of a file in a folder has a shape that can be read."""
    try:
        with files.opened(source, format) as stream:
            first = next(entries_of(stream, None), None)
    except files.MissingPackageError:
        raise
    except ValueError:
        return False
    if first is None or isinstance(first.record, UnreadableError):
        return False
    return _has_shape(first.record, asked)


def _has_shape(record: Record, asked: Asked) -> bool:
    try:
        return asked.shape_of(record).fits(record)
    except UnreadableError:
        return False


def _numbered_records(records: Iterable[Any]) -> Iterator[Entry]:
    for k, record in enumerate(_dictionaries(records)):
        if isinstance(record, Mapping):
            yield Entry(k, 1, {str(name): _plain(value) for name, value in record.items()})
        else:
            what = f"is {cut(record)!r}, must be a mapping from fields to values"
            yield Entry(k, 1, UnreadableError("not an object", what))


def _dictionaries(records: Any) -> Iterable[Any]:
    """Return the rows of a table of pandas or Polars as dictionaries, or the records as they are."""
    if hasattr(records, "iter_rows"):
        rows: Iterable[Any] = records.iter_rows(named=True)
        return rows
    if hasattr(records, "itertuples"):
        names = list(records.columns)
        return (
            dict(zip(names, row, strict=True)) for row in records.itertuples(index=False, name=None)
        )
    if isinstance(records, (Mapping, str)) or not isinstance(records, Iterable):
        raise TypeError(f"records = {cut(records)}, must be an iterable of mappings")
    return records


def _plain(value: Any) -> Any:
    """Return lists in place of arrays, None for a missing value, and numbers as Python's."""
    if isinstance(value, (np.ndarray, list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and np.isnan(value):
        return None
    return value


def _read(state: _Files, names: str, all_files: tuple[Source, ...], format: str | None) -> Read:
    kinds = state.collected.kinds
    dropped = state.reader.asked.ties == "drop"
    kept = (kinds == WIN) | ((kinds == TIE) & (not dropped))
    if not kept.any():
        raise ValueError(f"{names} {_without_comparison(state, kinds)}")
    assert state.reader.shape is not None
    numbered = state.collected.numbered(kept)
    return Read(
        fields=_fields(numbered, state.collected.weights[kept], kinds[kept] == TIE),
        judgements=state.collected,
        numbered=numbered,
        kept=kept,
        reader=state.reader,
        format=format,
        skipped=state.skipped,
        passed_over=tuple(state.passed_over),
        sources=all_files,
    )


def _without_comparison(state: _Files, kinds: Any) -> str:
    said = ["holds no comparison, must hold at least one"]
    if state.skipped.count:
        said.append(f"{state.skipped.count} skipped, first {state.skipped.first}")
    if (kinds == IDENTICAL).any():
        said.append(f"{(kinds == IDENTICAL).sum()} with identical answers")
    if (kinds == TIE).any():
        said.append(f"{(kinds == TIE).sum()} ties dropped")
    if state.passed_over:
        said.append(f"passed over: {', '.join(state.passed_over)}")
    return "; ".join(said)


def _fields(numbered: Numbered, weights: Array, tied: Mask) -> Fields:
    """Write each tie as half a win each way."""
    times = 1 + tied.astype(np.intp)
    ties = np.repeat(tied, times)
    ends = np.repeat(np.stack([numbered.winners, numbered.losers]), times, axis=1)
    other_way = np.flatnonzero(ties)[1::2]
    ends[:, other_way] = ends[::-1, other_way]
    return Fields(
        winners=ends[0],
        losers=ends[1],
        actions=numbered.labels,
        weights=np.repeat(weights, times) / np.where(ties, 2.0, 1.0),
        contexts=numbered.contexts,
        ties=ties if tied.any() else None,
    )
