"""An ingress that answers what a test wants, to see what the edge makes of it.

It counts and records every request, so a test can also show that none came. What the edge asks of
users on its own account is kept apart: `users` has the records, `lookups_of_users` counts.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from actors.firebase_bridge.contract import ReadResponse


@dataclass(frozen=True)
class Seen:
    """One request as it arrived. Names of headers in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[Seen], Awaitable[bytes | None]]
"""What goes onto the wire; None breaks the connection."""


def response(
    status: int = 200,
    body: bytes = b'{"text":"ok"}',
    *,
    headers: dict[str, str] | None = None,
    source: str | None = None,
) -> bytes:
    """An answer as Restate gives it; `source` marks failures."""
    lines = {"x-restate-id": "inv_1", "content-type": "application/json", **(headers or {})}
    if source is not None:
        lines["x-restate-error-source"] = source
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    start = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{head}\r\n"
    return start.encode() + body


class FakeIngress:
    """A server on loopback whose behaviour can be changed between requests."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.arrived = asyncio.Event()
        self.url = ""
        self.port: int = 0
        self.behaviour: Behaviour = _ok
        self.users: dict[str, ReadResponse] = {}
        self.lookups_of_users = 0
        self.knows_users = True
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def answers(self, *raw: bytes | None) -> None:
        """Answer these in turn, and the last one from then on."""
        left = list(raw)

        async def next_one(_: Seen) -> bytes | None:
            return left.pop(0) if len(left) > 1 else left[0]

        self.behaviour = next_one

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        self.port = address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Refuse connections and break those that are open."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while True:
                raw = await self._answer_to(await _read(reader))
                if raw is None:
                    return
                writer.write(raw)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer_to(self, seen: Seen) -> bytes | None:
        _, path, _ = seen.line.split(" ")
        if not path.startswith("/FirebaseBridgeActor/"):
            self.seen.append(seen)
            self.arrived.set()
            return await self.behaviour(seen)
        self.lookups_of_users += 1
        if not self.knows_users:
            return None
        # The key of the object is itself encoded, and encoded once more to stand in the path.
        user_id = unquote(unquote(path.split("/")[2]))
        return response(body=self.users.get(user_id, ReadResponse()).to_json())


async def _ok(_: Seen) -> bytes:
    return response()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(line, headers, body)


@asynccontextmanager
async def fake_ingress() -> AsyncGenerator[FakeIngress]:
    """A running fake ingress."""
    ingress = FakeIngress()
    await ingress.start()
    try:
        yield ingress
    finally:
        await ingress.stop()
