"""Ties runs to the bus: which conversation a run's live text goes to, and who watches."""

from collections.abc import Callable
from typing import Any

from restate.server_context import restate_context_is_replaying

from chassis.bus import DELTA, NEWS, BusServer
from services.openrouter.chunk import StreamDelta


class Broadcast:
    """The Hints of conversations and the Audience of generations, over one bus."""

    def __init__(self, bus: BusServer) -> None:
        self._bus = bus
        self._bus.snapshot = self._snapshot
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

    def on_delta(self, delta: StreamDelta) -> None:
        """Pass live text on. Text of a run that nobody started here has no reader."""
        run = self._runs.get(delta.run_id)
        if run is not None:
            self._bus.publish(run[0], DELTA, _content(delta, run[1]))

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
