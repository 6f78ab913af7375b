"""Google's protobuf is the oracle: what it prints we read, what we print it reads, and we refuse
what it refuses. The differences that the package lists are the only ones allowed for here.
"""

import json
import re
import struct
import sys
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chassis.message.shape import json_name
from errors import RpcError
from tests.unit.chassis.message.oracle import (
    FIELDS,
    Everything,
    Field,
    Kind,
    camel_case,
    protobuf_reads,
    pruned,
    same,
)
from tests.unit.chassis.message.strategies import everything, json_values, texts

_few = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    database=None,
    derandomize=True,
)


@_few
@given(everything)
def test_protobuf_reads_what_we_print_and_prints_the_same(ours: Everything) -> None:
    theirs = protobuf_reads(ours.to_json())
    printed = json_format.MessageToDict(theirs)
    assert same(pruned(ours.to_dict()), printed)


@_few
@given(everything, st.booleans())
def test_we_read_what_protobuf_prints(ours: Everything, proto_names: bool) -> None:
    theirs = protobuf_reads(ours.to_json())
    for shown in (False, True):
        printed = json_format.MessageToJson(
            theirs,
            preserving_proto_field_name=proto_names,
            always_print_fields_with_no_presence=shown,
            use_integers_for_enums=proto_names,
        )
        assert same(Everything.from_public_json(printed.encode()).to_dict(), ours.to_dict())


_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_LENGTH = re.compile(r"-?[0-9]+(\.[0-9]{1,9})?s")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*=*")
_FLOAT_MAX = 3.4028234663852886e38
_NAMES_OF_NUMBERS = ("NaN", "Infinity", "-Infinity")


def _we_are_stricter(kind: str, value: Any) -> bool:
    """The documented cases in which Google's Python takes a value that we refuse."""
    if kind in ("int32", "uint32", "int64", "uint64"):
        return isinstance(value, str) and not _NUMBER.fullmatch(value)
    if kind in ("double", "float"):
        if isinstance(value, bool):
            return True
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            return value not in _NAMES_OF_NUMBERS
        largest = _FLOAT_MAX if kind == "float" else sys.float_info.max
        return isinstance(value, str | int) and abs(float(value)) > largest
    if kind == "bytes":
        return isinstance(value, str) and not _BASE64.fullmatch(value)
    if kind == ".oracle.Kind":
        known = [member.number for member in Kind]
        return isinstance(value, bool) or value not in known
    if kind == ".google.protobuf.Timestamp":
        return isinstance(value, str) and not _MOMENT.fullmatch(value)
    if kind == ".google.protobuf.Duration":
        return isinstance(value, str) and not _LENGTH.fullmatch(value)
    return kind == ".oracle.Everything" and value in ([], "")


_ODD_TEXTS: dict[str, list[str]] = {
    "number": ["1", "-0", "+1", "01", "1.0", "1.5", "1e3", "1E+2", "1e-1", "10e-1", "", " 1", "1 "],
    "more numbers": ["1_0", "0x1", ".5", "1.", "NaN", "nan", "Infinity", "-Infinity", "inf"],
    "edges": ["2147483647", "2147483648", "-2147483649", "4294967296", "-9223372036854775808"],
    "far edges": ["9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400"],
    "bytes": ["YQ==", "YQ", "YQ=", "-_8", "+/8=", "Y", "YQ=Q", "Y Q=", "!", "____", "/+-_"],
    "kind": ["FIRST", "OTHER_NAME", "first", "KIND_UNSPECIFIED", "2", "-3", "7", "NEGATIVE"],
    "moment": ["2020-02-30T00:00:00Z", "2020-02-29T23:59:59.5+05:30", "2020-02-29T00:00:00"],
    "more moments": ["2020-02-29 00:00:00Z", "2020-2-9T0:0:0Z", "2020-02-29t00:00:00z"],
    "moment edges": ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59Z"],
    "offsets": ["2020-01-01T00:00:00+23:59", "2020-01-01T00:00:00-00:00", "2020-01-01T24:00:00Z"],
    "length": ["1s", "-1.5s", "0.000001s", "s", "1", "1.s", ".5s", "+1s", "-0.5s", "1m", "1e3s"],
    "length edges": ["315576000000s", "-315576000000s", "315576000001s", "1.0000000000s"],
}
_odd_text = st.sampled_from([text for texts in _ODD_TEXTS.values() for text in texts]) | texts
_odd_number = st.sampled_from([0, 1, -1, 2, 7, 1.0, 1.5, -3.0, 2.0**31, 2**31, 2**63, 2**64, 1e300])
_odd_value = st.one_of(
    _odd_text,
    _odd_number,
    json_values,
    st.booleans(),
    st.sampled_from([None, [], {}, [None], [[]], [""]]),
    st.dictionaries(_odd_text, _odd_text, max_size=2),
    st.sampled_from([{"aText": "x"}, {"a_text": 1}, {"unknown": None}, {"node": {}}]),
)


def _round_32(data: dict[str, Any]) -> dict[str, Any]:
    """`data` with its 32-bit float as 32 bits hold it: ours keeps what it was given."""
    number = data.get("floatX")
    if isinstance(number, float):
        data["floatX"] = struct.unpack("f", struct.pack("f", number))[0]
    return data


def _strict_somewhere(name: str, value: Any) -> bool:
    kind, how = FIELDS[name]
    if how in ("", "optional", "oneof"):
        return _we_are_stricter(kind, value)
    if how == "repeated":
        return any(_we_are_stricter(kind, item) for item in value)
    keys = any(_we_are_stricter(how, key) for key in value)
    return keys or any(_we_are_stricter(kind, item) for item in value.values())


@settings(_few, max_examples=800)
@given(st.sampled_from(sorted(FIELDS)), st.booleans(), _odd_value, st.integers(0, 3))
def test_what_protobuf_refuses_we_refuse_and_what_both_read_is_the_same(
    name: str, camel: bool, value: Any, wrap: int
) -> None:
    how = FIELDS[name][1]
    if how == "repeated" and wrap:
        value = [value]
    elif how not in ("", "optional", "oneof", "repeated") and wrap:
        value = {"true" if how == "bool" else "1": value}
    body: dict[str, Any] = {camel_case(name) if camel else name: value}
    raw = json.dumps({"nodes": [body]} if wrap == 2 else body).encode()
    try:
        theirs = json_format.MessageToDict(protobuf_reads(raw))
    except json_format.ParseError:
        with pytest.raises(RpcError):
            Everything.from_public_json(raw)
        return
    try:
        ours = pruned(Everything.from_public_json(raw).to_dict())
    except RpcError:
        assert _strict_somewhere(name, value)
        return
    assume(not (name == "any_value" and value is None))
    if wrap == 2:
        ours, theirs = ours["nodes"][0], theirs["nodes"][0]
    assert same(_round_32(ours), _round_32(theirs))


def test_our_camel_case_is_protobufs() -> None:
    fields = Everything.model_json_schema()["$defs"]["Everything"]["properties"]
    assert list(fields) == [camel_case(name) for name in FIELDS]


@pytest.mark.parametrize("name", ["a", "a_b", "a_1", "a1_b2", "a__b", "_a", "a_", "aB_c", "a_B"])
def test_our_camel_case_is_protobufs_for_odd_names(name: str) -> None:
    file = descriptor_pb2.FileDescriptorProto(name="n.proto", package="names", syntax="proto3")
    message = file.message_type.add(name="Names")
    message.field.add(name=name, number=1, type=Field.TYPE_BOOL, label=Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    (field,) = pool.FindMessageTypeByName("names.Names").fields
    assert json_name(name) == field.json_name
