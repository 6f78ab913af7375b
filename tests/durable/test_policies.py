"""Messages that end the run before them, with the real server and a model in mid-answer."""

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import (
    Conversation,
    Json,
    RefusedError,
    User,
    calls_about,
    types_of,
)

pytestmark = pytest.mark.anyio


async def answering(model: OpenRouterControl, alice: User, **settings: str) -> Conversation:
    """A thread whose first message is being answered: the model has said "half" and waits."""
    thread = await alice.create(settings=settings)
    script = Answer(text="half of it", gate="hold", hold_after=1)
    await model.script(script, contains="first")
    await thread.send("first")
    await model.wait(waiting=True)
    return thread


async def test_a_busy_thread_that_rejects_says_so_and_takes_the_message_later(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await answering(model, alice, interruptPolicy="REJECT")
    with pytest.raises(RefusedError) as refused:
        await thread.send("second")
    assert (refused.value.status, refused.value.code) == (409, "ABORTED")
    assert (refused.value.reason, refused.value.is_terminal) == ("thread.busy", False)
    assert refused.value.error["details"]["outcome"] == "NOT_STARTED"
    await model.release("hold")
    await thread.happened("run.completed")
    assert (await thread.ask("second"))["status"] == "COMPLETED"


@pytest.mark.live_only
async def test_an_interrupting_message_stops_the_answer_and_is_answered_next(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await answering(model, alice)
    second = await thread.accept("second", interruptPolicy="INTERRUPT")
    assert second["status"] == "QUEUED"
    assert (await thread.settled(second["runId"]))["status"] == "COMPLETED"
    events = await thread.events()
    assert types_of(events) == [
        "message.created", "run.started", "message.created",
        "message.completed", "run.cancelled",
        "run.started", "message.completed", "run.completed",
    ]  # fmt: skip
    partial = events[3]["message"]
    assert partial["partial"]
    (call,) = await calls_about(model, "second")
    assert [m["content"] for m in call.messages] == ["first", partial["content"], "second"]


@pytest.mark.live_only
async def test_what_is_rolled_back_is_not_shown_to_the_model_or_in_the_thread(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await answering(model, alice, interruptPolicy="ROLLBACK")
    second = await thread.accept("second")
    await thread.settled(second["runId"])
    (call,) = await calls_about(model, "second")
    assert [m["content"] for m in call.messages] == ["second"]
    assert await thread.said() == [("user", "second"), ("assistant", "You said: second")]
    events = await thread.events()
    assert types_of(events).count("message.rolled_back") == 2
    assert (await thread.run(events[0]["runId"]))["rolledBack"]


@pytest.mark.live_only
async def test_three_at_once_that_interrupt_leave_one_answer(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await answering(model, alice, interruptPolicy="INTERRUPT")
    runs = [await thread.send(text) for text in ("second", "third", "fourth")]
    ended = [(await thread.settled(run))["status"] for run in runs]
    assert ended[-1] == "COMPLETED"
    (call,) = await calls_about(model, "fourth")
    asked = [m["content"] for m in call.messages if m["role"] == "user"]
    assert asked == ["first", "second", "third", "fourth"]


async def test_settings_and_config_change_field_by_field(
    model: OpenRouterControl, alice: User
) -> None:
    thread = await alice.create(
        settings={"systemPrompt": "be brief"}, generationConfig={"temperature": 0.3}
    )
    settings = await thread.call("update-settings", settings={"interruptPolicy": "REJECT"})
    assert settings["settings"] == {"systemPrompt": "be brief", "interruptPolicy": "REJECT"}
    changed = await thread.call(
        "update-generation-config", generationConfig={"topP": 0.5}, clear=["temperature"]
    )
    assert changed["generationConfig"]["topP"] == 0.5
    assert "temperature" not in changed["generationConfig"]
    await thread.ask("hello")
    (call,) = await calls_about(model, "hello")
    assert (call.body.get("top_p"), call.body.get("temperature")) == (0.5, None)


@pytest.mark.live_only
@pytest.mark.parametrize("policy", ["QUEUE", "REJECT", "INTERRUPT", "ROLLBACK"])
async def test_two_messages_at_once_end_as_their_policy_says(
    model: OpenRouterControl, alice: User, policy: str
) -> None:
    """Sent in the same moment: one is first, the other finds it at work."""
    thread = await alice.create(settings={"interruptPolicy": policy})
    await model.script(
        *[Answer(text="an answer", token_delay_ms=100, first_token_delay_ms=200)] * 2
    )
    accepted: list[Json] = []
    refused: list[str] = []

    async def send(text: str) -> None:
        try:
            accepted.append(await thread.accept(text))
        except RefusedError as error:
            refused.append(error.reason)

    async with anyio.create_task_group() as group:
        for text in ("one", "two"):
            group.start_soon(send, text)
    runs = [await thread.settled(answer["runId"]) for answer in accepted]
    first_ends = {"QUEUE": "COMPLETED", "INTERRUPT": "CANCELLED", "ROLLBACK": "CANCELLED"}
    if policy == "REJECT":
        assert refused == ["thread.busy"]
        assert [run["status"] for run in runs] == ["COMPLETED"]
    else:
        assert refused == []
        by_order = {answer["status"]: answer["runId"] for answer in accepted}
        ends = {run["runId"]: run["status"] for run in runs}
        assert ends[by_order["RUNNING"]] == first_ends[policy]
        assert ends[by_order["QUEUED"]] == "COMPLETED"
    shown = {"QUEUE": 2, "REJECT": 1, "INTERRUPT": 2, "ROLLBACK": 1}[policy]
    said = [message for message in await thread.said() if message[0] == "user"]
    assert len(said) == shown
