"""Calls and event streams as a careful client makes them: again while the platform is away."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp

from errors import RpcError
from errors.wire import from_envelope
from soak.history import History, Json

API = "/api/v1/llm/gateway/"
PATIENCE_SECONDS = 180.0
"""After so long without an answer a client gives up, which is a finding."""
_CALL_SECONDS = 45.0
_QUIET_SECONDS = 40.0


class AwayError(Exception):
    """Nobody answered, or the line broke."""


class Client:
    """Calls as one user."""

    def __init__(
        self, http: aiohttp.ClientSession, base_url: str, key: str, history: History
    ) -> None:
        self._http = http
        self._url = base_url + API
        self._headers = {"x-api-key": key}
        self._history = history

    async def call(self, method: str, request: Json) -> Json:
        """One method.

        :raises RpcError: the platform refused
        :raises AwayError: nobody answered
        """
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        try:
            async with self._http.post(
                self._url + method, json=request, headers=self._headers, timeout=timeout
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._history.refusals["no answer"] += 1
            raise AwayError from error
        return self._read(answer.status, body)

    async def patiently(self, method: str, request: Json) -> Json:
        """As `call`, again while the platform is away or says to try again.

        :raises RpcError: a refusal for good, or patience came to its end
        :raises AwayError: patience came to its end
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await self.call(method, request)
            except RpcError as error:
                if error.is_terminal or time.monotonic() > deadline:
                    raise
            except AwayError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def events(self, key: str, after: int) -> AsyncGenerator[tuple[str, Json]]:
        """The event stream: type and content, until the server ends it.

        :raises RpcError: the platform refused, or says in the stream that it cannot go on
        :raises AwayError: nobody answered, or the line broke
        """
        request = {"conversationKey": key, "after": after}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_QUIET_SECONDS)
        try:
            async with self._http.post(
                self._url + "stream-events", json=request, headers=self._headers, timeout=timeout
            ) as answer:
                if answer.status != 200:
                    self._read(answer.status, await answer.read())
                kind = ""
                async for line in answer.content:
                    if line.startswith(b"event: "):
                        kind = line[7:].decode().strip()
                    elif line.startswith(b"data: "):
                        content = json.loads(line[6:])
                        if kind == "error":
                            raise from_envelope(content)
                        if kind == "bye":
                            return
                        yield kind, content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AwayError from error

    def _read(self, status: int, body: bytes) -> Json:
        content: Any = None
        try:
            content = json.loads(body)
            if status == 200:
                return content
            error = from_envelope(content)
        except (ValueError, KeyError, TypeError) as error:
            told = f"{status} with another body: {body[:200]!r}"
            self._history.find("errors have one form", told)
            raise AwayError from error
        self._history.refusals[f"{error.code.value} {error.reason}"] += 1
        raise error
