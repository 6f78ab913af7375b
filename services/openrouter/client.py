"""A plain HTTP client of OpenRouter's chat API, usable from any shell.

    async with Http(settings) as http:
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

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientResponse,
    ConnectionTimeoutError,
    ServerDisconnectedError,
)

from services.openrouter import faults, reading, reasons
from services.openrouter.answers import ModelList, parse
from services.openrouter.assembly import Assembly
from services.openrouter.deadlines import Deadlines
from services.openrouter.http import Http, Reuse
from services.openrouter.settings import OpenRouterSettings
from services.openrouter.wire import (
    ChatRequest,
    Completion,
    Delta,
    Finish,
    Model,
    request_body,
)


class OpenRouterClient:
    """Chat and model list. `http` is the caller's, who also closes it."""

    def __init__(self, http: Http, settings: OpenRouterSettings) -> None:
        self._http = http
        self._settings = settings
        self._base = settings.base_url.rstrip("/")

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
        async with self._send("GET", "models", "", clock, self._headers()) as response:
            body = await reading.whole_body(response, "", clock)
        found = parse(ModelList, body)
        if found is None:
            raise faults.about(reasons.GARBAGE, "", body=body)
        return [row.read() for row in found.data]

    @asynccontextmanager
    async def _open(
        self, request: ChatRequest, clock: Deadlines, *, stream: bool
    ) -> AsyncGenerator[ClientResponse]:
        headers = self._headers()
        if request.idempotency_key:
            headers["Idempotency-Key"] = request.idempotency_key
        body = request_body(request, stream=stream)
        path = "chat/completions"
        async with self._send("POST", path, request.model, clock, headers, body) as response:
            yield response

    @asynccontextmanager
    async def _send(
        self,
        method: str,
        path: str,
        model: str,
        clock: Deadlines,
        headers: dict[str, str],
        body: dict[str, Any] | None = None,
    ) -> AsyncGenerator[ClientResponse]:
        """The open answer of a request that was accepted; an error answer is raised."""
        async with clock.watch(model):
            try:
                response = await self._send_past_stale_connection(method, path, headers, body)
            except (ClientConnectorError, ConnectionTimeoutError) as error:
                raise faults.about(reasons.UNREACHABLE, model) from error
            except (ClientError, OSError) as error:
                raise faults.about(reasons.STREAM_CUT, model) from error
        try:
            if response.status != 200:
                raise await reading.refusal(response, model, clock)
            yield response
        finally:
            # Gives a connection back whose answer was read to its end, and drops any other.
            response.close()

    async def _send_past_stale_connection(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None
    ) -> ClientResponse:
        url, reuse = f"{self._base}/{path}", Reuse()
        how: dict[str, Any] = {"headers": headers, "json": body, "trace_request_ctx": reuse}
        try:
            return await self._http.session.request(method, url, allow_redirects=False, **how)
        except (ServerDisconnectedError, ClientOSError):
            if not reuse.happened:
                raise
            return await self._http.session.request(method, url, allow_redirects=False, **how)

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
