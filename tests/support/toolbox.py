"""A running toolbox in the test's own process, and servers that behave as no server should."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from chassis.addresses import OutgoingAddresses
from devstack.processes import free_port
from devstack.serving import serving
from devstack.toolbox.app import Toolbox
from devstack.toolbox.tools import Tools
from services.mcp.client import McpClient
from services.mcp.settings import McpSettings

LOOPBACK = OutgoingAddresses.of(["127.0.0.1"])


@dataclass(frozen=True)
class RunningToolbox:
    """Its address, and what is behind it."""

    url: str
    tools: Tools


@asynccontextmanager
async def running_toolbox() -> AsyncGenerator[RunningToolbox]:
    """A toolbox on a port of its own."""
    toolbox = Toolbox()
    async with serving(toolbox, free_port()) as address:
        yield RunningToolbox(f"{address}/mcp", toolbox.tools)


@asynccontextmanager
async def tool_client(
    addresses: OutgoingAddresses = LOOPBACK, **settings: float
) -> AsyncGenerator[McpClient]:
    """A client that may call loopback."""
    client = McpClient(addresses, McpSettings.model_validate(settings))
    try:
        yield client
    finally:
        await client.aclose()


Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(answer: Answering) -> AsyncGenerator[str]:
    """An HTTP server by hand: `answer` gets each request's bytes and writes what it likes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            await answer(head + await reader.readexactly(length), writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    finally:
        server.close()


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An answer in HTTP/1.1."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
