"""Copying a thread page by page: what the copy holds, and that each page comes in once."""

import pytest

from actors.conversation import contract
from actors.conversation.contract.fork import (
    ExportRequest,
    ExportResponse,
    ImportRequest,
    ImportResponse,
)
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.thread import (
    ForkOrigin,
    InterruptPolicy,
    OpenRequest,
    OpenResponse,
    Settings,
)
from actors.conversation.state import SPILL_BYTES
from errors import Code, RpcError
from tests.support.conversations import Conversation
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

COPY = "acme/alice/copy"
ORIGIN = ForkOrigin(conversation_key="a thread")


class Copying:
    """A thread and its copy, with the gateway's part played by the test."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self.copy = Conversation(platform, key=COPY)
        self.thread = Conversation(platform)

    async def page(self, after: int = 0, limit: int = 2, message_id: str = "") -> ExportResponse:
        request = ExportRequest(message_id=message_id, after=after, limit=limit)
        return await self.platform.call(contract.export, request, key=self.thread.key)

    async def open(self, origin: ForkOrigin = ORIGIN, name: str = "") -> OpenResponse:
        page = await self.page()
        request = OpenRequest(
            name=name, settings=page.settings, metadata=page.metadata, fork=origin
        )
        return await self.platform.call(contract.open_thread, request, key=COPY)

    async def take(self, since: int, page: ExportResponse) -> ImportResponse:
        request = ImportRequest(since=since, page=page)
        return await self.platform.call(contract.import_page, request, key=COPY)

    async def run(self, message_id: str = "", limit: int = 2) -> None:
        opened = await self.open(ForkOrigin(conversation_key="a thread", message_id=message_id))
        since, copying = opened.copied, opened.copying
        while copying:
            taken = await self.take(since, await self.page(since, limit, message_id))
            since, copying = taken.after, not taken.done


async def talked(thread: Conversation, *texts: str) -> list[str]:
    """Ask these and answer each with the same in capitals; the ids of the questions."""
    ids: list[str] = []
    for text in texts:
        sent = await thread.send(text)
        await thread.finish(sent.run_id, text.upper())
        ids.append(sent.message_id)
    return ids


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_a_copy_has_the_same_messages_and_goes_its_own_way(limit: int) -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open("one", settings=Settings(system_prompt="be brief"))
        await talked(both.thread, "one", "two", "é" * SPILL_BYTES)
        await both.run(limit=limit)
        assert await both.copy.said() == await both.thread.said()
        before = (await both.thread.state()).messages
        after = (await both.copy.state()).messages
        assert [(m.message_id, m.created_at, m.role) for m in after] == [
            (m.message_id, m.created_at, m.role) for m in before
        ]
        assert (await both.copy.state()).settings == Settings(system_prompt="be brief")
        assert await both.copy.runs() == []
        sent = await both.copy.send("three")
        assert (await both.copy.asked(sent.run_id))[-3:] == [
            "é" * SPILL_BYTES, "É" * SPILL_BYTES, "three",
        ]  # fmt: skip
        assert "three" not in await both.thread.said()


async def test_a_copy_ends_with_the_message_that_was_named() -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        _, two, _ = await talked(both.thread, "one", "two", "three")
        await both.run(two)
        assert await both.copy.said() == ["one", "ONE", "two"]


async def test_a_copy_of_another_branch_has_that_branchs_messages() -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        one, two = await talked(both.thread, "one", "two")
        edited = await both.thread.edit(one, "1")
        await both.thread.finish(edited.run_id, "I")
        await both.run(two)
        assert await both.copy.said() == ["one", "ONE", "two"]


async def test_a_message_of_the_copy_is_answered_anew_there() -> None:
    """Its answers know their questions, although these waited and came in with other pages."""
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        runs = [await both.thread.send(text) for text in ("one", "two", "three")]
        for number, run in enumerate(runs):
            await both.thread.finish(run.run_id, f"answer {number}")
        await both.run(limit=1)
        answers = {m.content: m.message_id for m in (await both.copy.state()).messages}
        again = await both.copy.regenerate(answers["answer 1"])
        assert await both.copy.asked(again.run_id) == ["one", "answer 0", "two"]


async def test_what_was_rolled_back_is_not_copied() -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        first = await both.thread.send("one")
        second = await both.thread.send("two", policy=InterruptPolicy.ROLLBACK)
        await both.thread.finish(first.run_id, "half", RunStatus.CANCELLED)
        await both.thread.finish(second.run_id, "TWO")
        await both.run()
        assert await both.copy.said() == ["two", "TWO"]
        with pytest.raises(RpcError) as refused:
            await both.page(message_id=first.message_id)
        assert refused.value.reason == contract.MESSAGE_NOT_FOUND.word


async def test_a_copy_that_is_not_whole_is_there_for_nobody_and_a_repeat_finds_it() -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        await talked(both.thread, "one", "two", "three")
        assert (await both.open()).copying
        page = await both.page()
        taken = await both.take(0, page)
        for call in (both.copy.send(), both.copy.state(), both.copy.events()):
            with pytest.raises(RpcError) as refused:
                await call
            assert refused.value.reason == contract.THREAD_NOT_FOUND.word
        assert (await both.take(0, page)).after == taken.after
        await both.thread.update_settings(Settings(keep_last=7))
        opened = await both.open()
        assert (opened.copying, opened.copied) == (True, taken.after)
        await both.run()
        assert await both.copy.said() == await both.thread.said()
        assert not (await both.open()).copying
        assert (await both.take(0, page)).done
        assert await both.copy.said() == await both.thread.said()


@pytest.mark.parametrize("other", [ForkOrigin(conversation_key="b"), ORIGIN])
async def test_a_key_in_use_is_not_forked_onto(other: ForkOrigin) -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        await talked(both.thread, "one")
        if other is ORIGIN:
            await both.copy.open("another thread")
        else:
            await both.run()
        with pytest.raises(RpcError) as refused:
            await both.open(other)
        assert refused.value.code is Code.ALREADY_EXISTS


@pytest.mark.parametrize("named", ["msg_none", "x"])
async def test_a_fork_of_a_message_that_does_not_exist_is_refused(named: str) -> None:
    async with FakePlatform() as platform:
        both = Copying(platform)
        await both.thread.open()
        await talked(both.thread, "one")
        with pytest.raises(RpcError) as refused:
            await both.page(message_id=named)
        assert refused.value.code is Code.NOT_FOUND
        assert refused.value.reason == contract.MESSAGE_NOT_FOUND.word


async def test_copying_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        both = Copying(platform)
        await both.thread.open()
        await talked(both.thread, "one", "two")
        await both.run()
        return [await both.copy.state(), await both.copy.events()]

    assert await survives_every_crash(story) > 30
