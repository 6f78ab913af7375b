"""The top-level packages: ours alone, documented, and small enough to read."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def packages() -> list[str]:
    """The top-level packages that the wheel is made of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return list(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_no_package_shadows_the_standard_library() -> None:
    assert not set(packages()) & sys.stdlib_module_names
