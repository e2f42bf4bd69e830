"""Print `name==version` for each lower bound that pyproject.toml declares, as constraints for pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
for requirements in (project["dependencies"], *project["optional-dependencies"].values()):
    for requirement in requirements:
        if bound := re.match(r"(?P<name>[\w.-]+)>=(?P<lowest>[\w.]+)", requirement):
            print(f"{bound['name']}=={bound['lowest']}")
