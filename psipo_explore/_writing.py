"""Writing of whole files: a write that is interrupted leaves the old file unchanged."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a temporary file, then replace the old file with it.

    The new file has the permissions of the old one. A link stays a link. A device or a pipe is
    written to directly.
    """
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
        else:
            _replace(target, content)
    except OSError as error:
        # Report the name that the caller gave. That of the temporary file means nothing.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(target: Path, content: bytes) -> None:
    is_there = target.exists()
    if is_there:
        # Opening the file raises if it is read-only, although it could still be replaced.
        os.close(os.open(target, os.O_WRONLY))
    part = target.with_name(f".psipo-{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            if is_there:
                shutil.copymode(target, part)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # some file systems report a full disk only here
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
