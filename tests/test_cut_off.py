"""An interrupted command leaves no incomplete file and no running process.

A full disk, a signal, or a reader that is gone may interrupt it.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from processes import alive_in_group, wait_until

from psipo_explore import _workers, cli
from psipo_explore._data import files
from psipo_explore._writing import write_whole
from psipo_explore.diagnosis import diagnose_file

pytestmark = pytest.mark.slow

PSIPO = [sys.executable, "-m", "psipo_explore"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="limits, signals and descriptors are POSIX's")
GOOD = '{"prompt": "p", "chosen": "a", "rejected": "b"}\n'


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text(GOOD)
    return path


# A file is written completely or not at all


@pytest.fixture
def full_disk(pairs: Path) -> Iterator[None]:
    """Simulate a full disk: no file may grow beyond 1000 bytes."""
    import resource

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@POSIX
@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    "call", ["figures collapse --out .", "diagnose pairs.jsonl --figure collapse.svg"]
)
def test_a_full_disk_leaves_the_picture_that_was_there(
    call: str, pairs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pairs.parent)
    Path("collapse.svg").write_text("as it was")
    assert cli.main(call.split()) == 1
    printed, errors = capsys.readouterr()
    assert errors == "psipo: [Errno 27] File too large: 'collapse.svg'\n"
    # `diagnose` prints its answer even if the picture cannot be written.
    assert ("\n1 comparison of 2 answers" in printed) == call.startswith("diagnose")
    assert Path("collapse.svg").read_text() == "as it was"
    assert {path.name for path in Path().iterdir()} == {"collapse.svg", "pairs.jsonl"}


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), KeyboardInterrupt()], ids=["full", "interrupted"]
)
@pytest.mark.parametrize("before", [None, b"as it was"], ids=["new", "there"])
def test_a_write_that_breaks_off_leaves_nothing(
    error: BaseException, before: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.svg"
    if before is not None:
        path.write_bytes(before)

    def breaks_off(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", breaks_off)
    with pytest.raises(type(error)):
        write_whole(path, b"new")
    left = {found.name: found.read_bytes() for found in tmp_path.iterdir()}
    assert left == ({} if before is None else {path.name: before})


@POSIX
def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    usual = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", b"")
    finally:
        os.umask(usual)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    write_whole(tmp_path / "new", b"text")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert (tmp_path / "new").read_bytes() == b"text"


@POSIX
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, target = tmp_path / "link", tmp_path / "elsewhere" / "target"
    link.symlink_to(target)
    for content in (b"first", b"second"):  # the first time, the target does not exist yet
        write_whole(link, content)
        assert target.read_bytes() == content
        assert link.is_symlink()


@POSIX
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"text")
    reader.join()
    assert heard == [b"text"]
    assert pipe.is_fifo()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of root for a while, because root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@POSIX
@pytest.mark.parametrize("protected", ["the folder", "the file"])
def test_what_may_not_be_written_is_named_and_kept(protected: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "picture.svg"
        path.write_bytes(b"as it was")
        path.chmod(0o444 if protected == "the file" else 0o666)
        folder.chmod(0o777 if protected == "the file" else 0o555)
        with as_nobody(), pytest.raises(PermissionError) as refused:
            write_whole(path, b"new")
        assert refused.value.filename == str(path)
        assert [path.read_bytes() for path in folder.iterdir()] == [b"as it was"]
        folder.chmod(0o777)


def test_a_folder_that_is_missing_or_in_the_way_is_named(
    tmp_path: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        write_whole(tmp_path / "no" / "picture.svg", b"")
    assert missing.value.filename == str(tmp_path / "no" / "picture.svg")
    in_the_way = tmp_path / "in the way" / "collapse.svg"
    in_the_way.mkdir(parents=True)
    for call in (
        ["figures", "collapse", "--out", str(in_the_way.parent)],
        ["diagnose", str(pairs), "--figure", str(in_the_way)],
    ):
        assert cli.main(call) == 2
        assert capsys.readouterr().err == f"psipo: [Errno 21] Is a directory: '{in_the_way}'\n"
    assert list(in_the_way.iterdir()) == []
    assert list(in_the_way.parent.iterdir()) == [in_the_way]


# No process keeps working


@pytest.fixture
def drawing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start `psipo pages`, and wait until two of its processes are drawing."""
    command = [*PSIPO, "pages", "explorer", "regularisation", "--out", tmp_path / "pages"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    caller = subprocess.Popen(command, start_new_session=True, **pipes)
    try:
        assert wait_until(lambda: len(busy_workers(caller)) == 2, 60)
        yield caller
    finally:
        for process in alive_in_group(caller.pid):
            process.kill()
        caller.communicate()


def busy_workers(caller: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(caller.pid).children()
    return [child for child in children if child.cpu_times().user > 1]


@POSIX
@pytest.mark.parametrize(
    ("number", "whom", "code"),
    [
        (signal.SIGTERM, os.kill, 143),
        (signal.SIGINT, os.kill, 130),
        (signal.SIGINT, os.killpg, 130),  # a terminal sends Ctrl+C to the whole group
        (signal.SIGKILL, os.kill, -9),
    ],
)
def test_no_page_is_drawn_on_after_a_signal(
    number: signal.Signals, whom: Any, code: int, drawing: subprocess.Popen[str], tmp_path: Path
) -> None:
    whom(drawing.pid, number)
    _, errors = drawing.communicate(timeout=300)
    assert drawing.returncode == code
    # After SIGKILL, Python's tracker of semaphores prints that some were left.
    assert errors == "" or number == signal.SIGKILL
    assert wait_until(lambda: not alive_in_group(drawing.pid), 20)
    assert not (tmp_path / "pages").exists()


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_unwinds_what_was_begun(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_figures", lambda _: os.kill(os.getpid(), number))
    before = signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main(["figures"])
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number
    assert signal.getsignal(number) == signal.SIG_DFL


@POSIX
def test_a_worker_that_is_killed_ends_the_drawing(
    drawing: subprocess.Popen[str], tmp_path: Path
) -> None:
    busy_workers(drawing)[0].kill()
    _, errors = drawing.communicate(timeout=300)
    assert errors.startswith(
        "psipo: a process that draws pages was killed, maybe because memory is short: "
    )
    assert len(errors.splitlines()) == 1
    assert drawing.returncode == 1
    assert wait_until(lambda: not alive_in_group(drawing.pid), 20)
    assert not (tmp_path / "pages").exists()


@pytest.mark.parametrize("whose", ["the caller's", "somebody else's"])
def test_a_process_ends_with_its_parent_if_that_is_the_caller(
    whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, ends = os.getppid(), whose == "the caller's"
    parent, ended = (
        SimpleNamespace(pid=caller if ends else caller + 1, join=lambda: None),
        threading.Event(),
    )
    monkeypatch.setattr(_workers, "parent_process", lambda: parent)
    monkeypatch.setattr(_workers.os, "_exit", lambda _: ended.set())
    _workers._watch.cache_clear()
    _workers.end_with(caller)
    assert ended.wait(10 if ends else 0.2) == ends
    _workers._watch.cache_clear()


# Output that nobody can read, and questions that nobody can answer


CLOSED = "psipo: standard output is closed: nothing could be printed\n"
FULL = "psipo: [Errno 28] No space left on device\n"


@POSIX
@pytest.mark.parametrize(
    ("call", "code", "errors"),
    [
        ("diagnose pairs.jsonl >&-", 1, CLOSED),
        ("diagnose pairs.jsonl <&- >&- 2>&-", 1, ""),
        ("diagnose pairs.jsonl --json > /dev/full", 1, FULL),
        (
            "diagnose none.jsonl >&-",
            2,
            "psipo: [Errno 2] No such file or directory: 'none.jsonl'\n",
        ),
        ("diagnose none.jsonl 2>&-", 2, ""),
        ("diagnose none.jsonl 2> /dev/full", 2, ""),
        ("lab . --restore <&-", 2, "psipo: nothing was replaced\n"),
    ],
)
def test_a_closed_or_full_stream_is_no_traceback(
    call: str, code: int, errors: str, pairs: Path
) -> None:
    lesson = pairs.parent / "notebooks" / "00_start_here.ipynb"
    lesson.parent.mkdir()
    lesson.write_text("the reader's own")
    done = shell(call, pairs.parent)
    assert (done.stderr, done.returncode) == (errors, code)
    assert lesson.read_text() == "the reader's own"


@POSIX
def test_without_standard_error_the_answer_is_printed_all_the_same(pairs: Path) -> None:
    done = shell("diagnose pairs.jsonl --json 2>&-", pairs.parent)
    assert json.loads(done.stdout)["comparisons"] == 1
    assert (done.stderr, done.returncode) == ("", 0)


@POSIX
def test_without_standard_output_a_figure_is_drawn_all_the_same(tmp_path: Path) -> None:
    done = shell("figures collapse --out . <&- >&-", tmp_path)
    assert (done.stderr, done.returncode) == (CLOSED, 1)
    drawn = (tmp_path / "collapse.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    assert drawn.endswith("</svg>\n")


def shell(call: str, folder: Path, *, first: str = "") -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f'{first} "$0" -m psipo_explore {call}', sys.executable]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


# A line that never ends


@POSIX
@pytest.mark.parametrize(("kind", "wanted"), [("jsonl", "one JSON object a line"), ("csv", "CSV")])
def test_a_line_without_end_is_refused_before_memory_is_short(
    kind: str, wanted: str, tmp_path: Path
) -> None:
    endless = tmp_path / f"endless.{kind}"
    os.mkfifo(endless)
    begin = {"jsonl": "{", "csv": "x"}[kind]
    feed = f"(printf '{begin}'; tr '\\0' x < /dev/zero) > {endless.name} 2> /dev/null &"
    refused = shell(f"diagnose {endless.name}", tmp_path, first=f"{feed} ulimit -v 2000000;")
    complaint = f"{endless.name}, line 1: is longer than 64,000,000 characters, must be {wanted}"
    assert refused.stderr == f"psipo: {complaint}\n"
    assert refused.returncode == 2


@pytest.fixture
def at_most_100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LONGEST_RECORD", 100)


@pytest.mark.usefixtures("at_most_100")
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("extra", [0, 1, 99, 100, 101, 5000])
def test_a_longer_line_than_any_record_is_bad_and_the_next_is_read(
    extra: int, end: str, tmp_path: Path
) -> None:
    path, good = tmp_path / "pairs.jsonl", GOOD.strip()
    long = good.ljust(100 - len(end)) + extra * " "
    path.write_text(end.join([good, long, good, "no record"]), newline="")
    found = diagnose_file(path, skip_bad=True)
    assert (found.comparisons, found.skipped) == ((3, 1) if extra == 0 else (2, 2))
    bad = f"{path.name}, line 2: is longer than 100 characters, must be one JSON object a line"
    assert found.first_skipped == (
        f"{path.name}, line 4, column 1: Expecting value, must be one JSON object a line"
        if extra == 0
        else bad
    )
    if extra:
        with pytest.raises(ValueError, match=f"^{bad}$"):
            diagnose_file(path)


@pytest.mark.usefixtures("at_most_100")
def test_the_rest_of_a_long_line_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{{{'x' * 5_000_000}\n{GOOD}{'x' * 5_000_000}")
    tracemalloc.start()
    found = diagnose_file(path, skip_bad=True)
    assert (found.comparisons, found.skipped) == (1, 2)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.usefixtures("at_most_100")
@pytest.mark.parametrize(
    ("record", "where"),
    [
        (f"p,{'a' * 200},b\n", "line 3"),
        (f"p,{'a,' * 100}b\n", "line 3"),
        ('p,"a' + 9 * "\n0123456789" + '\n",b\n', "lines 3 to 12"),
    ],
    ids=["cell", "cells", "quote"],
)
def test_a_csv_record_is_as_long_as_any_line_may_be(
    record: str, where: str, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.csv"
    fits = 'p,"a' + 8 * "\n0123456789" + '",b\n'
    path.write_text(f"prompt,chosen,rejected\np,a,b\n{record}q,a,b\n")
    with pytest.raises(
        ValueError, match=f"^{path.name}, {where}: is longer than 100 characters, must be CSV$"
    ):
        diagnose_file(path)
    path.write_text(f"prompt,chosen,rejected\n{fits}{fits}")
    assert diagnose_file(path).comparisons == 2


@pytest.mark.usefixtures("at_most_100")
def test_a_quote_that_is_never_closed_swallows_no_more_than_a_record(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text('prompt,chosen,rejected\np,"a,b\n' + 60 * "q,a,b\n" + "q,a\n")
    found = diagnose_file(path, skip_bad=True)
    assert (found.comparisons, found.skipped) == (60 - 16, 18)
    assert (
        found.first_skipped
        == f"{path.name}, lines 2 to 18: is longer than 100 characters, must be CSV"
    )


@pytest.mark.usefixtures("at_most_100")
def test_the_bar_comes_to_the_end_past_long_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{GOOD}{'x' * 1_000_000}\n")
    assert diagnose_file(path, skip_bad=True, progress=True).skipped == 1
    assert "1.00M/1.00M" in capsys.readouterr().err
