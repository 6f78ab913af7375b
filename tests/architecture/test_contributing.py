"""CONTRIBUTING.md, followed literally, adds a component that works."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.scratch import copy_repository

BLOCK = re.compile(r"^```python (?P<path>\S+)\n(?P<text>.*?)^```$", re.M | re.S)
ROW = re.compile(
    r"^\| (?:`(?P<path>[^`]+)` )?\| (?:`(?P<line>[^`]+)` )?\| `(?P<added>[^`]+)` \|$", re.M
)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A copy of the repository's files that shares the installed tools."""
    return copy_repository(tmp_path)


def run(scratch: Path, *command: str) -> None:
    """Run a command in the copy; its output is shown when it fails."""
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def write_files(scratch: Path, text: str) -> list[str]:
    """Write every block that is headed by a path; returns the paths."""
    blocks = BLOCK.findall(text)
    for path, content in blocks:
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_text(content)
    return [path for path, _ in blocks]


def add_lines(scratch: Path, text: str) -> None:
    """Carry out the table: lines to add below a line of a file, with that line's indentation."""
    path, below = Path(), ""
    for row in ROW.finditer(text):
        path = scratch / row["path"] if row["path"] else path
        below = row["line"] or below
        (line,) = (each for each in path.read_text().splitlines() if each.strip() == below)
        added = line.replace(below, row["added"])
        path.write_text(path.read_text().replace(f"{line}\n", f"{line}\n{added}\n"))
        below = row["added"]


def test_contributing_adds_a_working_component(scratch: Path) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = write_files(scratch, text)
    add_lines(scratch, text)
    run(scratch, sys.executable, "-m", "ruff", "check", "--fix", ".")
    run(scratch, sys.executable, "-m", "ruff", "format", ".")
    run(scratch, sys.executable, "-m", "pytest", *(path for path in paths if "test" in path))
