"""Writing of whole files: a write that is interrupted leaves the old file unchanged."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_PART = ".psipo-"


def write_whole(path: Path, content: bytes) -> None:
    """Write a whole file as `whole_file` does."""
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file, which replaces the old file when all has been written.

    The new file has the permissions of the old one. A link stays a link. A device or a pipe is
    written to directly.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
        else:
            with _replacing(target) as file:
                yield file
    except OSError as error:
        if not _is_ours(error.filename, target):
            raise
        # Report the name that the caller gave. That of the temporary file means nothing.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_ours(name: Any, target: Path) -> bool:
    """Whether an error is about the file that is written; an error in writing has no name."""
    return name is None or Path(name).name == target.name or Path(name).name.startswith(_PART)


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    is_there = target.exists()
    if is_there:
        # Opening the file raises if it is read-only, although it could still be replaced.
        os.close(os.open(target, os.O_WRONLY))
    part = target.with_name(f"{_PART}{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            if is_there:
                shutil.copymode(target, part)
            yield file
            file.flush()
            os.fsync(file.fileno())  # some file systems report a full disk only here
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
