"""Messages, the queue, and what clients do with runs."""

from datetime import timedelta

import pytest

from actors.conversation import contract
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import GenerationConfig, ThreadStatus
from actors.conversation.settings import ConversationSettings
from actors.conversation_manager import contract as manager
from errors import Code, RpcError
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio


async def test_a_message_starts_a_run_with_its_work() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(config=GenerationConfig(model="of the thread", top_p=0.5))
        answer = await thread.send("hello", config=GenerationConfig(temperature=0))
        assert answer.status is RunStatus.RUNNING
        [(key, request)] = platform.sent(generation.run)
        assert key == answer.run_id
        assert request.conversation == thread.key
        assert request.work is not None
        assert [m.content for m in request.work.context] == ["hello"]
        assert request.work.generation_config == GenerationConfig(
            model="of the thread", top_p=0.5, temperature=0
        )
        assert thread.places.asked == [answer.run_id]
        assert await thread.told() == ["message.created", "run.started"]


async def test_a_run_without_a_place_is_running_but_not_started() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, free=False)
        await thread.open()
        answer = await thread.send()
        [(_, request)] = platform.sent(generation.run)
        run = await thread.run(answer.run_id)
        assert request.work is None
        assert (run.status, run.started_at) == (RunStatus.RUNNING, None)
        assert await thread.told() == ["message.created"]
        assert (await thread.state()).status is ThreadStatus.RUNNING

        begun = await thread.begin(answer.run_id)
        assert begun.work is not None
        assert [m.content for m in begun.work.context] == ["hello"]
        assert (await thread.run(answer.run_id)).started_at == platform.time
        assert await thread.told() == ["message.created", "run.started"]


async def test_messages_wait_behind_the_active_run_and_are_answered_in_order() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        runs = [await thread.send(str(number)) for number in range(4)]
        statuses = [run.status for run in runs]
        assert statuses == [RunStatus.RUNNING, *[RunStatus.QUEUED] * 3]
        state = await thread.state()
        assert state.active_run_id == runs[0].run_id
        assert state.queued_run_ids == [run.run_id for run in runs[1:]]

        for run in runs:
            assert (await thread.state()).active_run_id == run.run_id
            await thread.begin(run.run_id)
            await thread.finish(run.run_id)
        assert [key for key, _ in platform.sent(generation.run)] == [run.run_id for run in runs]
        assert (await thread.state()).status is ThreadStatus.IDLE


async def test_a_full_queue_refuses_and_changes_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, settings=ConversationSettings(queue_limit=2))
        await thread.open()
        first = await thread.send()
        for _ in range(2):
            await thread.send()
        before = dict(platform.state(contract.component, thread.key))
        with pytest.raises(RpcError) as refused:
            await thread.send()
        assert refused.value.code is Code.QUOTA_EXCEEDED
        assert refused.value.reason == contract.QUEUE_FULL.word
        assert not refused.value.is_terminal
        assert platform.state(contract.component, thread.key) == before
        await thread.finish(first.run_id)
        assert (await thread.send()).status is RunStatus.QUEUED


async def test_a_repeated_client_message_id_answers_the_run_it_started() -> None:
    """While it waits, while it runs, and after it has ended."""
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        active = await thread.send("one", "id 1")
        queued = await thread.send("two", "id 2")
        assert await thread.send("one", "id 1") == active
        assert await thread.send("two", "id 2") == queued
        await thread.finish(active.run_id)
        again = await thread.send("one", "id 1")
        assert (again.run_id, again.status) == (active.run_id, RunStatus.COMPLETED)
        assert len((await thread.state()).messages) == 3
        assert len(platform.sent(generation.run)) == 2


async def test_a_client_message_id_is_not_used_for_other_content() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        await thread.send("one", "id")
        for text, config in (("two", None), ("one", GenerationConfig(temperature=1))):
            with pytest.raises(RpcError) as refused:
                await thread.send(text, "id", config)
            assert refused.value.code is Code.ALREADY_EXISTS
            assert refused.value.reason == contract.MESSAGE_ID_REUSED.word
        assert len((await thread.state()).messages) == 1


async def test_a_message_for_an_unknown_model_is_refused_and_takes_no_place() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, models=["openai/gpt-4o-mini"])
        await thread.open()
        with pytest.raises(RpcError) as refused:
            await thread.send(config=GenerationConfig(model="unknown"))
        assert refused.value.code is Code.MODEL_INVALID
        assert thread.places.asked == []
        assert await thread.told() == []
        assert platform.history == []


async def test_an_active_run_is_cancelled_by_its_workflow() -> None:
    """The client hears that it is on its way; a repeat sends no second stop."""
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        for _ in range(2):
            run = await thread.cancel(sent.run_id)
            assert run.cancel_requested
            assert run.status is RunStatus.RUNNING
        assert [key for key, _ in platform.sent(generation.stop)] == [sent.run_id]

        await thread.finish(sent.run_id, "half an ans", RunStatus.CANCELLED)
        run = await thread.run(sent.run_id)
        assert (run.status, run.cancel_requested) == (RunStatus.CANCELLED, True)
        answer = (await thread.state()).messages[-1]
        assert (answer.content, answer.partial) == ("half an ans", True)
        assert (await thread.told())[-2:] == ["message.completed", "run.cancelled"]


async def test_a_cancel_that_the_workflow_does_not_answer_is_settled_here() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, second = await thread.send(), await thread.send()
        await thread.cancel(first.run_id)
        await platform.advance(thread.settings.cancel_grace_seconds)
        assert (await thread.run(first.run_id)).status is RunStatus.CANCELLED
        assert (await thread.state()).active_run_id == second.run_id


async def test_a_late_watchdog_of_a_cancel_leaves_the_next_run_alone() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, second = await thread.send(), await thread.send()
        await thread.cancel(first.run_id)
        await thread.finish(first.run_id, "", RunStatus.CANCELLED)
        await platform.advance(thread.settings.cancel_grace_seconds)
        state = await thread.state()
        assert (state.active_run_id, state.queued_run_ids) == (second.run_id, [])
        assert (await thread.run(second.run_id)).status is RunStatus.RUNNING


async def test_a_queued_run_is_cancelled_at_once_and_never_started() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, second, third = [await thread.send(str(n)) for n in range(3)]
        run = await thread.cancel(second.run_id)
        assert run.status is RunStatus.CANCELLED
        assert run.finished_at == platform.time
        assert (await thread.state()).queued_run_ids == [third.run_id]
        await thread.finish(first.run_id)
        assert [k for k, _ in platform.sent(generation.run)] == [first.run_id, third.run_id]
        assert platform.sent(generation.stop) == []
        assert "run.cancelled" in await thread.told()


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED])
async def test_a_settled_run_stays_as_it_is_when_it_is_cancelled(status: RunStatus) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        await thread.finish(sent.run_id, status=status)
        before = dict(platform.state(contract.component, thread.key))
        run = await thread.cancel(sent.run_id)
        assert run.status is status
        assert platform.state(contract.component, thread.key) == before


async def test_a_run_that_was_cancelled_before_its_workflow_began_never_starts() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, free=False)
        await thread.open()
        sent = await thread.send()
        await thread.cancel(sent.run_id)
        assert (await thread.begin(sent.run_id)).work is None
        assert (await thread.run(sent.run_id)).status is RunStatus.CANCELLED
        assert await thread.told() == ["message.created", "run.cancelled"]


async def test_a_run_of_another_thread_is_not_found() -> None:
    async with FakePlatform() as platform:
        mine, other = Conversation(platform), Conversation(platform, key="acme/bob/x")
        await mine.open()
        await other.open()
        sent = await mine.send()
        for call in (other.run(sent.run_id), other.cancel(sent.run_id)):
            with pytest.raises(RpcError) as refused:
                await call
            assert refused.value.reason == contract.RUN_NOT_FOUND.word


async def test_the_list_of_threads_hears_of_activity_without_being_flooded() -> None:
    """At once after a pause, then once for all messages of the next two seconds."""
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        start = platform.time
        for _ in range(5):
            await thread.send()
        touches = platform.sent(manager.touch)
        assert {key for key, _ in touches} == {"acme/alice"}
        assert [touch.at - start for _, touch in touches] == [timedelta(0), timedelta(seconds=2)]
        assert {touch.conversation_key for _, touch in touches} == {"a thread"}
        platform.now += 10
        await thread.send()
        assert platform.sent(manager.touch)[-1][1].at == platform.time


async def test_readers_hear_of_every_event_and_not_again_on_replay() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        await thread.finish(sent.run_id)
        assert thread.heard.hints == [(thread.key, 2), (thread.key, 4)]


async def test_sending_and_cancelling_survive_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        await thread.open()
        runs = [await thread.send(str(n) * 2000, f"id {n}") for n in range(3)]
        repeated = await thread.send("1" * 2000, "id 1")
        cancelled = [await thread.cancel(run.run_id) for run in runs[:2]]
        await thread.finish(runs[0].run_id, "half", RunStatus.CANCELLED)
        return [runs, repeated, cancelled, await thread.state(), await thread.events()]

    assert await survives_every_crash(story) > 50
