"""Joining live text: every code point of a run's answer reaches a reader once and in order.

A reader gets text from several places that overlap: what was said before it came, what is said
now, what was said again after a broken line. Attempt and offset tell what is new.
"""

from dataclasses import dataclass
from typing import Any

from actors.conversation.contract.entry import (
    MESSAGE_COMPLETED,
    RUN_CANCELLED,
    RUN_COMPLETED,
    RUN_FAILED,
    Event,
)
from chassis.bus import DELTA
from gateways.llm.contract import Partial

_ENDS_TEXT = frozenset({MESSAGE_COMPLETED, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED})


@dataclass(slots=True)
class _Position:
    attempt: int = 0
    offset: int = 0


class LiveText:
    """Where one reader stands in the live text of a conversation.

    Deltas are `{runId, messageId, attempt, offset, text}`, offsets in code points.
    news: the newest sequence that a hint spoke of.
    """

    def __init__(self) -> None:
        self._positions: dict[str, _Position] = {}
        self._ended: set[str] = set()
        self._asked_for: tuple[str, int] | None = None
        self.news = 0

    def see(self, event: Event) -> None:
        """An event that ends a text makes late deltas of it void."""
        if event.type in _ENDS_TEXT:
            self._positions.pop(event.run_id, None)
            self._ended.add(_ended_by(event))

    def has_gap_before(self, delta: dict[str, Any]) -> bool:
        """Whether text is missing between what the reader has and this delta."""
        if self._is_over(delta):
            return False
        at = self._positions.get(delta["runId"], _Position())
        return delta["attempt"] >= at.attempt and delta["offset"] > self._known(at, delta)

    def asks_for_text_before(self, delta: dict[str, Any]) -> bool:
        """Whether to ask for the text that is missing before this delta; once for each gap,
        because what is said while the answer is under way has the same gap before it."""
        attempt = delta["runId"], delta["attempt"]
        if not self.has_gap_before(delta) or self._asked_for == attempt:
            return False
        self._asked_for = attempt
        return True

    def join(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        """The part of a delta that is new to the reader; None when nothing is, or text is
        missing before it."""
        if self._is_over(delta) or self.has_gap_before(delta):
            return None
        at = self._positions.setdefault(delta["runId"], _Position())
        if delta["attempt"] < at.attempt:
            return None
        known = self._known(at, delta)
        fresh = delta["text"][known - delta["offset"] :]
        if not fresh:
            return None
        at.attempt, at.offset = delta["attempt"], known + len(fresh)
        self._asked_for = None
        return {**delta, "offset": known, "text": fresh}

    def _is_over(self, delta: dict[str, Any]) -> bool:
        return not self._ended.isdisjoint((delta["runId"], delta.get("messageId")))

    def _known(self, at: _Position, delta: dict[str, Any]) -> int:
        return at.offset if delta["attempt"] == at.attempt else 0


class SoFar:
    """What the active run has said so far, gathered from a topic's snapshot and what follows."""

    def __init__(self) -> None:
        self._text: dict[str, Any] | None = None
        self._joined = LiveText()

    def hear(self, said: tuple[str, Any] | None) -> None:
        """Take a line of the bus in."""
        if said is None or said[0] != DELTA:
            return
        fresh = self._joined.join(said[1])
        if fresh is None:
            return
        text = self._text
        if text is None or fresh["offset"] == 0:
            self._text = fresh
        else:
            self._text = {**text, "text": text["text"] + fresh["text"]}

    def partial(self, events: list[Event]) -> Partial | None:
        """The answer so far, unless these events end it."""
        text = self._text
        ended = {_ended_by(event) for event in events if event.type in _ENDS_TEXT}
        if text is None or not ended.isdisjoint((text["runId"], text.get("messageId"))):
            return None
        return Partial(
            run_id=text["runId"],
            message_id=text["messageId"],
            attempt=text["attempt"],
            offset=len(text["text"]),
            text=text["text"],
        )


def _ended_by(event: Event) -> str:
    """A message ends its own text; after it the run may say more, when it has called its tools."""
    return event.message_id if event.type == MESSAGE_COMPLETED else event.run_id
