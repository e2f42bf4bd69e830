"""The wheel and the sdist work for a user who has nothing else.

They are built, installed into an empty environment, and used from an empty folder.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import lab
import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
PARTS = ("psipo_explore", "docs", "notebooks", "figures", "tests")
NOT_OURS = {"__pycache__", ".ipynb_checkpoints"}
CLIENT = """
from psipo_explore import D1, IPO, minimise
fit = minimise(D1, IPO, beta=1.0)
reveal_type(fit.attained)
minimise(D1, IPO, beta=1.0, tau=2.0)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run the command, assert that it succeeds, and return its output."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
}


def files_of(part: str) -> set[str]:
    inside = (
        path
        for path in (ROOT / part).rglob("*")
        if path.is_file() and not NOT_OURS & set(path.parts)
    )
    return {path.relative_to(ROOT).as_posix() for path in inside}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and the wheel from the project, and return their folder."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--sdist", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    return next(dist.glob("*.tar.gz"))


@pytest.fixture(scope="session")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install only the wheel and its requirements, and return the bin/ of the environment."""
    folder = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    run(
        *pip, "install", "--no-compile", "--constraint", ROOT / "constraints.txt", wheel, cwd=folder
    )
    run(*pip, "check", cwd=folder)
    return folder / "bin"


def test_the_wheel_holds_package_lessons_and_pictures_and_nothing_else(wheel: Path) -> None:
    course = {
        f"psipo_explore/course/{name}"
        for part in ("notebooks", "figures", "docs")
        for name in files_of(part)
    }
    course.remove("psipo_explore/course/notebooks/ruff.toml")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == files_of("psipo_explore") | course
    assert "psipo_explore/py.typed" in names


def test_the_sdist_holds_the_project_and_gives_the_same_wheel(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    top = {
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "CITATION.cff",
        "Makefile",
        "constraints.txt",
        ".ci/run",
        ".github/workflows/ci.yml",
        ".ci/coverage-of-app.toml",
        ".ci/font.py",
        ".ci/lowest.py",
    }
    assert names - top - {
        "pyproject.toml",
        "PKG-INFO",
        ".gitignore",
        ".pre-commit-config.yaml",
    } == set.union(*map(files_of, PARTS))
    assert top <= names
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--wheel-dir",
        tmp_path,
        sdist,
        cwd=tmp_path,
    )
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_readme_s_examples_run(clean: Path, tmp_path: Path) -> None:
    run(
        clean / "python",
        "-m",
        "doctest",
        "-o",
        "NORMALIZE_WHITESPACE",
        ROOT / "README.md",
        cwd=tmp_path,
    )


def test_python_m_is_the_command(clean: Path, tmp_path: Path) -> None:
    assert run(clean / "python", "-m", "psipo_explore", "--help", cwd=tmp_path) == run(
        clean / "psipo", "--help", cwd=tmp_path
    )


def test_a_figure_is_drawn_to_the_last_byte(clean: Path, tmp_path: Path) -> None:
    run(clean / "psipo", "figures", "collapse", "--out", tmp_path, cwd=tmp_path)
    assert (tmp_path / "collapse.svg").read_bytes() == (
        ROOT / "figures" / "collapse.svg"
    ).read_bytes()


def test_a_type_checker_reads_the_types(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    mypy = (
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        clean / "python",
        "client.py",
    )
    said = subprocess.run(
        mypy,
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    ).stdout
    assert 'Revealed type is "bool"' in said
    assert 'Unexpected keyword argument "tau"' in said
    assert "Found 1 error" in said


def test_lab_in_an_empty_folder_opens_a_lesson_that_lives(
    clean: Path, page: Page, tmp_path: Path
) -> None:
    home, empty = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    empty.mkdir()
    command = [str(clean / "psipo"), "lab", "--no-browser", "--port", str(lab.free_port())]
    with lab.jupyterlab(command, ENVIRONMENT, home, cwd=empty) as url:
        lab.open_notebook(page, url("00_start_here.ipynb"))
        lab.run_all_cells(page)
        sentence = page.locator(".psipo-sentence").first
        at_first = sentence.text_content() or ""
        page.locator(".widget-slider .noUi-handle").first.press("End")
        expect(sentence).not_to_have_text(at_first, timeout=10_000)
        expect(page.locator(lab.ERRORS)).to_have_count(0)
        picture = page.locator(".jp-RenderedMarkdown img").first
        assert picture.evaluate("image => image.naturalWidth") > 300
    assert sorted(path.name for path in empty.iterdir()) == ["psipo_course"]
