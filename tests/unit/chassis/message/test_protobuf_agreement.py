"""Google's protobuf is the oracle: what it prints we read, what we print it reads, and we refuse
what it refuses. The differences that the package lists are the only ones allowed for here.
"""

import json
import math
import re
import struct
import sys
from datetime import UTC, timedelta
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

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
_moments = st.datetimes().map(lambda naive: naive.replace(tzinfo=UTC))
_lengths = st.timedeltas(timedelta(seconds=-(10**11)), timedelta(seconds=10**11))
# Numbers that 32 bits hold exactly and print as 64 bits do.
_floats = st.integers(-999, 999).map(lambda n: n / 4) | st.sampled_from([math.nan, math.inf])
_json_numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | _json_numbers | _text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_text, inner, max_size=2),
    max_leaves=4,
)
_i32 = st.integers(-(2**31), 2**31 - 1)
_i64 = st.integers(-(2**63), 2**63 - 1)
_u32 = st.integers(0, 2**32 - 1)
_u64 = st.integers(0, 2**64 - 1)
_kinds = st.sampled_from(Kind)


def _messages(node: st.SearchStrategy[Everything]) -> st.SearchStrategy[Everything]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "a_text": _text,
        "a_flag": st.booleans(),
        "int_32": _i32,
        "u_int32": _u32,
        "int64_field": _i64,
        "uint64_field": _u64,
        "double_x2": st.floats(),
        "float_x": _floats,
        "some_bytes": st.binary(max_size=4),
        "kind": _kinds,
        "moment": _moments,
        "length": _lengths,
        "node": node,
        "free": st.dictionaries(_text, _json, max_size=2),
        "any_value": _json,
        "any_list": st.lists(_json, max_size=2),
        "opt_text": _text,
        "opt_int": _i32,
        "opt_kind": _kinds,
        "texts": st.lists(_text, max_size=2),
        "numbers": st.lists(_i64, max_size=2),
        "kinds": st.lists(_kinds, max_size=2),
        "nodes": st.lists(node, max_size=2),
        "moments": st.lists(_moments, max_size=2),
        "blobs": st.lists(st.binary(max_size=4), max_size=2),
        "text_map": st.dictionaries(_text, _text, max_size=2),
        "int_map": st.dictionaries(_i32, st.floats(), max_size=2),
        "big_map": st.dictionaries(_u64, _u64, max_size=2),
        "flag_map": st.dictionaries(st.booleans(), _kinds, max_size=2),
        "node_map": st.dictionaries(_text, node, max_size=2),
    }
    choices: list[dict[str, st.SearchStrategy[Any]]] = [
        {},
        {"one_text": _text},
        {"one_number": _i64},
        {"one_node": node},
    ]
    names = st.lists(st.sampled_from(sorted(fields)), max_size=6, unique=True)
    some = names.flatmap(lambda names: st.fixed_dictionaries({n: fields[n] for n in names}))
    one = st.sampled_from(choices).flatmap(st.fixed_dictionaries)
    return st.tuples(some, one).map(_everything_of)


def _everything_of(parts: tuple[dict[str, Any], dict[str, Any]]) -> Everything:
    return Everything(**parts[0], **parts[1])


_everything = st.recursive(st.builds(Everything), _messages, max_leaves=3)


_few = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    database=None,
    derandomize=True,
)


@_few
@given(_everything)
def testprotobuf_reads_what_we_print_and_prints_thesame(ours: Everything) -> None:
    theirs = protobuf_reads(ours.to_json())
    printed = json_format.MessageToDict(theirs)
    assert same(pruned(ours.to_dict()), printed)


@_few
@given(_everything, st.booleans())
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
_odd_text = st.sampled_from([text for texts in _ODD_TEXTS.values() for text in texts]) | _text
_odd_number = st.sampled_from([0, 1, -1, 2, 7, 1.0, 1.5, -3.0, 2.0**31, 2**31, 2**63, 2**64, 1e300])
_odd_value = st.one_of(
    _odd_text,
    _odd_number,
    _json,
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


@settings(_few, max_examples=1_500)
@given(st.sampled_from(sorted(FIELDS)), st.booleans(), _odd_value, st.integers(0, 3))
def test_what_protobuf_refuses_we_refuse_and_what_both_read_is_thesame(
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
