"""The top-level packages: ours alone, layered, documented, and small enough to read."""

import ast
import importlib.util
import subprocess
import sys

from tests.support.repository import ROOT, functions, packages, python_files

FILE_LINES = 400
FUNCTION_LINES = 50
# `path:function` of what may be longer, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}


def test_no_package_shadows_the_standard_library() -> None:
    assert not set(packages()) & sys.stdlib_module_names


def test_every_package_is_ours_and_not_a_dependency_of_the_same_name() -> None:
    for name in (package for package in packages() if (ROOT / package).exists()):
        spec = importlib.util.find_spec(name)
        assert spec is not None, name
        assert spec.origin == str(ROOT / name / "__init__.py"), name


def test_imports_go_down() -> None:
    lint = subprocess.run(
        (sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path)
        for path in python_files()
        if not ast.get_docstring(ast.parse((ROOT / path).read_text()))
    ]
    assert not silent


def test_no_file_is_too_long_to_read() -> None:
    long = [
        str(path)
        for path in python_files()
        if len((ROOT / path).read_text().splitlines()) > FILE_LINES
    ]
    assert not long


def test_no_function_is_too_long_to_read() -> None:
    long = {f"{f.path}:{f.name}" for f in functions() if f.lines >= FUNCTION_LINES}
    assert long == set(LONG_FUNCTIONS)


def test_no_folder_of_tests_is_a_package() -> None:
    # With an __init__.py, tests/gateways would be imported as the package `gateways`.
    found = [path for path in python_files() if path.parts[0] == "tests"]
    assert not [path for path in found if path.name == "__init__.py"]
