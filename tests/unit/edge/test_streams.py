"""A stream stays alive while nothing happens, and closes its source at every end."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from edge.standing import Standing
from edge.streams import pump
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def good() -> None:
    """A credential that holds."""


HOLDS = Standing(good)


class Wire:
    """What an ASGI server would see, with a client that goes when told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.ended = False
        self.gone = asyncio.Event()
        self.closed = False

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.frames.append(message["body"])
        self.ended = not message["more_body"]

    async def source(self, *frames: bytes, hold: bool = True) -> AsyncGenerator[bytes]:
        try:
            for frame in frames:
                yield frame
            if hold:
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_a_silent_stream_sends_comments() -> None:
    wire = Wire()
    draining = asyncio.Event()
    source = wire.source(b"data: 1\n\n")
    pumping = asyncio.create_task(
        pump(source, wire.receive, wire.send, draining, "req_1", HOLDS, quiet_seconds=0.01)
    )
    await until(lambda: len(wire.frames) > 3)
    wire.gone.set()
    await pumping
    assert wire.frames[0] == b"data: 1\n\n"
    assert all(frame.startswith(b":") for frame in wire.frames[1:])
    assert wire.closed


async def test_a_source_that_ends_ends_the_stream() -> None:
    wire = Wire()
    source = wire.source(b"data: 1\n\n", hold=False)
    await pump(source, wire.receive, wire.send, asyncio.Event(), "req_1", HOLDS)
    assert wire.frames == [b"data: 1\n\n", b""]
    assert wire.ended
    assert wire.closed


async def test_a_drain_tells_the_client_and_ends_the_stream() -> None:
    wire = Wire()
    draining = asyncio.Event()
    draining.set()
    await pump(wire.source(), wire.receive, wire.send, draining, "req_1", HOLDS)
    assert wire.frames == [b"event: bye\ndata: {}\n\n", b""]
    assert wire.ended
    assert wire.closed


async def test_nothing_is_sent_to_a_client_that_is_gone() -> None:
    wire = Wire()
    wire.gone.set()
    await pump(wire.source(), wire.receive, wire.send, asyncio.Event(), "req_1", HOLDS)
    assert wire.frames == []
    assert wire.closed


async def test_a_source_that_breaks_ends_the_stream_with_an_error_that_tells_no_inside() -> None:
    async def breaking() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        raise ValueError("a secret of the inside")

    wire = Wire()
    await pump(breaking(), wire.receive, wire.send, asyncio.Event(), "req_1", HOLDS)
    assert wire.frames[1].startswith(b"event: error\n")
    assert b'"code":"INTERNAL"' in wire.frames[1]
    assert b"secret" not in b"".join(wire.frames)
    assert wire.ended
