"""Readers that go on where they stopped, and what kills the platform under them."""

import random
import time
from collections.abc import Callable

import anyio
import httpx

from tests.support.conversation import ENDS, Conversation, Json, RefusedError
from tests.support.frames import Seen
from tests.support.stack import RunningStack

Enough = Callable[[Seen], bool]


def runs_ended(count: int) -> Enough:
    """Whether a reader has seen the end of that many runs."""
    return lambda seen: sum(event["type"] in ENDS for event in seen.events) >= count


async def follow_stream(thread: Conversation, seen: Seen, enough: Enough, seconds: float) -> None:
    """Read the event stream until there is enough, over any number of broken connections."""
    with anyio.fail_after(seconds):
        while not enough(seen):
            try:
                async with thread.stream(seen.last) as frames:
                    async for frame in frames:
                        seen.take(frame)
                        if enough(seen):
                            return
            except RefusedError as refused:
                if refused.is_terminal:
                    raise
            except httpx.TransportError:
                pass
            await anyio.sleep(0.05)


async def follow_pulls(thread: Conversation, seen: Seen, enough: Enough, seconds: float) -> None:
    """Pull events until there is enough; the thread's user must be a patient one."""
    with anyio.fail_after(seconds):
        while not enough(seen):
            for event in (await thread.pull(seen.last, "5s"))["events"]:
                seen.take_event(event)


class Killer:
    """Kills processes with signal 9 at random moments and starts them again.

    kills: how many so far. Each process of `names` dies equally often, in a random order.
    """

    def __init__(self, stack: RunningStack, names: tuple[str, ...], times: int) -> None:
        self._stack = stack
        self._victims = list(names) * times
        random.shuffle(self._victims)
        self._killed = anyio.Event()
        self.kills = 0

    async def run(self) -> None:
        """Kill them all, one after the other. Where a start takes long, the work between two kills
        takes long too, so the pauses are as long: else nothing would ever be done in them."""
        took = 0.0
        for name in self._victims:
            await anyio.sleep(random.uniform(0.1, max(0.8, took)))
            await self._stack.kill(name)
            await anyio.sleep(random.uniform(0, 0.3))
            began = time.monotonic()
            await self._stack.start(name)
            took = time.monotonic() - began
            self.kills += 1
            self._killed.set()
            self._killed = anyio.Event()

    async def reached(self, part: float) -> None:
        """Wait until that part of all kills is done, so that work and kills share their time."""
        while self.kills < part * len(self._victims):
            await self._killed.wait()


async def ask_while_killed(
    thread: Conversation, texts: list[str], killer: Killer, accepted: list[Json]
) -> None:
    """Send messages one after the other, spread over the kills; `accepted` is what was taken."""
    for number, text in enumerate(texts):
        await killer.reached(number / len(texts))
        message_id = f"{thread.key}-{number}"
        answer = await thread.accept(text, clientMessageId=message_id)
        accepted.append({"text": text, "clientMessageId": message_id, **answer})


def answered_once_in_order(events: list[Json], accepted: list[Json]) -> None:
    """Each accepted message is in the log once, in order, and answered once, in order."""
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    asked = [event["message"] for event in events if event["type"] == "message.created"]
    assert [m["clientMessageId"] for m in asked] == [a["clientMessageId"] for a in accepted]
    assert [m["messageId"] for m in asked] == [a["messageId"] for a in accepted]
    for kind in ("message.completed", "run.completed"):
        runs = [event["runId"] for event in events if event["type"] == kind]
        assert runs == [answer["runId"] for answer in accepted]
    answers = [event["message"] for event in events if event["type"] == "message.completed"]
    assert [m["content"] for m in answers] == [f"You said: {a['text']}" for a in accepted]
    assert not [event for event in events if event["type"] in ("run.failed", "run.cancelled")]
