"""Building the slides of the lecture: a reveal.js deck with live pictures, and a handout."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from string import Template

from psipo_explore.site.frames import draw
from psipo_explore.site.handout import handout
from psipo_explore.site.kernel import element
from psipo_explore.site.lecture import Step, lecture
from psipo_explore.site.shared import PACKAGE, STATIC, fingerprint, put_static, write
from psipo_explore.views import VIEWS

_REVEAL = Path(str(files("sphinx_revealjs"))) / "_static" / "revealjs"
_OF_REVEAL = {
    "dist/reset.css": "reset.css",
    "dist/reveal.css": "reveal.css",
    "dist/reveal.js": "reveal.js",
    "plugin/notes/notes.js": "notes.js",
    "LICENSE": "LICENSE",
}
_OURS = PACKAGE / "site" / "lecture"


def build(out: Path, cache: Path) -> None:
    """Build the slides and the handout into a folder.

    Parameters
    ----------
    out : Path
        Folder of the slides. Files of another name that it holds are kept.
    cache : Path
        Folder that keeps what the next build may use again, which may be that of the site. What
        was computed by another version of the package is not used.
    """
    kept = cache.resolve() / fingerprint(PACKAGE)
    made = kept / "slides"
    shutil.rmtree(made, ignore_errors=True)
    static = made / "_static"
    put_static(static)
    for name in ("deck.css", "deck.js"):
        shutil.copyfile(_OURS / name, static / name)
    shutil.copyfile(STATIC / "OFL.txt", static / "OFL.txt")
    (static / "reveal").mkdir()
    for source, name in _OF_REVEAL.items():
        shutil.copyfile(_REVEAL / source, static / "reveal" / name)
    write(made / "index.html", deck(lecture()))
    write(made / "handout.html", handout())
    draw(made, kept / "frames")
    shutil.copytree(made, out, dirs_exist_ok=True)


def deck(steps: Sequence[Step]) -> str:
    """Return the page that holds all slides, as HTML."""
    template = Template((_OURS / "deck.html").read_text(encoding="utf-8"))
    slides = [
        slide
        for step, following in zip_longest(steps, steps[1:])
        for slide in _slides(step, following)
    ]
    return template.substitute(slides="".join(slides), first=steps[0].asks)


def _slides(step: Step, following: Step | None) -> Iterator[str]:
    """Yield the slides of a step: the question, the picture if there is one, and what it showed."""
    minutes = f"<p>Minutes {step.begins} to {step.ends}.</p>"
    wrong = f"<p>Wrong answers: {step.wrong}</p>"
    seconds = (step.ends - step.begins) * 60 // (3 if step.view else 2)
    yield _slide(
        "question",
        f"<h2>{step.asks}</h2>",
        f"{minutes}<p>Let the room say answers aloud, and write them on the board.</p>{wrong}",
        seconds,
    )
    if step.view:
        panel = element(VIEWS[step.view], step.values)
        yield _slide(
            "picture",
            f"<h2>{step.asks}</h2>{panel}",
            f"{minutes}<p>Now {step.then}.</p>{wrong}",
            seconds,
        )
    goes_on = (
        f"<p>At minute {step.ends} go on. The next question: {following.asks}</p>"
        if following
        else "<p>This was the last slide.</p>"
    )
    yield _slide("home", f"<p>{step.home}</p>", f"{minutes}{goes_on}", seconds)


def _slide(kind: str, content: str, notes: str, seconds: int) -> str:
    return (
        f'<section data-timing="{seconds}"><div class="slide {kind}">{content}</div>\n'
        f'<aside class="notes">{notes}</aside></section>\n'
    )
