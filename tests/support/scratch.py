"""A copy of the repository that a test may change."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.repository import ROOT, files


def copy_repository(folder: Path) -> Path:
    """Copy the repository's files into `folder`; the installed tools are shared."""
    for path in files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    for installed in (".venv", ".cache"):
        (folder / installed).symlink_to(ROOT / installed)
    return folder


def change(path: Path, old: str, new: str) -> None:
    """Replace the one place in a file where `old` stands."""
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has {text.count(old)} places"
    path.write_text(text.replace(old, new))


def run_app(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m app` with the copy's code; nothing that serves stays behind."""
    command = (sys.executable, "-m", "app", *arguments)
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
