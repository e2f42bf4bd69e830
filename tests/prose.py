"""The text of a lesson, and whether each number in it is computed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def prose_of(lesson: str) -> str:
    notebook = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def assert_computed(prose: str, phrases: Iterable[str], given: set[str]) -> None:
    """Assert that the text has these phrases, and no decimal but theirs and the given ones."""
    rest = prose
    for phrase in phrases:
        assert phrase in prose, phrase
        rest = rest.replace(phrase, "")
    rest = re.sub(r"`[^`]*`|arxiv\S*|§[\d.]+|\bLessons? \d\d", "", rest, flags=re.IGNORECASE)
    assert set(re.findall(r"\d+\.\d+", rest)) <= given
