"""Ties runs and completions to the bus: where live text goes, and who watches.

A completion that cannot be asked for again lives as long as its reader does. A reader that leaves
says so; one whose line broke, or whose edge died, is given a moment to come back.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from restate.server_context import restate_context_is_replaying

from chassis.bus import DELTA, NEWS, BusServer
from services.completion.contract import CompleteRequest
from services.openrouter.chunk import StreamDelta

# Longer than an edge takes to find the bus again.
_COME_BACK_SECONDS = 3.0


@dataclass(slots=True)
class _Company:
    """Who waits for a completion."""

    topic: str
    gone: bool = False


class Broadcast:
    """The Hints of conversations, the Audience of generations and the Followers of completions,
    over one bus."""

    def __init__(self, bus: BusServer) -> None:
        self._bus = bus
        self._bus.snapshot = self._snapshot
        self._bus.left = self._left
        # Completions that end with their reader, and how to end their upstream call.
        self._companies: dict[str, _Company] = {}
        self.stop: Callable[[str], None] = lambda _run_id: None
        self._runs: dict[str, tuple[str, str]] = {}
        # A thread has one active run; what it said so far is what a late reader misses.
        self._active: dict[str, str] = {}
        self.sent_so_far: Callable[[str], StreamDelta | None] = lambda _run_id: None

    def events(self, conversation: str, up_to: int) -> None:
        """Tell readers that the conversation has events up to this sequence."""
        if not restate_context_is_replaying.get():
            self._bus.publish(conversation, NEWS, up_to)

    def start(self, run_id: str, conversation: str, message_id: str) -> None:
        """From here on the run's live text goes to readers of the conversation."""
        self._runs[run_id] = (conversation, message_id)
        self._active[conversation] = run_id

    def watched(self, conversation: str) -> bool:
        """Whether anybody reads the conversation now."""
        return self._bus.watched(conversation)

    def end(self, run_id: str) -> None:
        """The run has no more live text."""
        run = self._runs.pop(run_id, None)
        if run is not None and self._active.get(run[0]) == run_id:
            del self._active[run[0]]

    def accompany(self, completion_id: str, request: CompleteRequest) -> None:
        """From here on the completion is known to whoever follows its topic."""
        if request.live:
            self.start(completion_id, request.topic, "")
        if not request.keep and completion_id not in self._companies:
            self._companies[completion_id] = _Company(request.topic)
            if not self._bus.watched(request.topic):
                self._give_time(completion_id)

    def abandoned(self, completion_id: str) -> bool:
        """Whether nobody waits for the completion any more."""
        company = self._companies.get(completion_id)
        return company is not None and company.gone

    def leave(self, completion_id: str) -> None:
        """The completion is over."""
        self._companies.pop(completion_id, None)
        self.end(completion_id)

    def on_delta(self, delta: StreamDelta) -> None:
        """Pass live text on. Text of a run that nobody started here has no reader."""
        run = self._runs.get(delta.run_id)
        if run is not None:
            self._bus.publish(run[0], DELTA, _content(delta, run[1]))

    def _left(self, topic: str, said: bool) -> None:
        for completion_id, company in list(self._companies.items()):
            if company.topic == topic and said:
                self._abandon(completion_id)
            elif company.topic == topic:
                self._give_time(completion_id)

    def _give_time(self, completion_id: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(_COME_BACK_SECONDS, self._look, completion_id)

    def _look(self, completion_id: str) -> None:
        company = self._companies.get(completion_id)
        if company is not None and not self._bus.watched(company.topic):
            self._abandon(completion_id)

    def _abandon(self, completion_id: str) -> None:
        self._companies[completion_id].gone = True
        self.stop(completion_id)

    def _snapshot(self, topic: str) -> list[tuple[str, Any]]:
        run_id = self._active.get(topic)
        so_far = self.sent_so_far(run_id) if run_id is not None else None
        if run_id is None or so_far is None:
            return []
        return [(DELTA, _content(so_far, self._runs[run_id][1]))]


def _content(delta: StreamDelta, message_id: str) -> dict[str, Any]:
    return {
        "runId": delta.run_id,
        "messageId": message_id,
        "attempt": delta.attempt,
        "offset": delta.offset,
        "text": delta.text,
    }
