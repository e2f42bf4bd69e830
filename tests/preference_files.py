"""Preference files that tests write, and what is read of them."""

import io
import json
from pathlib import Path

import pytest

from psipo_explore import Comparisons

GOOD = {"prompt": "q", "chosen": "a", "rejected": "b"}


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def written(folder: Path, content: str | bytes | bytearray, name: str = "pairs.txt") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def wins(data: Comparisons) -> list[tuple[str, str, float]]:
    """Return each comparison as winner, loser and weight; a tie is two of weight ½."""
    ends = zip(data.winners, data.losers, data.weights.tolist(), strict=True)
    return [(data.actions[w], data.actions[v], weight) for w, v, weight in ends]


def parquet_of(*records: object) -> bytes:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(list(records)), buffer := io.BytesIO())
    return buffer.getvalue()
