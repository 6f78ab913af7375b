"""Renaming, archiving and removing threads of the list."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.conversation_manager import contract
from actors.conversation_manager.contract import (
    ListRequest,
    RegisterRequest,
    RemoveRequest,
    Thread,
    TouchRequest,
    UpdateRequest,
)
from actors.conversation_manager.handlers import ConversationManager
from actors.conversation_manager.state import SHELF_SIZE, Head
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

USER = "acme/alice"


class Threads:
    """A user's list, spoken to as gateway and threads do."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        platform.serve(contract.component, ConversationManager())

    async def register(self, *keys: str) -> None:
        for key in keys:
            thread = Thread(conversation_key=key, name=key, created_at=self.platform.time)
            request = RegisterRequest(thread=thread)
            await self.platform.call(contract.register, request, key=USER)

    async def touch(self, key: str) -> None:
        request = TouchRequest(conversation_key=key, at=self.platform.time)
        await self.platform.call(contract.touch, request, key=USER)

    async def update(self, key: str, revision: int, name: str, *, archived: bool = False) -> None:
        thread = Thread(conversation_key=key, name=name, archived=archived)
        request = UpdateRequest(thread=thread, revision=revision)
        await self.platform.call(contract.update, request, key=USER)

    async def archive(self, key: str, revision: int = 1) -> None:
        await self.update(key, revision, key, archived=True)

    async def remove(self, key: str) -> None:
        await self.platform.call(contract.remove, RemoveRequest(conversation_key=key), key=USER)

    async def listed(self, *, archived: bool = False, size: int = 200) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            request = ListRequest(page_size=size, page_token=token, archived=archived)
            page = await self.platform.call(contract.list_threads, request, key=USER)
            assert all(thread.archived == archived for thread in page.threads)
            found += [thread.conversation_key for thread in page.threads]
            token = page.next_page_token
            if not token:
                return found


async def test_a_renamed_thread_keeps_its_place() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one", "two", "three")
        await threads.update("two", 1, "second")
        request = ListRequest()
        shown = (await platform.call(contract.list_threads, request, key=USER)).threads
        assert [(t.conversation_key, t.name) for t in shown] == [
            ("three", "three"), ("two", "second"), ("one", "one"),
        ]  # fmt: skip
        await threads.touch("two")
        shown = (await platform.call(contract.list_threads, request, key=USER)).threads
        assert shown[0].name == "second"


async def test_archived_threads_are_listed_apart_and_come_back() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one", "two", "three")
        await threads.archive("one")
        await threads.archive("three")
        assert await threads.listed() == ["two"]
        assert await threads.listed(archived=True) == ["three", "one"]
        await threads.touch("one")
        assert await threads.listed(archived=True) == ["one", "three"]
        await threads.update("one", 2, "one")
        assert await threads.listed() == ["one", "two"]
        assert await threads.listed(archived=True) == ["three"]


async def test_an_update_that_comes_late_changes_nothing() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one")
        await threads.archive("one", revision=2)
        await threads.update("one", 1, "older")
        assert await threads.listed(archived=True) == ["one"]


async def test_a_removed_thread_is_gone_and_may_be_listed_anew() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one", "two")
        for _ in range(2):
            await threads.remove("one")
        await threads.touch("one")
        await threads.update("one", 9, "one")
        assert await threads.listed() == ["two"]
        assert Head.from_json(platform.state(contract.component, USER)["head"]).threads == 1
        await threads.register("one")
        assert await threads.listed() == ["one", "two"]


async def test_thousands_of_archived_threads_cost_the_others_nothing() -> None:
    costs: list[int] = []
    for count in (2, 3 * SHELF_SIZE):
        async with FakePlatform() as platform:
            threads = Threads(platform)
            await threads.register(*(f"t{number}" for number in range(count)), "kept")
            for number in range(count):
                await threads.archive(f"t{number}")
            before = platform.stored
            assert await threads.listed() == ["kept"]
            costs.append(platform.stored - before)
    assert costs[1] <= costs[0] + 2


@given(
    st.lists(st.tuples(st.sampled_from("atur"), st.integers(0, 60)), max_size=120),
    st.integers(1, 30),
)
@settings(max_examples=15, deadline=None)
def test_whatever_is_done_each_thread_stands_once_in_its_row(
    moves: list[tuple[str, int]], size: int
) -> None:
    """Archived, touched, unarchived, removed: both rows are in the order of last moves."""

    async def play() -> None:
        async with FakePlatform() as platform:
            threads = Threads(platform)
            keys = [f"t{number}" for number in range(61)]
            await threads.register(*keys)
            rows: dict[bool, list[str]] = {False: keys[::-1], True: []}
            for revision, (move, number) in enumerate(moves, start=1):
                key = f"t{number}"
                at = next((row for row, standing in rows.items() if key in standing), None)
                if at is None:
                    continue
                if move == "t":
                    await threads.touch(key)
                    rows[at].remove(key)
                    rows[at].insert(0, key)
                elif move == "r":
                    await threads.remove(key)
                    rows[at].remove(key)
                else:
                    to = move == "a"
                    await threads.update(key, revision, key, archived=to)
                    if to is not at:
                        rows[at].remove(key)
                        rows[to].insert(0, key)
            for archived, expected in rows.items():
                assert await threads.listed(archived=archived, size=size) == expected

    asyncio.run(play())


async def test_filing_survives_a_crash_at_every_moment() -> None:
    async def story(platform: FakePlatform) -> object:
        threads = Threads(platform)
        await threads.register("one", "two")
        await threads.archive("one")
        await threads.update("two", 1, "second")
        await threads.remove("two")
        return [await threads.listed(), await threads.listed(archived=True)]

    assert await survives_every_crash(story) > 15
