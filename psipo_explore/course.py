"""The course that comes with the package, and functions that copy it into a reader's folder.

The course is the lessons and their pictures. Files that are already in the folder belong to the
reader: they are kept unless the reader asks for the originals.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from psipo_explore._writing import write_whole

FIRST_LESSON = Path("notebooks") / "00_start_here.ipynb"


def put(folder: Path) -> list[Path]:
    """Copy the files of the course that the folder lacks, and return the paths of the copies."""
    return [_copy(part, folder) for part in _parts() if not (folder / part).exists()]


def changed(folder: Path) -> list[Path]:
    """Return the lessons in the folder whose cells differ from the originals, outputs aside."""
    lessons = [part for part in _parts() if part.suffix == ".ipynb" and (folder / part).exists()]
    return [
        folder / lesson
        for lesson in lessons
        if _cells(folder / lesson) != _cells(originals() / lesson)
    ]


def put_back(folder: Path) -> list[Path]:
    """Overwrite the pictures and all changed lessons with the originals.

    A lesson that was only run, and not changed, keeps its outputs.
    """
    theirs = changed(folder)
    return [
        _copy(part, folder)
        for part in _parts()
        if part.suffix != ".ipynb" or folder / part in theirs
    ]


def originals() -> Path:
    """Return the folder of the originals.

    An installed package holds them; in a checkout of the project they are beside the package.
    """
    package = Path(str(files("psipo_explore")))
    return package / "course" if (package / "course").is_dir() else package.parent


def _parts() -> list[Path]:
    home = originals()
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
        return None  # differs from every original, so that the lesson counts as changed


def _copy(part: Path, folder: Path) -> Path:
    copy = folder / part
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_whole(copy, (originals() / part).read_bytes())
    return copy
