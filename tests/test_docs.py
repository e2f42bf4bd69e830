"""The pages of the web site name and link only what exists, and leave nothing out."""

import inspect
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest
import yaml

import psipo_explore
from psipo_explore._data.shapes import SHAPES
from psipo_explore.views import VIEWS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
}
LESSONS = {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [
    *(
        path.stem
        for path in (ROOT / "psipo_explore").glob("[a-z]*.py")
        if "\n__all__ = " in path.read_text(encoding="utf-8")
    ),
    "views",
]

every_page = pytest.mark.parametrize("page", PAGES)


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Cells of the table under a heading, without its first two rows."""
    lines = text.partition(f"{heading}\n")[2].partition("\n## ")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def roles_in(text: str) -> Iterator[tuple[str, str]]:
    yield from re.findall(r"\{(func|class|meth|attr|data|mod)\}`~?([\w.]+)`", text)


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


@every_page
def test_links_lead_to_pages_and_lessons(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if target.startswith("https://"):
            continue
        assert not target.startswith(("/", "http:")), target
        there = (DOCS / page).parent.joinpath(target).resolve()
        inside = there.relative_to(DOCS).as_posix()
        assert inside in PAGES or inside in LESSONS, target


@every_page
def test_roles_name_public_objects_where_they_are_documented(page: str) -> None:
    for role, name in roles_in(PAGES[page]):
        found = resolve_name(name)
        if role == "mod":
            assert isinstance(found, ModuleType), name
            continue
        parts = name.split(".")
        assert parts[0] == "psipo_explore", name
        assert parts[1] in MODULES, name
        assert parts[2] in import_module(".".join(parts[:2])).__all__, name
        kind = {
            "func": inspect.isfunction,
            "class": inspect.isclass,
            "meth": lambda found: inspect.isfunction(found) or inspect.ismethod(found),
            "attr": lambda found: isinstance(found, property),
            "data": lambda found: not callable(found) or not inspect.isroutine(found),
        }[role]
        assert kind(found), name
        assert len(parts) == (4 if role in ("meth", "attr") else 3), name


@every_page
def test_formulas_are_plain(page: str) -> None:
    text = without_code(PAGES[page])
    assert text.count("$") % 2 == 0
    assert r"\substack" not in text
    assert r"\\[" not in text
    for formula in re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", text, re.DOTALL):
        assert "|" not in "".join(formula), formula


@every_page
def test_commands_that_are_named_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", PAGES[page])) <= targets


def test_toctrees_hold_every_page_and_lesson_once() -> None:
    held = []
    for page in ("index.md", "reference/index.md"):
        folder = page.rpartition("index.md")[0]
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", PAGES[page], re.DOTALL):
            for title, entry in re.findall(r"^(?:(.+) <)?([\w/]+)>?$", tree, re.MULTILINE):
                held.append(folder + entry)
                if title:
                    cells = json.loads((ROOT / f"{entry}.ipynb").read_text("utf-8"))["cells"]
                    number = entry.removeprefix("notebooks/")[:2]
                    assert f"# {title.removeprefix(number + ' ')}\n" in cells[0]["source"]
    pages = [page.removesuffix(".md") for page in PAGES if page != "index.md"]
    lessons = [lesson.removesuffix(".ipynb") for lesson in LESSONS]
    assert sorted(held) == sorted([*pages, *lessons, "pictures/index"])


def test_the_reference_has_a_page_for_every_public_module() -> None:
    pages = {Path(page).stem for page in PAGES if page.startswith("reference/")}
    assert pages == {"index", *MODULES}
    for module in MODULES:
        page = PAGES[f"reference/{module}.md"]
        assert f".. automodule:: psipo_explore.{module}\n   :members:\n" in page
        prose = " ".join(page.partition("```")[0].split("\n")[1:]).strip()
        assert len(re.findall(r"\.(?= |$)", prose)) in (1, 2), module
    assert {name for role, name in roles_in(PAGES["reference/index.md"])} == {
        f"psipo_explore.{module}" for module in MODULES
    }


def test_the_page_of_functions_names_every_function_of_the_package() -> None:
    named = {
        name.split(".")[2] for role, name in roles_in(PAGES["which_function.md"]) if role != "mod"
    }
    functions = {
        name for name in psipo_explore.__all__ if inspect.isfunction(getattr(psipo_explore, name))
    }
    assert functions - {"citations"} <= named


def test_the_table_of_functions_answers_every_question() -> None:
    text = PAGES["which_function.md"]
    rows = rows_of(text, "## The theory") + rows_of(text, "## Data and training")
    assert len(rows) > 20
    for question, functions, _ in rows:
        assert question.endswith("?")
        assert list(roles_in(functions))


def test_the_table_of_pictures_lists_every_view() -> None:
    rows = rows_of(PAGES["which_function.md"], "## Pictures")
    assert sorted(row[0].strip("`") for row in rows) == sorted(VIEWS)
    for name, _, lessons in rows:
        for lesson in re.findall(r"\((notebooks/\S+)\)", lessons):
            assert f"{name.strip('`')}.panel(" in (ROOT / lesson).read_text(encoding="utf-8")


def test_the_notation_table_names_what_exists() -> None:
    rows = rows_of(PAGES["notation.md"], "# Notation")
    assert len(rows) > 12
    for row in rows:
        assert len(row) == 6
        assert list(roles_in(row[3])) or row[3].startswith("every function")
        assert set(re.findall(r"\((\S+)\)", row[5])) <= LESSONS
        for number, lesson in re.findall(r"\[(\d\d)\]\(notebooks/(\d\d)", row[5]):
            assert number == lesson


def test_the_table_of_shapes_is_what_is_recognised() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \| ([\w., ]+) \|", PAGES["preference_files.md"], re.MULTILINE
    )
    assert rows == [(shape.name, ", ".join(shape.fields)) for shape in SHAPES]


def test_the_list_of_lessons_is_whole() -> None:
    assert (
        set(re.findall(r"^- \[.+?\]\((notebooks/\S+)\)", PAGES["index.md"], re.MULTILINE))
        == LESSONS
    )


def test_lessons_take_as_long_as_readme_says() -> None:
    minutes = r"\[[^\]]+\]\((notebooks/\S+)\) \|[^|]+\| (\d+) \|"
    assert dict(re.findall(minutes, PAGES["teaching.md"])) == dict(re.findall(minutes, README))
    assert len(re.findall(minutes, README)) == len(LESSONS)


def test_the_citation_is_that_of_the_file() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    page = PAGES["citing.md"]
    assert f"version = {{{psipo_explore.__version__}}}" in page
    paper = citation["references"][0]
    assert paper["title"] in page
    assert all(author["family-names"] in page for author in paper["authors"])
