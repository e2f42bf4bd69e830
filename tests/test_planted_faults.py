"""A file of 100 000 records with planted faults: each of them is found, and nothing else."""

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from psipo_explore.diagnosis import diagnose_file

N = 100_000


class Planted(NamedTuple):
    path: Path
    lines: list[str]
    prompts: dict[str, set[str]]  # the prompts of each kind
    removed: set[int]  # lines that a clean file leaves out


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Write pairs of two answers to each prompt, and now and then a fault of each kind."""
    rng = random.Random(0)
    records: list[dict[str, Any]] = []
    prompts: dict[str, set[str]] = defaultdict(set)
    faults = dict.fromkeys(("duplicates", "contradicting", "identical", "ties"), 40)
    with_fault = {k: kind for kind, n in faults.items() for k in rng.sample(range(90_000), n)}
    late: list[tuple[dict[str, Any], str]] = []
    for k in range(N - sum(faults.values())):
        good = {"prompt": f"question {k}", "chosen": f"yes {k}", "rejected": f"no {k}", "id": k}
        records.append(good)
        prompts["collapsing"].add(good["prompt"])
        if kind := with_fault.get(k):
            late.append((good, kind))
    rng.shuffle(late)
    removed = set()
    for good, kind in late:
        other = {**good, "id": -good["id"]}
        if kind == "contradicting":
            other |= {"chosen": good["rejected"], "rejected": good["chosen"]}
            prompts["collapsing"].discard(good["prompt"])
        elif kind == "identical":
            other["rejected"] = other["chosen"]
        elif kind == "ties":
            other["status"] = "tie"
            prompts["collapsing"].discard(good["prompt"])
        prompts[kind].add(good["prompt"])
        records.append(other)
        if kind in ("duplicates", "identical"):
            removed.add(len(records))
    path = tmp_path_factory.mktemp("planted") / "pairs.jsonl"
    lines = [json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n")
    return Planted(path, lines, prompts, removed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["collapsing", "contradicting", "duplicates", "identical", "ties"])
def test_a_list_holds_the_planted_prompts_with_their_lines(
    kind: str, planted: Planted, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    found = diagnose_file(planted.path, 1.0, lists={kind: out})
    listed = [json.loads(line) for line in out.read_text().splitlines()]
    assert {one["prompt"] for one in listed} == planted.prompts[kind]
    assert len(listed) == len(planted.prompts[kind])
    places = defaultdict(list)
    for number, line in enumerate(planted.lines, start=1):
        places[json.loads(line)["prompt"]].append(number)
    for one in listed:
        assert [record["line"] for record in one["records"]] == places[one["prompt"]]
        assert {record["file"] for record in one["records"]} == {str(planted.path)}
    assert found.collapsing == len(planted.prompts["collapsing"])
    assert found.contradictions == len(planted.prompts["contradicting"])
    assert (found.identical, found.ties, found.duplicates) == tuple(
        len(planted.prompts[kind]) for kind in ("identical", "ties", "duplicates")
    )


@pytest.mark.slow
def test_a_clean_file_holds_the_other_lines_as_they_are(planted: Planted, tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    found = diagnose_file(planted.path, 1.0, clean=out)
    kept = [line for k, line in enumerate(planted.lines, start=1) if k not in planted.removed]
    assert out.read_text().splitlines() == kept
    n = len(kept)
    assert f"{n} of {N} records" in found.cleaned
    again = diagnose_file(out, 1.0)
    assert (again.duplicates, again.identical, again.contradictions) == (0, 0, found.contradictions)
    diagnose_file(planted.path, 1.0, clean=out, majority=True)
    assert (
        diagnose_file(out, 1.0).contradictions == found.contradictions
    )  # one each way: no majority
