"""A lesson as it comes from somebody else."""

from pathlib import Path

import lab
import nbformat
import pytest
from nbclient import NotebookClient


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.is_registered(lab):
        config.pluginmanager.register(lab)


@pytest.fixture(scope="session")
def executed_lesson(course: Path) -> str:
    """A lesson as somebody else's kernel saved it, with its outputs, which this JupyterLab has no reason to trust."""
    notebook = nbformat.read(course / "notebooks" / "03_collapse.ipynb", as_version=4)
    NotebookClient(notebook, timeout=60).execute()
    nbformat.write(notebook, course / "notebooks" / "executed.ipynb")
    return "executed.ipynb"
