"""The second reading of files: lists of prompts with their records, and the records without faults.

The first reading keeps no texts. So the files are read again, and what is written is found by its
place.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from psipo_explore._checks import Mask
from psipo_explore._data.collected import IDENTICAL, TIE, Row
from psipo_explore._data.files import Entry, opened, sources
from psipo_explore._data.reader import Reader
from psipo_explore._data.reading import Read, entries_of
from psipo_explore._data.unreadable import UnreadableError
from psipo_explore._writing import whole_file

KINDS = ("collapsing", "contradicting", "duplicates", "identical", "ties")


class Found(NamedTuple):
    """A record that is read again, and the places of its judgements among all that were read."""

    file: int
    entry: Entry
    rows: Sequence[Row]
    at: range


@dataclass(frozen=True)
class Marks:
    """What is said of each judgement that was read, shape (rows,)."""

    collapsing: Mask
    contradicting: Mask
    duplicates: Mask
    identical: Mask
    ties: Mask
    minority: Mask  # of a pair with a majority, all but the first record of the majority
    undecided: int  # contradicting pairs without a majority


def marks(read: Read, vanishing: Mask) -> Marks:
    """Mark the judgements; `vanishing` says which actions vanish under DPO."""
    kinds, which = read.judgements.kinds, np.flatnonzero(read.kept)
    winners, losers = read.numbered.winners, read.numbered.losers
    tied = kinds[which] == TIE
    low, high = np.minimum(winners, losers), np.maximum(winners, losers)
    n_actions = vanishing.size
    outcome = np.where(tied, 2, winners == high)
    pair = low * n_actions + high
    _, first, same = np.unique(pair * 3 + outcome, return_index=True, return_inverse=True)
    repeats = first[same] != np.arange(which.size)

    _, number = np.unique(pair, return_inverse=True)
    weights = read.judgements.weights[which]
    lead = np.bincount(number, np.where(tied, 0.0, np.where(outcome == 1, weights, -weights)))
    ways = [np.bincount(number, outcome == way) > 0 for way in (0, 1)]
    both = ways[0] & ways[1]
    decided = (both & (lead != 0))[number]
    is_first_of_majority = ~repeats & ~tied & ((outcome == 1) == (lead[number] > 0))

    def spread(mask: Mask) -> Mask:
        of_all = np.zeros(kinds.size, bool)
        of_all[which] = mask
        return of_all

    return Marks(
        collapsing=spread(vanishing[winners] | vanishing[losers]),
        contradicting=spread(both[number] & ~tied),
        duplicates=spread(repeats),
        identical=kinds == IDENTICAL,
        ties=kinds == TIE,
        minority=spread(decided & ~is_first_of_majority),
        undecided=int((both & (lead == 0)).sum()),
    )


def check_can_be_read_again(read_from: Sequence[Path | str], out: Sequence[Path]) -> None:
    """Refuse to list or clean what can be read only once, or to write over what is read."""
    for path in read_from:
        if str(path) == "-" or not (Path(path).is_file() or Path(path).is_dir()):
            raise ValueError(
                f"{path} can be read only once, but a list or a clean file needs a second reading: "
                "save it to a file first"
            )
    read = [source.path for source in sources(read_from) if source.path]
    for path in out:
        if path.exists() and any(other.exists() and path.samefile(other) for other in read):
            raise ValueError(f"{path} is one of the files that are read, must be another")
        if not path.parent.is_dir():
            raise ValueError(f"{path} is in a folder that is not there")
    if len({path.resolve() for path in out}) < len(out):
        raise ValueError("two lists go to one file, must go to different ones")


def write_list(read: Read, marked: Mask, out: Path) -> None:
    """Write an object for each prompt of a marked judgement, with all records of the prompt."""
    prompts = read.numbered.prompts
    listed = np.zeros(prompts.size, bool)
    listed[prompts[marked]] = True
    last = np.zeros(prompts.size, np.intp)
    last[prompts] = np.arange(prompts.size)
    pending: dict[int, dict[str, Any]] = {}
    with whole_file(out) as file:
        for found in _again(read):
            path = str(read.sources[found.file].path)
            for at, row in zip(found.at, found.rows, strict=True):
                prompt = int(prompts[at])
                if not listed[prompt]:
                    continue
                of_prompt = pending.setdefault(prompt, {"prompt": row.context, "records": []})
                _add(of_prompt["records"], path, found.entry.number, row)
                if at == last[prompt]:
                    file.write(_line(pending.pop(prompt)))


def _add(records: list[dict[str, Any]], path: str, line: int, row: Row) -> None:
    if not (records and records[-1]["file"] == path and records[-1]["line"] == line):
        records.append({"file": path, "line": line, "judgements": []})
    records[-1]["judgements"].append(_judgement(row))


def _judgement(row: Row) -> dict[str, Any]:
    if row.winner == row.loser:
        return {"identical": row.winner}
    if row.tied:
        return {"tied": [row.winner, row.loser]}
    return {"winner": row.winner, "loser": row.loser}


def write_clean(read: Read, marks: Marks, out: Path, *, majority: bool) -> str:
    """Write the records without faults in their own shape, and say how many were left out."""
    kinds = read.judgements.kinds
    if majority and _holds_several(read):
        raise ValueError(
            "majority keeps one record of each pair, but some records hold several pairs, which "
            "cannot be parted: leave out majority"
        )
    why: dict[str, Mask] = {"with identical answers": kinds == IDENTICAL}
    if read.reader.asked.ties == "drop":
        why["ties"] = kinds == TIE
    if majority:
        why["against the majority of their pair, or repeating it"] = marks.minority
    why["repeating an earlier one"] = marks.duplicates
    left_out: Counter[str] = Counter()
    written = partly = 0
    with whole_file(out) as file:
        for found in _again(read):
            at = list(found.at)
            reasons = [next((name for name, mask in why.items() if mask[i]), "") for i in at]
            if all(reasons):
                left_out[reasons[0]] += 1
            else:
                written += 1
                partly += any(reasons)
                file.write(_own_line(found.entry))
    said = [f"{out}: {written} of {written + left_out.total()} records"]
    said += [f"{count} {reason} left out" for reason, count in left_out.items()]
    if partly:
        records = "1 record is" if partly == 1 else f"{partly} records are"
        said.append(f"{records} kept for some judgements though others would be left out")
    if majority and marks.undecided:
        said.append(f"{marks.undecided} pairs without a majority kept, one record each way")
    return "; ".join(said)


def _holds_several(read: Read) -> bool:
    """Whether a record holds several judgements, such as several rejected answers."""
    lines, files = read.judgements.lines, read.judgements.files
    return bool(((lines[1:] == lines[:-1]) & (files[1:] == files[:-1])).any())


def _again(read: Read) -> Iterator[Found]:
    """Read all files once more, and yield the records that were read before."""
    at = 0
    lines, files = read.judgements.lines, read.judgements.files
    with_judgements = set(np.unique(files).tolist())
    for k, source in enumerate(read.sources):
        if k not in with_judgements:
            continue
        with opened(source, read.format) as stream:
            for entry in entries_of(stream, None):
                rows = _rows(read.reader, entry)
                if not rows:
                    continue
                end = at + len(rows)
                if end > lines.size or lines[at] != entry.number or files[at] != k:
                    raise RuntimeError(f"{source.name} changed while it was read")
                yield Found(k, entry, rows, range(at, end))
                at = end
    if at != lines.size:
        raise RuntimeError("the files changed while they were read")


def _rows(reader: Reader, entry: Entry) -> list[Row]:
    if isinstance(entry.record, UnreadableError):
        return []
    try:
        return reader.rows(entry.record)
    except UnreadableError:  # it was skipped before
        return []


def _own_line(entry: Entry) -> bytes:
    """Return a record as it stands in its file, as one line of JSON."""
    if entry.text:  # in JSON, line breaks stand between values only
        line = re.sub(r"[\r\n]\s*", " ", entry.text.strip())
        return f"{line}\n".encode()
    assert not isinstance(entry.record, UnreadableError)
    return _line({name: _storable(value) for name, value in entry.record.items()})


def _storable(value: Any) -> Any:
    """Return null for a number that JSON does not know, and for a missing one."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(name): _storable(each) for name, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, (list, tuple)) else value


def _line(value: Any) -> bytes:
    try:
        return f"{json.dumps(value, ensure_ascii=False, default=str)}\n".encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return f"{json.dumps(value, default=str)}\n".encode()
