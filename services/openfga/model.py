"""The authorization model as the server takes it.

`model.fga` is for people, `model.json` for the server; a test holds one against the other. Models
on the server are immutable and have ids: a version of this code asks with the model that it brings.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

# Empty, and yet they say something: a relation can be written; everybody is meant.
_MEANT = ("this", "wildcard")

PATH = Path(__file__).with_name("model.json")


@cache
def ours() -> dict[str, Any]:
    """The model of this version of the code. Not to be changed by whoever reads it."""
    return cast("dict[str, Any]", json.loads(PATH.read_text(encoding="utf-8")))


def is_ours(theirs: dict[str, Any]) -> bool:
    """Whether a model that the server has is the one that this code brings."""
    wanted = ("schema_version", "type_definitions", "conditions")
    return _bare({name: theirs.get(name) for name in wanted}) == _bare(ours())


def _bare(value: Any) -> Any:
    """Without what stands for nothing; the server adds such values."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        bare = {name: _bare(each) for name, each in entries.items()}
        meant = {name for name in _MEANT if bare.get(name) == {}}
        kept = {name: each for name, each in bare.items() if each not in (None, "", [], {})}
        return kept | dict.fromkeys(meant, True)
    if isinstance(value, list):
        return [_bare(each) for each in cast("list[Any]", value)]
    return value
