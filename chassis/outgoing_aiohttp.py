"""aiohttp for addresses that a user supplied: connections go to checked numbers, and to no others.

    session = ClientSession(connector=checked_connector(addresses), trust_env=False)
    addresses.check_url(url)                    # scheme, form, and a host that is a number
    session.get(url, allow_redirects=False)

aiohttp does not ask its resolver about a host that is a number: `check_url` judges those, so it has
to come before each request, and redirects may not be followed.
"""

import socket

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from chassis.addresses import AddressRefusedError, OutgoingAddresses


def checked_connector(addresses: OutgoingAddresses) -> TCPConnector:
    """A pool whose every connection was judged. Made on the loop that uses it.

    A refused address is an OSError to whoever calls.
    """
    # Names are looked up anew for each connection: what was checked is what is called.
    return TCPConnector(resolver=_CheckedNames(addresses), use_dns_cache=False)


class _CheckedNames(AbstractResolver):
    """aiohttp's resolver, answering only with numbers that the rule allows."""

    def __init__(self, addresses: OutgoingAddresses) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            numbers = await self._addresses.resolve(host, port)
        except AddressRefusedError as refused:
            raise OSError(str(refused)) from None
        return [_result(host, number, port) for number in numbers]

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, number: str, port: int) -> ResolveResult:
    return {
        "hostname": host,
        "host": number,
        "port": port,
        "family": socket.AF_INET6 if ":" in number else socket.AF_INET,
        "proto": 0,
        "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    }
