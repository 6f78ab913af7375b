"""The generated files: where each stands, what makes it, and whether it is stale."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.generate import docs, krakend, openapi
from app.registry import Registry

ROOT = Path(__file__).parents[2]
"""The checkout. The files are not part of what is installed."""


def contents(registry: Registry, root: Path = ROOT) -> dict[str, str]:
    """Every generated file's text, by its path below the root."""
    makers: dict[str, Callable[[], str]] = {
        "openapi.json": lambda: _json(openapi.document(registry)),
        krakend.PATH: lambda: _json(krakend.config(registry, krakend.read_base(root))),
        "docs/errors.md": lambda: docs.errors(registry),
        "docs/permissions.md": lambda: docs.permissions(registry),
    }
    return {path: make() for path, make in makers.items()}


def write(registry: Registry, root: Path = ROOT) -> list[str]:
    """Write what is missing or stale; returns those paths."""
    changed = stale(registry, root)
    made = contents(registry, root)
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(made[path], encoding="utf-8")
    return changed


def stale(registry: Registry, root: Path = ROOT) -> list[str]:
    """The paths of the files that differ from what would be generated now."""
    made = contents(registry, root)
    return [path for path, text in made.items() if _text_of(root / path) != text]


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
