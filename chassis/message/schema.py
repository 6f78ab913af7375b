"""What a message's JSON Schema says beyond pydantic's: the wire form, and nothing else.

`null` and titles are not shown, protobuf's own defaults neither (a generated client would take
a field with a default for required). In answers, the fields that are always shown are required.
"""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chassis.message.enums import ProtoEnum
from chassis.message.oneofs import oneofs_of
from chassis.message.shape import json_name
from chassis.message.wire_schema import always_shown, default_of

Mode = Literal["validation", "serialization"]


def as_wire(model: type[BaseModel], shown: dict[str, Any], mode: Mode, proto_names: bool) -> None:
    """Changes `shown`, the JSON Schema of `model`, in place to the wire form."""
    named = {n: n if proto_names else json_name(n) for n in model.model_fields}
    properties = shown.get("properties", {})
    shown["properties"] = {
        wire: _property(properties.get(wire) or properties[json_name(name)], info)
        for (name, wire), info in zip(named.items(), model.model_fields.values(), strict=True)
    }
    if mode == "serialization":
        shown.pop("additionalProperties", None)
        required = [named[n] for n, info in model.model_fields.items() if always_shown(info)]
    else:
        required = [named[n] for n, info in model.model_fields.items() if info.is_required()]
        _add_oneofs(model, shown, named)
    shown.pop("required", None)
    if required:
        shown["required"] = required


def _property(shown: dict[str, Any], info: FieldInfo) -> dict[str, Any]:
    kept = {key: value for key, value in shown.items() if key not in ("title", "default")}
    default = None if info.is_required() else default_of(info)
    unspecified = isinstance(default, ProtoEnum) and default.number == 0
    if "default" in shown and default and not unspecified:
        kept["default"] = shown["default"]
    return kept


def _add_oneofs(model: type[BaseModel], shown: dict[str, Any], named: dict[str, str]) -> None:
    rules: list[dict[str, Any]] = []
    for one in oneofs_of(model):
        fields = [named[field] for field in one.fields]
        pairs = [[a, b] for i, a in enumerate(fields) for b in fields[i + 1 :]]
        rules.append({"not": {"anyOf": [{"required": pair} for pair in pairs]}})
        if one.required:
            rules.append({"anyOf": [{"required": [field]} for field in fields]})
    if rules:
        shown["allOf"] = rules
