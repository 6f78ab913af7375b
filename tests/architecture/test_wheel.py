"""The wheel: everything that is imported in production is in it or in the runtime lock."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.repository import ROOT, modules

UV = Path(sys.executable).with_name("uv")
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; its output is shown when it fails."""
    environment = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_imports_from_the_wheel_in_a_clean_environment(tmp_path: Path) -> None:
    run(UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable,
        "--out-dir", tmp_path)  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    python = tmp_path / "venv" / "bin" / "python"
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    run(UV, "pip", "install", "--quiet", "--python", python, "--require-hashes",
        "--requirements", ROOT / "requirements" / "runtime.txt")  # fmt: skip
    run(UV, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel)
    run(python, "-I", "-c", IMPORT_ALL, *modules(), cwd=tmp_path)
