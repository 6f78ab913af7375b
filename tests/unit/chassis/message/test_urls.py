"""Addresses that clients send: no user and no password gets past the boundary."""

import json

import pytest

from chassis.message import Message, Url
from errors import RpcError


class Place(Message):
    """Where something is."""

    url: Url = ""


@pytest.mark.parametrize(
    "url",
    [
        "https://u:p@host/x",
        "https://p@host",
        "HTTPS://u:p@[broken",
        "https:/u:p@host",
        "https:\\\\u:p@host",
        " https://u:p@host",
        "//u:p@host",
        "u:p@host/x",
    ],
)
def test_an_address_with_a_user_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(RpcError) as refused:
        Place.from_public_json(json.dumps({"url": url}).encode())
    (violation,) = refused.value.details.field_violations
    assert violation.field == "url"
    assert url not in str(refused.value)


@pytest.mark.parametrize("url", ["", "https://host/@u?a=b@c#d@e", "https://host:1/", "not a url"])
def test_any_other_text_passes(url: str) -> None:
    assert Place.from_public_json(json.dumps({"url": url}).encode()).url == url


def test_what_was_stored_before_is_still_read() -> None:
    assert Place.from_json(b'{"url": "https://u:p@host"}').url == "https://u:p@host"
