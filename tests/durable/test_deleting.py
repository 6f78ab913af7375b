"""Deleting a thread: what is left of it anywhere, with runs at work and processes killed."""

from typing import Any

import anyio
import httpx
import pytest

from chassis.identity import object_key
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Conversation, RefusedError, User, model_of, user_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio

SECRET = "the rain in Spain"


async def rows(stack: RunningStack, sql: str) -> list[dict[str, Any]]:
    """What Restate's tables say."""
    admin = stack.processes.restate.admin_url
    async with httpx.AsyncClient(base_url=admin, timeout=30, trust_env=False) as http:
        answer = await http.post(
            "/query", json={"query": sql}, headers={"accept": "application/json"}
        )
    return answer.json()["rows"]


async def traces(stack: RunningStack, thread: Conversation) -> list[str]:
    """Everything that Restate has of a thread: state, invocations, and those they started."""
    key = object_key("acme", "alice", thread.key)
    state = await rows(stack, f"SELECT key FROM state WHERE service_key = '{key}'")
    invocations = await rows(
        stack,
        "SELECT target FROM sys_invocation"
        f" WHERE target_service_key = '{key}' OR invoked_by_target LIKE '%{thread.key}%'",
    )
    return [row["key"] for row in state] + [row["target"] for row in invocations]


async def talked(model: OpenRouterControl, alice: User) -> Conversation:
    """A thread with an answered message, one that is being answered, and one that waits."""
    thread = await alice.create()
    await thread.ask(SECRET)
    await model.script(Answer(text="half of it", gate="hold", hold_after=1), contains="second")
    await thread.send("second")
    await model.wait(waiting=True)
    await thread.send("third")
    return thread


@pytest.mark.live_only
async def test_nothing_of_a_deleted_thread_is_left_anywhere(
    stack: RunningStack, model: OpenRouterControl, alice: User
) -> None:
    thread = await talked(model, alice)
    state = await thread.state()
    assert await traces(stack, thread)
    receipt = await thread.call("delete-thread")
    assert receipt["stoppedRunIds"] == [state["activeRunId"], *state["queuedRunIds"]]
    assert receipt["erasedMessages"] == 4
    assert receipt["erasedRuns"] == 3
    assert receipt["erasedInvocations"] >= 2
    assert receipt["stoppedTimers"] >= 1
    assert await traces(stack, thread) == []
    for run in receipt["stoppedRunIds"]:
        left = f"SELECT key FROM state WHERE service_key = '{run}'"
        assert await rows(stack, left) == []
    assert all(call.closed_at for call in await model.calls())


@pytest.mark.live_only
async def test_a_deleted_thread_is_not_found_and_its_key_makes_a_new_one(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await talked(model, alice)
    await thread.call("delete-thread")
    for method in ("conversation-state", "pull-events", "delete-thread", "list-messages"):
        with pytest.raises(RefusedError) as refused:
            await thread.call(method)
        assert (refused.value.status, refused.value.reason) == (404, "thread.not_found")
    listed = await alice.call("list-threads", {"pageSize": 200})
    assert thread.key not in [each["conversationKey"] for each in listed.get("threads", [])]
    again = await alice.create(thread.key)
    assert await again.said() == []
    assert (await again.ask("hello"))["status"] == "COMPLETED"


@pytest.mark.live_only
async def test_a_reader_of_a_thread_that_is_deleted_is_told(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await talked(model, alice)
    told: list[str] = []
    after = (await thread.state())["lastSequence"]

    async def read() -> None:
        try:
            while True:
                await thread.pull(after, "20s")
        except RefusedError as refused:
            told.append(refused.reason)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await thread.call("delete-thread")
    assert told == ["thread.not_found"]


@pytest.mark.parametrize("killed", ["handlers", "restate"])
async def test_a_deletion_survives_a_kill_at_any_moment(
    mortal_stack: RunningStack, killed: str
) -> None:
    """Whatever dies in between, the receipt comes, and nothing is left."""
    async with (
        model_of(mortal_stack) as model,
        user_of(mortal_stack, patient=True) as alice,
    ):
        for pause in (0.0, 0.02, 0.05):
            thread = await talked(model, alice)
            key = {"idempotency-key": f"delete-{thread.key}"}
            receipts: list[Any] = []

            async def delete(
                thread: Conversation = thread,
                key: dict[str, str] = key,
                receipts: list[Any] = receipts,
            ) -> None:
                alice.headers |= key
                try:
                    receipts.append(await thread.call("delete-thread"))
                finally:
                    del alice.headers["idempotency-key"]

            async with anyio.create_task_group() as group:
                group.start_soon(delete)
                await anyio.sleep(pause)
                await mortal_stack.kill(killed)
                await mortal_stack.start(killed)
            # A death of the handlers may let the runs answer before they are stopped.
            assert receipts[0]["erasedMessages"] in (4, 5, 6)

            async def gone(thread: Conversation = thread) -> bool:
                return await traces(mortal_stack, thread) == []

            await mortal_stack.wait_until(gone)
            await model.reset()


async def test_deleting_what_is_not_there_or_is_anothers_is_not_found(
    alice: User, bob: User
) -> None:
    thread = await alice.create()
    for user in (bob, alice):
        with pytest.raises(RefusedError) as refused:
            await Conversation(user, thread.key if user is bob else "never").call("delete-thread")
        assert (refused.value.status, refused.value.reason) == (404, "thread.not_found")
    assert (await thread.state())["status"] == "IDLE"
