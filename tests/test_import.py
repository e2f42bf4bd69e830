import ast
import subprocess
import sys

import psipo_explore


def test_importing_the_theory_imports_no_plotting() -> None:
    code = "import sys, psipo_explore; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = ast.literal_eval(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert not {"matplotlib", "sympy", "ipywidgets", "IPython"} & set(loaded)


def test_every_public_name_exists() -> None:
    assert sorted(psipo_explore.__all__) == sorted(set(psipo_explore.__all__))
    assert all(hasattr(psipo_explore, name) for name in psipo_explore.__all__)
