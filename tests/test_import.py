import ast
import subprocess
import sys
from pathlib import Path

import pytest

import psipo_explore

PACKAGE = Path(psipo_explore.__file__).parent
THEORY = sorted(path for path in PACKAGE.glob("*.py") if path.name != "cli.py")


def test_importing_the_theory_imports_no_plotting() -> None:
    code = "import sys, psipo_explore; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = ast.literal_eval(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert not {"matplotlib", "sympy", "ipywidgets", "IPython"} & set(loaded)


@pytest.mark.parametrize("path", THEORY, ids=lambda path: path.stem)
def test_theory_never_imports_views(path: Path) -> None:
    assert "psipo_explore.views" not in path.read_text(encoding="utf-8")


def test_every_public_name_exists() -> None:
    assert sorted(psipo_explore.__all__) == sorted(set(psipo_explore.__all__))
    assert all(hasattr(psipo_explore, name) for name in psipo_explore.__all__)
