"""Bad input at the public boundary, each kind by name: refused, explained, never repeated."""

from typing import Any

import pytest
from pydantic import Field

from chassis.message import (
    REQUEST_INVALID,
    REQUEST_MALFORMED,
    Double,
    Int32,
    Int64,
    Message,
    ProtoEnum,
    Struct,
    Value,
)
from errors import FieldViolation, RpcError


class Level(ProtoEnum):
    LEVEL_UNSPECIFIED = 0
    LOW = 1


class Inner(Message):
    some_text: str = ""


class Request(Message):
    page_size: Int32 = Field(default=50, ge=0, le=200)
    total: Int64 = 0
    ratio: Double = 0.0
    name: str = ""
    level: Level = Level.LEVEL_UNSPECIFIED
    inner: Inner | None = None
    inners: list[Inner] = []
    metadata: dict[str, str] = {}
    free: Struct = {}
    value: Value = None


class Strict(Message):
    key: str


def refused(raw: bytes, message: type[Message] = Request) -> RpcError:
    with pytest.raises(RpcError) as caught:
        message.from_public_json(raw)
    return caught.value


def malformed(raw: bytes) -> FieldViolation:
    error = refused(raw)
    assert error.reason == REQUEST_MALFORMED.word
    (found,) = error.details.field_violations
    assert found.field == ""
    return found


def invalid(raw: bytes, message: type[Message] = Request) -> list[str]:
    error = refused(raw, message)
    assert error.reason == REQUEST_INVALID.word
    return [found.field for found in error.details.field_violations]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b" ",
        b"{} {}",
        b"//",
        b"name=a",
        b'{"name":"a"',
        b"{'name':'a'}",
        b'{"name":"a",}',
        b'{"name" "a"}',
        b'{"name":"a\nb"}',
        b'{"pageSize":01}',
        b'{"pageSize":1.}',
        b'{"pageSize":+1}',
    ],
)
def test_malformed_json(raw: bytes) -> None:
    malformed(raw)


def test_malformed_json_is_told_with_its_place() -> None:
    assert "line 2" in malformed(b'{"name":\n secret}').description
    assert "secret" not in malformed(b'{"name":\n secret}').description


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"pageSize":"many"}', "pageSize"),
        (b'{"pageSize":true}', "pageSize"),
        (b'{"pageSize":1.5}', "pageSize"),
        (b'{"pageSize":[]}', "pageSize"),
        (b'{"ratio":true}', "ratio"),
        (b'{"ratio":"a"}', "ratio"),
        (b'{"name":1}', "name"),
        (b'{"name":{}}', "name"),
        (b'{"inner":[]}', "inner"),
        (b'{"inner":""}', "inner"),
        (b'{"inners":{}}', "inners"),
        (b'{"inners":[null]}', "inners[0]"),
        (b'{"metadata":[]}', "metadata"),
        (b'{"metadata":{"a":null}}', 'metadata["a"]'),
        (b'{"free":"a"}', "free"),
    ],
)
def test_wrong_type(raw: bytes, path: str) -> None:
    assert invalid(raw) == [path]


def test_unknown_field() -> None:
    assert invalid(b'{"nam":"a","inner":{"some_txt":null},"inners":[{"x":1}]}') == [
        "inner.some_txt",
        "inners[0].x",
        "nam",
    ]


def test_missing_field() -> None:
    assert invalid(b"{}", Strict) == ["key"]


@pytest.mark.parametrize("value", [b'"HIGH"', b"7", b'"low"', b"true", b"1.5", b"[]", b'""'])
def test_bad_enum(value: bytes) -> None:
    assert invalid(b'{"level":%s}' % value) == ["level"]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b'{"pageSize":201}', "pageSize"),
        (b'{"pageSize":-1}', "pageSize"),
        (b'{"pageSize":"201"}', "pageSize"),
        (b'{"pageSize":1e99}', "pageSize"),
        (b'{"total":"9223372036854775808"}', "total"),
        (b'{"total":-9223372036854775809}', "total"),
        (b'{"total":"1e999999999"}', "total"),
        (b'{"ratio":1e999}', "ratio"),
        (b'{"ratio":"1e999"}', "ratio"),
        (b'{"free":{"a":[1e999]}}', 'free["a"][0]'),
        (b'{"value":-1e+0999}', "value"),
        (b'{"value":1%s}' % (b"0" * 400), "value"),
    ],
)
def test_out_of_range(raw: bytes, path: str) -> None:
    assert invalid(raw) == [path]


@pytest.mark.parametrize("shape", [b"[%s]", b'{"a":%s}'])
@pytest.mark.parametrize("levels", [65, 150, 1_000, 100_000])
def test_nesting_of_1000(shape: bytes, levels: int) -> None:
    opened, closed = shape.split(b"%s")
    body = opened * levels + b"1" + closed * levels
    found = malformed(b'{"value":%s}' % body)
    assert "64 levels" in found.description


def test_nesting_up_to_the_limit_is_read_whatever_the_text_holds() -> None:
    raw = b'{"value":%s"[[[{\\"[\\\\"%s}' % (b"[" * 63, b"]" * 63)
    wide = b'{"free":{"a":[%s]},"name":"%s"}' % (b"{}," * 99 + b"[]", b"[" * 99)
    for body in (raw, wide):
        assert Request.from_public_json(body)


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc3"]
)
def test_invalid_utf8(text: bytes) -> None:
    malformed(b'{"name":"%s"}' % text)
    malformed(b'{"%s":1}' % text)


@pytest.mark.parametrize(
    "text", [rb"\ud800", rb"\udc00", rb"\ud800\ud800", rb"\ud800x", rb"x\udfff"]
)
def test_lone_surrogates(text: bytes) -> None:
    malformed(b'{"name":"%s"}' % text)
    malformed(b'{"metadata":{"%s":"a"}}' % text)


def test_paired_surrogates_are_a_character() -> None:
    assert Request.from_public_json(rb'{"name":"\ud83d\ude00"}').name == "\U0001f600"


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        (b'{"name":"a","name":"a"}', ["name"]),
        (b'{"inner":{"someText":"a","someText":"b"},"name":1}', ["inner.someText", "name"]),
        (b'{"metadata":{"a":"1","b":"1","a":"2","b":"2"}}', ['metadata["a"]', 'metadata["b"]']),
        (b'{"free":{"x":[{"a":1,"a":1}]}}', ['free["x"][0]["a"]']),
        (b'{"pageSize":1,"page_size":1}', ["pageSize"]),
        (b'{"inner":{"some_text":"a","someText":null}}', ["inner.someText"]),
        (rb'{"name":"a","n\u0061me":"b"}', ["name"]),
    ],
)
def test_duplicate_keys(raw: bytes, paths: list[str]) -> None:
    assert invalid(raw) == paths


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b"-NaN", b"nan", b"inf"])
def test_nan_and_infinity(literal: bytes) -> None:
    malformed(b'{"ratio":%s}' % literal)
    malformed(b'{"value":%s}' % literal)


@pytest.mark.parametrize("field", [b"pageSize", b"total", b"ratio", b"value", b"unknown"])
def test_numbers_of_10000_digits(field: bytes) -> None:
    digits = b"7" * 10_000
    malformed(b'{"%s":%s}' % (field, digits))
    malformed(b'{"%s":0.%s}' % (field, digits))
    malformed(b'{"%s":1e%s}' % (field, digits))
    if field != b"value":
        assert invalid(b'{"%s":"%s"}' % (field, digits)) == [field.decode()]


def test_text_may_hold_many_digits() -> None:
    text = "7" * 10_000
    assert Request.from_public_json(b'{"name":"%s"}' % text.encode()).name == text


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (rb'{"name":"a\u0000b"}', "name"),
        (rb'{"inner":{"someText":"\u0000"}}', "inner.someText"),
        (rb'{"metadata":{"a":"\u0000"}}', 'metadata["a"]'),
        (rb'{"metadata":{"\u0000":"a"}}', "metadata[?]"),
        (rb'{"free":{"a":["\u0000"]}}', 'free["a"][0]'),
        (rb'{"value":{"a\u0000":1}}', "value[?]"),
    ],
)
def test_nul_in_text(raw: bytes, path: str) -> None:
    assert invalid(raw) == [path]


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert Request.from_public_json(rb'{"name":"\\u0000"}').name == r"\u0000"


def test_nul_byte() -> None:
    malformed(b'{"name":"a\0b"}')
    malformed(b"\0")


def test_empty_body() -> None:
    assert Request.from_public_json(b"") == Request.from_public_json(b"{}") == Request()


@pytest.mark.parametrize("raw", [b"null", b"[]", b"[{}]", b'"a"', b"1", b"true", b" null\n"])
def test_null_array_and_scalar_body(raw: bytes) -> None:
    assert invalid(raw) == [""]


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-32")])
def test_byte_order_mark(raw: bytes) -> None:
    malformed(raw)


def test_gzip_body() -> None:
    malformed(bytes.fromhex("1f8b08000000000000ffabae0500"))


def test_two_mebibytes_are_read_when_the_caller_lets_them_through() -> None:
    text = "ä" * 2**20
    assert Request.from_public_json(b'{"name":"%s"}' % text.encode()).name == text


def test_free_json_keeps_what_it_is_given() -> None:
    raw = b'{"free":{"a_b":[1,1.0,null,true,"x",9007199254740993,-0.5e-3]}}'
    kept: list[Any] = Request.from_public_json(raw).free["a_b"]
    assert repr(kept) == "[1, 1.0, None, True, 'x', 9007199254740993, -0.0005]"
