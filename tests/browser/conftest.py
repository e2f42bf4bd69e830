"""The fixtures of the tests in a browser."""

from pathlib import Path

import lab
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

pytest_configure = lab.register


@pytest.fixture(scope="session")
def executed_lesson(course: Path) -> str:
    """Save a notebook with outputs from another kernel, which this JupyterLab does not trust."""
    notebook = new_notebook(
        cells=[new_code_cell("from psipo_explore.views import collapse\n\ncollapse.panel()")]
    )
    NotebookClient(notebook, timeout=60).execute()
    nbformat.write(notebook, course / "notebooks" / "executed.ipynb")
    return "executed.ipynb"
