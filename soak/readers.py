"""Readers of event streams that come and go, and hold what they see to what they saw before."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from typing import Protocol

from errors import RpcError
from soak.client import AwayError
from soak.history import ENDS, History, Json, Seen, Story, digest

GAPLESS = "sequences have no gap"
LIVE = "live text is the beginning of the answer"


class Calls(Protocol):
    """What a reader needs of `Client`."""

    async def call(self, method: str, request: Json) -> Json:
        """See `Client.call`."""
        ...

    def events(self, key: str, after: int) -> AsyncGenerator[tuple[str, Json]]:
        """See `Client.events`."""
        ...


class Reader:
    """Reads one thread from its beginning until everything that was said in it is answered."""

    def __init__(self, client: Calls, history: History, story: Story, name: str) -> None:
        self._client = client
        self._history = history
        self._story = story
        self._texts: dict[tuple[str, int], str] = {}
        self._ends: set[str] = set()
        self.seen = Seen(name)
        story.seen.append(self.seen)

    async def run(self, *, streams: bool) -> None:
        """Read in visits of random length, by stream or by pulling; ends with the thread."""
        self._story.reading += 1
        try:
            await self._visit(streams=streams)
        finally:
            self._story.reading -= 1

    async def _visit(self, *, streams: bool) -> None:
        while not self._enough():
            try:
                # Leaving in the middle of a stream is how most connections of phones end.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(random.uniform(1, 30)):
                        await (self._stream() if streams else self._pull())
            except RpcError as error:
                if error.is_terminal:
                    told = f"{self.seen.reader} was refused: {error.code.value} {error.reason}"
                    self._history.find("readers are let in", f"{self._story.key}: {told}")
                    return
            except AwayError:
                self._history.counts["broken reads"] += 1
            self._history.counts["visits of readers"] += 1
            if not self._enough():
                await asyncio.sleep(random.uniform(0.05, 1))

    def _enough(self) -> bool:
        story = self._story
        return story.closed and not story.open and self._ends >= {s.run_id for s in story.accepted}

    async def _stream(self) -> None:
        stream = self._client.events(self._story.key, self.seen.last)
        async with contextlib.aclosing(stream) as events:
            async for kind, content in events:
                if kind == "message.delta":
                    self._hear(content)
                else:
                    self._take(content)
                if self._enough():
                    return

    async def _pull(self) -> None:
        while not self._enough():
            wait = f"{random.choice((0, 1, 5, 10))}s"
            request = {"conversationKey": self._story.key, "after": self.seen.last, "wait": wait}
            for event in (await self._client.call("pull-events", request))["events"]:
                self._take(event)

    def _take(self, event: Json) -> None:
        """Keep an event, which must be the next."""
        seen, history = self.seen, self._history
        if event["sequence"] != seen.last + 1:
            told = f"{seen.reader} saw {event['sequence']} after {seen.last}"
            history.find(GAPLESS, f"{self._story.key}: {told}")
        seen.digests.append(digest(event))
        if event["type"] == "message.completed":
            self._compare(event)
        elif event["type"] == "tool.approval_required":
            self._story.ask(event["approval"]["approvalId"])
        elif event["type"] in ENDS:
            for key in [key for key in self._texts if key[0] == event["runId"]]:
                del self._texts[key]
            self._ends.add(event["runId"])
            said = self._story.end(event["runId"], history.now())
            if said is not None and event["type"] == "run.completed":
                history.turns.append((said.settled_at, (said.settled_at - said.sent_at) * 1000))

    def _hear(self, delta: Json) -> None:
        """Join live text to what was heard of the attempt before."""
        key = delta["runId"], delta["attempt"]
        known, offset, text = self._texts.get(key, ""), delta.get("offset", 0), delta["text"]
        if offset > len(known):
            self._complain(LIVE, key, f"a gap before {offset}, {len(known)} known")
        elif not text.startswith(known[offset:][: len(text)]):
            self._complain(LIVE, key, f"other text at {offset}")
        elif offset + len(text) > len(known) and key[0] not in self._ends:
            self._texts[key] = known[:offset] + text

    def _compare(self, event: Json) -> None:
        key = event["runId"], event["attempt"]
        if not event["message"].get("content", "").startswith(self._texts.get(key, "")):
            self._complain(LIVE, key, "the answer is another")

    def _complain(self, promise: str, key: tuple[str, int], text: str) -> None:
        told = f"run {key[0]}, attempt {key[1]}, {self.seen.reader}: {text}"
        self._history.find(promise, f"{self._story.key}: {told}")
