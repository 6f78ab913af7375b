"""Messages are read in both spellings, refused with all violations, and written as protojson."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from pydantic import Field

from chassis.message import (
    Always,
    Bytes,
    Double,
    Duration,
    Int32,
    Int64,
    Message,
    ProtoEnum,
    Struct,
    Timestamp,
    oneof,
)
from errors import Code, RpcError


class Color(ProtoEnum):
    COLOR_UNSPECIFIED = 0
    RED = 1
    BLUE = 2
    AZURE = 2


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
    ttl: Duration | None = None
    created_at: Timestamp | None = None
    free: Struct | None = None
    key: Key | None = None


def violations_of(raw: bytes) -> dict[str, str]:
    with pytest.raises(RpcError) as caught:
        Request.from_public_json(raw)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return {v.field: v.description for v in caught.value.details.field_violations}


def test_a_message_survives_its_way_over_the_wire() -> None:
    message = Request(
        conversation_key="k",
        color=Color.BLUE,
        settings=Settings(system_prompt="x"),
        parts=[Part(text=""), Part(raw=b"\xff\xfe")],
        metadata={"a": "b"},
        by_name={"a": Settings()},
        total=2**60,
        ratio=0.5,
        ttl=timedelta(seconds=3.5),
        created_at=datetime(2030, 1, 1, 9, 0, 0, 120_000, tzinfo=UTC),
        free={"a": [None, 1, {"b_c": True}]},
        key=Key(key_id="1", sub_keys=[Key()]),
    )
    assert Request.from_public_json(message.to_json()) == message
    assert Request.from_json(message.to_json()) == message
    assert message.to_dict() == {
        "conversationKey": "k",
        "isTerminal": False,
        "color": "BLUE",
        "settings": {"systemPrompt": "x", "pageSize": 50},
        "parts": [{"text": ""}, {"raw": "//4="}],
        "metadata": {"a": "b"},
        "byName": {"a": {"pageSize": 50}},
        "total": "1152921504606846976",
        "ratio": 0.5,
        "ttl": "3.500s",
        "createdAt": "2030-01-01T09:00:00.120Z",
        "free": {"a": [None, 1, {"b_c": True}]},
        "key": {"key_id": "1", "sub_keys": [{"sub_keys": []}]},
    }


def test_both_spellings_are_read() -> None:
    camel = Request.from_public_json(b'{"conversationKey":"k","isTerminal":true}')
    assert camel == Request.from_public_json(b'{"conversation_key":"k","is_terminal":true}')


def test_all_violations_are_told_at_once_by_path() -> None:
    raw = b"""{"name": 3, "zzz": 1, "color": "GREEN", "settings": {"pageSize": 0, "nope": null},
        "parts": [{"text": "a"}, {}, {"text": "a", "raw": "YQ"}, {"raw": "!"}],
        "byName": {"a b": {"pageSize": true}}, "total": "x", "ttl": "3", "free": [],
        "metadata": {"k": 1}, "key": {"subKeys": [{"key_id": false}]}}"""
    assert set(violations_of(raw)) == {
        "conversationKey",
        "name",
        "zzz",
        "color",
        "settings.pageSize",
        "settings.nope",
        "parts[1]",
        "parts[2]",
        "parts[3].raw",
        'byName["a b"].pageSize',
        "total",
        "ttl",
        "free",
        'metadata["k"]',
        "key.subKeys[0].keyId",
    }


def test_inside_unknown_fields_and_enum_members_are_no_error() -> None:
    raw = b'{"conversationKey":"k","new":{"a":1},"color":"PURPLE","settings":{"new":1}}'
    message = Request.from_json(raw)
    assert message == Request(conversation_key="k", settings=Settings())
