"""Bytes: base64 on the wire, standard or URL-safe alphabet in, with or without padding."""

import binascii
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from chassis.message.leaf import leaf, shown_as
from chassis.message.violations import violation

_TO_STANDARD = str.maketrans("-_", "+/")


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.translate(_TO_STANDARD).rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        raise violation("must be base64 text") from None


def _write(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def bytes_on_wire(plain: Any) -> CoreSchema:
    """The schema that reads and writes base64, with the limits of `plain` on the bytes."""
    shown: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
    if "max_length" in plain:
        shown["maxLength"] = (plain["max_length"] + 2) // 3 * 4
    strict: Any = {**plain, "strict": True}
    return core_schema.no_info_before_validator_function(
        _read,
        strict,
        serialization=core_schema.plain_serializer_function_ser_schema(
            _write, return_schema=core_schema.str_schema(), when_used="json"
        ),
        metadata=shown_as(shown),
    )


class _Bytes:
    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return leaf(handler(source), bytes_on_wire)


Bytes = Annotated[bytes, _Bytes()]
