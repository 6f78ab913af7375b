"""Deleting a thread, as its actor sees it: closed to all, then gone."""

import pytest

from actors.conversation import contract
from actors.conversation.contract.ending import CloseRequest, CloseResponse, EraseRequest
from actors.conversation.contract.run import RunStatus
from actors.conversation.state import SPILL_BYTES
from errors import Code, RpcError
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform
from workflows.generation import contract as generation

pytestmark = pytest.mark.anyio


async def close(thread: Conversation) -> CloseResponse:
    """Let nobody in any more."""
    return await thread.platform.call(contract.close, CloseRequest(), key=thread.key)


async def test_closing_stops_the_active_run_and_tells_what_waited() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        runs = [(await thread.send(text)).run_id for text in ("one", "two", "three")]
        for _ in range(2):
            assert (await close(thread)).stopped_run_ids == runs
        assert [key for key, _ in platform.sent(generation.stop)] == runs[:1]


async def test_a_closed_thread_is_there_for_nobody() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        sent = await thread.send()
        await close(thread)
        before = dict(platform.state(contract.component, thread.key))
        for call in (
            thread.send(),
            thread.state(),
            thread.events(),
            thread.messages(10),
            thread.run(sent.run_id),
            thread.cancel(sent.run_id),
            thread.regenerate(sent.message_id),
            thread.choose("main"),
            thread.branches(),
            thread.finish(sent.run_id, "late", RunStatus.CANCELLED),
            thread.begin(sent.run_id),
            thread.check(),
        ):
            with pytest.raises(RpcError) as refused:
                await call
            assert refused.value.reason == contract.THREAD_NOT_FOUND.word
        assert platform.state(contract.component, thread.key) == before


async def test_a_thread_is_not_made_anew_while_it_is_being_deleted() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open("one")
        await close(thread)
        with pytest.raises(RpcError) as refused:
            await thread.open("one")
        assert refused.value.code is Code.ABORTED
        assert refused.value.reason == contract.THREAD_DELETING.word


async def test_nothing_is_left_of_an_erased_thread_and_its_key_is_free() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open("one")
        sent = await thread.send("é" * SPILL_BYTES, "id")
        await thread.finish(sent.run_id, "answer")
        again = await thread.regenerate(sent.message_id)
        await close(thread)
        erased = await platform.call(contract.erase, EraseRequest(), key=thread.key)
        assert (erased.messages, erased.runs, erased.events) == (2, 2, 6)
        assert again.run_id
        assert platform.state(contract.component, thread.key) == {}
        for call in (close(thread), thread.state()):
            with pytest.raises(RpcError) as refused:
                await call
            assert refused.value.reason == contract.THREAD_NOT_FOUND.word
        await thread.open("another")
        assert (await thread.send("new", "id")).status is RunStatus.RUNNING


async def test_an_open_thread_is_not_erased() -> None:
    async with FakePlatform() as platform:
        thread = Conversation(platform)
        await thread.open()
        with pytest.raises(RpcError):
            await platform.call(contract.erase, EraseRequest(), key=thread.key)
        assert (await thread.state()).conversation_key == "a thread"


async def test_deleting_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        thread = Conversation(platform)
        await thread.open()
        await thread.send("one")
        closed = await close(thread)
        return [closed, await platform.call(contract.erase, EraseRequest(), key=thread.key)]

    assert await survives_every_crash(story) > 8
