"""Event streams: frames as they come, a comment when nothing does, a clean end at every end.

The server tells of a client's going only to who waits on `receive()`, so a task does. On a drain
the client is told (`event: bye`), so that it connects again elsewhere and goes on with its last
id.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from chassis import logs
from edge.limits import Receive
from edge.local import sse
from edge.metrics import STREAMS
from edge.standing import Standing
from edge.translate import FailedError
from errors import RpcError, wire

log = logs.get(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]

_QUIET_SECONDS = 15
_COMMENT = b": still here\n\n"
_BYE = sse(b"{}", event="bye")


async def pump(
    events: AsyncIterator[bytes],
    receive: Receive,
    send: Send,
    draining: asyncio.Event,
    request_id: str,
    standing: Standing,
    quiet_seconds: float = _QUIET_SECONDS,
) -> None:
    """Send every frame of `events` until it ends, the client or the server goes, or the
    credential behind it holds no more."""
    left = asyncio.ensure_future(gone(receive))
    drained = asyncio.ensure_future(draining.wait())
    refused = asyncio.ensure_future(standing.refusal())
    ends: set[asyncio.Future[Any]] = {left, drained, refused}
    STREAMS.inc()
    try:
        await _frames(standing.frames(events), send, ends, request_id, quiet_seconds)
        if left.done():
            return
        if refused.done():
            await _send(send, _error_event(_cause(refused, request_id), request_id))
        elif drained.done():
            await _send(send, _BYE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        STREAMS.dec()
        for end in ends:
            end.cancel()


async def _frames(
    events: AsyncIterator[bytes],
    send: Send,
    ends: set[asyncio.Future[Any]],
    request_id: str,
    quiet_seconds: float,
) -> None:
    frame: asyncio.Future[bytes] | None = None
    try:
        while True:
            frame = frame or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait(
                {frame, *ends}, timeout=quiet_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if done & ends:
                return
            if not done:
                await _send(send, _COMMENT)
                continue
            taken, frame = frame, None
            try:
                await _send(send, taken.result())
            except StopAsyncIteration:
                return
            except Exception as error:
                await _send(send, _error_event(error, request_id))
                return
    finally:
        await _close(events, frame)


async def _close(events: AsyncIterator[bytes], frame: asyncio.Future[bytes] | None) -> None:
    if frame is not None:
        frame.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await frame
    aclose = getattr(events, "aclose", None)
    if aclose is not None:
        await aclose()


def _cause(refused: "asyncio.Future[RpcError]", request_id: str) -> RpcError:
    error = refused.exception()
    return refused.result() if error is None else _known(cast("Exception", error), request_id)


def _known(error: Exception, request_id: str) -> RpcError:
    if isinstance(error, RpcError):
        return error
    log.error("stream failed", exc_info=error, extra=logs.fields(request_id=request_id))
    return wire.internal()


def _error_event(error: Exception, request_id: str) -> bytes:
    outcome = error.outcome if isinstance(error, FailedError) else None
    known = _known(error.error if isinstance(error, FailedError) else error, request_id)
    envelope = wire.to_envelope(known, request_id=request_id, outcome=outcome)
    return sse(json.dumps(envelope, separators=(",", ":")).encode(), event="error")


async def _send(send: Send, frame: bytes) -> None:
    await send({"type": "http.response.body", "body": frame, "more_body": True})


async def gone(receive: Receive) -> None:
    """Wait until the client has gone; after the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass
