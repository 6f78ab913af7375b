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

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.openrouter import faults, reading, reasons
from services.openrouter.answers import ModelList, parse
from services.openrouter.assembly import Assembly
from services.openrouter.deadlines import Deadlines
from services.openrouter.settings import OpenRouterSettings
from services.openrouter.wire import (
    ChatRequest,
    Completion,
    Delta,
    Finish,
    Model,
    request_body,
)


def open_http(settings: OpenRouterSettings) -> httpx.AsyncClient:
    """The HTTP client for one process: no pool limit (streams are admitted elsewhere), no read
    timeout (deadlines.py has better ones), no redirects (they would carry our key away)."""
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
        clock = Deadlines(request, self._settings)
        async with self._open(request, clock, stream=True) as response:
            events = reading.stream(response, request.model, clock)
            try:
                yield events
            finally:
                await events.aclose()

    async def chat(self, request: ChatRequest) -> Completion:
        """The whole answer in one piece, within the total deadline.

        :raises RpcError: see reasons.CALL_REASONS
        """
        clock = Deadlines(request, self._settings)
        clock.only_total()
        async with self._open(request, clock, stream=False) as response:
            body = await reading.whole_body(response, request.model, clock)
        assembly = Assembly(request.model, response.headers.get("x-generation-id", ""))
        assembly.add(reading.answer_in(body, request.model))
        return assembly.completion()

    async def list_models(self) -> list[Model]:
        """All models that OpenRouter offers now, in its own order.

        :raises RpcError: the list cannot be had; retryable unless we are not configured
        """
        clock = Deadlines(None, self._settings)
        request = self._http.build_request("GET", self._url("models"), headers=self._headers())
        async with self._send(request, "", clock) as response:
            body = await reading.whole_body(response, "", clock)
        found = parse(ModelList, body)
        if found is None:
            raise faults.about(reasons.GARBAGE, "", body=body)
        return [row.read() for row in found.data]

    @asynccontextmanager
    async def _open(
        self, request: ChatRequest, clock: Deadlines, *, stream: bool
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
        self, request: httpx.Request, model: str, clock: Deadlines
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
                raise await reading.refusal(response, model, clock)
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
