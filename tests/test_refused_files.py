import json
from pathlib import Path

import pytest

from psipo_explore.diagnosis import diagnose_file

GOOD = {"prompt": "q", "chosen": "a", "rejected": "b"}


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def written(folder: Path, content: str | bytes, name: str = "pairs.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("bad", [None, [], 5])
def test_a_bad_first_record_does_not_decide_how_the_others_are_read(
    tmp_path: Path, bad: object
) -> None:
    path = written(tmp_path, lines({**GOOD, "chosen": bad}, GOOD, GOOD))
    found = diagnose_file(path, 1.0, skip_bad=True)
    assert (found.comparisons, found.skipped) == (2, 1)
