"""Stored samples of state records: what a version once wrote must stay readable for ever.

A sample is never edited. A record that changes gets a sample of its new version beside the old.
"""

import json
from pathlib import Path
from typing import Any, TypeVar

import pytest

from chassis.message import Message

M = TypeVar("M", bound=Message)
Json = dict[str, Any] | list[Any] | str | int | float | bool | None

# Objects whose names are data: what is added to them is kept.
_FREE = frozenset(
    {
        "metadata", "changes", "error", "jsonSchema", "arguments", "edited", "inputSchema",
        "structuredContent",
    }
)  # fmt: skip


def every_sample(beside: str, **records: type[Message]) -> pytest.MarkDecorator:
    """One test for each `samples/<name>.<version>.json` beside a test module.

    Fails at collection when a record has no sample, or a sample no record.
    """
    found = sorted((Path(beside).parent / "samples").glob("*.json"))
    names = {path.name.partition(".")[0] for path in found}
    assert names == set(records), "each record has a sample, and each sample a record"
    cases = [(path, records[path.name.partition(".")[0]]) for path in found]
    return pytest.mark.parametrize(("sample", "record"), cases, ids=[path.stem for path in found])


def read(sample: Path, record: type[M]) -> M:
    """The record in a sample."""
    return record.from_json(sample.read_bytes())


def shown(sample: Path) -> Json:
    """What stands in a sample."""
    return json.loads(sample.read_bytes())


def lost(stored: Json, kept: Json, where: str = "") -> list[str]:
    """The places in `stored` that are not in `kept`, or have another value there."""
    if isinstance(stored, dict) and isinstance(kept, dict):
        missing = [f"{where}.{name}" for name in stored if name not in kept]
        shared = [name for name in stored if name in kept]
        return missing + [
            place for name in shared for place in lost(stored[name], kept[name], f"{where}.{name}")
        ]
    if isinstance(stored, list) and isinstance(kept, list) and len(stored) == len(kept):
        pairs = enumerate(zip(stored, kept, strict=True))
        return [place for i, (one, other) in pairs for place in lost(one, other, f"{where}[{i}]")]
    return [] if stored == kept else [where]


def with_news(stored: Json) -> Json:
    """The sample as a newer version may write it: with fields that this one does not know."""
    if isinstance(stored, dict):
        fields = {
            name: value if name in _FREE else with_news(value) for name, value in stored.items()
        }
        return {**fields, "aFieldOfTheFuture": {"deep": [1, None]}}
    if isinstance(stored, list):
        return [with_news(value) for value in stored]
    return stored
