"""Int32, UInt32, Int64, UInt64, Float, Double: numbers with protobuf's ranges and spellings.

In: JSON numbers (`1`, `1.0`, `1e3`) and text that follows JSON's number grammar, for floats also
"NaN", "Infinity", "-Infinity". Out: 64-bit integers as text, all others as numbers. A wrong type
and a wrong range get one sentence that states what is right, limits of the field included.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from chassis.message.leaf import leaf, shown_as
from chassis.message.violations import VIOLATION

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 400
_MOST_DIGITS = 20
_LIMITS = ("ge", "gt", "le", "lt", "multiple_of")
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FLOAT_MAX = (2 - 2**-23) * 2.0**127


def _read_integer(value: Any) -> int:
    """An integer from text or from a number with a fraction of zero; ValueError otherwise."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        if _INTEGER.fullmatch(value):
            return int(value)
        if _NUMBER.fullmatch(value):
            number = Decimal(value)
            # An exponent of a billion would fill memory with digits.
            if number.adjusted() < _MOST_DIGITS and number == number.to_integral_value():
                return int(number)
    elif isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError


def _limits_in_words(schema: Any) -> str:
    """What the limits of a number schema say: ` from 1 to 200`, ` at least 0`, or nothing."""
    ge, gt, le, lt = (schema.get(key) for key in _LIMITS[:4])
    words: list[str] = []
    if gt is None and lt is None and ge is not None and le is not None:
        words.append(f"from {ge} to {le}")
    else:
        if gt is not None or ge is not None:
            words.append(f"greater than {gt}" if gt is not None else f"at least {ge}")
        if lt is not None or le is not None:
            words.append(f"less than {lt}" if lt is not None else f"at most {le}")
    if "multiple_of" in schema:
        words.append(f"a multiple of {schema['multiple_of']}")
    return "".join(f" {' and '.join(words)}" if words else "")


_JSON_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


def _limits_as_json_schema(schema: Any) -> dict[str, Any]:
    return {word: schema[key] for key, word in _JSON_LIMITS.items() if key in schema}


@dataclass(frozen=True, slots=True)
class _Integer:
    """The annotation behind the four integer types."""

    format: str
    lowest: int
    highest: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        # A field's own limit replaces ours; ours is wider, so nothing is lost.
        range_ = {"ge": self.lowest, "le": self.highest}
        return leaf({**range_, **handler(source), "strict": True}, self._on_wire)

    def _on_wire(self, plain: Any) -> CoreSchema:
        sentence = f"must be a whole number{_limits_in_words(plain)}"
        from_text = core_schema.no_info_plain_validator_function(_read_integer)
        wide = self.format.endswith("64")
        return core_schema.union_schema(
            [plain, core_schema.chain_schema([from_text, plain])],
            mode="left_to_right",
            custom_error_type=VIOLATION,
            custom_error_message="{sentence}",
            custom_error_context={"sentence": sentence},
            serialization=(
                core_schema.to_string_ser_schema(when_used="json")
                if wide
                else core_schema.simple_ser_schema("int")
            ),
            metadata=shown_as(self._json_schema(plain)),
        )

    def _json_schema(self, plain: Any) -> dict[str, Any]:
        if not self.format.endswith("64"):
            return {"type": "integer", "format": self.format, **_limits_as_json_schema(plain)}
        sign = "" if self.lowest == 0 else "-?"
        return {"type": "string", "format": self.format, "pattern": f"^{sign}[0-9]{{1,20}}$"}


def _read_finite(value: Any) -> float:
    """A float from text that is a number; ValueError otherwise."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return float(value)
    raise ValueError


def _read_named(value: Any, info: ValidationInfo) -> float:
    """What is no number in JSON: by name, or from Python; `1e999` in JSON is none of them."""
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    if isinstance(value, float) and info.context is None:
        return value
    raise ValueError


@dataclass(frozen=True, slots=True)
class Floating:
    """The annotation behind Float and Double; `largest` is the range of the 32-bit one."""

    format: str
    largest: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return leaf({**handler(source), "strict": True}, self.on_wire)

    def on_wire(self, plain: Any) -> CoreSchema:
        """The schema that reads and writes protojson within the limits of `plain`."""
        limits = {key: plain[key] for key in _LIMITS if key in plain}
        number: Any = {**plain, "allow_inf_nan": False}
        if self.largest is not None:
            number = {"ge": -self.largest, "le": self.largest, **number}
        choices: list[Any] = [number, core_schema.chain_schema([_FINITE_TEXT, number])]
        if not limits:
            choices.append(core_schema.with_info_plain_validator_function(_read_named))
        return core_schema.union_schema(
            choices,
            mode="left_to_right",
            custom_error_type=VIOLATION,
            custom_error_message="{sentence}",
            custom_error_context={"sentence": f"must be a number{_limits_in_words(limits)}"},
            serialization=core_schema.simple_ser_schema("float"),
            metadata=shown_as(
                {"type": "number", "format": self.format, **_limits_as_json_schema(limits)}
            ),
        )


_FINITE_TEXT = core_schema.no_info_plain_validator_function(_read_finite)

Int32 = Annotated[int, _Integer("int32", -(2**31), 2**31 - 1)]
UInt32 = Annotated[int, _Integer("uint32", 0, 2**32 - 1)]
Int64 = Annotated[int, _Integer("int64", -(2**63), 2**63 - 1)]
UInt64 = Annotated[int, _Integer("uint64", 0, 2**64 - 1)]
Float = Annotated[float, Floating("float", _FLOAT_MAX)]
Double = Annotated[float, Floating("double")]
