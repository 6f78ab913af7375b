"""Reading an event stream as a browser would: frames out of bytes, and text out of deltas."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

DELTA = "message.delta"


@dataclass(frozen=True)
class Frame:
    """One frame. `comment` frames carry nothing else; `id` is empty on live text."""

    event: str = ""
    id: str = ""
    data: Any = None
    comment: str = ""


Frames = AsyncGenerator[Frame]


async def frames_of(answer: httpx.Response) -> Frames:
    """The frames of an open `text/event-stream` answer, until its end."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    rest = b""
    async for piece in answer.aiter_bytes():
        *whole, rest = (rest + piece).split(b"\n\n")
        for frame in whole:
            yield _frame(frame.decode())
    assert not rest, "the stream ended inside a frame"


def _frame(text: str) -> Frame:
    # Only `\n` ends a line of ours: other line ends of Unicode are text.
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        assert name not in fields, "our frames have each field once"
        fields[name] = value.removeprefix(" ")
    return Frame(
        event=fields.get("event", ""),
        id=fields.get("id", ""),
        data=json.loads(fields["data"]) if "data" in fields else None,
        comment=fields.get("", ""),
    )


@dataclass
class Seen:
    """What one reader has seen of a conversation, over any number of connections.

    events: the durable ones. It fails on a gap, a repetition or a change of order.
    texts: the live text of each attempt, by run and attempt. It fails on a gap in the text.
    """

    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    texts: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])

    @property
    def last(self) -> int:
        """Where to go on."""
        return self.events[-1]["sequence"] if self.events else 0

    def take(self, frame: Frame) -> Frame:
        """Check a frame against what came before, and keep what it says."""
        if frame.event == DELTA:
            assert frame.id == ""
            self._join(frame.data)
        elif frame.id:
            assert frame.data["sequence"] == int(frame.id)
            self.take_event(frame.data)
            assert frame.event == frame.data["type"]
        return frame

    def take_event(self, event: dict[str, Any]) -> None:
        """Keep a durable event, which must be the next."""
        if self.events:
            assert event["sequence"] == self.last + 1
        self.events.append(event)

    def text_of(self, run_id: str, attempt: int = 1) -> str:
        """The live text of an attempt."""
        return self.texts.get((run_id, attempt), "")

    def _join(self, delta: dict[str, Any]) -> None:
        key = delta["runId"], delta["attempt"]
        known, offset = self.texts.get(key, ""), delta.get("offset", 0)
        assert offset <= len(known), f"live text has a gap before {offset}: {len(known)} known"
        assert delta["text"].startswith(known[offset:][: len(delta["text"])]), "live text changed"
        if offset + len(delta["text"]) > len(known):
            self.texts[key] = known[:offset] + delta["text"]


async def until(frames: AsyncIterator[Frame], seen: Seen, event: str) -> Frame:
    """Take frames in until one of that event; it fails when the stream ends before."""
    async for frame in frames:
        if seen.take(frame).event == event:
            return frame
    raise AssertionError(f"the stream ended before {event}")
