"""One message in both worlds: ours, and the same shape as Google's protobuf knows it."""

from functools import cache
from typing import Any, cast

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    json_format,
    message_factory,
    struct_pb2,
    timestamp_pb2,
)

from chassis.message import (
    Bytes,
    Double,
    Duration,
    Float,
    Int32,
    Int64,
    ListValue,
    Message,
    ProtoEnum,
    Struct,
    Timestamp,
    UInt32,
    UInt64,
    Value,
    oneof,
)


class Kind(ProtoEnum):
    KIND_UNSPECIFIED = 0
    FIRST = 1
    SECOND = 2
    OTHER_NAME = 2
    NEGATIVE = -3


class Everything(Message):
    choice = oneof("one_text", "one_number", "one_node")
    a_text: str = ""
    a_flag: bool = False
    int_32: Int32 = 0
    u_int32: UInt32 = 0
    int64_field: Int64 = 0
    uint64_field: UInt64 = 0
    double_x2: Double = 0.0
    float_x: Float = 0.0
    some_bytes: Bytes = b""
    kind: Kind = Kind.KIND_UNSPECIFIED
    moment: Timestamp | None = None
    length: Duration | None = None
    node: "Everything | None" = None
    free: Struct | None = None
    any_value: Value = None
    any_list: ListValue | None = None
    opt_text: str | None = None
    opt_int: Int32 | None = None
    opt_kind: Kind | None = None
    texts: list[str] = []
    numbers: list[Int64] = []
    kinds: list[Kind] = []
    nodes: list["Everything"] = []
    moments: list[Timestamp] = []
    blobs: list[Bytes] = []
    text_map: dict[str, str] = {}
    int_map: dict[Int32, Double] = {}
    big_map: dict[UInt64, UInt64] = {}
    flag_map: dict[bool, Kind] = {}
    node_map: dict[str, "Everything"] = {}
    one_text: str | None = None
    one_number: Int64 | None = None
    one_node: "Everything | None" = None


# How each field is declared in protobuf: type, and `repeated`, `optional`, `oneof` or a key type.
FIELDS: dict[str, tuple[str, str]] = {
    "a_text": ("string", ""),
    "a_flag": ("bool", ""),
    "int_32": ("int32", ""),
    "u_int32": ("uint32", ""),
    "int64_field": ("int64", ""),
    "uint64_field": ("uint64", ""),
    "double_x2": ("double", ""),
    "float_x": ("float", ""),
    "some_bytes": ("bytes", ""),
    "kind": (".oracle.Kind", ""),
    "moment": (".google.protobuf.Timestamp", ""),
    "length": (".google.protobuf.Duration", ""),
    "node": (".oracle.Everything", ""),
    "free": (".google.protobuf.Struct", ""),
    "any_value": (".google.protobuf.Value", ""),
    "any_list": (".google.protobuf.ListValue", ""),
    "opt_text": ("string", "optional"),
    "opt_int": ("int32", "optional"),
    "opt_kind": (".oracle.Kind", "optional"),
    "texts": ("string", "repeated"),
    "numbers": ("int64", "repeated"),
    "kinds": (".oracle.Kind", "repeated"),
    "nodes": (".oracle.Everything", "repeated"),
    "moments": (".google.protobuf.Timestamp", "repeated"),
    "blobs": ("bytes", "repeated"),
    "text_map": ("string", "string"),
    "int_map": ("double", "int32"),
    "big_map": ("uint64", "uint64"),
    "flag_map": (".oracle.Kind", "bool"),
    "node_map": (".oracle.Everything", "string"),
    "one_text": ("string", "oneof"),
    "one_number": ("int64", "oneof"),
    "one_node": (".oracle.Everything", "oneof"),
}

Field = descriptor_pb2.FieldDescriptorProto


def _set_type(field: Field, kind: str) -> None:
    if kind.startswith("."):
        field.type = Field.TYPE_ENUM if kind.endswith("Kind") else Field.TYPE_MESSAGE
        field.type_name = kind
    else:
        field.type = Field.Type.Value(f"TYPE_{kind.upper()}")


def _add_map(message: descriptor_pb2.DescriptorProto, field: Field, kind: str, key: str) -> None:
    name = "".join(part.capitalize() for part in field.name.split("_")) + "Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    _set_type(entry.field.add(name="key", number=1, label=Field.LABEL_OPTIONAL), key)
    _set_type(entry.field.add(name="value", number=2, label=Field.LABEL_OPTIONAL), kind)
    field.type, field.type_name = Field.TYPE_MESSAGE, f".oracle.Everything.{name}"
    field.label = Field.LABEL_REPEATED


@cache
def oracle() -> Any:
    """The protobuf class with the same shape as `Everything`."""
    file = descriptor_pb2.FileDescriptorProto(name="o.proto", package="oracle", syntax="proto3")
    pool = descriptor_pool.DescriptorPool()
    for known in (timestamp_pb2, duration_pb2, struct_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        file.dependency.append(known.DESCRIPTOR.name)
    enum = file.enum_type.add(name="Kind")
    enum.options.allow_alias = True
    for name, member in Kind.__members__.items():
        enum.value.add(name=name, number=member.number)
    message = file.message_type.add(name="Everything")
    message.oneof_decl.add(name="choice")
    for number, (name, (kind, how)) in enumerate(FIELDS.items(), 1):
        field = message.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
        if how in ("", "repeated", "optional", "oneof"):
            _set_type(field, kind)
        else:
            _add_map(message, field, kind, how)
        if how == "repeated":
            field.label = Field.LABEL_REPEATED
        elif how == "oneof":
            field.oneof_index = 0
    for field in message.field:
        if FIELDS[field.name][1] == "optional":
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName("oracle.Everything")
    return message_factory.GetMessageClass(found)


def protobuf_reads(raw: bytes | str) -> Any:
    """The protobuf message in `raw`; raises ParseError."""
    return json_format.Parse(raw, oracle()())


def camel_case(name: str) -> str:
    """The name that protobuf gives to a field of the message in JSON."""
    return oracle().DESCRIPTOR.fields_by_name[name].json_name


def pruned(data: dict[str, Any]) -> dict[str, Any]:
    """Our output without the empty lists of messages: protobuf does not show them."""
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("texts", "numbers", "kinds", "nodes", "moments", "blobs") and value == []:
            continue
        if name in ("node", "oneNode"):
            value = pruned(value)
        elif name == "nodes":
            value = [pruned(item) for item in value]
        elif name == "nodeMap":
            value = {key: pruned(item) for key, item in value.items()}
        kept[name] = value
    return kept


def same(ours: Any, theirs: Any) -> bool:
    """Equality in which NaN is itself and -0.0 is not 0.0, as on the wire."""
    return repr(_ordered(ours)) == repr(_ordered(theirs))


def _ordered(data: Any) -> Any:
    if isinstance(data, dict):
        entries = cast(dict[str, Any], data).items()
        return sorted((key, _ordered(value)) for key, value in entries)
    if isinstance(data, list):
        return [_ordered(value) for value in cast(list[Any], data)]
    # Protobuf prints a number with an integral value in free JSON without its fraction.
    return float(data) if isinstance(data, int) and not isinstance(data, bool) else data
