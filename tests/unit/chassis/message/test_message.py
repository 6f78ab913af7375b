"""Messages are read in both spellings, told of all violations, and written as protojson."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

import pytest
from pydantic import Field, ValidationError, field_serializer, field_validator, model_validator

from chassis.message import (
    REQUEST_INVALID,
    REQUEST_MALFORMED,
    Always,
    Bytes,
    Double,
    Duration,
    Int32,
    Int64,
    ListValue,
    Message,
    ProtoEnum,
    Struct,
    Timestamp,
    Value,
    oneof,
    violation,
)
from errors import Code, RpcError


class Color(ProtoEnum):
    COLOR_UNSPECIFIED = 0
    RED = 1
    BLUE = 2


class Settings(Message):
    system_prompt: str = Field(default="", max_length=10)
    page_size: Int32 = Field(default=50, ge=1, le=200)


class Part(Message):
    content = oneof("text", "raw", required=True)
    text: str | None = None
    raw: Bytes | None = None


class Key(Message, proto_names=True):
    key_id: str = ""
    sub_keys: list["Key"] = []


class Request(Message):
    conversation_key: str = Field(min_length=1)
    name: str = ""
    is_terminal: Annotated[bool, Always()] = False
    color: Color = Color.COLOR_UNSPECIFIED
    settings: Settings | None = None
    parts: list[Part] = []
    metadata: dict[str, str] = {}
    by_name: dict[str, Settings] = {}
    total: Int64 = 0
    ratio: Double = 0.0
    limit: Int32 | None = Field(default=None, ge=0)
    ttl: Duration | None = None
    created_at: Timestamp | None = None
    free: Struct | None = None
    value: Value = None
    values: ListValue = []
    key: Key | None = None


class Later(Message):
    node: "Node | None" = None


class Node(Message):
    node_name: str = ""
    children: list["Node"] = []


def violations_of(raw: bytes, message: type[Message] = Request) -> dict[str, str]:
    with pytest.raises(RpcError) as caught:
        message.from_public_json(raw)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.reason == REQUEST_INVALID.word
    return {v.field: v.description for v in caught.value.details.field_violations}


FULL = Request(
    conversation_key="k",
    color=Color.BLUE,
    settings=Settings(system_prompt="x"),
    parts=[Part(text=""), Part(raw=b"\xff\xfe")],
    metadata={"snake_case": "b"},
    by_name={"a": Settings()},
    total=2**60,
    ratio=0.5,
    limit=0,
    ttl=timedelta(seconds=3.5),
    created_at=datetime(2030, 1, 1, 9, 0, 0, 120_000, tzinfo=UTC),
    free={"a": [None, 1, {"b_c": True}]},
    value=[None],
    values=[{}],
    key=Key(key_id="1", sub_keys=[Key()]),
)

FULL_ON_THE_WIRE: dict[str, Any] = {
    "conversationKey": "k",
    "isTerminal": False,
    "color": "BLUE",
    "settings": {"systemPrompt": "x", "pageSize": 50},
    "parts": [{"text": ""}, {"raw": "//4="}],
    "metadata": {"snake_case": "b"},
    "byName": {"a": {"pageSize": 50}},
    "total": "1152921504606846976",
    "ratio": 0.5,
    "limit": 0,
    "ttl": "3.500s",
    "createdAt": "2030-01-01T09:00:00.120Z",
    "free": {"a": [None, 1, {"b_c": True}]},
    "value": [None],
    "values": [{}],
    "key": {"key_id": "1", "sub_keys": [{"sub_keys": []}]},
}


def test_a_message_is_written_as_protojson() -> None:
    assert FULL.to_dict() == FULL_ON_THE_WIRE


def test_a_message_survives_its_way_over_the_wire() -> None:
    assert Request.from_public_json(FULL.to_json()) == FULL
    assert Request.from_json(FULL.to_json()) == FULL


def test_defaults_are_omitted_and_lists_are_always_shown() -> None:
    assert Request(conversation_key="k").to_dict() == {
        "conversationKey": "k",
        "isTerminal": False,
        "parts": [],
        "values": [],
    }


def test_a_default_that_is_not_protobufs_is_shown_so_that_its_zero_can_be_told_apart() -> None:
    class Switch(Message):
        is_on: bool = True

    assert Switch().to_json() == b'{"isOn":true}'
    assert Switch.from_json(Switch(is_on=False).to_json()) == Switch(is_on=False)


def test_a_required_field_is_shown_even_when_it_is_zero() -> None:
    class Count(Message):
        count: Int32

    assert Count.from_json(Count(count=0).to_json()) == Count(count=0)


def test_both_spellings_are_read() -> None:
    camel = Request.from_public_json(b'{"conversationKey":"k","isTerminal":true}')
    assert camel == Request.from_public_json(b'{"conversation_key":"k","is_terminal":true}')


def test_a_message_with_proto_names_reads_both_spellings_too() -> None:
    assert Key.from_public_json(b'{"keyId":"1"}') == Key.from_public_json(b'{"key_id":"1"}')


def test_proto_names_are_inherited_and_can_be_turned_off() -> None:
    class Child(Key):
        new_field: str = ""

    class Camel(Key, proto_names=False):
        pass

    assert Child(key_id="1", new_field="x").to_dict() == {
        "key_id": "1",
        "sub_keys": [],
        "new_field": "x",
    }
    assert Camel(key_id="1").to_dict() == {"keyId": "1", "subKeys": []}


def test_null_means_absent_in_fields_and_a_value_in_free_json() -> None:
    raw = b"""{"conversationKey":"k","name":null,"color":null,"settings":{"systemPrompt":null},
        "parts":null,"metadata":null,"byName":{"a":{"pageSize":null}},"total":null,"limit":null,
        "free":{"a":null},"values":[null],"value":null,"key":{"sub_keys":[{"key_id":null}]}}"""
    expected = Request(
        conversation_key="k",
        settings=Settings(),
        by_name={"a": Settings()},
        free={"a": None},
        values=[None],
        key=Key(sub_keys=[Key()]),
    )
    assert Request.from_public_json(raw) == expected
    assert Request.from_json(raw) == expected


@pytest.mark.parametrize("raw", [b"{}", b"", b'{"conversationKey":null}'])
def test_a_required_field_that_is_absent_or_null_is_a_violation(raw: bytes) -> None:
    assert violations_of(raw) == {"conversationKey": "is required"}


def test_a_required_text_that_must_not_be_empty_is_as_good_as_absent_when_it_is() -> None:
    assert violations_of(b'{"conversationKey":""}') == {"conversationKey": "is required"}


def test_all_violations_are_told_at_once_by_path() -> None:
    raw = b"""{"name": 3, "zzz": 1, "color": "GREEN", "settings": {"page_size": 0, "nope": null},
        "parts": [{"text": "a"}, {}, {"text": "a", "raw": "YQ"}, {"raw": "!", "text": "a"}],
        "byName": {"a b": {"page_size": true}}, "total": "x", "ttl": "3", "free": [],
        "metadata": {"k": 1}, "key": {"subKeys": [{"key_id": false}]}, "values": {}}"""
    assert set(violations_of(raw)) == {
        "conversationKey",
        "name",
        "zzz",
        "color",
        "settings.pageSize",
        "settings.nope",
        "parts[1]",
        "parts[2]",
        "parts[3]",
        "parts[3].raw",
        'byName["a b"].pageSize',
        "total",
        "ttl",
        "free",
        "values",
        'metadata["k"]',
        "key.subKeys[0].keyId",
    }


def test_no_violation_repeats_the_value_that_was_sent() -> None:
    secret = "sk_live_5ecret"
    raw = b"""{"conversationKey":"k","color":"%s","total":"%s","limit":"%s","ttl":"%s",
        "createdAt":"%s","isTerminal":"%s","parts":"%s","settings":{"systemPrompt":"%s"}}"""
    found = violations_of(raw.replace(b"%s", secret.encode()))
    assert len(found) == 8
    assert not [text for text in found.values() if secret in text]


@pytest.mark.parametrize("key", ["k" * 65, "clé", "\x7f", "\u202e"])
def test_a_key_that_may_be_content_is_not_repeated(key: str) -> None:
    raw = json.dumps({"conversationKey": "k", key: 1, "metadata": {key: 1}})
    assert set(violations_of(raw.encode())) == {"?", "metadata[?]"}


def test_keys_that_would_blur_a_path_are_quoted() -> None:
    raw = rb'{"conversationKey":"k","a.b":1,"metadata":{"x\"]":1}}'
    assert set(violations_of(raw)) == {'["a.b"]', r'metadata["x\"]"]'}


def test_a_flood_of_violations_is_cut() -> None:
    raw = ",".join(f'"f{i}":1' for i in range(5_000))
    assert len(violations_of(b"{%s}" % raw.encode())) == 100


def test_a_validator_of_a_contract_states_its_own_sentence() -> None:
    class Named(Message):
        name: str = ""

        @field_validator("name")
        @classmethod
        def _is_lower_case(cls, name: str) -> str:
            if name != name.lower():
                raise violation("must be in lower case")
            return name

    assert violations_of(b'{"name":"A"}', Named) == {"name": "must be in lower case"}


def test_a_message_may_have_validators_of_its_own() -> None:
    class Range(Message):
        lowest_page: Int32 = 0
        highest_page: Int32 = 0

        @model_validator(mode="before")
        @classmethod
        def _one_number(cls, data: Any) -> Any:
            return {"highest_page": data} if isinstance(data, int) else data

        @model_validator(mode="after")
        def _is_ordered(self) -> Self:
            if self.lowest_page > self.highest_page:
                raise violation("must end after it starts")
            return self

    class Book(Message):
        ranges: list[Range] = []

    assert Book.from_public_json(b'{"ranges":[7]}').to_dict() == {"ranges": [{"highestPage": 7}]}
    found = violations_of(b'{"ranges":[{"lowestPage":2,"highest_page":"1"},{"x":1}]}', Book)
    assert set(found) == {"ranges[0]", "ranges[1].x"}


def test_a_field_may_have_its_own_rule_for_being_left_out() -> None:
    class Quiet(Message):
        count: Int32 = Field(default=0, exclude_if=lambda count: count == 7)

    assert Quiet(count=7).to_json() == b"{}"
    assert Quiet(count=0).to_json() == b'{"count":0}'


def test_a_field_may_have_its_own_way_of_being_written() -> None:
    class Masked(Message):
        key: Int64
        keys: list[str] = []

        @field_serializer("key", "keys")
        def _mask(self, _value: object) -> str:
            return "***"

    assert Masked(key=1, keys=["a"]).to_json() == b'{"key":"***","keys":"***"}'


def test_an_exception_of_a_validator_is_told_without_its_text() -> None:
    class Parsed(Message):
        number: str = ""

        @field_validator("number")
        @classmethod
        def _is_number(cls, number: str) -> str:
            return str(int(number))

    assert violations_of(b'{"number":"s3cret"}', Parsed) == {"number": "is not valid"}


def test_inside_unknown_fields_and_enum_members_are_no_error() -> None:
    raw = b'{"conversationKey":"k","new":{"a":1},"color":"PURPLE","settings":{"new":null}}'
    assert Request.from_json(raw) == Request(conversation_key="k", settings=Settings())


@pytest.mark.parametrize("raw", [b"{", b'{"name":NaN}', b"\xff", b"[" * 1_000])
def test_inside_bytes_that_are_not_json_are_an_error(raw: bytes) -> None:
    with pytest.raises(RpcError) as caught:
        Request.from_json(raw)
    assert caught.value.reason == REQUEST_MALFORMED.word


def test_inside_a_wrong_type_is_an_error_all_the_same() -> None:
    with pytest.raises(RpcError) as caught:
        Request.from_json(b'{"conversationKey":1}')
    assert [v.field for v in caught.value.details.field_violations] == ["conversationKey"]


def test_a_type_that_is_declared_later_is_found() -> None:
    raw = b'{"node":{"nodeName":null,"children":[{"nodeName":3}]}}'
    assert set(violations_of(raw, Later)) == {"node.children[0].nodeName"}


def test_a_misspelt_field_in_python_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings(system_promt="x")  # pyright: ignore[reportCallIssue]


def test_an_integer_without_a_size_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError):

        class Sizeless(Message):  # pyright: ignore[reportUnusedClass]
            count: int = 0


def test_empty_defaults_are_not_shared_between_messages() -> None:
    Request(conversation_key="k").parts.append(Part(text=""))
    Request(conversation_key="k").metadata["a"] = "b"
    assert (
        Request(conversation_key="k").to_dict()
        == Request.from_json(b'{"conversationKey":"k"}').to_dict()
    )
    assert not Request(conversation_key="k").parts
    assert not Request(conversation_key="k").metadata
