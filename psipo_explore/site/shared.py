"""What the site and the slides share: their kept files, the scripts of panels, and the font."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from psipo_explore._writing import write_whole
from psipo_explore.views.kit.pages import live

PACKAGE = Path(str(files("psipo_explore")))
STATIC = PACKAGE / "site" / "static"
_ONLY_ON_PAGES = {  # neither outputs nor frames need them
    "building.py",
    "conf.py",
    "frames.py",
    "handout.py",
    "lecture.py",
    "mathml.py",
    "shared.py",
    "slides.py",
}


def fingerprint(*folders: Path) -> str:
    """Return a name for the code on which the outputs of lessons and the frames depend."""
    found = sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".py" and path.name not in _ONLY_ON_PAGES:
                found.update(path.read_bytes())
    return found.hexdigest()[:16]


def put_static(folder: Path) -> None:
    """Write the scripts and style sheets that a page with panels and formulas needs."""
    for name in ("live.js", "live.css"):
        write(folder / name, live(name))
    write(folder / "font.css", font_rule((STATIC / "math.woff2").read_bytes()))


def font_rule(woff2: bytes) -> str:
    """Return the style sheet that holds the font of formulas.

    A page that is opened from disk may not load a font from a file of its own.
    """
    return (
        "/* A part of STIX Two Math; its licence is OFL.txt, beside this file. */\n"
        '@font-face { font-family: "Course Math"; font-display: block; '
        f'src: url("data:font/woff2;base64,{b64encode(woff2).decode()}") format("woff2"); }}\n'
    )


def write(path: Path, text: str) -> None:
    """Write a file as a whole, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
