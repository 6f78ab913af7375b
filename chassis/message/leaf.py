"""How a leaf type (a number, bytes, a time, an enum) tells the message what its wire form is.

A leaf's own core schema is plain, so that `Field(le=200)` lands on it like on any pydantic type.
When a message is built, `wire_schema` replaces the plain schema by what the leaf's `on_wire`
makes of it: the same limits, but reading and writing protojson.
"""

from collections.abc import Callable
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

_KEY = "chassis_on_wire"

OnWire = Callable[[Any], CoreSchema]


def leaf(schema: Any, on_wire: OnWire) -> CoreSchema:
    """`schema`, marked so that messages replace it by `on_wire(schema)`."""
    marked: Any = {**schema, "metadata": {**schema.get("metadata", {}), _KEY: on_wire}}
    return marked


def on_wire_of(schema: Any) -> OnWire | None:
    """The mark that `leaf` left, if this schema has one."""
    found: OnWire | None = schema.get("metadata", {}).get(_KEY)
    return found


def shown_as(json_schema: dict[str, Any]) -> dict[str, Any]:
    """Core schema metadata that makes pydantic describe a type by `json_schema`."""

    def describe(_schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(json_schema)

    return {"pydantic_js_functions": [describe]}
