"""The course, lessons and their pictures, as it travels with the package, and its way into a
reader's folder.

What is there already is the reader's: it is kept, unless they ask for the originals.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from psipo_explore._writing import write_whole

FIRST_LESSON = Path("notebooks") / "00_start_here.ipynb"


def put(folder: Path) -> list[Path]:
    """Copy what the folder lacks of the course, and return the copies."""
    return [_copy(part, folder) for part in _parts() if not (folder / part).exists()]


def changed(folder: Path) -> list[Path]:
    """The lessons in the folder whose cells are not the original's; outputs do not count."""
    lessons = [part for part in _parts() if part.suffix == ".ipynb" and (folder / part).exists()]
    return [
        folder / lesson
        for lesson in lessons
        if _cells(folder / lesson) != _cells(_originals() / lesson)
    ]


def put_back(folder: Path) -> list[Path]:
    """Copy the pictures and the lessons that were changed, over what is there; a lesson that was
    only run keeps its outputs.
    """
    theirs = changed(folder)
    return [
        _copy(part, folder)
        for part in _parts()
        if part.suffix != ".ipynb" or folder / part in theirs
    ]


def _originals() -> Path:
    """In the installed package, or beside it where the project itself is the installation."""
    package = Path(str(files("psipo_explore")))
    return package / "course" if (package / "course").is_dir() else package.parent


def _parts() -> list[Path]:
    home = _originals()
    return sorted(
        path.relative_to(home)
        for pattern in ("notebooks/*.ipynb", "figures/*.svg")
        for path in home.glob(pattern)
    )


def _cells(notebook: Path) -> object:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, LookupError, TypeError):
        return None  # which no original is


def _copy(part: Path, folder: Path) -> Path:
    copy = folder / part
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_whole(copy, (_originals() / part).read_bytes())
    return copy
