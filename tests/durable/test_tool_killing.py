"""Turns with tools and approvals while processes are killed: nothing done twice, lost or stuck.

`YOCASO_TOOL_TURNS` says how many turns there are; the soak takes 200.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import anyio
import pytest

from devstack.toolbox.control import ToolboxControl
from tests.support.conversation import Conversation, Json, user_of
from tests.support.following import Killer
from tests.support.stack import RunningStack
from tests.support.tools import ALLOWED, FREELY, resolve, thread_with, tool_events, toolbox_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TURNS = int(os.environ.get("YOCASO_TOOL_TURNS", "24"))
THREADS = 4
# While processes die one after the other, a loaded machine may answer nobody for a minute.
PATIENCE = 300
WRITTEN = {"SUCCEEDED": {1}, "UNKNOWN": {0, 1}, "never called": {0}}


@pytest.fixture(scope="module")
def stack(mortal_stack: RunningStack) -> RunningStack:
    """Whose processes may be killed."""
    return mortal_stack


@pytest.fixture
async def toolbox(stack: RunningStack) -> AsyncIterator[ToolboxControl]:
    async with toolbox_of(stack) as toolbox:
        yield toolbox


async def approve_everything(thread: Conversation, over: anyio.Event) -> None:
    """The thread's user, who approves whatever is asked."""
    while not over.is_set():
        for approval in (await thread.state())["pendingApprovals"]:
            await resolve(thread, approval, "APPROVE")
        await anyio.sleep(0.05)


async def ask(thread: Conversation, killer: Killer, texts: list[str]) -> list[Json]:
    """One turn after the other, spread over the kills; the runs' records."""
    runs: list[Json] = []
    over = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(approve_everything, thread, over)
        for number, text in enumerate(texts):
            await killer.reached(number / len(texts))
            note = f"call toolbox__note {json.dumps({'text': text})}"
            asking = f'{note}\ncall toolbox__add {{"a": 1, "b": 1}}'
            run_id = await thread.send(asking, clientMessageId=text)
            runs.append(await thread.settled(run_id, seconds=PATIENCE))
        over.set()
    return runs


@pytest.mark.timeout(60 + 20 * TURNS)
async def test_no_dangerous_tool_is_called_twice_and_no_approval_is_lost(
    stack: RunningStack, toolbox: ToolboxControl
) -> None:
    killer = Killer(stack, ("handlers", "restate", "edge"), times=max(1, TURNS // 12))
    asked: dict[str, list[str]] = {}
    runs: dict[str, list[Json]] = {}
    async with user_of(stack, patient=True, seconds=PATIENCE) as alice:
        threads = [
            await thread_with(alice, FREELY if number % 2 else ALLOWED) for number in range(THREADS)
        ]

        async def talk(thread: Conversation) -> None:
            texts = [f"turn {uuid.uuid4().hex}" for _ in range(TURNS // THREADS)]
            asked[thread.key] = texts
            runs[thread.key] = await ask(thread, killer, texts)

        async with anyio.create_task_group() as group:
            group.start_soon(killer.run)
            for thread in threads:
                group.start_soon(talk, thread)
        notes = Counter(call.arguments["text"] for call in await toolbox.calls("note"))
        called = 0
        for thread in threads:
            assert {run["status"] for run in runs[thread.key]} == {"COMPLETED"}
            called += await judge(thread, asked[thread.key], notes)
        # A tool server that cannot be asked in time costs a turn its tools; hardly ever.
        assert called > TURNS * 0.8


async def judge(thread: Conversation, texts: list[str], notes: Counter[str]) -> int:
    """Each line was written as often as the thread says; how many calls of the tool there were."""
    events = await thread.events()
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    requested = [e["toolCall"]["callId"] for e in events if e["type"] == "tool.requested"]
    calls = tool_events(events, "tool.completed")
    assert sorted(requested) == sorted(call["callId"] for call in calls)
    ended = {c["arguments"]["text"]: c["status"] for c in calls if c["toolName"] == "note"}
    for text in texts:
        assert notes[text] in WRITTEN[ended.get(text, "never called")], (text, ended.get(text))
    state = await thread.state()
    assert (state["status"], state["pendingApprovals"]) == ("IDLE", [])
    return len(ended)
