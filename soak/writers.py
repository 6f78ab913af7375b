"""The load: writers of many short threads and a few long ones, cancels, and readers of lists.

Turns begin at a steady rate, whatever the platform does; a thread whose writers all wait for an
answer, or that has many runs open, is left alone meanwhile. So an outage is not followed by a flood
that would say more about this program than about the platform.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Coroutine
from typing import Any

from errors import RpcError
from soak import notebook
from soak.client import AwayError, Client
from soak.history import History, Json, Said, Story
from soak.options import Options
from soak.readers import Reader

MOST_OPEN = 20
CANCELLED_PART = 0.03
_TOOL_PART = 0.5
_DENIED_PART = 0.2
_LONG_PART = 0.3
_WORDS = ("harbour", "lantern", "drift", "salt", "compass", "ember", "tide", "granite", "ledger")


class Load:
    """Everything that clients do. `tasks` are under way; all of them end after `finish`."""

    def __init__(self, options: Options, history: History, clients: list[Client]) -> None:
        self._options = options
        self._history = history
        self._clients = clients
        self._numbers = itertools.count()
        self._busy: set[tuple[str, int]] = set()
        self._wanted: dict[str, int] = {}
        self._long: list[Story] = []
        self._short: list[Story] = []
        self._group: set[asyncio.Task[None]] = set()
        self._ending = False

    async def run(self) -> None:
        """Begin turns until the time is over."""
        for _ in range(self._options.long_threads):
            self._spawn(self._open(writers=3, wanted=10**9))
        due = self._history.now()
        while (now := self._history.now()) < self._history.ends_at:
            self._short = [story for story in self._short if not story.closed]
            opening = self._history.counts["threads being created"]
            if len(self._short) + opening < self._options.threads:
                self._spawn(self._open(writers=1, wanted=random.randint(3, 25)))
            self._begin_turn()
            if random.random() < 0.2:
                self._spawn(self._look_around())
            due = max(due + random.expovariate(self._options.rate), now - 1)
            await asyncio.sleep(max(0, due - now))

    async def finish(self, seconds: float) -> list[asyncio.Task[None]]:
        """Say nothing more, and wait until all readers have seen all there is; who has not."""
        self._ending = True
        for story in self._long + self._short:
            self._close_if_done(story)
        if self._group:
            await asyncio.wait(self._group, timeout=seconds)
        left = list(self._group)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return left

    def client_of(self, story: Story) -> Client:
        """The client of the thread's owner."""
        return self._clients[story.owner]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._group.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._group.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._history.find("the soak watches", f"a client of ours failed: {error!r}")

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RpcError as error:
            told = f"{error.code.value} {error.reason}"
            self._history.find("clients are answered", f"refused for good: {told}")
        except AwayError:
            self._history.find("clients are answered", "nobody answered for three minutes")

    async def _open(self, writers: int, wanted: int) -> None:
        number = next(self._numbers)
        story = Story(f"soak-{number:05}", number % len(self._clients), writers)
        counts = self._history.counts
        counts["threads being created"] += 1
        try:
            client = self.client_of(story)
            story.tools = writers == 1 and random.random() < self._options.tools
            thread: Json = {"conversationKey": story.key}
            if story.tools:
                thread["settings"] = notebook.settings(asks=random.random() < 0.5)
            await client.patiently("create-thread", thread)
        finally:
            counts["threads being created"] -= 1
        self._history.stories.append(story)
        self._wanted[story.key] = wanted
        (self._short if writers == 1 else self._long).append(story)
        # Two who read a long thread, one or two a short one.
        self._read(story, "a stream", streams=True)
        if writers > 1 or random.random() < 0.3:
            self._read(story, "pulls", streams=False)
        if story.tools:
            self._spawn(self._decide(story))
        self._close_if_done(story)

    async def _decide(self, story: Story) -> None:
        """The thread's user, who is asked whether tools may be called."""
        while not story.over:
            with contextlib.suppress(TimeoutError):
                approval_id = await asyncio.wait_for(story.asked.get(), 1)
                await self._decide_one(story, approval_id)

    async def _decide_one(self, story: Story, approval_id: str) -> None:
        decision = "DENY" if random.random() < _DENIED_PART else "APPROVE"
        request = {
            "conversationKey": story.key,
            "approvalId": approval_id,
            "decision": decision,
        }
        try:
            await self.client_of(story).patiently("resolve-tool-approval", request)
        except RpcError as error:
            # Its run has ended meanwhile, by a cancel or because the vendor failed.
            if error.reason != "approval.cancelled":
                raise
            self._history.counts["approvals too late"] += 1
        self._history.counts["approvals decided"] += 1

    def _read(self, story: Story, name: str, *, streams: bool) -> None:
        reader = Reader(self.client_of(story), self._history, story, name)
        self._spawn(reader.run(streams=streams))

    def _begin_turn(self) -> None:
        pool = self._long if random.random() < _LONG_PART else self._short
        places = [
            (story, writer)
            for story in pool
            for writer in range(story.writers)
            if (story.key, writer) not in self._busy
            and not story.closed
            and len(story.open) < MOST_OPEN
        ]
        if not places:
            self._history.counts["turns held back"] += 1
            return
        story, writer = random.choice(places)
        self._busy.add((story.key, writer))
        self._spawn(self._turn(story, writer))

    async def _turn(self, story: Story, writer: int) -> None:
        try:
            await self._say(story, writer)
        finally:
            self._busy.discard((story.key, writer))
            self._close_if_done(story)

    async def _say(self, story: Story, writer: int) -> None:
        history = self._history
        number = len(story.said)
        client_message_id, text = f"{story.key}-{number}", _text(number)
        if story.tools and random.random() < _TOOL_PART:
            text += f"\n{notebook.wanted(client_message_id)}"
        said = Said(writer, client_message_id, text, history.now())
        story.said[said.client_message_id] = said
        request: Json = {
            "conversationKey": story.key,
            "userMessage": {"role": "user", "content": said.text},
            "clientMessageId": said.client_message_id,
        }
        # Before the platform could hear of it: the end may be seen before the cancel is answered.
        said.cancelled = random.random() < CANCELLED_PART
        answer = await self.client_of(story).patiently("send-message", request)
        story.accept(said, answer, history.now())
        history.accepts.append((said.accepted_at, (said.accepted_at - said.sent_at) * 1000))
        if said.cancelled:
            await asyncio.sleep(random.uniform(0, 0.6))
            request = {"conversationKey": story.key, "runId": said.run_id}
            await self.client_of(story).patiently("cancel-run", request)
            history.counts["cancels"] += 1

    def _close_if_done(self, story: Story) -> None:
        """Readers leave a closed thread when they have seen all that was accepted, so nobody may
        still be sending."""
        writing = any(key == story.key for key, _ in self._busy)
        if not writing and (self._ending or len(story.said) >= self._wanted[story.key]):
            story.closed = True

    async def _look_around(self) -> None:
        """Read a list or a thread, as somebody who opens the application does."""
        client = random.choice(self._clients)
        active = [story for story in self._short if self.client_of(story) is client]
        if active and random.random() < 0.7:
            story = random.choice(active)
            state = await client.patiently("conversation-state", {"conversationKey": story.key})
            sequences = [message["sequence"] for message in state.get("messages", [])]
            if sequences != sorted(set(sequences)):
                self._history.find("pages are in order", f"{story.key}: {sequences}")
        else:
            await client.patiently("list-threads", {"pageSize": 20})
        self._history.counts["reads of lists and threads"] += 1


def _text(number: int) -> str:
    words = random.choices(_WORDS, k=random.choice((3, 8, 15, 40)))
    return f"{number}: {' '.join(words)}"
