"""Size and media type, judged on the headers; then the body, read no further than its limit.

The body is read only after the credential was verified, so nobody can make the edge buffer
anything without one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from edge import reasons
from edge.requests import Request
from edge.routes import Entry

Receive = Callable[[], Awaitable[dict[str, Any]]]

_PLAIN_JSON = frozenset({b"application/json", b"application/json; charset=utf-8"})
_DROPPED_BYTES = 8 * 1024 * 1024
_DROPPING_SECONDS = 2


class ClientGoneError(Exception):
    """The client closed its connection before it had its answer."""


class BodyBrokenError(ClientGoneError):
    """The body ended before it was whole. The server says the same of one that was broken off and
    of one that is broken; in the second case somebody is there to be told."""


def check_head(request: Request, entry: Entry) -> None:
    """Refuse what the headers already show to be too large, or not JSON."""
    headers = request.headers
    length = headers.get(b"content-length")
    if length is not None and int(length) > entry.route.body_limit_bytes:
        raise reasons.BODY_TOO_LARGE.error()
    media_type = headers.get(b"content-type")
    if media_type in _PLAIN_JSON and b"content-encoding" not in headers:
        if request.is_repeated(b"content-type"):
            raise reasons.HEADER_REPEATED.error()
        return
    empty = length in (None, b"0") and b"transfer-encoding" not in headers
    if not (media_type is None and empty) and not _is_json(media_type or b""):
        raise reasons.MEDIA_TYPE.error()
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise reasons.MEDIA_TYPE.error()


async def drop_body(request: Request, receive: Receive) -> None:
    """Read and forget a body that was refused for its length, unless it is hopelessly large.

    A connection that closes with a body on its way is reset, and then the client may never see
    why it was refused.
    """
    length = request.headers.get(b"content-length")
    if length is None or int(length) > _DROPPED_BYTES:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DROPPING_SECONDS):
            while (message := await receive())["type"] == "http.request":
                if not message.get("more_body"):
                    return


def _is_json(media_type: bytes) -> bool:
    kind, _, parameters = media_type.lower().partition(b";")
    if kind.strip() != b"application/json":
        return False
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    return charset in (b"", b"charset=utf-8", b"charset=utf8")


async def read_body(receive: Receive, entry: Entry, seconds: float) -> bytes:
    """The whole body, `{}` for an empty one.

    Raises PAYLOAD_TOO_LARGE, DEADLINE_EXCEEDED for a client that takes longer than `seconds`,
    and BodyBrokenError.
    """
    first = await _first(receive, seconds)
    if not first.get("more_body"):
        body: bytes = first.get("body", b"")
        if len(body) > entry.route.body_limit_bytes:
            raise reasons.BODY_TOO_LARGE.error()
        return body or b"{}"
    try:
        async with asyncio.timeout(seconds):
            return await _rest(receive, first["body"], entry.route.body_limit_bytes) or b"{}"
    except TimeoutError:
        raise reasons.BODY_TOO_SLOW.error() from None


async def _first(receive: Receive, seconds: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
    except TimeoutError:
        raise reasons.BODY_TOO_SLOW.error() from None
    if message["type"] == "http.disconnect":
        raise BodyBrokenError
    return message


async def _rest(receive: Receive, start: bytes, limit: int) -> bytes:
    body = bytearray(start)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyBrokenError
        body += message.get("body", b"")
        if len(body) > limit:
            raise reasons.BODY_TOO_LARGE.error()
        if not message.get("more_body"):
            return bytes(body)
