"""A client of the public API, as a mobile application would have one: calls and event streams."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from errors import RpcError
from errors.wire import from_envelope

API = "/api/v1/llm/gateway/"
_CALL_SECONDS = 40.0
# The server sends a comment every 15 seconds.
_QUIET_SECONDS = 40.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0


class AwayError(Exception):
    """Nobody answers there now; the text says where."""


@dataclass(frozen=True)
class Event:
    """One event of a stream; `sequence` is 0 for live text."""

    type: str
    sequence: int
    body: dict[str, Any]


class Client:
    """Calls with one key, or as a person with a token. Close it, or use it as a context."""

    def __init__(
        self, base_url: str, key: str = "", *, token: str = "", base_path: str = API
    ) -> None:
        """`base_url`: without a path. `base_path`: below which the methods are."""
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url + base_path,
            headers={"authorization": f"Bearer {token}"} if token else {"x-api-key": key},
            timeout=_CALL_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connections."""
        self._http.close()

    def call(self, method: str, **request: Any) -> dict[str, Any]:
        """One method.

        :raises RpcError: the platform refused
        :raises AwayError: nobody answered
        """
        try:
            answer = self._http.post(method, json=request)
        except httpx.TransportError as error:
            raise self._away() from error
        if answer.is_error:
            raise _refusal(answer)
        return answer.json()

    def patiently(self, method: str, seconds: float = 600, **request: Any) -> dict[str, Any]:
        """As `call`, again while the platform is away or says to try again."""
        deadline = time.monotonic() + seconds
        for pause in pauses():
            try:
                return self.call(method, **request)
            except RpcError as error:
                if error.is_terminal or time.monotonic() > deadline:
                    raise
            except AwayError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(pause)
        raise AssertionError("pauses do not end")

    def send(self, conversation_key: str, text: str) -> dict[str, Any]:
        """Send a user's message, surely and once: `runId`, `messageId`, `status`."""
        return self.patiently(
            "send-message",
            conversationKey=conversation_key,
            userMessage={"role": "user", "content": text},
            clientMessageId=str(uuid.uuid4()),
        )

    def events(self, conversation_key: str, after: int) -> Iterator[Event]:
        """The thread's events as they come, until the server ends the stream.

        :raises RpcError: the platform refused
        :raises AwayError: nobody answers, or no more
        """
        request = {"conversationKey": conversation_key, "after": after}
        timeout = httpx.Timeout(_CALL_SECONDS, read=_QUIET_SECONDS)
        try:
            with self._http.stream(
                "POST", "stream-events", json=request, timeout=timeout
            ) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refusal(answer)
                yield from _parse(answer.iter_lines())
        except httpx.TransportError as error:
            raise self._away() from error

    def _away(self) -> AwayError:
        return AwayError(f"Nobody answers at {self.base_url}.")


def pauses() -> Iterator[float]:
    """How long to wait before one try after another; without end."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _refusal(answer: httpx.Response) -> RpcError | AwayError:
    try:
        return from_envelope(answer.json())
    except (ValueError, KeyError, TypeError):
        # Not the platform: a proxy, or another program on this port.
        return AwayError(f"What answers at {answer.url.host} is not the platform.")


def _parse(lines: Iterator[str]) -> Iterator[Event]:
    """Server-sent events; comments are dropped."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(
                fields.get("event", ""), int(fields.get("id", 0)), json.loads(fields["data"])
            )
            fields = {}
