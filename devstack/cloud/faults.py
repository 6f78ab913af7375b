"""Faults of vendors: what can be wrong, which is set now, and how an answer is spoiled.

A `Faulty` wraps a vendor's application and knows nothing about the vendor: it delays, replaces or
breaks what the application sends. A piece is one message of the body; in an event stream that is
one event. What is no event stream is cut or stalled in the middle of its first piece.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send

Kind = Literal["status", "stall", "cut", "garbage", "slow"]
GARBAGE = b"<html><body>It works!</body></html>"


class Fault(BaseModel):
    """What is wrong with a vendor.

    kind: `status` refuses, `stall` says nothing more, `cut` breaks the connection, `garbage`
        answers 200 with a page of HTML, `slow` waits before every piece.
    status, retry_after: of a refusal; `Retry-After` in seconds or as a date.
    after: how many pieces come through before a stall or a cut.
    delay_ms: how long `slow` waits.
    times: for how many calls; without it until the fault is taken away.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    status: int = Field(default=503, ge=400, le=599)
    retry_after: str | None = Field(default=None, max_length=40, pattern=r"^[\x20-\x7e]*$")
    after: int = Field(default=5, ge=0, le=100_000)
    delay_ms: int = Field(default=500, ge=0, le=600_000)
    times: int | None = Field(default=None, ge=1, le=1_000_000)

    def sentence(self) -> str:
        """What it does, for a person."""
        wait = f" with Retry-After {self.retry_after}" if self.retry_after else ""
        does = {
            "status": f"answers {self.status}{wait}",
            "stall": f"says nothing more after {self.after} pieces",
            "cut": f"breaks the connection after {self.after} pieces",
            "garbage": "answers 200 with a page of HTML",
            "slow": f"waits {self.delay_ms} ms before every piece",
        }[self.kind]
        return does if self.times is None else f"{does}, for {self.times} more calls"


@dataclass
class Vendor:
    """A vendor on the switchboard."""

    name: str
    title: str
    fault: Fault | None = None
    calls: int = 0
    spoiled: int = 0


class Switchboard:
    """The faults that are set. Lives on one event loop."""

    def __init__(self, vendors: dict[str, str]) -> None:
        """`vendors`: title by name."""
        self.vendors = {name: Vendor(name, title) for name, title in vendors.items()}
        self._changed = asyncio.Event()

    def set(self, name: str, fault: Fault | None) -> None:
        """Set or take away a fault; who is stalled by the one before is let go."""
        self.vendors[name].fault = fault
        self.release()

    def release(self) -> None:
        """Let go whoever is stalled."""
        self._changed.set()
        self._changed = asyncio.Event()

    def take(self, name: str) -> Fault | None:
        """Count a call; the fault that spoils it."""
        vendor = self.vendors[name]
        vendor.calls += 1
        fault = vendor.fault
        if fault is None:
            return None
        vendor.spoiled += 1
        if fault.times is not None:
            left = fault.times - 1
            vendor.fault = fault.model_copy(update={"times": left}) if left else None
        return fault

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change."""
        return self._changed


class Faulty:
    """A vendor's application behind the switchboard."""

    def __init__(
        self,
        name: str,
        application: Callable[[Scope, Receive, Send], Awaitable[None]],
        board: Switchboard,
    ) -> None:
        self._name = name
        self._application = application
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, spoiled or not."""
        fault = self._board.take(self._name)
        if fault is None:
            await self._application(scope, receive, send)
        elif fault.kind in ("status", "garbage"):
            await _refuse(fault, Exchange(scope, receive, send))
        else:
            spoiler = _Spoiler(fault, receive, send, self._board.changed)
            # The application sees its client go; leaving without a last piece breaks the line.
            with contextlib.suppress(ClientGoneError):
                await self._application(scope, spoiler.receive, spoiler.send)


async def _refuse(fault: Fault, exchange: Exchange) -> None:
    await exchange.body()
    async with exchange:
        try:
            if fault.kind == "garbage":
                await exchange.send(200, GARBAGE, "text/html; charset=utf-8")
                return
            headers = {} if not fault.retry_after else {"retry-after": fault.retry_after}
            error = {"code": fault.status, "message": "A fault of the switchboard"}
            await exchange.send_json(fault.status, {"error": error}, headers)
        except ClientGoneError:
            return


class _Spoiler:
    """Stands between an application and its server."""

    def __init__(self, fault: Fault, receive: Receive, send: Send, changed: asyncio.Event) -> None:
        self._fault = fault
        self._receive = receive
        self._send = send
        self._changed = changed
        self._gone = asyncio.Event()
        self._left = fault.after

    async def receive(self) -> Any:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone.set()
        return message

    async def send(self, message: Any) -> None:
        fault = self._fault
        if message["type"] != "http.response.body":
            if fault.kind == "stall" and fault.after == 0:
                await self._hold()
            if (b"content-type", b"text/event-stream") not in message.get("headers", ()):
                self._left = 0
            await self._send(message)
        elif fault.kind == "slow":
            await _first(self._gone, seconds=fault.delay_ms / 1000)
            await self._send(message)
        elif self._left > 0 and message.get("more_body"):
            self._left -= 1
            await self._send(message)
        else:
            body = message.get("body", b"")
            await self._send({**message, "body": body[: len(body) // 2], "more_body": True})
            if fault.kind == "stall":
                await self._hold()
            raise ClientGoneError

    async def _hold(self) -> None:
        await _first(self._gone, self._changed)
        raise ClientGoneError


async def _first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Until one of the events happens, or so long."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
