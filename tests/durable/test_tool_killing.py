"""Turns with tools and approvals while processes are killed: nothing done twice, lost or stuck.

`YOCASO_TOOL_TURNS` says how many turns there are; the soak takes 200.
"""

import os
import uuid
from collections.abc import AsyncIterator

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from devstack.toolbox.control import ToolboxControl
from tests.support.conversation import Conversation, Json, user_of
from tests.support.following import Killer
from tests.support.stack import RunningStack
from tests.support.tools import ALLOWED, FREELY, resolve, thread_with, toolbox_of, wants

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TURNS = int(os.environ.get("YOCASO_TOOL_TURNS", "24"))
THREADS = 4
# While processes die one after the other, a loaded machine may answer nobody for a minute.
PATIENCE = 300
DONE = Answer(text="All done.")


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


async def ask(
    thread: Conversation, model: OpenRouterControl, killer: Killer, texts: list[str]
) -> list[Json]:
    """One turn after the other, spread over the kills; the runs' records."""
    runs: list[Json] = []
    over = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(approve_everything, thread, over)
        for number, text in enumerate(texts):
            await killer.reached(number / len(texts))
            calls = wants(("note", {"text": text}), ("add", {"a": 1, "b": 1}))
            await model.script(calls, DONE, contains=text)
            run_id = await thread.send(text, clientMessageId=text)
            runs.append(await thread.settled(run_id, seconds=PATIENCE))
        over.set()
    return runs


@pytest.mark.timeout(60 + 20 * TURNS)
async def test_no_dangerous_tool_is_called_twice_and_no_approval_is_lost(
    model: OpenRouterControl, stack: RunningStack, toolbox: ToolboxControl
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
            runs[thread.key] = await ask(thread, model, killer, texts)

        async with anyio.create_task_group() as group:
            group.start_soon(killer.run)
            for thread in threads:
                group.start_soon(talk, thread)
        notes = [call.arguments["text"] for call in await toolbox.calls("note")]
        for thread in threads:
            assert {run["status"] for run in runs[thread.key]} == {"COMPLETED"}
            await judge(thread, asked[thread.key], notes)


async def judge(thread: Conversation, texts: list[str], notes: list[str]) -> None:
    """Each line was written at most once, and the thread says which ones are not known."""
    events = await thread.events()
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    requested = [e["toolCall"]["callId"] for e in events if e["type"] == "tool.requested"]
    # A server that is too slow to list its tools costs a turn these tools: its calls have no name.
    ended = {
        event["toolCall"]["arguments"]["text"]: event["toolCall"]["status"]
        for event in events
        if event["type"] == "tool.completed" and event["toolCall"].get("toolName") == "note"
    }
    completed = [e["toolCall"]["callId"] for e in events if e["type"] == "tool.completed"]
    assert sorted(requested) == sorted(completed)
    for text in texts:
        written = notes.count(text)
        assert written <= 1
        if ended.get(text) == "SUCCEEDED":
            assert written == 1
        elif text in ended:
            assert ended[text] == "UNKNOWN"
    state = await thread.state()
    assert (state["status"], state["pendingApprovals"]) == ("IDLE", [])
