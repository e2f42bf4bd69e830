"""The fixtures of `lab` for benchmarks, and the table of what they measured."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import lab
import pytest
from pytest_benchmark.fixture import BenchmarkFixture


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "peer(name): measures another program, to be compared with")
    if not config.pluginmanager.is_registered(lab):
        config.pluginmanager.register(lab)


@pytest.fixture(autouse=True)
def peer(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Iterator[None]:
    """Note which program a benchmark measures."""
    marker = request.node.get_closest_marker("peer")
    yield
    benchmark.extra_info["peer"] = marker.args[0] if marker else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    session = getattr(config, "_benchmarksession", None)
    measured = [one for one in session.benchmarks if not one.has_error] if session else []
    if not measured:
        return
    terminalreporter.section("what is measured")
    processor = config.hook.pytest_benchmark_generate_machine_info(config=config)["cpu"]
    terminalreporter.write_line(
        f"medians on {processor.get('brand_raw', platform.machine())}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, NumPy {version('numpy')}, SciPy {version('scipy')}"
    )
    rows = [("work", "here", "peer", "ratio", "beside time")]
    groups = defaultdict(list)
    for one in measured:
        groups[one.group or one.name].append(one)
    for work, of_work in groups.items():
        rows.extend(_rows(work, of_work))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())


def _rows(work: str, measured: list[Any]) -> Iterator[tuple[str, ...]]:
    """Compare everything measured here with every peer that did the same work."""
    here = [one for one in measured if not one.extra_info["peer"]]
    peers = [one for one in measured if one.extra_info["peer"]]
    for one in here:
        named = f"{work} ({one.param})" if len(here) > 1 else work
        if not peers:
            yield named, _time(one), "", "", _beside(one)
        for other in peers:
            ratio = one.stats.median / other.stats.median if other.stats.median else float("nan")
            program = f"{_time(other)}: {other.extra_info['peer']}"
            beside = " | ".join(filter(None, [_beside(one), _beside(other)]))
            yield named, _time(one), program, f"{ratio:.2f}", beside


def _time(one: Any) -> str:
    seconds = one.stats.median
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _beside(one: Any) -> str:
    """Return what a benchmark measured beside time."""
    others = {name: value for name, value in one.extra_info.items() if name != "peer"}
    return ", ".join(f"{name} {value:g}" for name, value in others.items())
