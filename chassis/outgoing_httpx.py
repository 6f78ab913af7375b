"""httpx for addresses that a user supplied: MCP servers, webhooks, whatever a tenant may name.

    async with httpx.AsyncClient(transport=CheckedTransport(addresses)) as http:
        await http.post(url, ...)

Every request is judged, those of redirects included: its URL before anything is sent, and its host
when a connection is made, by the numbers that it stands for then. The connection goes to one of
these numbers while TLS and the Host header keep the name, so a name that changes its mind between
check and connect reaches nothing else. Proxies of the environment are not used: they would connect
on our behalf, unjudged. A refused address is an `httpx.ConnectError`, as if nothing listened there.

`CheckedNetwork` is the part that connects; anything built on httpcore's pool takes it as its
`network_backend`.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import httpcore
import httpx

from chassis.addresses import AddressRefusedError, OutgoingAddresses

_KEEPALIVE_SECONDS = 30.0


class CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport on connections that were judged."""

    def __init__(
        self,
        addresses: OutgoingAddresses,
        *,
        max_connections: int | None = None,
        max_keepalive_connections: int | None = 50,
    ) -> None:
        context = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=context, trust_env=False)
        self._addresses = addresses
        # httpx has no way to hand a network over; a test holds that this pool is the one it uses.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_keepalive_connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=CheckedNetwork(addresses),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, unless its URL alone shows that it may not be sent."""
        try:
            self._addresses.check_url(str(request.url))
        except AddressRefusedError as refused:
            raise httpx.ConnectError(str(refused), request=request) from None
        return await super().handle_async_request(request)


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the numbers of a host that the rule allows, one after the other."""

    def __init__(self, addresses: OutgoingAddresses) -> None:
        self._addresses = addresses
        # httpcore leaves its type open for installations without anyio.
        self._network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to one of the host's numbers."""
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def _connect(
        self,
        host: str,
        port: int,
        local_address: str | None,
        socket_options: Iterable[Any] | None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            numbers = await self._addresses.resolve(host, port)
        except (AddressRefusedError, OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from None
        failure = httpcore.ConnectError("no address")
        for number in numbers:
            try:
                return await self._network.connect_tcp(
                    number, port, local_address=local_address, socket_options=socket_options
                )
            except httpcore.ConnectError as refused:
                failure = refused
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no URL of a user names a file."""
        raise httpcore.ConnectError("no unix sockets")

    async def sleep(self, seconds: float) -> None:
        """httpcore's own back-off."""
        await self._network.sleep(seconds)
