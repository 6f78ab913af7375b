"""HTTP as bytes, for requests that no client library would send."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RawAnswer:
    """What came back. `status` is 0 when the connection ended without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


NOTHING = RawAnswer(0, {}, b"")


async def send_raw(port: int, *parts: bytes, seconds: float = 10) -> list[RawAnswer]:
    """Every answer to these bytes on one connection, until the server closes or falls silent."""
    answers: list[RawAnswer] = []
    async with _connection(port, parts) as reader:
        while (answer := await _answer(reader, seconds)) is not NOTHING:
            answers.append(answer)
            seconds = 0.3  # a second answer comes at once or not at all
    return answers


async def one_raw(port: int, *parts: bytes, seconds: float = 10) -> RawAnswer:
    """The first answer to these bytes; `NOTHING` when the server just closed."""
    async with _connection(port, parts) as reader:
        return await _answer(reader, seconds)


@asynccontextmanager
async def _connection(port: int, parts: tuple[bytes, ...]) -> AsyncGenerator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        yield reader
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, seconds: float) -> RawAnswer:
    try:
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            start, *lines = head.decode("latin-1").strip().split("\r\n")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return NOTHING
    return RawAnswer(int(start.split()[1]), headers, body)


def request(
    path: str,
    *headers: str,
    method: str = "POST",
    body: bytes = b"{}",
    length: bool = True,
    version: str = "HTTP/1.1",
) -> bytes:
    """A request with JSON content; `length=False` leaves framing to the given headers."""
    lines = [f"{method} {path} {version}", "Host: edge", "Content-Type: application/json"]
    lines += headers
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
