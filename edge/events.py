"""`pull-events` and `stream-events`: durable events from Restate, live text from the bus.

A reader waits on the bus, never in Restate. It subscribes first and reads then, so nothing falls
between. A hint says only up to which sequence there is news; the read that follows is the truth,
and a lost hint costs some seconds. Live text is joined to what the reader has by attempt and
offset (live_text.py); a reader that comes late gets what was said so far from the bus.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from actors.conversation import contract as conversation
from actors.conversation.contract.events import ReadEventsRequest, ReadEventsResponse
from chassis.bus import DELTA, NEWS, BusClient, Subscription
from edge.lag import Lag
from edge.live_text import LiveText, SoFar
from edge.local import EventStream, VerifiedRequest, sse
from edge.responses import Response
from errors import RpcError
from gateways.llm.contract import Partial, PullEventsRequest, PullEventsResponse
from workflows.generation import contract as generation

_BATCH = 100
_READ_SECONDS = 15.0
# How long a new subscription may take until nothing is lost any more; a bus that is away costs
# this once, and then readers look by themselves.
_SUBSCRIBE_SECONDS = 0.25
_LOOK_ANYWAY_SECONDS = 5.0
_LOOK_WITHOUT_BUS_SECONDS = 1.0
# A hint is sent when the handler ends, a moment before its state is there for others to read.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.004, 1.0


class EventReader:
    """Serves readers of conversations."""

    def __init__(self, bus: BusClient) -> None:
        self._bus = bus
        self._lag = Lag()

    async def pull(self, request: VerifiedRequest) -> Response:
        """Read the events of a thread after a sequence.

        Answers at once when there are events, else as soon as there are or `wait` is over.
        Sequences have no gaps and an event never changes, so a reader can stop and go on
        anywhere, from another device too. `partial` is what the active run has said so far.
        """
        asked = cast("PullEventsRequest", request.message)
        source = _Source(request, asked.limit or _BATCH, self._bus, self._lag)
        async with self._bus.subscribe(source.topic) as subscription:
            pull = _Pull(self._bus, source, subscription)
            seconds = asked.wait.total_seconds() if asked.wait else 0.0
            answer = await pull.answer(asked.after, seconds)
        return Response(200, answer.to_json())

    async def stream(self, request: VerifiedRequest) -> EventStream:
        """Read the events of a thread as they happen, as an event stream.

        Each durable event comes as `event: <type>` with `id: <sequence>` and the event as
        `data`; live text comes between them as `event: message.delta`, without an id. The last
        event may be `error`, with the error envelope as `data`, or `bye`: connect again with the
        last id as `after`. A comment every 15 seconds keeps the line open.
        """
        asked = cast("PullEventsRequest", request.message)
        source = _Source(request, asked.limit or _BATCH, self._bus, self._lag)
        await source.read(asked.after)
        return EventStream(self._frames(source, asked.after))

    async def _frames(self, source: "_Source", after: int) -> AsyncIterator[bytes]:
        async with self._bus.subscribe(source.topic) as subscription:
            await subscription.until_watching(_SUBSCRIBE_SECONDS)
            text = LiveText()
            up_to = after
            while True:
                read = await source.read_patiently(after, up_to)
                for event in read.events:
                    text.see(event)
                    after = event.sequence
                    yield sse(event.to_json(), event=event.type, id=str(event.sequence))
                if after < read.last_sequence:
                    continue
                if read.active_run_id and not self._bus.connected:
                    # No live text: what is durable has to do.
                    partial = await source.partial(read.active_run_id)
                    fresh = text.join(_as_delta(partial)) if partial is not None else None
                    if fresh is not None:
                        yield _delta_frame(fresh)
                async for frame in self._live(source, subscription, text, after):
                    yield frame
                up_to = max(after, text.news)

    async def _live(
        self, source: "_Source", subscription: Subscription, text: LiveText, after: int
    ) -> AsyncIterator[bytes]:
        """Live text until there is a reason to read events: `text.news` says up to where."""
        while True:
            said = await subscription.next(_look_anyway(self._bus))
            if said is None or said[0] not in (NEWS, DELTA):
                return
            kind, content = said
            if kind == NEWS:
                text.news = content
                if content > after:
                    return
                continue
            if text.asks_for_text_before(content):
                self._bus.ask_again(source.topic)
            fresh = text.join(content)
            if fresh is not None:
                yield _delta_frame(fresh)


def _look_anyway(bus: BusClient) -> float:
    return _LOOK_ANYWAY_SECONDS if bus.connected else _LOOK_WITHOUT_BUS_SECONDS


class _Pull:
    """One answer to `pull-events`."""

    def __init__(self, bus: BusClient, source: "_Source", subscription: Subscription) -> None:
        self._bus = bus
        self._source = source
        self._subscription = subscription
        self._text = SoFar()

    async def answer(self, after: int, seconds: float) -> PullEventsResponse:
        """The events after a sequence, waited for up to some seconds."""
        end = asyncio.get_running_loop().time() + seconds
        await self._subscription.until_watching(_SUBSCRIBE_SECONDS)
        read = await self._read_if_new(after)
        while not read.events and (left := end - asyncio.get_running_loop().time()) > 0:
            read = await self._after_next_line(read, after, left)
        while (said := self._subscription.next_now()) is not None:
            self._text.hear(said)
        return PullEventsResponse(
            events=read.events,
            last_sequence=read.last_sequence,
            partial=await self._partial(read),
        )

    async def _read_if_new(self, after: int) -> ReadEventsResponse:
        # Who pulls again at once knows all that the topic, watched ever since, has told of.
        newest = self._bus.newest(self._source.topic)
        if newest == after and after > 0:
            return ReadEventsResponse(last_sequence=after)
        return await self._read(after, max(after, newest or 0))

    async def _after_next_line(
        self, read: ReadEventsResponse, after: int, left: float
    ) -> ReadEventsResponse:
        said = await self._subscription.next(min(left, _look_anyway(self._bus)))
        self._text.hear(said)
        if said is not None and said[0] == DELTA:
            return read
        up_to = said[1] if said is not None and said[0] == NEWS else after
        if said is not None and said[0] == NEWS and up_to <= after:
            return read
        return await self._read(after, up_to)

    async def _read(self, after: int, up_to: int) -> ReadEventsResponse:
        read = await self._source.read_up_to(after, up_to)
        if self._subscription.watching.is_set():
            self._bus.note(self._source.topic, read.last_sequence)
        return read

    async def _partial(self, read: ReadEventsResponse) -> Partial | None:
        if self._subscription.watching.is_set():
            return self._text.partial(read.events)
        return await self._source.partial(read.active_run_id) if read.active_run_id else None


class _Source:
    """Reads of one conversation for one verified reader."""

    def __init__(self, request: VerifiedRequest, limit: int, bus: BusClient, lag: Lag) -> None:
        asked = cast("PullEventsRequest", request.message)
        self._bus = bus
        self._lag = lag
        self._ingress = request.ingress
        self._limit = limit
        # Derived from the verified caller, so nobody can name another's.
        self.topic = request.caller.key(asked.conversation_key)

    async def read(self, after: int) -> ReadEventsResponse:
        """The events after a sequence, as they are now."""
        return await self._ingress.call(
            conversation.read_events,
            ReadEventsRequest(after=after, limit=self._limit),
            key=self.topic,
            deadline=asyncio.get_running_loop().time() + _READ_SECONDS,
        )

    async def read_up_to(self, after: int, up_to: int) -> ReadEventsResponse:
        """As `read`, but once events that were announced are there to be read."""
        if up_to <= after:
            return await self.read(after)
        heard_at = self._bus.heard_at(self.topic)
        await self._lag.wait(heard_at)
        read = await self.read(after)
        self._lag.learn(heard_at, missed=read.last_sequence < up_to)
        pause = _FIRST_PAUSE
        while read.last_sequence < up_to and pause <= _LONGEST_PAUSE:
            await asyncio.sleep(pause)
            pause *= 2
            read = await self.read(after)
        return read

    async def read_patiently(self, after: int, up_to: int) -> ReadEventsResponse:
        """As `read_up_to`, through restarts of what is behind us."""
        pause = 0.1
        while True:
            try:
                return await self.read_up_to(after, up_to)
            except RpcError as error:
                if error.is_terminal:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def partial(self, run_id: str) -> Partial | None:
        """The durable text of a run so far; None while there is none or it cannot be read."""
        try:
            read = await self._ingress.call(
                generation.partial,
                generation.PartialRequest(),
                key=run_id,
                deadline=asyncio.get_running_loop().time() + _READ_SECONDS,
            )
        except RpcError:
            return None
        if not read.text:
            return None
        return Partial(
            run_id=run_id,
            message_id=read.message_id,
            attempt=read.attempt,
            offset=read.offset,
            text=read.text,
        )


def _as_delta(partial: Partial) -> dict[str, Any]:
    return {
        "runId": partial.run_id,
        "messageId": partial.message_id,
        "attempt": partial.attempt,
        "offset": 0,
        "text": partial.text,
    }


def _delta_frame(delta: dict[str, Any]) -> bytes:
    return sse(json.dumps(delta, ensure_ascii=False).encode(), event="message.delta")
