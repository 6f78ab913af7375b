"""A stream is told nothing more once what let it in holds no more."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from edge import reasons
from edge.standing import Standing
from edge.streams import pump
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


class Credential:
    """A credential that is good until `error` says otherwise."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.verified = 0

    async def verify(self) -> None:
        self.verified += 1
        if self.error is not None:
            raise self.error


class Stream:
    """An open stream, with a source that speaks when told."""

    def __init__(self, credential: Credential) -> None:
        self.frames: list[bytes] = []
        self.ended = False
        self.closed = False
        self._says: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        standing = Standing(credential.verify, every_seconds=0.01)
        pumped = pump(
            self._source(), self._receive, self._send, asyncio.Event(), "req_1", standing, 0.05
        )
        self.pumping = asyncio.create_task(pumped)

    def say(self, frame: bytes) -> None:
        self._says.put_nowait(frame)

    async def leave(self) -> None:
        self._gone.set()
        await self.pumping

    async def _source(self) -> AsyncGenerator[bytes]:
        try:
            while True:
                yield await self._says.get()
        finally:
            self.closed = True

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.frames.append(message["body"])
        self.ended = not message["more_body"]


def verified_again(credential: Credential) -> Callable[[], bool]:
    """Whether the credential was verified twice more than now."""
    wanted = credential.verified + 2
    return lambda: credential.verified >= wanted


@pytest.mark.parametrize(
    "reason", [reasons.KEY_REVOKED, reasons.TOKEN_EXPIRED, reasons.SCOPE_MISSING]
)
async def test_a_refused_credential_ends_the_stream_with_the_reason(reason: Any) -> None:
    credential = Credential()
    stream = Stream(credential)
    stream.say(b"data: 1\n\n")
    await until(lambda: stream.frames == [b"data: 1\n\n"])
    credential.error = reason.error()
    await stream.pumping
    assert stream.ended
    assert stream.closed
    last = stream.frames[-2]
    assert last.startswith(b"event: error\n")
    assert f'"reason":"{reason.word}"'.encode() in last


async def test_a_good_credential_is_verified_for_as_long_as_the_stream_lasts() -> None:
    credential = Credential()
    stream = Stream(credential)
    await until(lambda: credential.verified > 5)
    await stream.leave()
    assert not any(b"error" in frame for frame in stream.frames)
    before = credential.verified
    await asyncio.sleep(0.05)
    assert credential.verified == before


async def test_while_it_cannot_be_verified_nothing_is_told_and_nothing_ends() -> None:
    credential = Credential()
    stream = Stream(credential)
    credential.error = reasons.PLATFORM_UNAVAILABLE.error()
    await until(verified_again(credential))
    stream.say(b"data: 1\n\n")
    await until(lambda: b": still here\n\n" in stream.frames)
    assert b"data: 1\n\n" not in stream.frames
    credential.error = None
    await until(lambda: b"data: 1\n\n" in stream.frames)
    await stream.leave()


async def test_what_was_held_back_is_never_told_to_whom_it_turns_out_refused() -> None:
    credential = Credential()
    stream = Stream(credential)
    credential.error = reasons.PLATFORM_UNAVAILABLE.error()
    await until(verified_again(credential))
    stream.say(b"data: 1\n\n")
    credential.error = reasons.KEY_REVOKED.error()
    await stream.pumping
    assert b"data: 1\n\n" not in stream.frames
    assert stream.closed


async def test_a_verification_that_breaks_ends_the_stream_and_tells_no_inside() -> None:
    credential = Credential()
    stream = Stream(credential)
    credential.error = ValueError("a secret of the inside")
    await stream.pumping
    assert b'"code":"INTERNAL"' in stream.frames[-2]
    assert b"secret" not in b"".join(stream.frames)
