"""The command `psipo` and its subcommands.

`lab` opens the lessons in JupyterLab. `app` serves the views on one page, `pages` draws them as
pages that need no Python, and `figures` draws still pictures. `site` builds the whole course as web
pages, and `slides` its lecture. `diagnose` examines preference files.
"""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.resources import files
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from psipo_explore import course
from psipo_explore._workers import interrupt_held, workers
from psipo_explore._writing import write_whole

if TYPE_CHECKING:
    from concurrent.futures import Future

    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

COURSE_FOLDER = Path("psipo_course")
_OF_SITE = {"docutils", "markdown_it", "math_core", "mdit_py_plugins", "sphinx", "sphinx_revealjs"}
# These errors come from a full or broken disk, and are not mistakes in the call.
_FAILURES_HERE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    The code is 0 for success, 2 for a mistake in the call, 1 for a failure of this machine, and 130
    for an interrupt.
    """
    is_heard = sys.stdout is not None
    _replace_closed_streams()
    _show_what_the_terminal_can()
    try:
        with _signals_as_exits():
            code = _run_command(arguments)
        if code == 0 and not is_heard:
            raise RuntimeError("standard output is closed: nothing could be printed")
        return code
    except BrokenPipeError:  # the reader of the output has stopped reading, as `head` does
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        with suppress(OSError):
            print(f"psipo: {error}", file=sys.stderr, flush=True)
        is_failure = (
            isinstance(error, RuntimeError) or getattr(error, "errno", None) in _FAILURES_HERE
        )
        return 1 if is_failure else 2
    except KeyboardInterrupt:
        return 130
    finally:
        _drop_what_cannot_be_printed()


def _run_command(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    finally:
        sys.stdout.flush()  # raises an error now, while it can still be reported


def _replace_closed_streams() -> None:
    """Open the null device in place of each standard stream that is closed.

    Otherwise the next file to be opened would get the number of that stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It stays open for as long as the process runs.
            nothing = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(nothing.fileno(), True)
            setattr(sys, name, nothing)


def _show_what_the_terminal_can() -> None:
    """Replace letters that the terminal cannot show, so that printing them is not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_what_cannot_be_printed() -> None:
    """Send output that cannot be written to the null device.

    Otherwise Python would try to write it again when it exits, and print an error.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def _signals_as_exits() -> Iterator[None]:
    """Turn signals that ask the process to end into exceptions.

    The exceptions let the process end its workers and remove its temporary files.
    """

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    here = threading.current_thread() is threading.main_thread()  # others may not set handlers
    ours = [number for number in numbers if here and signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="psipo", description="Explore ΨPO and IPO: lessons with sliders, and their figures."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_lab,
        _add_app,
        _add_figures,
        _add_pages,
        _add_site,
        _add_slides,
        _add_diagnose,
    ):
        add(commands)
    return parser


def _add_lab(commands: _Commands) -> None:
    lab = commands.add_parser(
        "lab",
        help="open the course in JupyterLab, on the first lesson",
        description="Open the course in JupyterLab, on the first lesson. Lessons that the folder "
        "lacks are copied into it; those "
        "that are there are yours, and are kept as they are.",
    )
    lab.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help=f"where your copy of the lessons is, or shall be (default: here, or {COURSE_FOLDER})",
    )
    lab.add_argument(
        "--restore",
        action="store_true",
        help="put back the lessons as they came, over yours, after asking you",
    )
    lab.add_argument(
        "--port", type=int, default=8888, help="port on 127.0.0.1; the next free one if it is taken"
    )
    lab.add_argument("--no-browser", action="store_true", help="print the URL and open nothing")
    lab.set_defaults(run=_lab)


def _add_app(commands: _Commands) -> None:
    app = commands.add_parser(
        "app",
        help="serve the explorer and every view on one page, without code",
        description="Serve the explorer and every view on one web page, for people without Python "
        "(needs Voilà: "
        "pip install voila). It prints the page's URL, and opens it where there is a screen; "
        "Ctrl+C ends it. Visitors run "
        "no code and do not see each other's sliders; each has a Python process here, which ends "
        "when the page is closed.",
    )
    app.add_argument(
        "--port",
        type=int,
        default=8866,
        help="port (default: 8866); the next free one if it is taken",
    )
    app.add_argument(
        "--ip",
        default="127.0.0.1",
        help="address to serve at (default: 127.0.0.1, which only this machine reaches)",
    )
    app.add_argument(
        "--visitors",
        type=int,
        metavar="N",
        help="how many may come at once; the next one is told to try again in a minute (default: "
        "one for each 256 MB of this "
        "machine's memory, or of the container's)",
    )
    app.add_argument("--no-browser", action="store_true", help="print the URL and open nothing")
    app.set_defaults(run=_app)


def _add_figures(commands: _Commands) -> None:
    figures = commands.add_parser("figures", help="draw each view's still picture as SVG")
    figures.add_argument("views", nargs="*", metavar="VIEW", help="which views (default: all)")
    figures.add_argument(
        "--out", type=Path, default=Path("figures"), help="folder to write to (default: figures)"
    )
    figures.set_defaults(run=_figures)


def _add_pages(commands: _Commands) -> None:
    pages = commands.add_parser(
        "pages", help="draw each view as one HTML file whose sliders need no Python"
    )
    pages.add_argument("views", nargs="*", metavar="VIEW", help="which views (default: all)")
    pages.add_argument(
        "--out", type=Path, default=Path("pages"), help="folder to write to (default: pages)"
    )
    pages.add_argument(
        "--stops", type=int, help="stops a slider keeps (default: what gives 2000 frames a page)"
    )
    pages.set_defaults(run=_pages)


def _add_site(commands: _Commands) -> None:
    site = commands.add_parser(
        "site", help="build the whole course as web pages that need no server and no Python"
    )
    site.add_argument(
        "--out", type=Path, default=Path("site"), help="folder to write to (default: site)"
    )
    site.add_argument(
        "--cache", type=Path, help="folder that keeps what the next build may use again"
    )
    site.set_defaults(run=_site)


def _add_slides(commands: _Commands) -> None:
    slides = commands.add_parser(
        "slides", help="make slides of the lecture, with live pictures and notes, and a handout"
    )
    slides.add_argument(
        "--out", type=Path, default=Path("slides"), help="folder to write to (default: slides)"
    )
    slides.add_argument(
        "--cache", type=Path, help="folder that keeps what the next build may use again"
    )
    slides.set_defaults(run=_slides)


def _add_diagnose(commands: _Commands) -> None:
    diagnose = commands.add_parser(
        "diagnose",
        help="say what preference files hold, and what DPO, cDPO and IPO would make of them",
        description="Say what preference files hold, and what DPO, cDPO and IPO would make of them. "
        "Containers and shapes are told by their content, and the first line of the answer says how "
        "the records were understood.",
    )
    diagnose.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="files or folders that are one data set; - is standard input. JSON Lines, a JSON "
        "array, CSV, TSV or Parquet; packed by gzip, xz, bzip2 or zstd, or not",
    )
    _add_reading(diagnose.add_argument_group("how records are read"))
    diagnose.add_argument(
        "--beta", type=float, nargs="+", help="strengths of the KL term (default: 0.01 to 1)"
    )
    diagnose.add_argument(
        "--smoothing", type=float, help="share of labels that cDPO takes to be wrong (default: 0.1)"
    )
    diagnose.add_argument(
        "--skip-bad",
        action="store_true",
        help="pass over records that cannot be read, and count them by kind",
    )
    diagnose.add_argument(
        "--list",
        nargs=2,
        action="append",
        metavar=("KIND", "OUT.jsonl"),
        help="write the prompts of a kind with all their records, each with file and line: "
        "collapsing, contradicting, duplicates, identical or ties",
    )
    diagnose.add_argument(
        "--clean",
        metavar="OUT.jsonl",
        help="write the records without identical answers and repeats, in their own shape",
    )
    diagnose.add_argument(
        "--majority",
        action="store_true",
        help="in the clean file, keep one record of each pair that was judged both ways",
    )
    diagnose.add_argument("--json", action="store_true", help="print numbers as JSON, not words")
    diagnose.add_argument("--figure", type=Path, metavar="OUT.svg", help="draw the answer as well")
    diagnose.set_defaults(run=_diagnose)


def _add_reading(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--shape", metavar="NAME", help="insist on a shape; --shapes lists them")
    group.add_argument(
        "--shapes", action="store_true", help="list the shapes, with an example each"
    )
    group.add_argument(
        "--format",
        choices=["jsonl", "json", "csv", "tsv", "parquet"],
        help="what the files are, instead of telling it by their content",
    )
    group.add_argument(
        "--prompt", nargs="+", metavar="NAME", help="fields of the prompt, which are joined"
    )
    group.add_argument("--chosen", metavar="NAME", help="field of the chosen answer")
    group.add_argument("--rejected", metavar="NAME", help="field of the rejected answer")
    group.add_argument(
        "--answers", nargs=2, metavar=("A", "B"), help="fields of two answers; needs --outcome"
    )
    group.add_argument("--outcome", metavar="NAME", help="field that says which answer is better")
    for word, meaning in (
        ("first", "that the first answer is better"),
        ("second", "that the second answer is better"),
        ("tie", "that it is a tie"),
    ):
        group.add_argument(
            f"--{word}", nargs="+", metavar="WORD", help=f"words of the outcome that say {meaning}"
        )
    group.add_argument(
        "--ties",
        choices=["half", "drop", "error"],
        help="count a tie as half a win each way (default), leave it out, or refuse it",
    )
    group.add_argument("--weight", metavar="NAME", help="field that says how often it was judged")


def _lab(options: argparse.Namespace) -> int:
    folder = options.folder or (
        Path() if (Path() / course.FIRST_LESSON).is_file() else COURSE_FOLDER
    )
    _bring_course(folder, restore=options.restore)
    command = lab_command(
        folder, options.port, open_browser=not options.no_browser and _has_display()
    )
    return _run(command, lab_environment())


def _bring_course(folder: Path, *, restore: bool) -> None:
    if lessons := [copy.name for copy in course.put(folder) if copy.suffix == ".ipynb"]:
        print(f"psipo: copied to {folder.resolve()}: {', '.join(lessons)}")
    changed = course.changed(folder)
    names = ", ".join(path.name for path in changed)
    if restore:
        if changed and not _agreed(
            f"This replaces your {names}, and what you wrote there is gone. Replace? [y/N] "
        ):
            raise ValueError("nothing was replaced")
        course.put_back(folder)
    elif changed:
        print(f"psipo: kept as you left them: {names} (--restore brings the originals back)")


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:  # there is no input, so nobody can answer
        print()
        return False


def lab_command(folder: Path, port: int, *, open_browser: bool) -> list[str]:
    """Return the command that starts JupyterLab on loopback with the first lesson open.

    The lesson is alone in its window, so that it has enough room on a projector. The server still
    asks for its token.
    """
    command = [sys.executable, "-m", "jupyterlab"]
    command += [
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/doc/tree/{course.FIRST_LESSON.as_posix()}",
        f"--LabApp.extra_labextensions_path={files('psipo_explore') / 'labextension'}",
    ]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    if not open_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command


def lab_environment() -> dict[str, str]:
    """Return the environment with our folder of Jupyter settings added.

    The settings turn off the news pop-up, which would cover the lesson.
    """
    ours = str(files("psipo_explore") / "jupyter_config")
    theirs = os.environ.get("JUPYTER_CONFIG_PATH")
    return {
        **os.environ,
        "JUPYTER_CONFIG_PATH": os.pathsep.join([ours, theirs] if theirs else [ours]),
    }


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
        raise ValueError("app needs Voilà: run pip install voila") from None
    opens = not options.no_browser and _has_display()
    return serve(options.ip, options.port, visitors=options.visitors, open_browser=opens)


def _figures(options: argparse.Namespace) -> int:
    from psipo_explore.views import VIEWS
    from psipo_explore.views.kit import svg

    for name in _known_views(options.views):
        _write(options.out / f"{name}.svg", svg.document(VIEWS[name].figure()))
    return 0


def _pages(options: argparse.Namespace) -> int:
    names = _known_views(options.views)
    progress = sys.stderr.isatty()
    if len(names) == 1:
        _write(options.out / f"{names[0]}.html", _page(names[0], options.stops, progress))
        return 0
    from concurrent.futures.process import BrokenProcessPool

    try:
        with workers() as pool:
            with interrupt_held():
                drawn = {pool.submit(_page, name, options.stops): name for name in names}
            for future in _as_drawn(drawn, progress):
                _write(options.out / f"{drawn[future]}.html", future.result())
        _write(options.out / "index.html", _index(names))
    except BrokenProcessPool:
        reason = "a process that draws pages was killed, maybe because memory is short"
        raise RuntimeError(f"{reason}: name fewer views, or ask for fewer --stops") from None
    return 0


def _site(options: argparse.Namespace) -> int:
    with _named_where_missing("site needs Sphinx"):
        from psipo_explore.site.building import build
    _build(build, options)
    print(options.out / "index.html", flush=True)
    return 0


def _slides(options: argparse.Namespace) -> int:
    with _named_where_missing("slides needs Sphinx and sphinx-revealjs"):
        from psipo_explore.site.slides import build
    _build(build, options)
    for name in ("index.html", "handout.html"):
        print(options.out / name, flush=True)
    return 0


@contextmanager
def _named_where_missing(need: str) -> Iterator[None]:
    """Say what to install where the extra `site` is not."""
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in _OF_SITE:
            raise
        raise ValueError(f"{need}: run pip install 'psipo-explore[site]'") from None


def _build(build: Callable[[Path, Path], None], options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        cache = options.cache or Path(stack.enter_context(TemporaryDirectory()))
        build(options.out, cache)


def _as_drawn(pages: Mapping[Future[str], str], progress: bool) -> Iterator[Future[str]]:
    """Yield each page when it has been drawn, and let a bar name those that are being drawn."""
    from concurrent.futures import as_completed

    from tqdm.auto import tqdm

    with tqdm(total=len(pages), unit="page", disable=not progress) as bar:
        for future in chain([None], as_completed(pages)):
            left = [name for page, name in pages.items() if not page.done()]
            bar.set_postfix_str(", ".join(left[: os.cpu_count()]))
            if future:
                bar.update()
                yield future


def _page(name: str, stops: int | None, progress: bool = False) -> str:
    from psipo_explore.views import VIEWS
    from psipo_explore.views.kit import pages

    return pages.page(VIEWS[name], stops, progress=progress)


def _index(names: Sequence[str]) -> str:
    from psipo_explore.views import VIEWS
    from psipo_explore.views.kit import pages

    return pages.index(VIEWS[name] for name in names)


def _known_views(names: Sequence[str]) -> Sequence[str]:
    from psipo_explore.views import VIEWS

    unknown = [name for name in names if name not in VIEWS]
    if unknown:
        raise ValueError(f"no view is named {', '.join(unknown)}; the views are {', '.join(VIEWS)}")
    return names or list(VIEWS)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    print(path, flush=True)


def _diagnose(options: argparse.Namespace) -> int:
    from psipo_explore._data.asked import Options
    from psipo_explore.diagnosis import diagnose_file

    if options.shapes:
        print(_shapes_in_words())
        return 0
    picture: Path | None = options.figure
    if picture and (picture.suffix.lower() != ".svg" or not picture.parent.is_dir()):
        raise ValueError(f"--figure {picture}: must end in .svg, in a folder that is there")
    written = [picture, options.clean, *(out for _, out in options.list or [])]
    places = [Path(path).resolve() for path in written if path]
    if len(set(places)) < len(places):
        raise ValueError("--figure, --clean and --list must go to different files")
    asked = {
        name: value
        for name in ("beta", "smoothing", "format", "clean", *Options.__annotations__)
        if (value := getattr(options, name)) is not None
    }
    if not options.files:
        raise ValueError(
            "no file is named: name it before options that take several words, such as --prompt; "
            "--shapes lists the shapes"
        )
    lists = dict(options.list or [])
    if len(lists) < len(options.list or []):
        raise ValueError("--list names one kind twice, must name each kind once")
    found = diagnose_file(
        options.files,
        **asked,
        lists=lists,
        majority=options.majority,
        skip_bad=options.skip_bad,
        processes=os.cpu_count() or 1,
        progress=sys.stderr.isatty(),
    )
    print(json.dumps(found.as_dict(), indent=2) if options.json else _wrapped(str(found)))
    if picture:
        from psipo_explore.views import diagnosis
        from psipo_explore.views.kit import svg

        write_whole(picture, svg.document(diagnosis.figure(found)).encode())
    return 0


def _shapes_in_words() -> str:
    from psipo_explore._data.shapes import SHAPES

    return "\n\n".join(
        f"{shape.name}: {shape.title}\n    {json.dumps(shape.example, ensure_ascii=False)}"
        for shape in SHAPES
    )


def _wrapped(text: str) -> str:
    width = min(100, shutil.get_terminal_size().columns)
    return "\n".join(
        textwrap.fill(line, width) if len(line) > width else line for line in text.splitlines()
    )
