"""What must not be in a tracked file: machines, registries, and things left for later."""

import re
from pathlib import Path

import pytest

from tests.support.repository import ROOT, files

# Written in pieces, because this file is searched too.
MACHINE_PATHS = re.compile("|".join(f"/{name}/" for name in ("work", "root", "home", "Users")))
REGISTRY_NAMES = {"org": ("pypi", "pythonhosted", "npmjs"), "com": ("yarnpkg",)}
REGISTRIES = re.compile(
    "|".join(rf"{name}\.{domain}" for domain, names in REGISTRY_NAMES.items() for name in names)
)
LATER = re.compile("|".join((r"\bTO" "DO", r"\bFIX" "ME", r"\bX" "XX")))


@pytest.mark.parametrize("forbidden", [MACHINE_PATHS, REGISTRIES, LATER])
def test_no_tracked_file_names(forbidden: re.Pattern[str]) -> None:
    found = [str(path) for path in files() if forbidden.search(text_of(ROOT / path))]
    assert not found


def text_of(path: Path) -> str:
    """The file's text; a binary file has none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_the_locks_hold_a_hash_for_every_package() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        blocks = re.split(r"\n(?=\S)", lock.read_text())
        pinned = [block for block in blocks if "==" in block.splitlines()[0]]
        assert pinned
        assert all("--hash=sha256:" in block for block in pinned), lock.name
