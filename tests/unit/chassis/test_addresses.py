"""Outgoing calls that users ask for reach the public internet and nothing else."""

import asyncio
import socket
from typing import Any

import pytest

from chassis.addresses import AddressRefusedError, OutgoingAddresses

pytestmark = pytest.mark.anyio

ADDRESSES = OutgoingAddresses.of([])

PRIVATE = [
    "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2001:db8::1",
]  # fmt: skip
# What getaddrinfo, like every HTTP client, also takes for an IPv4 address.
OTHER_SPELLINGS = ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "localhost"]


@pytest.mark.parametrize("number", PRIVATE)
def test_a_url_with_a_private_number_is_refused(number: str) -> None:
    host = f"[{number}]" if ":" in number else number
    with pytest.raises(AddressRefusedError):
        ADDRESSES.check_url(f"https://{host}/keys")


@pytest.mark.parametrize("host", OTHER_SPELLINGS)
async def test_another_spelling_of_loopback_is_refused_when_it_is_looked_up(host: str) -> None:
    with pytest.raises(AddressRefusedError):
        await ADDRESSES.resolve(host, 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x",
        "https://user@example.com/", "https://user:pw@example.com/", "https://example.com/#x",
        "https://example.com:99999/", "https://exa mple.com/", "https://example.com/\n",
        "https://example.com\\@127.0.0.1/", "https://exämple.com/", "//example.com/", "", "x",
        "https://[::1/", "https://example.com/" + "a" * 2048,
    ],
)  # fmt: skip
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        ADDRESSES.check_url(url)


@pytest.mark.parametrize(
    "url", ["https://example.com/keys?x=1", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/"]
)
def test_a_public_https_url_is_let_through(url: str) -> None:
    ADDRESSES.check_url(url)


@pytest.mark.parametrize("numbers", [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:10.0.0.1"]])
async def test_a_name_is_judged_by_every_number_that_it_stands_for(
    numbers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443)) for number in numbers]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found, raising=False)
    with pytest.raises(AddressRefusedError):
        await ADDRESSES.resolve("rebinding.example", 443)


async def test_a_host_that_the_operator_allows_may_be_private_and_without_tls() -> None:
    allowed = OutgoingAddresses.of(["127.0.0.1", "[::1]", "Keys.Internal"])
    for url in ("http://127.0.0.1:8091/jwks", "http://[::1]/", "http://keys.internal/"):
        allowed.check_url(url)
    assert await allowed.resolve("127.0.0.1", 80) == ["127.0.0.1"]
    with pytest.raises(AddressRefusedError):
        allowed.check_url("http://127.0.0.2/")
