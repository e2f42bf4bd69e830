"""The package as it was at an earlier commit, to be measured beside the package as it is now."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Yield the folder, with all files as they were at the commit."""
    git = ["git", "-C", str(ROOT)]
    known = subprocess.run([*git, "cat-file", "-e", commit], capture_output=True, check=False)
    if known.returncode:
        pytest.skip(f"commit {commit} is not there: this is not a whole git clone")
    subprocess.run([*git, "worktree", "add", "--quiet", "--detach", folder, commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", folder], check=True)
