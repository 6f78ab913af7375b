"""Asks the platform for whole threads and holds them to the promises, during the soak and after."""

import asyncio
from collections import Counter
from collections.abc import Iterator

from devstack.processes import ProcessError
from devstack.restate import RestateServer
from errors import RpcError
from soak.checks import Stored, broken
from soak.client import AwayError, Client
from soak.history import History, Json, Mark, Story
from soak.notebook import Notebook
from soak.writers import Load

STUCK_SECONDS = 240.0
"""Longer than the deadline of a run in the soak with its grace, and some for its queue."""
_PAGE = 200
_BEFORE_SECONDS, _AFTER_SECONDS = 5.0, 2.0


class Audit:
    """Reads what is stored and writes down what is wrong with it, each thing once."""

    def __init__(self, history: History, load: Load, notebook: Notebook) -> None:
        self._history = history
        self._load = load
        self._notebook = notebook
        self._known: set[tuple[str, str]] = set()
        self._audited: set[str] = set()
        self.failures: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    async def go_on(self) -> None:
        """Audit every thread once it is over, and look for runs that do not end."""
        while True:
            for story in list(self._history.stories):
                if story.over and story.key not in self._audited:
                    self._audited.add(story.key)
                    await self._thread(story)
            self._find_stuck()
            await asyncio.sleep(1)

    async def everything(self) -> None:
        """Audit all threads, those of the beginning once more, and count what is in them."""
        self.failures.clear()
        self.events.clear()
        self.calls.clear()
        places = asyncio.Semaphore(4)

        async def one(story: Story) -> None:
            async with places:
                await self._thread(story)

        await asyncio.gather(*(one(story) for story in self._history.stories))
        for story in self._history.stories:
            for run_id in story.open:
                self._find("every run ends", f"{story.key}: nobody saw the end of run {run_id}")

    def nothing_is_left(self, restate: RestateServer) -> None:
        """Restate has nothing to do any more, except watchdogs that wait for their time."""
        try:
            rows = restate.query(
                "SELECT id, target, status FROM sys_invocation "
                "WHERE status NOT IN ('completed', 'scheduled')"
            )
        except ProcessError as error:
            rows = [{"target": "the query", "status": str(error)}]
        for row in rows:
            self._find("every run ends", f"{row['target']} is {row['status']} at the end")

    async def _thread(self, story: Story) -> None:
        client = self._load.client_of(story)
        try:
            stored = await stored_thread(client, story.key)
            stored.lines.update(self._notebook.lines())
        except (RpcError, AwayError) as error:
            self._find("clients are answered", f"{story.key} could not be read: {error!r}")
            return
        for event in stored.events:
            self.events[event["type"]] += 1
        for event in stored.of("tool.completed"):
            call = event["toolCall"]
            self.calls[f"{call.get('toolName', 'a tool without a name')}: {call['status']}"] += 1
        for event in stored.of("run.failed"):
            self.failures[event["error"]["details"]["reason"]] += 1
        for promise, sentence in broken(story, stored):
            self._find(promise, sentence)
        for sentence in failures_without_cause(story, stored, self._history.marks):
            self._find("a run fails only when the vendor does", sentence)

    def _find(self, promise: str, sentence: str) -> None:
        if (promise, sentence) not in self._known:
            self._known.add((promise, sentence))
            self._history.find(promise, sentence)

    def _find_stuck(self) -> None:
        now = self._history.now()
        for story in self._history.stories:
            for said in story.open.values():
                if now - said.accepted_at > STUCK_SECONDS:
                    self._find("every run ends", f"{story.key}: {said.run_id} takes too long")


async def stored_thread(client: Client, key: str) -> Stored:
    """All events, messages and runs."""
    events: list[Json] = []
    while True:
        request = {"conversationKey": key, "after": len(events), "limit": _PAGE}
        answer = await client.patiently("pull-events", request)
        events += answer["events"]
        if len(events) >= answer.get("lastSequence", 0) or not answer["events"]:
            break
    return Stored(
        events,
        await _pages(client, "list-messages", "messages", key, oldestFirst=True),
        await _pages(client, "list-runs", "runs", key),
    )


def failures_without_cause(story: Story, stored: Stored, marks: list[Mark]) -> Iterator[str]:
    """A run may fail where the vendor failed while it was under way, and nowhere else."""
    causes = [m for m in marks if m.what == "fault" or "local-cloud" in m.name]
    by_run = {said.run_id: said for said in story.accepted}
    for event in stored.of("run.failed"):
        said = by_run.get(event["runId"])
        if said is None or not said.settled_at:
            continue
        began, ended = said.sent_at - _BEFORE_SECONDS, said.settled_at + _AFTER_SECONDS
        if not any(mark.at < ended and mark.until > began for mark in causes):
            reason = event["error"]["details"]["reason"]
            yield f"{story.key}: run {said.run_id} failed as {reason} at {said.settled_at:.0f} s"


async def _pages(client: Client, method: str, what: str, key: str, **more: object) -> list[Json]:
    found: list[Json] = []
    token = ""
    while True:
        request = {"conversationKey": key, "pageSize": _PAGE, "pageToken": token, **more}
        answer = await client.patiently(method, request)
        found += answer.get(what, [])
        token = answer.get("nextPageToken", "")
        if not token:
            return found
