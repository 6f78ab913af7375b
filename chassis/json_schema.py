"""Judging free JSON by a schema that a stranger wrote, such as a tool server.

A schema may not make us do anything: references to other places are not fetched, and patterns are
not tried, because one that was made for it takes for ever. What cannot be judged passes: whoever
gets the value judges it again.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, validators
from jsonschema.validators import validator_for
from referencing import Registry

_validators: Any = validators  # `extend` has parameters of unknown types

_MOST = 10


def is_object_schema(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is one, and describes an object, as the arguments of a tool are."""
    if schema.get("type") != "object":
        return False
    try:
        validator_for(dict(schema), default=Draft202012Validator).check_schema(dict(schema))
    except (SchemaError, RecursionError, TypeError, ValueError):
        return False
    return True


def breaches(schema: Mapping[str, Any], value: Any) -> list[tuple[str, str]]:
    """Where a value breaks a schema: the path, and the schema's keyword. At most ten."""
    kind = _without_patterns(validator_for(dict(schema), default=Draft202012Validator))
    try:
        nothing: Registry[Any] = Registry()
        validator = kind(dict(schema), registry=nothing)
        found: list[tuple[str, str]] = []
        for error in validator.iter_errors(value):
            path = "".join(f"[{json.dumps(step)}]" for step in error.absolute_path)
            found.append((path, str(error.validator)))
            if len(found) == _MOST:
                break
    except Exception:  # whatever a hostile schema does to the library
        return []
    return found


@lru_cache(maxsize=16)
def _without_patterns(kind: Any) -> Any:
    def passes(*_: Any) -> tuple[()]:
        return ()

    return _validators.extend(
        kind, {"pattern": passes, "patternProperties": passes, "format": passes}
    )
