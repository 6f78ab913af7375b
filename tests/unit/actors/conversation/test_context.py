"""What a run's model sees of its thread."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conversation import contract
from actors.conversation.contract.entry import Role
from actors.conversation.contract.thread import Settings
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import SPILL_BYTES, Head
from tests.support.conversations import Conversation
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio


async def context(thread: Conversation, run_id: str) -> list[str]:
    """The contents that a run is given, oldest first."""
    handed_over = dict(thread.platform.sent(generation.run))[run_id]
    work = handed_over.work or (await thread.begin(run_id)).work
    assert work is not None
    return [message.content for message in work.context]


async def test_the_system_prompt_comes_first_then_the_thread_in_order() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open(settings=Settings(system_prompt="be brief"))
        first = await thread.send("one")
        await thread.finish(first.run_id, "answer one")
        second = await thread.send("two")
        assert await context(thread, first.run_id) == ["be brief", "one"]
        assert await context(thread, second.run_id) == ["be brief", "one", "answer one", "two"]
        work = dict(platform.sent(generation.run))[second.run_id].work
        assert work is not None
        roles = [message.role for message in work.context]
        assert roles == [Role.system, Role.user, Role.assistant, Role.user]


async def test_only_the_newest_messages_are_seen_and_the_thread_decides_how_many() -> None:
    async with FakePlatform() as platform:
        four = ConversationSettings(keep_last=4)
        thread = Conversation(platform, settings=four)
        own = Conversation(platform, key="acme/alice/own", settings=four)
        await thread.open()
        await own.open(settings=Settings(keep_last=1, system_prompt="always"))
        for number in range(5):
            sent = await thread.send(f"{number}")
            await thread.finish(sent.run_id, f"a{number}")
        sent = await thread.send("now")
        assert await context(thread, sent.run_id) == ["a3", "4", "a4", "now"]
        sent = await own.send("before")
        await own.finish(sent.run_id, "and its answer")
        sent = await own.send("after")
        assert await context(own, sent.run_id) == ["always", "after"]


async def test_a_queued_message_sees_the_answers_before_it_and_no_message_after_it() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        runs = [await thread.send(f"q{number}") for number in range(3)]
        seen: list[list[str]] = []
        for number, run in enumerate(runs):
            seen.append(await context(thread, run.run_id))
            await thread.finish(run.run_id, f"a{number}")
        assert seen == [
            ["q0"],
            ["q0", "a0", "q1"],
            ["q0", "a0", "q1", "a1", "q2"],
        ]


@given(batches=st.lists(st.integers(1, 8), min_size=1, max_size=3), keep_last=st.integers(1, 6))
@settings(max_examples=10, deadline=None)
def test_every_run_sees_its_own_question_last(batches: list[int], keep_last: int) -> None:
    """However many messages were queued before it, and however few it may see."""

    async def play() -> None:
        async with FakePlatform() as platform:
            thread = Conversation(platform, settings=ConversationSettings(keep_last=keep_last))
            await thread.open()
            everything: list[str] = []
            for batch, size in enumerate(batches):
                runs = [await thread.send(f"q{batch}.{n}") for n in range(size)]
                for number, run in enumerate(runs):
                    everything.append(f"q{batch}.{number}")
                    assert await context(thread, run.run_id) == everything[-keep_last:]
                    everything.append(f"a{batch}.{number}")
                    await thread.finish(run.run_id, everything[-1])

    asyncio.run(play())


async def test_a_cancelled_question_stays_part_of_the_thread() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        first, second, third = [await thread.send(f"q{n}") for n in range(3)]
        await thread.cancel(second.run_id)
        await thread.finish(first.run_id, "a0")
        assert await context(thread, third.run_id) == ["q0", "a0", "q1", "q2"]


async def test_large_contents_reach_the_model_whole_and_the_head_stays_small() -> None:
    """Every append rewrites the head, so what was spilled must not find its way back into it."""
    large = "é" * SPILL_BYTES
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        for _ in range(3):
            sent = await thread.send(large)
            await thread.finish(sent.run_id, large)
        sent = await thread.send("and now?")
        assert await context(thread, sent.run_id) == [large] * 6 + ["and now?"]
        stored = platform.state(contract.component, thread.key)
        assert len(stored["head"]) < 2 * SPILL_BYTES
        assert Head.from_json(stored["head"]).last_sequence == 14
        assert [m.content for m in (await thread.state()).messages] == [large] * 6 + ["and now?"]
