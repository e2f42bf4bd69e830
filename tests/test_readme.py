"""README, CONTRIBUTING and CITATION.cff name only things that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml

import psipo_explore
from psipo_explore._data.shapes import SHAPES
from psipo_explore.views import VIEWS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "psipo_explore"
README, CONTRIBUTING = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")
)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_and_pictures_lead_somewhere(text: str) -> None:
    targets = [a or b for a, b in re.findall(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"', text)]
    assert targets
    for target in targets:
        assert target.startswith("https://") or (ROOT / target.partition("#")[0]).exists(), target


def test_every_lesson_has_a_picture_that_says_what_is_seen() -> None:
    lessons = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    pictured = re.findall(
        r'<a href="([^"]+)"><img src="figures/(\w+)\.svg" width="\d+" alt="([^"]{40,})"></a>',
        README,
    )
    assert {lesson for lesson, _, _ in pictured} == lessons
    assert {view for _, view, _ in pictured} <= set(VIEWS)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_commands_that_are_named_exist(text: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=`| {2,}#|\n)", text)) <= targets


def test_the_symbols_are_those_of_the_whole_table() -> None:
    rows = README.partition("## The symbols")[2].partition("\n## ")[0].splitlines()
    names = {name for row in rows for name in re.findall(r"\| `(\w+)` \|", row)}
    whole = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8")
    assert len(names) > 5
    assert names <= set(re.findall(r"\| `(\w+)`", whole))


def test_the_number_of_shapes_is_right() -> None:
    assert f"It recognises {len(SHAPES)} shapes" in README


def test_the_citation_is_of_this_release_and_of_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == psipo_explore.__version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2310.12036"
    extension = PACKAGE / "labextension" / "psipo-explore" / "package.json"
    assert json.loads(extension.read_text(encoding="utf-8"))["version"] == citation["version"]
    assert f"## {psipo_explore.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_map_of_the_code_names_what_is_there() -> None:
    section = CONTRIBUTING.partition("## Where things happen")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if ".py`" in row]
    assert len(rows) > 5
    for row in rows:
        named = re.findall(r"`([\w./]+)`", row)
        files = [name for name in named if name.endswith((".py", ".js"))]
        source = "".join((PACKAGE / name).read_text(encoding="utf-8") for name in files)
        for name in set(named) - set(files):
            assert re.search(rf"\b{name.rpartition('.')[2]}\b", source), name
