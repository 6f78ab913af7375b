"""Judging free JSON by a schema that a stranger wrote: a tool server, or a user.

A schema may not make us do anything: references to other places are not fetched, patterns and
formats are not tried, because one that was made for it takes for ever, and a schema whose parts
multiply is followed only so far. What cannot be judged passes: whoever gets the value judges it
again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, validators
from jsonschema.validators import validator_for
from referencing import Registry

_validators: Any = validators  # `extend` has parameters of unknown types

_MOST = 10
# Keywords that are tried for one value; about half a second of work.
_MOST_TRIED = 50_000
# Comparing each item with each: no more of them than this.
_MOST_UNIQUE = 1000

_tried: ContextVar[list[int]] = ContextVar("tried")


class _TooMuchError(Exception):
    """The schema asks for more work than a value is worth."""


def is_schema(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is one."""
    try:
        validator_for(dict(schema), default=Draft202012Validator).check_schema(dict(schema))
    except (SchemaError, RecursionError, TypeError, ValueError):
        return False
    return True


def is_object_schema(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is one, and describes an object, as the arguments of a tool are."""
    return schema.get("type") == "object" and is_schema(schema)


def breaches(schema: Mapping[str, Any], value: Any) -> list[tuple[str, str]]:
    """Where a value breaks a schema: the path, and the schema's keyword. At most ten."""
    kind = _harmless(validator_for(dict(schema), default=Draft202012Validator))
    found: list[tuple[str, str]] = []
    counting = _tried.set([0])
    try:
        nothing: Registry[Any] = Registry()
        for error in kind(dict(schema), registry=nothing).iter_errors(value):
            path = "".join(f"[{json.dumps(step)}]" for step in error.absolute_path)
            found.append((path, str(error.validator)))
            if len(found) == _MOST:
                break
    except Exception:  # whatever a hostile schema does to the library
        return []
    finally:
        _tried.reset(counting)
    return found


@lru_cache(maxsize=16)
def _harmless(kind: Any) -> Any:
    keywords = {name: _counted(tries) for name, tries in kind.VALIDATORS.items()}
    unique = keywords.get("uniqueItems", _passes)

    def unique_items(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterable[Any]:
        small = not isinstance(value, list) or len(value) <= _MOST_UNIQUE  # pyright: ignore[reportUnknownArgumentType]
        return unique(validator, wanted, value, schema) if small else ()

    untried = dict.fromkeys(("pattern", "patternProperties", "format"), _passes)
    return _validators.extend(kind, {**keywords, "uniqueItems": unique_items, **untried})


def _counted(tries: Callable[..., Iterable[Any]]) -> Callable[..., Iterable[Any]]:
    def keyword(*given: Any) -> Iterable[Any]:
        count = _tried.get()
        count[0] += 1
        if count[0] > _MOST_TRIED:
            raise _TooMuchError
        return tries(*given) or ()

    return keyword


def _passes(*_: Any) -> tuple[()]:
    return ()
