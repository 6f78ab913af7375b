"""A client of the public API, as a mobile application would have one: calls, and following a run.

`Client` makes calls and reads event streams. A `Follower` stays with one run through everything: a
broken connection is opened again after the last event it has, text that comes twice is heard once,
and an answer that starts anew says so. It keeps its place, so that whoever was interrupted (by
Ctrl-C) iterates again and goes on.
"""

import json
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from errors import RpcError
from errors.wire import from_envelope

API = "/api/v1/llm/gateway/"
_CALL_SECONDS = 40.0
# The server sends a comment every 15 seconds.
_QUIET_SECONDS = 40.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
_SETTLED = ("run.completed", "run.failed", "run.cancelled")


class AwayError(Exception):
    """Nobody answers there now; the text says where."""


@dataclass(frozen=True)
class Event:
    """One event of a stream; `sequence` is 0 for live text."""

    type: str
    sequence: int
    body: dict[str, Any]


class Client:
    """Calls with one key. Close it, or use it as a context."""

    def __init__(self, base_url: str, key: str) -> None:
        """`base_url`: without a path."""
        self.base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.base_url + API,
            headers={"x-api-key": key},
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
        for pause in _pauses():
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


@dataclass(frozen=True)
class Said:
    """More of the answer."""

    text: str


@dataclass(frozen=True)
class Anew:
    """What was said so far is void; the answer starts again."""

    attempt: int


@dataclass(frozen=True)
class Lost:
    """The connection is gone and is opened again. Told once until something comes."""


@dataclass(frozen=True)
class Settled:
    """The run is over. status: `completed`, `failed` or `cancelled`."""

    status: str
    event: dict[str, Any]


Update = Said | Anew | Lost | Settled


class Follower:
    """Stays with one run; iterate, and iterate again after an interruption."""

    def __init__(self, client: Client, conversation_key: str, run_id: str, after: int) -> None:
        """`after`: an event before the run's first."""
        self.after = after
        self.text = ""
        self._client = client
        self._key = conversation_key
        self._run_id = run_id
        self._attempt = 0

    def __iter__(self) -> Generator[Update]:
        """What happens from here to the run's end."""
        pauses = _pauses()
        while True:
            try:
                for event in self._client.events(self._key, self.after):
                    pauses = _pauses()
                    if event.type == "error":
                        raise from_envelope(event.body)
                    for update in self._see(event):
                        yield update
                        if isinstance(update, Settled):
                            return
            except RpcError as error:
                if error.is_terminal:
                    raise
            except AwayError:
                pass
            pause = next(pauses)
            if pause == _FIRST_PAUSE_SECONDS * 2:
                yield Lost()
            time.sleep(pause)

    def _see(self, event: Event) -> Iterator[Update]:
        body = event.body
        if event.sequence:
            self.after = event.sequence
        if body.get("runId") != self._run_id:
            return
        if event.type == "message.delta":
            yield from self._hear(body["attempt"], body["offset"], body["text"])
        elif event.type == "run.retrying":
            # Live text of the new attempt may have come before this event.
            if body.get("attempt", 0) > self._attempt:
                yield from self._start_anew(body["attempt"])
        elif event.type == "message.completed":
            yield from self._complete(body.get("message", {}).get("content", ""))
        elif event.type in _SETTLED:
            yield Settled(event.type.removeprefix("run."), body)

    def _hear(self, attempt: int, offset: int, text: str) -> Iterator[Update]:
        if attempt < self._attempt:
            return
        if attempt > self._attempt:
            yield from self._start_anew(attempt)
        known = len(self.text)
        if offset <= known and (fresh := text[known - offset :]):
            self.text += fresh
            yield Said(fresh)

    def _start_anew(self, attempt: int) -> Iterator[Update]:
        self._attempt = max(attempt, self._attempt)
        if self.text:
            self.text = ""
            yield Anew(self._attempt)

    def _complete(self, content: str) -> Iterator[Update]:
        if not content.startswith(self.text):
            yield from self._start_anew(self._attempt)
        rest, self.text = content[len(self.text) :], content
        if rest:
            yield Said(rest)


def follow(follower: Follower, on_update: Callable[[Update], None]) -> Settled:
    """Follow to the end; the end."""
    for update in follower:
        on_update(update)
        if isinstance(update, Settled):
            return update
    raise AssertionError("a follower ends with the run")


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


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
