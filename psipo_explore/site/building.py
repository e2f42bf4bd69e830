"""Building the site: gathering its sources, running Sphinx, and what is done to its pages."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sphinx.cmd.build import build_main

from psipo_explore._writing import write_whole
from psipo_explore.course import originals
from psipo_explore.site.frames import draw
from psipo_explore.site.handout import handout
from psipo_explore.site.kernel import element
from psipo_explore.site.shared import PACKAGE, STATIC, fingerprint, put_static, write
from psipo_explore.views import VIEWS

_SOURCES = ("docs/**/*.md", "notebooks/*.ipynb", "figures/*.svg")
_NOT_PROSE = re.compile(r"<(script|style|code|pre|svg|title)\b.*?</\1>|<[^>]*>", re.DOTALL)
_BARE_FORMULA = re.compile(r"\$[^$\n]{0,60}\\[^$\n]{0,60}\$")
_STARTUP = "from psipo_explore.site.kernel import show_static_panels\n\nshow_static_panels()\n"
_KERNEL = "get_config().IPKernelApp.log_level = 'ERROR'\n"
_SPHINX = ("-bhtml", "-q", "-W", "-E", "--keep-going", f"-c{PACKAGE / 'site'}")


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
    kept = cache / fingerprint(PACKAGE)
    source = cache / "source"
    _put(source, {**_written(), **_pictures(kept / "stills")})
    html = kept / "html"
    shutil.rmtree(html, ignore_errors=True)
    _run_sphinx(source, html, kept)
    _refuse_bare_dollars(html)
    write(html / "handout.html", handout())
    draw(html, kept / "frames")
    shutil.copytree(html, out, dirs_exist_ok=True)


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
        write(kept, element(view, {}, view.first_guess, " data-linked"))
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
    put_static(static)
    options = {
        "nb_execution_cache_path": str(kept / "executed"),
        "html_static_path": f"{static},{STATIC}",
    }
    asked = [f"-D{name}={value}" for name, value in options.items()]
    logging.getLogger("traitlets").setLevel(logging.WARNING)  # it tells of every start of a kernel
    with _kernels_without_widgets(kept / "ipython"):
        failed = build_main([*_SPHINX, *asked, f"-d{kept / 'doctrees'}", str(source), str(out)])
    if failed:
        raise RuntimeError(
            "the site was not built, for the reasons above. Line 30002 of a lesson is in its cell 3."
        )


@contextmanager
def _kernels_without_widgets(folder: Path) -> Iterator[None]:
    """Let kernels that are started meanwhile show static panels."""
    profile = folder / "profile_default"
    write(profile / "startup" / "00-psipo.py", _STARTUP)
    write(profile / "ipython_kernel_config.py", _KERNEL)
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


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
