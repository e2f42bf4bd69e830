"""The fixtures of `lab` for benchmarks, and a report of what they measure besides time."""

import lab
import pytest


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.is_registered(lab):
        config.pluginmanager.register(lab)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    for benchmark in session.benchmarks if session else []:
        if benchmark.extra_info:
            measured = ", ".join(
                f"{what} {value:g}" for what, value in benchmark.extra_info.items()
            )
            terminalreporter.write_line(f"{benchmark.name}: {measured}")
