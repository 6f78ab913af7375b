"""Following one run through everything that may happen on the way.

A broken connection is opened again after the last event that came, text that comes twice is heard
once, and an answer that starts anew says so. A Follower keeps its place, so that whoever was
interrupted (by Ctrl-C) iterates again and goes on.
"""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from devstack.client import FIRST_PAUSE_SECONDS, AwayError, Client, Event, pauses
from errors import RpcError
from errors.wire import from_envelope

_SETTLED = ("run.completed", "run.failed", "run.cancelled")


@dataclass(frozen=True)
class Said:
    """More of the answer."""

    text: str


@dataclass(frozen=True)
class Anew:
    """What was said so far is void; the answer starts again."""

    attempt: int


@dataclass(frozen=True)
class ToolUsed:
    """A call of a tool, asked for (`requested`) or ended (`completed`), as the event tells it."""

    what: str
    call: dict[str, Any]


@dataclass(frozen=True)
class ApprovalNeeded:
    """A call waits for the person's word."""

    approval: dict[str, Any]


@dataclass(frozen=True)
class Lost:
    """The connection is gone and is opened again. Told once until something comes."""


@dataclass(frozen=True)
class Settled:
    """The run is over. status: `completed`, `failed` or `cancelled`."""

    status: str
    event: dict[str, Any]


Update = Said | Anew | ToolUsed | ApprovalNeeded | Lost | Settled


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
        waits = pauses()
        while True:
            try:
                for event in self._client.events(self._key, self.after):
                    waits = pauses()
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
            pause = next(waits)
            if pause == FIRST_PAUSE_SECONDS * 2:
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
            yield from self._complete(body.get("message", {}))
        elif event.type in ("tool.requested", "tool.completed"):
            yield ToolUsed(event.type.removeprefix("tool."), body.get("toolCall", {}))
        elif event.type == "tool.approval_required":
            yield ApprovalNeeded(body.get("approval", {}))
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

    def _complete(self, message: dict[str, Any]) -> Iterator[Update]:
        content = message.get("content", "")
        if not content.startswith(self.text):
            yield from self._start_anew(self._attempt)
        rest, self.text = content[len(self.text) :], content
        if rest:
            yield Said(rest)
        if message.get("toolCalls"):
            # What the model says after its tools is the next attempt, and nothing is void.
            self.text = ""


def follow(follower: Follower, on_update: Callable[[Update], None]) -> Settled:
    """Follow to the end; the end."""
    for update in follower:
        on_update(update)
        if isinstance(update, Settled):
            return update
    raise AssertionError("a follower ends with the run")
