"""Readers of a conversation's events with everything behind the edge in the test's hands."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from actors.conversation import contract as conversation
from actors.conversation.contract.entry import Event
from actors.conversation.contract.events import ReadEventsRequest, ReadEventsResponse
from chassis.bus import DELTA, NEWS, BusClient, BusServer
from chassis.identity import Caller
from chassis.rpc import Mode
from edge.events import EventReader
from edge.forward import HandlerCalls
from edge.local import VerifiedRequest
from errors import Code, RpcError
from gateways.llm.contract import PullEventsRequest, PullEventsResponse
from workflows.generation.contract import PartialResponse

ALICE = Caller("acme", "alice", Mode.SECRET_KEY, frozenset())
THREAD = "acme/alice/one"
RUN = "run_1"
SECONDS = 10.0
AWAY = RpcError(Code.UNAVAILABLE, "platform.unavailable", "Away.")


class Durable:
    """What is stored of the conversation, read as through the ingress.

    hidden: how many reads do not show the newest event yet. fails: what the next reads answer.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.active = ""
        self.partial = ""
        self.hidden = 0
        self.fails: list[RpcError] = []
        self.reads = 0

    def happen(self, kind: str) -> int:
        """A new event; its sequence."""
        sequence = len(self.events) + 1
        self.events.append(Event(sequence=sequence, type=kind, run_id=RUN))
        return sequence

    async def call(self, rpc: object, message: object, *, key: str, deadline: float) -> object:
        """See `HandlerCalls.call`."""
        await asyncio.sleep(0)
        if rpc is not conversation.read_events:
            assert key == RUN
            return PartialResponse(
                run_id=RUN, message_id="msg_1", attempt=1, text=self.partial,
                offset=len(self.partial),
            )  # fmt: skip
        assert key == THREAD
        assert isinstance(message, ReadEventsRequest)
        self.reads += 1
        if self.fails:
            raise self.fails.pop(0)
        seen = self.events
        if self.hidden:
            self.hidden -= 1
            seen = seen[:-1]
        if message.after > len(seen):
            raise conversation.BEYOND_END.error()
        return ReadEventsResponse(
            events=seen[message.after : message.after + message.limit],
            last_sequence=len(seen),
            active_run_id=self.active,
        )


class Reading:
    """A reader of one conversation, with both ends of its bus in the test's hands."""

    def __init__(self, server: BusServer | None, client: BusClient) -> None:
        self.server = server
        self.client = client
        self.durable = Durable()

    def happen(self, kind: str) -> int:
        """A new event, and the hint that tells of it."""
        sequence = self.durable.happen(kind)
        if self.server is not None:
            self.server.publish(THREAD, NEWS, sequence)
        return sequence

    def say(self, text: str, offset: int, attempt: int = 1) -> None:
        """Live text."""
        assert self.server is not None
        self.server.publish(THREAD, DELTA, delta(text, offset, attempt))

    def request(self, after: int = 0, wait: float = 0.0, limit: int = 0) -> VerifiedRequest:
        """What the edge has verified."""
        message = PullEventsRequest(
            conversation_key="one", after=after, wait=timedelta(seconds=wait), limit=limit
        )
        calls = cast("HandlerCalls", self.durable)
        return VerifiedRequest(ALICE, message, "req_1", 0.0, calls, asyncio.Event().wait)

    async def pull(self, after: int = 0, wait: float = 0.0, limit: int = 0) -> PullEventsResponse:
        """One answer to `pull-events`."""
        reader = EventReader(self.client)
        answer = await reader.pull(self.request(after, wait, limit))
        assert answer.status == 200
        return PullEventsResponse.from_json(answer.body)

    @asynccontextmanager
    async def stream(self, after: int = 0) -> AsyncGenerator["Frames"]:
        """A reader of `stream-events`."""
        reader = EventReader(self.client)
        stream = await reader.stream(self.request(after))
        frames = Frames(stream.events)
        try:
            yield frames
        finally:
            await frames.close()


class Frames:
    """The frames of a stream, read one by one."""

    def __init__(self, frames: AsyncIterator[bytes]) -> None:
        self._frames = frames
        self.ids: list[int] = []
        self.texts: dict[int, str] = {}

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Type and content of the next frame; the test fails when none comes."""
        frame = await asyncio.wait_for(anext(self._frames), SECONDS)
        fields = dict(line.split(": ", 1) for line in frame.decode().strip().split("\n"))
        content = json.loads(fields["data"])
        if "id" in fields:
            assert int(fields["id"]) == content["sequence"]
            self.ids.append(content["sequence"])
        elif fields["event"] == "message.delta":
            before = self.texts.get(content["attempt"], "")
            assert content["offset"] == len(before), "no overlap and no gap"
            self.texts[content["attempt"]] = before + content["text"]
        return fields["event"], content

    async def until(self, kind: str) -> None:
        """Read up to the first frame of a type."""
        while (await self.next())[0] != kind:
            pass

    async def until_text(self, text: str, attempt: int = 1) -> None:
        """Read until an attempt's text is this."""
        while self.texts.get(attempt) != text:
            await self.next()

    async def close(self) -> None:
        """The client goes."""
        await cast("AsyncGenerator[bytes]", self._frames).aclose()


def delta(text: str, offset: int, attempt: int = 1) -> dict[str, Any]:
    """A piece of live text of the run."""
    return {
        "runId": RUN, "messageId": "msg_1", "attempt": attempt, "offset": offset, "text": text,
    }  # fmt: skip
