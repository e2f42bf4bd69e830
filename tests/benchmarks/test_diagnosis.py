"""`psipo diagnose` on a million records, compared with only parsing their JSON."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.benchmark(group="a million records")
def test_diagnose(benchmark, records: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITH_PEAK, records], capture_output=True, text=True, check=True
        )

    finished = benchmark.pedantic(run, rounds=1)
    assert json.loads(finished.stdout)["comparisons"] >= N_RECORDS
    benchmark.extra_info["peak memory in GB"] = float(finished.stderr)


@pytest.mark.peer("json.loads of each line, nothing counted")
@pytest.mark.benchmark(group="a million records")
def test_parse_the_json(benchmark, records: Path) -> None:
    def run() -> int:
        with records.open(encoding="utf-8") as file:
            return sum(len(json.loads(line)) for line in file)

    assert benchmark.pedantic(run, rounds=1) >= 3 * N_RECORDS
