"""Each leaf type reads all spellings that protojson allows and writes the one it prescribes."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from chassis.message import (
    Bytes,
    Double,
    Duration,
    Float,
    Int32,
    Int64,
    Message,
    ProtoEnum,
    Timestamp,
    UInt32,
    UInt64,
    oneof,
)
from errors import RpcError


class Status(ProtoEnum):
    STATUS_UNSPECIFIED = 0
    PLATFORM_IOS = 1
    PLATFORM_WEB = 2
    IOS = 1


class Types(Message):
    i32: Int32 = 0
    u32: UInt32 = 0
    i64: Int64 = 0
    u64: UInt64 = 0
    single: Float = 0.0
    double: Double = 0.0
    data: Bytes = b""
    status: Status = Status.STATUS_UNSPECIFIED
    moment: Timestamp | None = None
    length: Duration | None = None
    flags: dict[bool, Int32] = {}
    totals: dict[Int64, Int64] = {}


class Limited(Message):
    share: Double = Field(default=0.0, gt=0, lt=1)
    even: Int32 = Field(default=2, multiple_of=2)
    data: Bytes = Field(default=b"", max_length=2)
    grace: Duration | None = Field(default=None, le=timedelta(days=1))
    after: Timestamp | None = Field(default=None, gt=datetime(2020, 1, 1, tzinfo=UTC))
    tags: list[Annotated[str, Field(max_length=2)]] = Field(default=[], max_length=2)
    names: dict[Annotated[str, Field(pattern="^[a-z]+$")], Int32] = {}


class NeedsStatus(Message):
    status: Status


def read(name: str, value: str) -> Any:
    return getattr(Types.from_public_json(f'{{"{name}":{value}}}'.encode()), name)


def sentences(raw: bytes, message: type[Message]) -> dict[str, str]:
    with pytest.raises(RpcError) as caught:
        message.from_public_json(raw)
    return {v.field: v.description for v in caught.value.details.field_violations}


@pytest.mark.parametrize("name", ["i32", "u32", "i64", "u64"])
@pytest.mark.parametrize("value", ["1000", '"1000"', "1000.0", "1e3", '"1e3"', '"10E+2"'])
def test_an_integer_is_read_from_numbers_and_text(name: str, value: str) -> None:
    found = read(name, value)
    assert found == 1000
    assert type(found) is int


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("i32", -(2**31), 2**31 - 1),
        ("u32", 0, 2**32 - 1),
        ("i64", -(2**63), 2**63 - 1),
        ("u64", 0, 2**64 - 1),
    ],
)
def test_an_integer_is_held_to_its_range(name: str, lowest: int, highest: int) -> None:
    for number in (lowest, highest):
        assert read(name, str(number)) == read(name, f'"{number}"') == number
    for number in (lowest - 1, highest + 1):
        for spelling in (str(number), f'"{number}"'):
            with pytest.raises(RpcError):
                read(name, spelling)


@pytest.mark.parametrize("text", ["", " 1", "+1", "01", "1_0", "1.", "1.5", "\u0661", "1e"])
def test_text_that_is_no_number_of_json_is_no_integer(text: str) -> None:
    for name in ("i32", "i64"):
        with pytest.raises(RpcError):
            read(name, f'"{text}"')


def test_only_64_bit_integers_are_written_as_text() -> None:
    types = Types(i32=1, u32=2, i64=-3, u64=4, totals={5: 6})
    assert types.to_json() == b'{"i32":1,"u32":2,"i64":"-3","u64":"4","totals":{"5":"6"}}'


def test_a_float_has_names_for_what_is_no_number() -> None:
    assert math.isnan(read("double", '"NaN"'))
    assert read("single", '"-Infinity"') == -math.inf
    assert Types(single=math.inf, double=math.nan).to_json() == (
        b'{"single":"Infinity","double":"NaN"}'
    )


def test_a_negative_zero_is_not_left_out() -> None:
    assert Types(double=-0.0).to_json() == b'{"double":-0.0}'
    assert Types(double=0.0).to_json() == b"{}"


@pytest.mark.parametrize("value", ["1e39", '"1e39"', "-1e39", f"1{'0' * 39}"])
def test_a_float_is_held_to_32_bits_and_a_double_is_not(value: str) -> None:
    assert abs(read("double", value)) == 1e39
    with pytest.raises(RpcError):
        read("single", value)


@pytest.mark.parametrize("text", ["-_8=", "-_8", "+/8=", "+/8", "-/8"])
def test_bytes_are_read_in_both_alphabets_with_or_without_padding(text: str) -> None:
    assert read("data", f'"{text}"') == b"\xfb\xff"


@pytest.mark.parametrize("text", ["Y", "Y Q", "YQ=Q", "!!!!", "YQ\\n", "é", "====A"])
def test_text_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(RpcError):
        read("data", f'"{text}"')


def test_bytes_are_written_in_the_standard_alphabet_with_padding() -> None:
    assert Types(data=b"\xfb\xff").to_json() == b'{"data":"+/8="}'


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-31T09:00:00Z", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("2030-01-31T09:00:00-00:00", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("2030-01-31T14:30:00+05:30", datetime(2030, 1, 31, 9, tzinfo=UTC)),
        ("2030-01-31T09:00:00.5Z", datetime(2030, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2030-01-31T09:00:00.123456999Z", datetime(2030, 1, 31, 9, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_read_with_any_offset(text: str, moment: datetime) -> None:
    assert read("moment", f'"{text}"') == moment
    assert read("moment", f'"{text}"').tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "2030-01-31",
        "20300131T090000Z",
        "2030-01-31T09:00:00",
        "2030-01-31 09:00:00Z",
        "2030-01-31T09:00:00.Z",
        "2030-02-30T09:00:00Z",
        "2030-01-31T24:00:00Z",
        "2030-01-31T23:59:60Z",
        "2030-01-31T09:00:00+24:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_text_that_is_no_rfc_3339_or_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(RpcError):
        read("moment", f'"{text}"')


@pytest.mark.parametrize(
    ("micros", "fraction"),
    [(0, ""), (120_000, ".120"), (1_000, ".001"), (1, ".000001"), (999_999, ".999999")],
)
def test_times_are_written_with_no_three_or_six_digits(micros: int, fraction: str) -> None:
    east = timezone(timedelta(hours=2))
    types = Types(
        moment=datetime(2030, 1, 1, 1, 0, 0, micros, tzinfo=east),
        length=timedelta(seconds=-3, microseconds=-micros),
    )
    assert types.to_dict() == {
        "moment": f"2029-12-31T23:00:00{fraction}Z",
        "length": f"-3{fraction}s",
    }


def test_a_time_without_an_offset_is_refused_in_python_too() -> None:
    with pytest.raises(ValidationError):
        Types(moment=datetime(2030, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("3s", timedelta(seconds=3)),
        ("3.5s", timedelta(seconds=3.5)),
        ("-0.5s", timedelta(seconds=-0.5)),
        ("0.000001999s", timedelta(microseconds=1)),
        ("315576000000s", timedelta(seconds=315_576_000_000)),
    ],
)
def test_a_duration_is_seconds_with_an_s(text: str, length: timedelta) -> None:
    assert read("length", f'"{text}"') == length


def test_a_number_is_no_time() -> None:
    assert sentences(b'{"moment":0,"length":0}', Types).keys() == {"moment", "length"}


@pytest.mark.parametrize("value", ['"3"', '"3m"', "3", '".5s"', '"3.s"', '"+3s"', '"1e3s"', '""'])
def test_text_that_is_no_duration_is_refused(value: str) -> None:
    with pytest.raises(RpcError):
        read("length", value)


@pytest.mark.parametrize("text", ["315576000001s", "-315576000001s", "999999999999s"])
def test_a_duration_is_held_to_its_range(text: str) -> None:
    with pytest.raises(RpcError):
        read("length", f'"{text}"')


def test_keys_of_maps_are_read_from_text_and_written_as_text() -> None:
    types = Types.from_public_json(b'{"flags":{"true":1,"false":2},"totals":{"-7":"8"}}')
    assert types.flags == {True: 1, False: 2}
    assert types.totals == {-7: 8}
    assert types.to_json() == b'{"flags":{"true":1,"false":2},"totals":{"-7":"8"}}'


@pytest.mark.parametrize("value", ['"PLATFORM_WEB"', "2", "2.0", '"2"'])
def test_an_enum_is_read_by_name_or_number(value: str) -> None:
    assert read("status", value) is Status.PLATFORM_WEB


def test_an_older_name_is_read_and_the_first_one_written() -> None:
    assert read("status", '"IOS"') is Status.PLATFORM_IOS
    assert Types(status=Status.IOS).to_json() == b'{"status":"PLATFORM_IOS"}'


def test_a_member_is_its_name_and_knows_its_number() -> None:
    assert Status.PLATFORM_WEB == "PLATFORM_WEB"
    assert f"{Status.PLATFORM_WEB}" == "PLATFORM_WEB"
    assert Status.PLATFORM_WEB.number == 2
    assert Status.from_number(2) is Status.PLATFORM_WEB
    assert Status.from_number(9) is None
    assert Status("PLATFORM_WEB") is Status.PLATFORM_WEB
    assert list(Status) == ["STATUS_UNSPECIFIED", "PLATFORM_IOS", "PLATFORM_WEB"]


def test_the_zero_member_is_as_good_as_absent() -> None:
    assert Types.from_public_json(b'{"status":0}') == Types()
    for value in (b"0", b'"STATUS_UNSPECIFIED"', b"null"):
        found = sentences(b'{"status":%s}' % value, NeedsStatus)
        assert found == {"status": "is required"}


def test_an_enum_without_its_zero_member_is_refused_when_it_is_made() -> None:
    with pytest.raises(TypeError):

        class Wrong(ProtoEnum):  # pyright: ignore[reportUnusedClass]
            FIRST = 1

    with pytest.raises(TypeError):

        class AlsoWrong(ProtoEnum):  # pyright: ignore[reportUnusedClass]
            WRONG_UNSPECIFIED = 0

    with pytest.raises(TypeError):

        class Named(ProtoEnum):  # pyright: ignore[reportUnusedClass]
            NAMED_UNSPECIFIED = "zero"


def test_a_sentence_states_the_limits_of_its_field() -> None:
    raw = b"""{"share":1,"even":3,"data":"YWJj","grace":"86401s","after":"2020-01-01T00:00:00Z",
        "tags":["abc"],"names":{"A":1}}"""
    assert sentences(raw, Limited) == {
        "share": "must be a number greater than 0 and less than 1",
        "even": "must be a whole number from -2147483648 to 2147483647 and a multiple of 2",
        "data": "must have at most 2 bytes",
        "grace": "must be at most 1 day",
        "after": "must be greater than 2020-01-01T00:00:00Z",
        "tags[0]": "must have at most 2 characters",
        'names["A"]': "has a key that must match ^[a-z]+$",
    }
    assert sentences(b'{"tags":["a","b","c"]}', Limited) == {"tags": "must have at most 2 entries"}


def test_a_oneof_names_the_field_that_is_set() -> None:
    class Part(Message):
        content = oneof("text", "image_url")
        text: str | None = None
        image_url: str | None = None

    assert Part(text="").content == "text"
    assert Part.from_public_json(b'{"image_url":"x","text":null}').content == "image_url"
    assert Part().content is None
    assert Part.content.fields == ("text", "image_url")
    with pytest.raises(ValidationError):
        Part(text="a", image_url="b")
    found = sentences(b'{"imageUrl":"x","text":""}', Part)
    assert found == {"": "must have at most one of text, imageUrl"}


def test_a_oneof_of_fields_without_presence_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError):

        class Part(Message):  # pyright: ignore[reportUnusedClass]
            content = oneof("text")
            text: str = ""


def test_a_oneof_of_unknown_fields_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError):

        class Part(Message):  # pyright: ignore[reportUnusedClass]
            content = oneof("txt")
            text: str | None = None
