"""Drawing the frames of the panels on pages, one file for each view."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

from psipo_explore._workers import workers
from psipo_explore.site.shared import write
from psipo_explore.views import VIEWS
from psipo_explore.views.kit.controls import Typed
from psipo_explore.views.kit.pages import packed_frames

_PANEL = re.compile(r'<psipo-panel data-view="(\w+)" data-values="([^"]*)"')


def draw(out: Path, kept: Path) -> None:
    """Draw the frames of all panels on the pages, one file for each view."""
    begun = starts(out)
    wanted = {name: kept / f"{name}-{_digest(begun[name])}.js" for name in begun}
    missing = [name for name, path in wanted.items() if not path.exists()]
    with workers() as pool:
        drawn = [pool.submit(_frames, name, begun[name]) for name in missing]
        for name, frames in zip(missing, drawn, strict=True):
            write(wanted[name], f'psipoFrames("{name}", "{frames.result()}")')
    folder = out / "_static" / "frames"
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in wanted.items():
        shutil.copyfile(path, folder / f"{name}.js")


def _frames(name: str, begun: Sequence[Mapping[str, Any]]) -> str:
    """Draw the frames of a view, which a process finds by its name, for questions cannot be sent."""
    return packed_frames(VIEWS[name], None, begun)


def starts(out: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Return the values at which the panels of all pages begin, by view."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for page in sorted(out.rglob("*.html")):
        for name, values in _PANEL.findall(page.read_text(encoding="utf-8")):
            found[name].append(_reachable(name, json.loads(unescape(values)), page))
    return found


def _reachable(name: str, given: Mapping[str, Any], page: Path) -> Mapping[str, Any]:
    """Return all values of a panel's start, and refuse a typed formula, which no page can show."""
    values = VIEWS[name].values(given)
    for control in VIEWS[name].controls:
        if isinstance(control, Typed) and values[control.name] != control.start:
            raise RuntimeError(
                f"{page.name}: the panel of {name} begins at {control.name} = "
                f"{values[control.name]!r}, which only a lesson in Python can show"
            )
    return values


def _digest(starts: Sequence[Mapping[str, Any]]) -> str:
    return sha256(json.dumps(starts).encode()).hexdigest()[:16]
