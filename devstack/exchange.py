"""One HTTP exchange of an ASGI server: its body, its answer, and whether the client has gone."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClientGoneError(Exception):
    """The client closed the connection before the answer was complete."""


class Exchange:
    """Use as `async with`: a task watches `receive()`, the only way to learn that a client left."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self._receive = receive
        self._send = send
        self._gone = asyncio.Event()
        self._started = False
        self._watcher: asyncio.Task[None] | None = None

    async def body(self) -> bytes:
        """The whole request body. Call before entering the context."""
        body, more = b"", True
        while more:
            message = await self._receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body

    async def __aenter__(self) -> "Exchange":
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    @property
    def started(self) -> bool:
        """Whether the status line was sent."""
        return self._started

    async def unless_gone(self, answering: Coroutine[Any, Any, None]) -> None:
        """Answer, and give it up as soon as the client goes.

        :raises ClientGoneError: it went
        """
        answer = asyncio.ensure_future(answering)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ClientGoneError
            answer.result()
        finally:
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    async def start(self, status: int, headers: dict[str, str]) -> None:
        """Send the status line and the headers."""
        self._check()
        self._started = True
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def write(self, piece: bytes) -> None:
        """Send a piece of the body."""
        self._check()
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self._check()

    async def end(self) -> None:
        """End the body properly. An exchange that is left without this is cut."""
        self._check()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send_json(
        self, status: int, value: object, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with one JSON document."""
        await self.send(status, json.dumps(value).encode(), "application/json", headers)

    async def send(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with one body."""
        await self.start(status, {"content-type": content_type, **(headers or {})})
        await self.write(body)
        await self.end()

    async def pause(self, seconds: float) -> None:
        """Let time pass, unless the client goes."""
        if seconds > 0:
            await self.wait_for(asyncio.Event(), seconds)

    async def wait_for(self, event: asyncio.Event, seconds: float | None = None) -> bool:
        """Wait for the event, at most so long; whether it happened.

        :raises ClientGoneError: the client left first
        """
        waits = {asyncio.create_task(event.wait()), asyncio.create_task(self._gone.wait())}
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._check()
        return event.is_set()

    def _check(self) -> None:
        if self._gone.is_set():
            raise ClientGoneError
