"""Print what this project asks for without the bounds of its versions, for `make test-latest`."""

import re
import tomllib
from itertools import chain
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = {name: asked for name, asked in PROJECT["optional-dependencies"].items() if name != "gpu"}

for asked in chain(PROJECT["dependencies"], *EXTRAS.values()):
    bounded, semicolon, marker = asked.partition(";")
    package = re.split("[<>=~!]", bounded)[0]
    if not package.startswith(PROJECT["name"]):
        print(f"{package}{semicolon}{marker}")
