"""The command `psipo`: `lab` opens the course in JupyterLab, `app` serves the views on one page, `figures` draws them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

FIRST_LESSON = Path("notebooks") / "00_start_here.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, 2 for a mistake in the call."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError) as error:
        print(f"psipo: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="psipo", description="Explore ΨPO and IPO: lessons with sliders, and their figures.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    lab = commands.add_parser("lab", help="open the course in JupyterLab, on the first lesson")
    lab.add_argument("folder", nargs="?", type=Path, default=Path(), help="the project's folder, with notebooks/ (default: here)")
    lab.add_argument("--port", type=int, default=8888, help="port on 127.0.0.1; the next free one if it is taken")
    lab.add_argument("--no-browser", action="store_true", help="print the URL and open nothing")
    lab.set_defaults(run=_lab)

    app = commands.add_parser(
        "app",
        help="serve the explorer and every view on one page, without code",
        description="Serve the explorer and every view on one web page, for people without Python (needs the extra: "
        "pip install '.[app]'). It prints the page's URL, and opens it where there is a screen; Ctrl+C ends it. Visitors run "
        "no code and do not see each other's sliders; each has a Python process here, which ends when the page is closed.",
    )
    app.add_argument("--port", type=int, default=8866, help="port (default: 8866); the next free one if it is taken")
    app.add_argument(
        "--ip", default="127.0.0.1", help="address to serve at (default: 127.0.0.1, which only this machine reaches)"
    )
    app.add_argument("--no-browser", action="store_true", help="print the URL and open nothing")
    app.set_defaults(run=_app)

    figures = commands.add_parser("figures", help="draw each view's still picture as SVG")
    figures.add_argument("views", nargs="*", metavar="VIEW", help="which views (default: all)")
    figures.add_argument("--out", type=Path, default=Path("figures"), help="folder to write to (default: figures)")
    figures.set_defaults(run=_figures)
    return parser


def _lab(options: argparse.Namespace) -> int:
    if not (options.folder / FIRST_LESSON).is_file():
        raise FileNotFoundError(f"{options.folder / FIRST_LESSON} not found: run psipo lab in the project's folder, or name it")
    command = lab_command(options.folder, options.port, open_browser=not options.no_browser and _has_display())
    return _run(command, lab_environment())


def lab_command(folder: Path, port: int, *, open_browser: bool) -> list[str]:
    """JupyterLab on loopback, at the first lesson, its token kept."""
    command = [sys.executable, "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={folder.resolve()}", f"--LabApp.default_url=/lab/tree/{FIRST_LESSON.as_posix()}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    if not open_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def lab_environment() -> dict[str, str]:
    """The environment, with a folder of Jupyter settings that keeps the news pop-up from covering the lesson."""
    ours = str(files("psipo_explore") / "jupyter_config")
    theirs = os.environ.get("JUPYTER_CONFIG_PATH")
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join([ours, theirs] if theirs else [ours])}


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _run(command: list[str], environment: dict[str, str]) -> int:
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, environment)
    return subprocess.call(command, env=environment)


def _app(options: argparse.Namespace) -> int:
    try:
        from psipo_explore.app.server import serve
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "voila":
            raise
        raise ValueError("app needs Voilà: run pip install '.[app]' in the project's folder") from None
    return serve(options.ip, options.port, open_browser=not options.no_browser and _has_display())


def _figures(options: argparse.Namespace) -> int:
    from psipo_explore.views import VIEWS, svg

    unknown = [name for name in options.views if name not in VIEWS]
    if unknown:
        raise ValueError(f"no view is named {', '.join(unknown)}; the views are {', '.join(VIEWS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.views or VIEWS:
        path = options.out / f"{name}.svg"
        path.write_text(svg.document(VIEWS[name].figure()), encoding="utf-8", newline="\n")
        print(path)
    return 0
