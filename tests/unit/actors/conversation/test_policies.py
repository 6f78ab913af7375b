"""What a message does to the runs before it, by its interrupt policy."""

from itertools import pairwise

import pytest

from actors.conversation import contract
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import InterruptPolicy, Settings
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import PAGE_SIZE
from errors import Code, RpcError
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio

QUEUE, REJECT = InterruptPolicy.QUEUE, InterruptPolicy.REJECT
INTERRUPT, ROLLBACK = InterruptPolicy.INTERRUPT, InterruptPolicy.ROLLBACK
CANCELLED = RunStatus.CANCELLED


async def test_a_message_that_may_not_wait_is_refused_and_changes_nothing() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(interrupt_policy=REJECT))
        first = await thread.send("one")
        before = dict(platform.state(contract.component, thread.key))
        with pytest.raises(RpcError) as refused:
            await thread.send("two")
        assert (refused.value.code, refused.value.reason) == (
            Code.ABORTED, contract.THREAD_BUSY.word,
        )  # fmt: skip
        assert platform.state(contract.component, thread.key) == before
        await thread.finish(first.run_id)
        assert (await thread.send("two")).status is RunStatus.RUNNING


async def test_a_messages_own_policy_counts_more_than_the_threads() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(interrupt_policy=REJECT))
        await thread.send("one")
        assert (await thread.send("two", policy=QUEUE)).status is RunStatus.QUEUED
        await thread.update_settings(Settings(interrupt_policy=QUEUE))
        with pytest.raises(RpcError) as refused:
            await thread.send("three", policy=REJECT)
        assert refused.value.reason == contract.THREAD_BUSY.word
        assert (await thread.send("three")).status is RunStatus.QUEUED


async def test_an_interrupted_answer_is_kept_and_the_model_sees_it() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first = await thread.send("one")
        second = await thread.send("two", policy=INTERRUPT)
        assert second.status is RunStatus.QUEUED
        assert [key for key, _ in platform.sent(generation.stop)] == [first.run_id]
        assert (await thread.run(first.run_id)).cancel_requested
        await thread.finish(first.run_id, "half", CANCELLED)
        assert await thread.asked(second.run_id) == ["one", "half", "two"]
        assert not (await thread.run(first.run_id)).rolled_back
        await thread.finish(second.run_id, "whole")
        assert await thread.said() == ["one", "two", "half", "whole"]


async def test_what_is_rolled_back_leaves_the_thread_and_its_events_stay() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        before = await thread.send("before")
        await thread.finish(before.run_id, "answer")
        first = await thread.send("one")
        second = await thread.send("two", policy=ROLLBACK)
        await thread.finish(first.run_id, "half", CANCELLED)
        assert await thread.asked(second.run_id) == ["before", "answer", "two"]
        assert await thread.said() == ["before", "answer", "two"]
        assert (await thread.run(first.run_id)).rolled_back
        events = await thread.events()
        rolled = [e.message_id for e in events if e.type == "message.rolled_back"]
        half = next(e for e in events if e.message and e.message.content == "half")
        assert rolled == [first.message_id, half.message_id]
        assert (await thread.told())[-4:] == [
            "run.cancelled", "message.rolled_back", "message.rolled_back", "run.started",
        ]  # fmt: skip


async def test_only_the_messages_of_the_run_are_rolled_back_wherever_they_stand() -> None:
    """Its question pages ago, behind others that waited; its answer at the end."""
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        runs = [await thread.send(f"q{number}") for number in range(PAGE_SIZE * 2)]
        for number, (run, following) in enumerate(pairwise(runs)):
            await thread.finish(run.run_id, f"a{number}")
            await thread.begin(following.run_id)
        await thread.send("instead", policy=ROLLBACK)
        await thread.finish(runs[-1].run_id, "half", CANCELLED)
        said = await thread.said()
        assert sorted(said) == sorted(
            [f"{kind}{n}" for n in range(PAGE_SIZE * 2 - 1) for kind in "qa"] + ["instead"]
        )


async def test_messages_that_came_to_wait_keep_their_place() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, second, third = [await thread.send(text) for text in ("one", "two", "three")]
        now = await thread.send("now", policy=INTERRUPT)
        assert (await thread.state()).queued_run_ids == [second.run_id, third.run_id, now.run_id]
        await thread.finish(first.run_id, "half", CANCELLED)
        assert (await thread.state()).active_run_id == second.run_id


@pytest.mark.parametrize("stopped_first", [True, False])
async def test_the_last_interrupting_message_is_answered_however_long_the_stop_takes(
    stopped_first: bool,
) -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(interrupt_policy=INTERRUPT))
        first, second = await thread.send("one"), await thread.send("two")
        if stopped_first:
            await thread.finish(first.run_id, "", CANCELLED)
        third = await thread.send("three")
        await thread.finish(second.run_id if stopped_first else first.run_id, "", CANCELLED)
        assert (await thread.state()).active_run_id == third.run_id
        assert (await thread.run(second.run_id)).status is CANCELLED
        assert await thread.asked(third.run_id) == ["one", "two", "three"]


async def test_a_rollback_takes_with_it_what_waited_to_roll_back() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(interrupt_policy=ROLLBACK))
        first = await thread.send("one")
        await thread.send("two")
        third = await thread.send("three")
        await thread.finish(first.run_id, "half", CANCELLED)
        assert await thread.asked(third.run_id) == ["three"]
        assert await thread.said() == ["three"]


async def test_a_rollback_holds_when_the_run_was_already_being_stopped() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first = await thread.send("one")
        await thread.cancel(first.run_id)
        await thread.send("two", policy=ROLLBACK)
        assert len(platform.sent(generation.stop)) == 1
        await thread.finish(first.run_id, "half", CANCELLED)
        assert await thread.said() == ["two"]


async def test_an_answer_that_was_whole_before_the_stop_is_rolled_back_too() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first = await thread.send("one")
        await thread.send("two", policy=ROLLBACK)
        await thread.finish(first.run_id, "whole")
        assert (await thread.run(first.run_id)).status is RunStatus.COMPLETED
        assert await thread.said() == ["two"]


async def test_an_interrupting_message_is_refused_by_a_queue_full_of_others() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform, settings=ConversationSettings(queue_limit=2))
        await thread.open()
        await thread.send()
        await thread.send()
        await thread.send(policy=INTERRUPT)
        await thread.send(policy=INTERRUPT)
        assert len((await thread.state()).queued_run_ids) == 2
        with pytest.raises(RpcError) as refused:
            await thread.send(policy=QUEUE)
        assert refused.value.reason == contract.QUEUE_FULL.word


async def test_policies_survive_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        await thread.open()
        runs = [await thread.send(str(n) * 2000) for n in range(2)]
        runs += [await thread.send("three", policy=ROLLBACK) for _ in range(2)]
        await thread.finish(runs[0].run_id, "half", CANCELLED)
        return [runs, await thread.state(), await thread.events()]

    assert await survives_every_crash(story) > 30
