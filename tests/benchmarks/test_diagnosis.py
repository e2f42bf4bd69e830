"""`psipo diagnose` on a million records, before and now, and beside only parsing their JSON."""

import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from before import ROOT, checked_out
from pytest_benchmark.fixture import BenchmarkFixture

BEFORE = "4b2d786"  # the last commit that read each line in one way only
N_RECORDS = 1_000_000
WITH_PEAK = """
import resource, sys
from psipo_explore.cli import main
code = main(["diagnose", sys.argv[1], "--json"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, file=sys.stderr)
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file of 1 GB with a million comparisons.

    Four in five prompts have one pair of answers. The others have six comparisons of four answers.
    """
    path = tmp_path_factory.mktemp("records") / "pairs.jsonl"
    rng, count = random.Random(0), 0
    words = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(500)]

    def text(n_words: int) -> str:
        return " ".join(rng.choices(words, k=n_words))

    with path.open("w") as file:
        while count < N_RECORDS:
            prompt, answers = text(20), [text(60) for _ in range(2 if rng.random() < 0.8 else 4)]
            for _ in range(1 if len(answers) == 2 else 6):
                chosen, rejected = rng.sample(answers, 2)
                file.write(
                    json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected}) + "\n"
                )
                count += 1
    return path


@pytest.fixture(scope="module")
def as_parquet(records: Path) -> Path:
    """Write the same comparisons as Parquet."""
    arrow_json, parquet = (pytest.importorskip(f"pyarrow.{name}") for name in ("json", "parquet"))
    path = records.with_suffix(".parquet")
    parquet.write_table(arrow_json.read_json(records), path)
    return path


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with checked_out(BEFORE, tmp_path_factory.mktemp("before") / "old") as old:
        yield old


def diagnosed(benchmark: BenchmarkFixture, package: Path, path: Path) -> None:
    """Measure `psipo diagnose` on a file in a new process, with all its workers."""

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITH_PEAK, path],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(package)},
            cwd=package,  # -c looks for modules here first
        )

    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = benchmark.pedantic(run, rounds=1)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(finished.stdout)["comparisons"] >= N_RECORDS
    benchmark.extra_info |= {
        "peak memory in GB": float(finished.stderr),
        "processor_s": round(used.ru_utime + used.ru_stime - spent.ru_utime - spent.ru_stime, 1),
    }


@pytest.mark.benchmark(group="a million records")
def test_diagnose(benchmark: BenchmarkFixture, records: Path) -> None:
    diagnosed(benchmark, ROOT, records)


@pytest.mark.benchmark(group="a million records in Parquet")
def test_diagnose_parquet(benchmark: BenchmarkFixture, as_parquet: Path) -> None:
    diagnosed(benchmark, ROOT, as_parquet)


@pytest.mark.peer(f"commit {BEFORE}")
@pytest.mark.benchmark(group="a million records")
def test_diagnose_before(benchmark: BenchmarkFixture, records: Path, before: Path) -> None:
    diagnosed(benchmark, before, records)


@pytest.mark.peer("json.loads of each line, nothing counted")
@pytest.mark.benchmark(group="a million records")
def test_parse_the_json(benchmark: BenchmarkFixture, records: Path) -> None:
    def run() -> int:
        with records.open(encoding="utf-8") as file:
            return sum(len(json.loads(line)) for line in file)

    assert benchmark.pedantic(run, rounds=1) >= 3 * N_RECORDS
