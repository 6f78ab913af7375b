"""JSON Schema with types: what is wrong with a value, as a list."""

from collections.abc import Iterable
from typing import Any, cast

from jsonschema import Draft201909Validator, Draft202012Validator


def mistakes(schema: dict[str, Any], instance: object) -> list[str]:
    """What is wrong with the instance, by the draft that the schema names (2020-12 without)."""
    older = "2019-09" in schema.get("$schema", "")
    validator: Any = (Draft201909Validator if older else Draft202012Validator)(schema)
    found = cast("Iterable[Any]", validator.iter_errors(instance))
    return [f"{error.json_path}: {error.message}" for error in found]


def check_schema(schema: dict[str, Any]) -> None:
    """Raises when the schema itself is none."""
    Draft202012Validator.check_schema(schema)
