"""Turns the core schema that pydantic makes of a message into one that speaks protojson.

Everything that must happen for each field of each message happens here once, when the class is
built, so that pydantic-core does it and no Python walks over requests: names, strict leaf types,
which fields are omitted when they hold their default, and oneofs.
"""

import math
from operator import not_
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from chassis.message.binary import bytes_on_wire
from chassis.message.enums import ProtoEnum
from chassis.message.leaf import OnWire, on_wire_of, shown_as
from chassis.message.numbers import Floating
from chassis.message.oneofs import checker, oneofs_of
from chassis.message.shape import json_name
from chassis.message.times import duration_on_wire, timestamp_on_wire
from chassis.message.violations import violation

_SPEAKS = "chassis_speaks_protojson"
_INSIDE = ("schema", "items_schema", "keys_schema", "values_schema")


class Always:
    """Marks a field that is shown even when it holds its default: `Annotated[bool, Always()]`."""


def speak_protojson(model: type[BaseModel], schema: Any, *, proto_names: bool) -> None:
    """Rewrites the core schema of `model` in place. A second call changes nothing."""
    outer = schema
    while outer["type"] != "model":
        outer = outer["schema"]
    if outer.get("metadata", {}).get(_SPEAKS):
        return
    outer["metadata"] = {**outer.get("metadata", {}), _SPEAKS: True}
    holder, inner = outer, outer["schema"]
    while inner["type"] != "model-fields":
        holder, inner = inner, inner["schema"]
    for name, field in inner["fields"].items():
        _rewrite_field(model, name, field, proto_names=proto_names)
    oneofs = oneofs_of(model)
    if oneofs:
        _check_oneofs(model, inner["fields"])
        holder["schema"] = core_schema.no_info_after_validator_function(checker(oneofs), inner)


def _rewrite_field(model: type[BaseModel], name: str, field: Any, *, proto_names: bool) -> None:
    info: FieldInfo = model.__pydantic_fields__[name]
    where = f"{model.__name__}.{name}"
    field["validation_alias"] = json_name(name)
    field["serialization_alias"] = name if proto_names else json_name(name)
    schema = field["schema"] = _on_wire(field["schema"], where)
    if info.is_required():
        if _is_enum(info.annotation):
            field["schema"] = core_schema.no_info_after_validator_function(_specified, schema)
        return
    _share_no_default(schema)
    omitted = _omitted_when(info)
    if omitted is not None and "serialization_exclude_if" not in field:
        field["serialization_exclude_if"] = omitted


def always_shown(info: FieldInfo) -> bool:
    """Whether a field is on the wire whatever it holds."""
    if info.is_required():
        return True
    if info.exclude_if is not None or default_of(info) is None:
        return False
    return _omitted_when(info) is None


def default_of(info: FieldInfo) -> Any:
    """What a field holds when it is absent; only for fields that are not required."""
    return info.get_default(call_default_factory=True, validated_data={})


def _omitted_when(info: FieldInfo) -> Any:
    """The test for a field's being left out: protobuf's default, if that is ours too.

    A field whose own default is another value is always shown, or its zero would be read back as
    that default. None is left out by the serializer itself.
    """
    if any(isinstance(mark, Always) or mark is Always for mark in info.metadata):
        return None
    default = default_of(info)
    if isinstance(default, ProtoEnum):
        return default.__eq__ if default.number == 0 else None
    if isinstance(default, float):
        return _is_positive_zero if _is_positive_zero(default) else None
    if isinstance(default, str | bytes | int | dict) and not default:
        return not_
    return None


def _is_positive_zero(number: float) -> bool:
    return number == 0 and math.copysign(1, number) > 0


def _share_no_default(schema: Any) -> None:
    """Gives `[]` and `{}` a factory: without one, pydantic deep-copies them for each message."""
    default = schema.get("default")
    if default == [] and isinstance(default, list):
        schema["default_factory"] = list
    elif default == {} and isinstance(default, dict):
        schema["default_factory"] = dict
    else:
        return
    del schema["default"]


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, ProtoEnum)


def _specified(member: ProtoEnum) -> ProtoEnum:
    """A required enum: its zero member says that it is absent."""
    if member.number == 0:
        raise violation("is required")
    return member


def _check_oneofs(model: type[BaseModel], fields: dict[str, Any]) -> None:
    for name in (name for one in oneofs_of(model) for name in one.fields):
        if name not in fields or default_of(model.__pydantic_fields__[name]) is not None:
            raise TypeError(f"{model.__name__}.{name} is in a oneof, so it must be `| None = None`")


def _on_wire(schema: Any, where: str) -> Any:
    """`schema` with each leaf in it replaced by its wire form."""
    kind = schema["type"]
    on_wire = on_wire_of(schema) or _LEAVES.get(kind)
    if on_wire is not None:
        written = {"serialization": schema["serialization"]} if "serialization" in schema else {}
        return {**on_wire(schema), **written}
    if kind == "int":
        raise TypeError(f"{where} is an int of no size; say Int32, UInt32, Int64 or UInt64")
    if kind in ("model", "definition-ref", "definitions"):
        return schema
    changed = {key: _on_wire(schema[key], where) for key in _INSIDE if key in schema}
    if kind == "nullable":
        changed["metadata"] = {**schema.get("metadata", {}), **_SHOWN_WITHOUT_NULL}
    elif kind == "dict" and schema.get("keys_schema", {}).get("type") == "bool":
        changed["keys_schema"] = _BOOL_KEYS
    return {**schema, **changed}


def _show_inner(schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
    return handler(schema)["anyOf"][0]


# An annotation function: the other kind would write into the definition behind a reference.
_SHOWN_WITHOUT_NULL: dict[str, Any] = {"pydantic_js_annotation_functions": [_show_inner]}
_BOOLS = {"true": True, "false": False}


def _read_bool_key(key: Any) -> Any:
    return _BOOLS.get(key, key) if isinstance(key, str) else key


_BOOL_KEYS: CoreSchema = core_schema.no_info_before_validator_function(
    _read_bool_key,
    core_schema.bool_schema(strict=True),
    metadata=shown_as({"type": "string", "enum": ["true", "false"]}),
)


def _strict(schema: Any) -> CoreSchema:
    strict: Any = {**schema, "strict": True}
    return strict


_LEAVES: dict[str, OnWire] = {
    "str": _strict,
    "bool": _strict,
    "float": Floating("double").on_wire,
    "bytes": bytes_on_wire,
    "datetime": timestamp_on_wire,
    "timedelta": duration_on_wire,
}
