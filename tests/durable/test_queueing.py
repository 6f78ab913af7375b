"""Messages sent while another is answered: order, places, and what a repeat does."""

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import (
    Json,
    RefusedError,
    User,
    calls_about,
    model_of,
    types_of,
    user_of,
)
from tests.support.stack import RunningStack

pytestmark = pytest.mark.anyio


async def test_queued_messages_are_answered_in_order_and_know_only_what_came_before(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    await model.script(Answer(text="to the first", gate="hold", hold_after=1), contains="first")
    first = await thread.accept("first")
    await model.wait(waiting=True)
    second, third = await thread.accept("second"), await thread.accept("third")
    assert [answer["status"] for answer in (first, second, third)] == [
        "RUNNING", "QUEUED", "QUEUED",
    ]  # fmt: skip
    state = await thread.state()
    assert (state["status"], state["activeRunId"]) == ("RUNNING", first["runId"])
    assert state["queuedRunIds"] == [second["runId"], third["runId"]]
    assert (await thread.run(second["runId"]))["status"] == "QUEUED"
    await model.release("hold")
    await thread.settled(third["runId"])
    assert types_of(await thread.events()) == [
        "message.created", "run.started", "message.created", "message.created",
        "message.completed", "run.completed",
        "run.started", "message.completed", "run.completed",
        "run.started", "message.completed", "run.completed",
    ]  # fmt: skip
    (call,) = await calls_about(model, "third")
    assert [message["content"] for message in call.messages] == [
        "first", "to the first", "second", "You said: second", "third",
    ]  # fmt: skip
    (call,) = await calls_about(model, "second")
    assert [m["content"] for m in call.messages] == ["first", "to the first", "second"]


async def test_a_hundred_messages_wait_one_more_is_refused_and_all_are_answered_once(
    live_stack: RunningStack,
) -> None:
    async with model_of(live_stack) as model, user_of(live_stack) as alice:
        thread = await alice.create()
        await model.script(Answer(text="begun", gate="hold", hold_after=1), contains="number 0.")
        await thread.send("number 0.")
        await model.wait(waiting=True)
        accepted: dict[str, Json] = {}

        async def send(number: int) -> None:
            text = f"number {number}."
            accepted[text] = await thread.accept(text)

        async with anyio.create_task_group() as group:
            for number in range(1, 101):
                group.start_soon(send, number)
        assert {answer["status"] for answer in accepted.values()} == {"QUEUED"}
        before = await thread.events()

        with pytest.raises(RefusedError) as refused:
            await thread.accept("one too many", clientMessageId="again")
        assert (refused.value.status, refused.value.code) == (429, "QUOTA_EXCEEDED")
        assert (refused.value.reason, refused.value.is_terminal) == ("thread.queue_full", False)
        assert refused.value.error["details"]["outcome"] == "NOT_STARTED"
        assert await thread.events() == before

        await model.release("hold")
        await thread.happened("run.completed")
        last = await thread.accept("one too many", clientMessageId="again")
        await thread.settled(last["runId"], 100)

        events = await thread.events()
        asked = [e["message"]["content"] for e in events if e["type"] == "message.created"]
        assert sorted(asked) == sorted(["number 0.", *accepted, "one too many"])
        answers = [e["message"]["content"] for e in events if e["type"] == "message.completed"]
        assert answers == ["begun", *(f"You said: {text}" for text in asked[1:])]
        assert len(await model.calls()) == 102
        listed = (await thread.call("list-runs", pageSize=200))["runs"]
        assert [run["status"] for run in listed] == ["COMPLETED"] * 102


async def test_a_repeated_client_message_id_answers_the_same_run(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create()
    first = await thread.accept("once", clientMessageId="m-1")
    answers: list[Json] = []

    async def repeat() -> None:
        answers.append(await thread.accept("once", clientMessageId="m-1"))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(repeat)
    await thread.settled(first["runId"])
    answers.append(await thread.accept("once", clientMessageId="m-1"))
    identities = {(answer["runId"], answer["messageId"]) for answer in answers}
    assert identities == {(first["runId"], first["messageId"])}
    assert answers[-1]["status"] == "COMPLETED"
    assert len(await calls_about(model, "once")) == 1
    assert await thread.said() == [("user", "once"), ("assistant", "You said: once")]
    sent = (await thread.state())["messages"][0]
    assert sent["clientMessageId"] == "m-1"


async def test_a_client_message_id_is_not_used_for_two_messages(alice: User) -> None:
    thread = await alice.create()
    await thread.ask("once", clientMessageId="m-1")
    with pytest.raises(RefusedError) as refused:
        await thread.accept("something else", clientMessageId="m-1")
    assert (refused.value.status, refused.value.reason) == (409, "message.id_reused")
    assert len(await thread.said()) == 2
    other = await alice.create()
    assert (await other.ask("something else", clientMessageId="m-1"))["status"] == "COMPLETED"
