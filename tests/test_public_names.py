"""What holds of every public name: it says what it takes and gives, in which shapes, where it comes
from, and shows it.
"""

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import psipo_explore

PACKAGE = Path(psipo_explore.__file__).parent
NOT_THEORY = {"cli", "course"}
MODULES: list[ModuleType] = [
    import_module(f"psipo_explore.{path.stem}")
    for path in sorted(PACKAGE.glob("[a-z]*.py"))
    if path.stem not in NOT_THEORY
]
PUBLIC = {
    f"{module.__name__.partition('.')[2]}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
}
DESCRIBED = {
    name: thing for name, thing in PUBLIC.items() if isinstance(thing, type | FunctionType)
}
METHODS: dict[str, FunctionType] = {
    f"{name}.{attribute}": function
    for name, thing in DESCRIBED.items()
    if isinstance(thing, type)
    for attribute, value in vars(thing).items()
    if not attribute.startswith("_")
    and isinstance(function := getattr(value, "__func__", value), FunctionType)
}
CALLED = {**DESCRIBED, **METHODS}
PROPERTIES = {
    f"{name}.{attribute}": value
    for name, thing in DESCRIBED.items()
    for attribute, value in vars(thing).items()
    if not attribute.startswith("_") and isinstance(value, property)
}
SOURCE = r"(Eq|Prop|Thm|App)\. ?[A-Z]?\d|§\d|arXiv:\d|\b(19|20)\d\d\b"
ACT_ON_PI_REF = ("policy.kl_divergence", "comparisons.Comparisons.reference")
ORDER = ["policy", "p", "data", "g", "rewards", "psi", "loss", "beta"]

described = pytest.mark.parametrize("name", DESCRIBED)
called = pytest.mark.parametrize("name", CALLED)


def section(name: str, title: str) -> str:
    """A section of a numpydoc docstring, without its title."""
    document = inspect.getdoc(CALLED[name]) or ""
    found = re.search(
        rf"^{title}\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", document, re.DOTALL | re.MULTILINE
    )
    return found[1] if found else ""


def parameters(name: str) -> list[str]:
    return [
        parameter
        for parameter in inspect.signature(CALLED[name]).parameters
        if parameter not in ("self", "cls")
    ]


def test_the_package_s_names_are_those_of_its_modules() -> None:
    there = {name.rpartition(".")[2] for name in PUBLIC}
    assert set(psipo_explore.__all__) <= there
    assert len(there) == len(PUBLIC), "one name, one thing"
    for name in psipo_explore.__all__:
        assert any(
            getattr(module, name, None) is getattr(psipo_explore, name)
            for module in MODULES
            if name in module.__all__
        )


@called
def test_its_parameters_are_documented_in_the_order_of_the_signature(name: str) -> None:
    heads = re.findall(r"^(\S.*?)(?: : .*)?$", section(name, "Parameters"), re.MULTILINE)
    assert [
        documented.lstrip("*") for head in heads for documented in head.split(", ")
    ] == parameters(name)


@called
def test_every_array_has_a_shape(name: str) -> None:
    for line in re.findall(
        r"^\S.*\barray.*$", section(name, "Parameters") + section(name, "Returns"), re.MULTILINE
    ):
        assert "shape (" in line or "shape p.shape" in line, line


@called
def test_it_shows_itself_in_a_doctest(name: str) -> None:
    assert ">>> " in section(name, "Examples")


@pytest.mark.parametrize("name", [name for name in CALLED if not isinstance(CALLED[name], type)])
def test_it_says_what_it_returns_and_what_it_refuses(name: str) -> None:
    assert section(name, "Returns")
    if parameters(name) not in ([], ["shape"]):
        assert re.search(r"^(ValueError|TypeError)$", section(name, "Raises"), re.MULTILINE)


@described
def test_it_names_its_source(name: str) -> None:
    assert re.search(SOURCE, inspect.getdoc(DESCRIBED[name]) or "")


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_is_described_in_a_sentence(name: str) -> None:
    assert (inspect.getdoc(PROPERTIES[name]) or "").partition("\n")[0].endswith(".")


@pytest.mark.parametrize("name", [name for name in CALLED if not isinstance(CALLED[name], type)])
def test_arguments_come_in_the_one_order(name: str) -> None:
    """What it acts on, then psi or loss, then beta; the rest by keyword alone."""
    kinds = inspect.signature(CALLED[name]).parameters
    known = [ORDER.index(parameter) for parameter in kinds if parameter in ORDER]
    assert known == sorted(known)
    for parameter in ("pi_ref", "mu", "seeds", "n_samples", "progress", "rng"):
        if parameter in kinds and name not in ACT_ON_PI_REF:
            assert kinds[parameter].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_module_opens_with_what_it_is_in_at_most_three_sentences(path: Path) -> None:
    first = re.match(r'r?"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
    assert first, "no docstring"
    without_code_and_short_words = re.sub(r"`[^`]*`|\b(Eq|Prop|App|Thm|S|M)\.", "", first[1])
    assert len(re.findall(r"[.!?](?=\s|$)", without_code_and_short_words)) <= 3
    assert first[1].strip().endswith(".")


def test_theory_draws_nothing() -> None:
    for path in PACKAGE.glob("*.py"):
        if path.stem not in NOT_THEORY:
            lines = path.read_text(encoding="utf-8").splitlines()
            assert not any(
                re.match(r"\s*(from|import) (matplotlib|ipywidgets|psipo_explore\.views)", line)
                for line in lines
            ), path.name
