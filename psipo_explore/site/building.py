"""Building the site: gathering its sources, running Sphinx, and drawing the frames of its pictures."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

from sphinx.cmd.build import build_main

from psipo_explore._workers import workers
from psipo_explore._writing import write_whole
from psipo_explore.course import originals
from psipo_explore.site.kernel import element
from psipo_explore.views import VIEWS
from psipo_explore.views.kit.controls import Typed
from psipo_explore.views.kit.pages import packed_frames

_PACKAGE = Path(str(files("psipo_explore")))
_SOURCES = ("docs/**/*.md", "notebooks/*.ipynb", "figures/*.svg")
_PANEL = re.compile(r'<psipo-panel data-view="(\w+)" data-values="([^"]*)"')
_NOT_PROSE = re.compile(r"<(script|style|code|pre|svg|title)\b.*?</\1>|<[^>]*>", re.DOTALL)
_BARE_FORMULA = re.compile(r"\$[^$\n]{0,60}\\[^$\n]{0,60}\$")
_STARTUP = "from psipo_explore.site.kernel import show_static_panels\n\nshow_static_panels()\n"
_KERNEL = "get_config().IPKernelApp.log_level = 'ERROR'\n"
_SPHINX = ("-bhtml", "-q", "-W", "-E", "--keep-going", f"-c{_PACKAGE / 'site'}")
_ONLY_ON_PAGES = ("building.py", "conf.py", "mathml.py")  # neither outputs nor frames need them
_KIT_FILES = ("live.js", "live.css")


def build(out: Path, cache: Path) -> None:
    """Build the site into a folder.

    Parameters
    ----------
    out : Path
        Folder of the site. Files of another name that it holds are kept.
    cache : Path
        Folder that keeps what the next build may use again. What was computed by another version
        of the package is not used.

    Raises
    ------
    RuntimeError
        If a lesson raises an error, or Sphinx warns of a broken link, a formula or anything else.
    """
    cache = cache.resolve()  # kernels work in other folders
    kept = cache / _fingerprint(_PACKAGE)
    source = cache / "source"
    _put(source, {**_written(), **_pictures(kept / "stills")})
    html = kept / "html"
    shutil.rmtree(html, ignore_errors=True)
    _run_sphinx(source, html, kept)
    _refuse_bare_dollars(html)
    _draw(html, kept / "frames")
    shutil.copytree(html, out, dirs_exist_ok=True)


def _fingerprint(*folders: Path) -> str:
    """Return a name for the code on which the outputs of lessons and the frames depend."""
    found = sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".py" and path.name not in _ONLY_ON_PAGES:
                found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _written() -> dict[str, bytes]:
    """Return the files that people wrote, by their place in the sources of the site."""
    home = originals()
    return {
        path.relative_to(home).as_posix().removeprefix("docs/"): path.read_bytes()
        for pattern in _SOURCES
        for path in home.glob(pattern)
    }


def _pictures(stills: Path) -> dict[str, bytes]:
    """Return a page for each view, and the list of them."""
    pages = {f"pictures/{name}.md": _picture(name, stills) for name in VIEWS}
    lines = [f"- [{view.title}]({name}.md). {view.about}" for name, view in VIEWS.items()]
    entries = "\n".join(VIEWS)
    listed = "\n".join(lines)
    pages["pictures/index.md"] = (
        "# Pictures\n\nEach picture has a page of its own. Its address follows the sliders, so that "
        f"a link opens it as you see it.\n\n{listed}\n\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"
    )
    return {name: text.encode() for name, text in pages.items()}


def _picture(name: str, stills: Path) -> str:
    view, kept = VIEWS[name], stills / f"{name}.html"
    if not kept.exists():
        _write(kept, element(view, {}, " data-linked"))
    panel = kept.read_text(encoding="utf-8")
    return f"# {view.title}\n\n{view.about}\n\n````{{raw}} html\n{panel}\n````\n"


def _put(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Make the folder hold these files and no others, and leave alone what is right already."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in contents:
            path.unlink()
    for name, content in contents.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)


def _run_sphinx(source: Path, out: Path, kept: Path) -> None:
    static = kept / "static"
    for name in _KIT_FILES:
        _write(static / name, (_PACKAGE / "views" / "kit" / name).read_text(encoding="utf-8"))
    font = _PACKAGE / "site" / "static" / "math.woff2"
    _write(static / "font.css", _font_rule(font.read_bytes()))
    options = {
        "nb_execution_cache_path": str(kept / "executed"),
        "html_static_path": f"{static},{_PACKAGE / 'site' / 'static'}",
    }
    asked = [f"-D{name}={value}" for name, value in options.items()]
    logging.getLogger("traitlets").setLevel(logging.WARNING)  # it tells of every start of a kernel
    with _kernels_without_widgets(kept / "ipython"):
        failed = build_main([*_SPHINX, *asked, f"-d{kept / 'doctrees'}", str(source), str(out)])
    if failed:
        raise RuntimeError(
            "the site was not built, for the reasons above. Line 30002 of a lesson is in its cell 3."
        )


def _font_rule(woff2: bytes) -> str:
    """Return the style sheet that holds the font of formulas.

    A page that is opened from disk may not load a font from a file of its own.
    """
    return (
        "/* A part of STIX Two Math; its licence is OFL.txt, beside this file. */\n"
        '@font-face { font-family: "Course Math"; font-display: block; '
        f'src: url("data:font/woff2;base64,{b64encode(woff2).decode()}") format("woff2"); }}\n'
    )


@contextmanager
def _kernels_without_widgets(folder: Path) -> Iterator[None]:
    """Let kernels that are started meanwhile show static panels."""
    profile = folder / "profile_default"
    _write(profile / "startup" / "00-psipo.py", _STARTUP)
    _write(profile / "ipython_kernel_config.py", _KERNEL)
    before = os.environ.get("IPYTHONDIR")
    os.environ["IPYTHONDIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("IPYTHONDIR")
        if before is not None:
            os.environ["IPYTHONDIR"] = before


def _refuse_bare_dollars(out: Path) -> None:
    """Refuse pages on which a formula is shown as it was typed."""
    for page in sorted(out.rglob("*.html")):
        shown = _NOT_PROSE.sub("", page.read_text(encoding="utf-8"))
        if bare := _BARE_FORMULA.search(shown):
            raise RuntimeError(f"{page.relative_to(out)}: a formula is shown as typed, {bare[0]}")


def _draw(out: Path, kept: Path) -> None:
    """Draw the frames of all panels on the pages, one file for each view."""
    starts = _starts(out)
    wanted = {name: kept / f"{name}-{_digest(starts[name])}.js" for name in starts}
    missing = [name for name, path in wanted.items() if not path.exists()]
    with workers() as pool:
        drawn = [pool.submit(packed_frames, VIEWS[name], None, starts[name]) for name in missing]
        for name, frames in zip(missing, drawn, strict=True):
            _write(wanted[name], f'psipoFrames("{name}", "{frames.result()}")')
    folder = out / "_static" / "frames"
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in wanted.items():
        shutil.copyfile(path, folder / f"{name}.js")


def _starts(out: Path) -> dict[str, list[Mapping[str, Any]]]:
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


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
