"""What holds of every public name: its docstring, and the order of its arguments."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate

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
ACT_ON_PI_REF = ("policy.kl_divergence", "comparisons.Comparisons.reference")
ORDER = ["policy", "p", "data", "g", "rewards", "psi", "loss", "beta"]

# What numpydoc asks for and these docstrings leave out, with the reason.
NOT_ASKED = {
    "ES01",  # one sentence may say it all
    "EX01",  # a property needs no example; what is called is held to one below
    "SA01",  # the module's docstring says what stands beside it
    "PR08", "RT04", "SS02",  # a sentence may begin with a symbol, such as φ or π
}  # fmt: skip

called = pytest.mark.parametrize("name", CALLED)
functions = pytest.mark.parametrize(
    "name", [name for name, thing in CALLED.items() if not isinstance(thing, type)]
)


def document(name: str) -> Any:
    """The docstring, as numpydoc reads it."""
    return get_doc_object(CALLED[name])


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


@pytest.mark.parametrize("name", [*CALLED, *PROPERTIES])
def test_numpydoc_finds_nothing_wrong_with_its_docstring(name: str) -> None:
    errors = validate(f"psipo_explore.{name}")["errors"]
    assert [error for error in errors if error[0] not in NOT_ASKED] == []


@called
def test_every_array_has_a_shape(name: str) -> None:
    for field in [*document(name)["Parameters"], *document(name)["Returns"]]:
        if "array" in field.type:
            assert re.search(r"shape (\(|p\.shape)", field.type), field


@called
def test_it_shows_itself_in_a_doctest(name: str) -> None:
    assert any(">>> " in line for line in document(name)["Examples"])


@called
def test_it_says_what_can_really_go_wrong(name: str) -> None:
    for error in document(name)["Raises"]:
        assert "not what it must be" not in " ".join(error.desc)


@functions
def test_arguments_come_in_the_one_order(name: str) -> None:
    """What it acts on, then psi or loss, then beta; the rest by keyword alone."""
    kinds = inspect.signature(CALLED[name]).parameters
    known = [ORDER.index(parameter) for parameter in kinds if parameter in ORDER]
    assert known == sorted(known)
    for parameter in ("pi_ref", "mu", "seeds", "n_samples", "progress", "rng"):
        if parameter in kinds and name not in ACT_ON_PI_REF:
            assert kinds[parameter].kind is inspect.Parameter.KEYWORD_ONLY
