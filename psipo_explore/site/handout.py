"""The handout: the questions of lecture and lessons on paper, without the answers."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from string import Template

from psipo_explore.course import originals
from psipo_explore.site.lecture import in_line, lecture
from psipo_explore.site.shared import PACKAGE
from psipo_explore.views import VIEWS
from psipo_explore.views.kit.guess import Guess, Question
from psipo_explore.views.kit.words import typeset

_LINE = '<span class="line"></span>'
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def handout() -> str:
    """Return the page of questions, as HTML.

    It asks what the lecture asks, and then what the panels of the lessons ask, and leaves room to
    write on. No answer is computed for it.
    """
    template = Template((PACKAGE / "site" / "lecture" / "handout.html").read_text(encoding="utf-8"))
    asked = "".join(f"<li>{step.asks}{_LINE * 3}</li>\n" for step in lecture())
    lessons = "".join(_lesson(*lesson) for lesson in asked_in_lessons())
    return template.substitute(lecture=asked, lessons=lessons)


def asked_in_lessons() -> Iterator[tuple[str, str, list[Guess]]]:
    """Yield the number and the title of each lesson that asks for guesses, and the guesses."""
    for path in sorted((originals() / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text, code = (
            "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)
            for kind in ("markdown", "code")
        )
        title = _TITLE.search(text)
        if guesses := [*_asked(code)]:
            yield path.name[:2], title[1] if title else path.stem, guesses


def _asked(code: str) -> Iterator[Guess]:
    """Yield what calls such as `collapse.panel(guess="share")` and `verdict(…).ask("…")` ask."""
    for statement in ast.parse(code).body:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(owner, method), arguments, keywords)):
                given = {keyword.arg: keyword.value for keyword in keywords}
            case _:
                continue
        match owner, method, given:
            case ast.Name(view), "panel", {"guess": ast.Constant(str(name))}:
                yield VIEWS[view].guesses[name]
            case _, "ask", {"about": ast.Constant(str(about))}:
                yield Guess(about, (Question(ast.literal_eval(arguments[0]), _untold, {}),))


def _untold() -> float:
    raise NotImplementedError("the answer is what a lesson measures, and no lesson is run here")


def _lesson(number: str, title: str, guesses: Sequence[Guess]) -> str:
    asked = "".join(
        f'<div class="guess"><p>{typeset(guess.about)}</p>\n'
        f"<ul>{''.join(map(_question, guess.questions))}</ul></div>\n"
        for guess in guesses
    )
    return f"<section><h3>{number} {in_line(title)}</h3>\n{asked}</section>\n"


def _question(question: Question) -> str:
    choices = "".join(
        f'<span class="choice"><span class="box"></span>{typeset(answer)}</span> '
        for answer in question.answers
    )
    room = f'<span class="choices">{choices}</span>' if choices else '<span class="blank"></span>'
    return f"<li><span>{typeset(question.asks)}:</span> {room}</li>\n"
