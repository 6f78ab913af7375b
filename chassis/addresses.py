"""Where calls that users ask for may go: public addresses, and hosts that the operator allows.

The one module for every address that comes from outside: OIDC issuers, key sets, webhooks, MCP
servers. A host is judged by the numbers that it stands for at the moment of the call, and the
caller connects to exactly the numbers that `resolve` gave, so a name that changes its mind
between check and connect reaches nothing else. Callers follow no redirects.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

_LONGEST_URL = 2048
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
# Azure's host agent, which hands out credentials, stands on a public address.
_NEVER = frozenset({ip_address("168.63.129.16")})


class AddressRefusedError(Exception):
    """The address may not be called. The text is a sentence that begins with `must`."""


@dataclass(frozen=True, slots=True)
class OutgoingAddresses:
    """The rule. `allowed_hosts` are names or numbers, as users write them, that may be private
    and need no TLS: a development stack, or a server of the operator's own network."""

    allowed_hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, allowed_hosts: Iterable[str]) -> "OutgoingAddresses":
        """The rule with these exceptions."""
        return cls(frozenset(host.lower().strip("[]") for host in allowed_hosts))

    def check_url(self, url: str) -> None:
        """Refuse a URL that can be judged without a look-up. Raises AddressRefusedError."""
        host = _host_of(url)
        if host in self.allowed_hosts:
            return
        if urlsplit(url).scheme != "https":
            raise AddressRefusedError("must be an https URL")
        self._check_number(host)

    async def resolve(self, host: str, port: int) -> list[str]:
        """The numbers that a host stands for now, all of them public.

        Raises AddressRefusedError when any is not, and OSError for a name that nobody knows.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
        if host.lower() not in self.allowed_hosts:
            for number in numbers:
                self._check_number(number)
        return numbers

    def _check_number(self, host: str) -> None:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return  # a name, which is judged by what it resolves to
        if not is_public(address):
            raise AddressRefusedError("must not be a private, local or reserved address")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, whatever it is wrapped in."""
    inner = _unwrapped(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and address not in _NEVER


def _unwrapped(address: Address) -> Address | None:
    """The IPv4 address inside one of the forms of IPv6 that carry one."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise AddressRefusedError("must be a URL") from None
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not host or not plain or len(url) > _LONGEST_URL or parts.scheme not in ("http", "https"):
        raise AddressRefusedError("must be an https URL")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefusedError("must not have a user, a password or a fragment")
    return host.lower()
