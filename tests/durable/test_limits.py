"""More runs than there is room for: they wait visibly and hold up nobody."""

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Conversation, Json, User, types_of
from tests.support.frames import Seen, until
from tests.support.operator import Operator
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RUNS, STREAMS = 300, 100  # as `narrow_stack` has them; Restate takes 150 invocations at once


@pytest.fixture(scope="module")
def stack(narrow_stack: RunningStack) -> RunningStack:
    """With room for few runs."""
    return narrow_stack


async def waiting_run(runs: dict[Conversation, str]) -> tuple[Conversation, Json]:
    """A run that has no place yet, with its thread."""
    for thread, run_id in runs.items():
        run = await thread.run(run_id)
        if "startedAt" not in run:
            return thread, run
    raise AssertionError("every run has a place")


@pytest.mark.timeout(240)
async def test_three_hundred_runs_share_a_hundred_streams_and_hold_up_nobody(
    model: OpenRouterControl, alice: User, bob: User
) -> None:
    await model.script(
        Answer(text="held", gate="hold", hold_after=1), contains="hold", repeat_last=True
    )
    threads = await alice.create_many(RUNS)
    runs: dict[Conversation, str] = {}

    async def send(thread: Conversation) -> None:
        runs[thread] = await thread.send("hold")

    async with anyio.create_task_group() as group:
        for thread in threads:
            group.start_soon(send, thread)
    assert len(await model.wait(calls=STREAMS, timeout_seconds=60)) == STREAMS

    # All places are taken and none becomes free before the gate opens.
    thread, run = await waiting_run(runs)
    assert run["status"] == "RUNNING"
    assert (await thread.state())["status"] == "RUNNING"
    assert types_of(await thread.events()) == ["message.created"]
    other = await bob.create()
    assert (await other.accept("somebody else"))["status"] == "RUNNING"
    assert (await alice.call("list-threads", {"pageSize": 1}))["threads"]
    assert (await thread.cancel(run["runId"]))["cancelRequested"]
    assert (await thread.settled(run["runId"]))["status"] == "CANCELLED"
    assert types_of(await thread.events()) == ["message.created", "run.cancelled"]
    assert len(await model.calls()) == STREAMS

    await model.release("hold")
    del runs[thread]
    # All but the one that was cancelled, and somebody else's.
    assert len(await model.wait(closed=RUNS, timeout_seconds=150)) == RUNS
    settled: list[Json] = []

    async def wait(thread: Conversation, run_id: str) -> None:
        while (run := await thread.run(run_id))["status"] == "RUNNING":
            await thread.pull(after=2, wait="20s")  # it has started, so two events are there
        settled.append(run)

    async with anyio.create_task_group() as group:
        for thread, run_id in runs.items():
            group.start_soon(wait, thread, run_id)
    assert [run["status"] for run in settled] == ["COMPLETED"] * (RUNS - 1)
    assert {run["attempts"] for run in settled} == {1}


async def test_a_waiting_run_holds_no_place_in_restate(
    model: OpenRouterControl, alice: User, stack: RunningStack
) -> None:
    held = Answer(text="held", gate="hold", hold_after=1)
    await model.script(held, contains="hold", repeat_last=True)
    threads = await alice.create_many(STREAMS + 1)
    async with anyio.create_task_group() as group:
        for thread in threads[:STREAMS]:
            group.start_soon(thread.send, "hold")
    await model.wait(calls=STREAMS, timeout_seconds=60)
    run_id = await threads[-1].send("one too many")
    operator = Operator(stack)

    async def suspended() -> bool:
        return operator.status_of(run_id) == "suspended"

    await stack.wait_until(suspended)
    await model.release("hold")
    assert (await threads[-1].settled(run_id))["status"] == "COMPLETED"


async def test_a_reader_without_the_bus_still_gets_everything(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(Answer(text="one two three", gate="hold", hold_after=2), contains="no bus")
    seen = Seen()
    async with thread.stream() as frames:
        run_id = await thread.send("no bus")
        delta = await until(frames, seen, "message.delta")
        assert delta.data["text"] in ("one ", "one two ")
        while seen.text_of(run_id) != "one two ":
            seen.take(await anext(frames))
        partial = (await thread.pull())["partial"]
        assert (partial["text"], partial["runId"]) == ("one two ", run_id)
        await model.release("hold")
        await until(frames, seen, "run.completed")
    assert seen.events == await thread.events()
    assert seen.events[2]["message"]["content"] == "one two three"
    assert (await thread.pull(after=3, wait="1s"))["events"] == seen.events[3:]
