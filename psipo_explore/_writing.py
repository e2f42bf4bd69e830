"""Writing files that are whole: a write that is cut off leaves what was there before."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a temporary file, then put it in the place of the old one.

    The old file's permissions are kept. A link stays a link. What is no file, a device or a pipe,
    is written to.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            _replace(target, content)
    except OSError as error:
        # the temporary name says nothing
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(target: Path, content: bytes) -> None:
    is_there = target.exists()
    if is_there:
        os.close(os.open(target, os.O_WRONLY))  # a file that may not be written may not be replaced
    part = target.with_name(f".psipo-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            if is_there:
                shutil.copymode(target, part)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # some disks say only now that they are full
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
