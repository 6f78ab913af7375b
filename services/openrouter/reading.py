"""Reads an open HTTP answer of OpenRouter: events, a whole body, or a refusal.

Whatever goes wrong comes out as an RpcError. A failure after the answer is complete (its finish
reason has come) only costs its usage: the text is there and paid for.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from aiohttp import ClientError, ClientResponse, StreamReader
from aiohttp.http_exceptions import ContentEncodingError

from errors import RpcError
from services.openrouter import faults, reasons
from services.openrouter.answers import Answer, VendorError, parse
from services.openrouter.assembly import Assembly
from services.openrouter.deadlines import Deadlines
from services.openrouter.sse import EventTooLargeError, SseParser
from services.openrouter.wire import Delta, Finish

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_DRAIN_SECONDS = 0.1


async def stream(
    response: ClientResponse, model: str, clock: Deadlines
) -> AsyncGenerator[Delta | Finish]:
    """The events of an answer; a provider that does not stream is understood as well."""
    assembly = Assembly(model, response.headers.get("x-generation-id", ""))
    if "json" in response.headers.get("content-type", ""):
        assembly.add(answer_in(await whole_body(response, model, clock), model))
        completion = assembly.completion()
        yield Delta(completion.text, completion.reasoning)
        yield completion.finish
        return
    pieces = response.content
    async for answer in _events(pieces, assembly, clock):
        delta, alive = assembly.add(answer)
        if alive:
            clock.token_came()
        if assembly.finish_reason:
            clock.answer_complete()
        if delta is not None:
            yield delta
    yield assembly.finish()
    await _drain(pieces)


async def _events(
    pieces: StreamReader, assembly: Assembly, clock: Deadlines
) -> AsyncGenerator[Answer]:
    """Every event up to `[DONE]`, or up to the end where the finish reason came before it."""
    model, parser, first = assembly.asked_model, SseParser(), b""
    while True:
        try:
            piece = await _next_piece(pieces, model, clock)
        except RpcError:
            if assembly.finish_reason:
                return
            raise
        if piece is None:
            break
        first = first or piece
        try:
            events = parser.feed(piece)
        except EventTooLargeError as error:
            raise faults.about(reasons.ANSWER_TOO_LARGE, model) from error
        for data in events:
            if data.strip() == "[DONE]":
                return
            yield answer_in(data, model)
    if first and not parser.lines:
        raise faults.about(reasons.GARBAGE, model, body=first)
    if not assembly.finish_reason:
        raise faults.about(reasons.STREAM_CUT, model)


async def _drain(pieces: StreamReader) -> None:
    """Read the empty end after `[DONE]`, without which the connection cannot be used again."""
    if pieces.at_eof():
        return
    with contextlib.suppress(TimeoutError, ClientError, OSError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while await pieces.readany():
                pass


async def _next_piece(pieces: StreamReader, model: str, clock: Deadlines) -> bytes | None:
    if pieces.at_eof():
        return None
    async with clock.watch(model):
        try:
            return await pieces.readany() or None
        except (ClientError, OSError) as error:
            garbled = isinstance(error.__cause__, ContentEncodingError)
            reason = reasons.GARBAGE if garbled else reasons.STREAM_CUT
            raise faults.about(reason, model) from error


async def whole_body(response: ClientResponse, model: str, clock: Deadlines) -> bytes:
    """The body of any answer, up to a size that no honest one has."""
    body = bytearray()
    pieces = response.content
    while (piece := await _next_piece(pieces, model, clock)) is not None:
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise faults.about(reasons.ANSWER_TOO_LARGE, model)
    return bytes(body)


def answer_in(text: str | bytes, model: str) -> Answer:
    """One event or one body; an error in its place is raised."""
    answer = parse(Answer, text)
    if answer is None:
        raise faults.about(reasons.GARBAGE, model, body=text)
    if answer.error is not None:
        raise faults.from_error(_vendor_error(answer.error), model=model)
    return answer


async def refusal(response: ClientResponse, model: str, clock: Deadlines) -> RpcError:
    """The error in an answer that is not a 200."""
    body = await whole_body(response, model, clock)
    answer = parse(Answer, body)
    if answer is None or answer.error is None:
        return faults.from_answer(response.status, response.headers, body, model)
    return faults.from_error(
        _vendor_error(answer.error),
        status=response.status,
        headers=response.headers,
        model=model,
    )


def _vendor_error(error: VendorError | str) -> VendorError:
    return VendorError(message=error) if isinstance(error, str) else error
