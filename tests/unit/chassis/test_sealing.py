"""Secrets on their way: sealed by the edge, opened by the owner, useless to anyone between."""

import base64
import json
import secrets

import pytest
from pydantic import Field, SecretStr

from app.settings import HandlersSettings
from chassis.message import REQUEST_INVALID, Message, Secret
from chassis.message.secret import LONGEST_SECRET, holds_secrets, with_secrets
from chassis.sealing import SEALING_NOT_CONFIGURED, SealBrokenError, Sealing
from chassis.settings import load
from errors import RpcError


def key() -> SecretStr:
    return SecretStr(base64.b64encode(secrets.token_bytes(32)).decode())


class Inner(Message):
    """Something with a secret in it."""

    token: Secret = ""


class Outer(Message):
    """Secrets wherever a field may have them."""

    name: str = ""
    password: Secret = ""
    headers: dict[str, Secret] = Field(default_factory=dict[str, str])
    codes: list[Secret] = Field(default_factory=list[str])
    inner: Inner | None = None
    many: list[Inner] = Field(default_factory=list[Inner])


class Plain(Message):
    """No secrets."""

    names: list[str] = Field(default_factory=list[str])
    other: "Plain | None" = None


def test_what_was_sealed_opens_with_the_same_key_and_tenant() -> None:
    sealing = Sealing([key()])
    sealed = sealing.seal("Bearer 123", "acme")
    assert "123" not in sealed
    assert sealing.open(sealed, "acme") == "Bearer 123"
    assert sealing.seal("Bearer 123", "acme") != sealed


def test_a_secret_moved_to_another_tenant_does_not_open() -> None:
    sealing = Sealing([key()])
    with pytest.raises(SealBrokenError):
        sealing.open(sealing.seal("Bearer 123", "acme"), "globex")


@pytest.mark.parametrize("broken", ["", "Bearer 123", "sealed1.", "sealed1.abc.def"])
def test_what_was_never_sealed_does_not_open(broken: str) -> None:
    with pytest.raises(SealBrokenError):
        Sealing([key()]).open(broken, "acme")


def test_a_changed_text_does_not_open() -> None:
    sealing = Sealing([key()])
    sealed = sealing.seal("Bearer 123", "acme")
    place = len(sealed) - 10
    changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
    with pytest.raises(SealBrokenError):
        sealing.open(changed, "acme")


def test_a_new_key_in_front_leaves_what_the_old_one_sealed_readable() -> None:
    old, new = key(), key()
    sealed = Sealing([old]).seal("Bearer 123", "acme")
    rotated = Sealing([new, old])
    assert rotated.open(sealed, "acme") == "Bearer 123"
    with pytest.raises(SealBrokenError):
        Sealing([old]).open(rotated.seal("Bearer 123", "acme"), "acme")


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(RpcError) as refused:
        Sealing([]).seal("Bearer 123", "acme")
    assert refused.value.reason == SEALING_NOT_CONFIGURED.word


@pytest.mark.parametrize("text", ["short", "not base64!", base64.b64encode(b"x" * 31).decode()])
def test_a_key_of_another_form_is_refused_at_start_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SECRETS_KEYS", json.dumps([text]))
    mistakes: list[str] = []
    assert load(HandlersSettings, mistakes) is None
    assert len(mistakes) == 1
    assert text not in mistakes[0]


def test_secrets_are_found_wherever_a_message_has_them() -> None:
    message = Outer(
        name="a",
        password="b",
        headers={"x": "c"},
        codes=["d", "e"],
        inner=Inner(token="f"),
        many=[Inner(token="g"), Inner()],
    )
    with_secrets(message, str.upper)
    assert message == Outer(
        name="a",
        password="B",
        headers={"x": "C"},
        codes=["D", "E"],
        inner=Inner(token="F"),
        many=[Inner(token="G"), Inner()],
    )


def test_messages_without_secrets_are_known_even_where_they_nest_in_a_ring() -> None:
    assert holds_secrets(Outer)
    assert not holds_secrets(Plain)


@pytest.mark.parametrize("secret", ["x" * (LONGEST_SECRET + 1), "two\nlines", "Schlüssel"])
def test_a_secret_that_no_header_could_carry_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(RpcError) as refused:
        Outer.from_public_json(json.dumps({"password": secret}).encode())
    assert refused.value.reason == REQUEST_INVALID.word
    assert [violation.field for violation in refused.value.details.field_violations] == ["password"]


def test_a_sealed_secret_is_held_to_no_limit() -> None:
    sealed = Sealing([key()]).seal("x" * LONGEST_SECRET, "acme")
    assert Outer.from_json(Outer(password=sealed).to_json()).password == sealed
