"""A plain HTTP client of OpenRouter's chat API, usable from any shell.

    async with open_http(settings) as http:
        client = OpenRouterClient(http, settings)
        async with client.stream_chat(request) as answer:
            async for event in answer: ...

Every failure is an `RpcError` with a reason of reasons.py. Leaving `stream_chat` early, by
whatever way, closes the upstream connection at once; that is how a model is stopped. There are
no retries here (they belong to the caller), with one exception: a pooled connection that the
server had already closed fails before any byte of an answer, and the request is sent once more.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from errors import Reason, RpcError
from services.openrouter import faults, reasons
from services.openrouter.assembly import Assembly
from services.openrouter.settings import OpenRouterSettings
from services.openrouter.sse import EventTooLargeError, SseParser
from services.openrouter.wire import (
    Answer,
    ChatRequest,
    Completion,
    Delta,
    Finish,
    Model,
    ModelList,
    VendorError,
    parse,
    request_body,
)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_USAGE_GRACE_SECONDS = 10.0
"""How long a finished answer waits for its usage before it goes without."""
_DRAIN_SECONDS = 0.1


def open_http(settings: OpenRouterSettings) -> httpx.AsyncClient:
    """The HTTP client for one process: no pool limit (streams are admitted elsewhere), no read
    timeout (this module has its own deadlines), no redirects (they would carry our key away)."""
    timeout = httpx.Timeout(None, connect=settings.connect_timeout_seconds)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=30)
    return httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False)


class OpenRouterClient:
    """Chat and model list. `http` is the caller's, who also closes it."""

    def __init__(self, http: httpx.AsyncClient, settings: OpenRouterSettings) -> None:
        self._http = http
        self._settings = settings

    @asynccontextmanager
    async def stream_chat(
        self, request: ChatRequest
    ) -> AsyncGenerator[AsyncIterator[Delta | Finish]]:
        """The answer as it arrives: deltas, then exactly one `Finish`.

        The answer is complete only when the Finish came; a stream that ends otherwise raises.
        :raises RpcError: on entering (the call was refused) or while iterating (it broke)
        """
        clock = _Deadlines(request, self._settings)
        async with self._open(request, clock, stream=True) as response:
            events = _read_stream(response, request.model, clock)
            try:
                yield events
            finally:
                await events.aclose()

    async def chat(self, request: ChatRequest) -> Completion:
        """The whole answer in one piece, within the total deadline.

        :raises RpcError: see reasons.CALL_REASONS
        """
        clock = _Deadlines(request, self._settings)
        clock.only_total()
        async with self._open(request, clock, stream=False) as response:
            body = await _read_body(response, request.model, clock)
        assembly = Assembly(request.model, response.headers.get("x-generation-id", ""))
        assembly.add(_answer(body, request.model))
        return assembly.completion()

    async def list_models(self) -> list[Model]:
        """All models that OpenRouter offers now, in its own order.

        :raises RpcError: the list cannot be had; retryable unless we are not configured
        """
        clock = _Deadlines(None, self._settings)
        request = self._http.build_request("GET", self._url("models"), headers=self._headers())
        async with self._send(request, "", clock) as response:
            body = await _read_body(response, "", clock)
        found = parse(ModelList, body)
        if found is None:
            raise faults.about(reasons.GARBAGE, "", body=_head(body))
        return [row.read() for row in found.data]

    @asynccontextmanager
    async def _open(
        self, request: ChatRequest, clock: "_Deadlines", *, stream: bool
    ) -> AsyncGenerator[httpx.Response]:
        headers = self._headers()
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        post = self._http.build_request(
            "POST",
            self._url("chat/completions"),
            headers=headers,
            json=request_body(request, stream=stream),
        )
        async with self._send(post, request.model, clock) as response:
            yield response

    @asynccontextmanager
    async def _send(
        self, request: httpx.Request, model: str, clock: "_Deadlines"
    ) -> AsyncGenerator[httpx.Response]:
        """The open answer of a request that was accepted; an error answer is raised."""
        async with clock.watch(model):
            try:
                response = await self._send_past_stale_connection(request)
            except httpx.TimeoutException as error:
                raise faults.about(reasons.UNREACHABLE, model) from error
            except httpx.ConnectError as error:
                raise faults.about(reasons.UNREACHABLE, model) from error
            except httpx.RequestError as error:
                raise faults.about(reasons.STREAM_CUT, model) from error
        try:
            if response.status_code != 200:
                raise _refusal(response, await _read_body(response, model, clock), model)
            yield response
        finally:
            await response.aclose()

    async def _send_past_stale_connection(self, request: httpx.Request) -> httpx.Response:
        fresh = False

        async def trace(event: str, _: Any) -> None:
            nonlocal fresh
            fresh = fresh or event == "connection.connect_tcp.started"

        request.extensions = {**request.extensions, "trace": trace}
        try:
            return await self._http.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if fresh:
                raise
            return await self._http.send(request, stream=True)

    def _url(self, path: str) -> str:
        return f"{self._settings.base_url.rstrip('/')}/{path}"

    def _headers(self) -> dict[str, str]:
        key = self._settings.api_key
        if key is None or not key.get_secret_value():
            raise reasons.NOT_CONFIGURED.error()
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
        if self._settings.referer:
            headers["HTTP-Referer"] = self._settings.referer
        if self._settings.title:
            headers["X-Title"] = self._settings.title
        return headers


class _Deadlines:
    """When the next sign of life is due, and which failure its absence is."""

    def __init__(self, request: ChatRequest | None, settings: OpenRouterSettings) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        if request is None:
            self._total = self._next = now + settings.models_timeout_seconds
            self._between = 0.0
            self._reason = reasons.TIMED_OUT
            return
        first = request.first_token_timeout_seconds or settings.first_token_timeout_seconds
        self._between = request.inter_token_timeout_seconds or settings.inter_token_timeout_seconds
        self._total = now + (request.total_timeout_seconds or settings.total_timeout_seconds)
        self._next = now + first
        self._reason = reasons.FIRST_TOKEN_TIMEOUT

    def only_total(self) -> None:
        """Wait for the whole answer: there are no tokens to watch."""
        self._next, self._reason = self._total, reasons.TIMED_OUT

    def token_came(self) -> None:
        """Allow the model the time between two tokens again."""
        self._next, self._reason = self._loop.time() + self._between, reasons.STALLED

    def answer_complete(self) -> None:
        """Only the usage is still to come."""
        grace = min(self._between, _USAGE_GRACE_SECONDS)
        self._next = min(self._next, self._loop.time() + grace)

    @asynccontextmanager
    async def watch(self, model: str) -> AsyncGenerator[None]:
        """Bound what is awaited inside by whichever deadline comes first."""
        total_first = self._total <= self._next
        try:
            async with asyncio.timeout_at(min(self._total, self._next)):
                yield
        except TimeoutError as error:
            reason: Reason = reasons.TIMED_OUT if total_first else self._reason
            raise faults.about(reason, model) from error


async def _read_stream(
    response: httpx.Response, model: str, clock: _Deadlines
) -> AsyncGenerator[Delta | Finish]:
    assembly = Assembly(model, response.headers.get("x-generation-id", ""))
    if "json" in response.headers.get("content-type", ""):
        assembly.add(_answer(await _read_body(response, model, clock), model))
        completion = assembly.completion()
        yield Delta(completion.text, completion.reasoning)
        yield completion.finish
        return
    pieces = response.aiter_bytes()
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
    pieces: AsyncIterator[bytes], assembly: Assembly, clock: _Deadlines
) -> AsyncGenerator[Answer]:
    """Every event up to `[DONE]`. A failure after the answer is complete only costs its usage."""
    model, parser, head = assembly.asked_model, SseParser(), b""
    while True:
        try:
            piece = await _next_piece(pieces, model, clock)
        except RpcError:
            if assembly.finish_reason:
                return
            raise
        if piece is None:
            break
        head = head or piece[:1024]
        try:
            events = parser.feed(piece)
        except EventTooLargeError as error:
            raise faults.about(reasons.ANSWER_TOO_LARGE, model) from error
        for data in events:
            if data.strip() == "[DONE]":
                assembly.done = True
                return
            yield _answer(data, model)
    if head and not parser.lines:
        raise faults.about(reasons.GARBAGE, model, body=_head(head))
    if not assembly.finish_reason:
        raise faults.about(reasons.STREAM_CUT, model)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read the empty end after `[DONE]`, without which the connection cannot be used again."""
    with contextlib.suppress(TimeoutError, httpx.RequestError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in pieces:
                pass


async def _next_piece(pieces: AsyncIterator[bytes], model: str, clock: _Deadlines) -> bytes | None:
    async with clock.watch(model):
        try:
            return await anext(pieces, None)
        except httpx.DecodingError as error:
            raise faults.about(reasons.GARBAGE, model) from error
        except httpx.RequestError as error:
            raise faults.about(reasons.STREAM_CUT, model) from error


async def _read_body(response: httpx.Response, model: str, clock: _Deadlines) -> bytes:
    body = bytearray()
    pieces = response.aiter_bytes()
    while (piece := await _next_piece(pieces, model, clock)) is not None:
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise faults.about(reasons.ANSWER_TOO_LARGE, model)
    return bytes(body)


def _answer(text: str | bytes, model: str) -> Answer:
    answer = parse(Answer, text)
    if answer is None:
        raise faults.about(reasons.GARBAGE, model, body=_head(text))
    if answer.error is not None:
        raise faults.from_error(_vendor_error(answer.error), model=model)
    return answer


def _refusal(response: httpx.Response, body: bytes, model: str) -> RpcError:
    answer = parse(Answer, body)
    if answer is None or answer.error is None:
        return faults.from_answer(response.status_code, response.headers, body, model)
    return faults.from_error(
        _vendor_error(answer.error),
        status=response.status_code,
        headers=response.headers,
        model=model,
    )


def _vendor_error(error: VendorError | str) -> VendorError:
    return VendorError(message=error) if isinstance(error, str) else error


def _head(text: str | bytes) -> str:
    return text[:1024] if isinstance(text, str) else text[:1024].decode("utf-8", "replace")
