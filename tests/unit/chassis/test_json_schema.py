"""Judging JSON by a stranger's schema: what is found, and that no schema can hold us up."""

import time
from typing import Any

import pytest

from chassis.json_schema import breaches, is_object_schema, is_schema

NAMED = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "uniqueItems": True}},
    "required": ["name"],
}


JUDGED: list[tuple[Any, list[tuple[str, str]]]] = [
    ({"name": "a"}, []),
    ({}, [("", "required")]),
    ({"name": 1}, [('["name"]', "type")]),
    ([], [("", "type")]),
    ({"name": "a", "tags": [{}, {}]}, [('["tags"]', "uniqueItems")]),
]


@pytest.mark.parametrize(("value", "found"), JUDGED)
def test_where_a_value_breaks_a_schema_is_told(value: Any, found: list[tuple[str, str]]) -> None:
    assert breaches(NAMED, value) == found


def test_at_most_ten_places_are_told() -> None:
    assert len(breaches({"items": {"type": "string"}}, [*range(100)])) == 10


@pytest.mark.parametrize("schema", [{"type": "nothing"}, {"properties": 3}, {"required": "name"}])
def test_what_is_no_schema_is_known_as_such(schema: dict[str, Any]) -> None:
    assert not is_schema(schema)
    assert not is_object_schema({"type": "object", **schema} if "type" not in schema else schema)


def test_a_schema_of_anything_is_one_but_describes_no_object() -> None:
    assert is_schema({})
    assert is_schema({"type": "array"})
    assert not is_object_schema({"type": "array"})


def multiplying() -> dict[str, Any]:
    """Each definition asks twice for the one before."""
    defs: dict[str, Any] = {"d0": {"type": "string"}}
    for number in range(1, 40):
        twice = [{"$ref": f"#/$defs/d{number - 1}"}] * 2
        defs[f"d{number}"] = {"allOf": twice}
    return {"$defs": defs, "$ref": "#/$defs/d39"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (multiplying(), "x"),
        ({"pattern": "^(a+)+$"}, "a" * 40 + "b"),
        ({"uniqueItems": True}, [{"n": [n]} for n in range(20_000)]),
        ({"$ref": "#"}, {}),
        ({"$ref": "https://example.invalid/schema"}, {}),
    ],
    ids=["multiplies", "pattern", "unique", "itself", "elsewhere"],
)
def test_a_schema_that_would_hold_us_up_is_not_followed(schema: dict[str, Any], value: Any) -> None:
    began = time.monotonic()
    assert breaches(schema, value) == []
    assert time.monotonic() - began < 10
