"""The user's list of threads against a plain list, however often threads move."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from restate import ObjectContext

from actors.conversation_manager import contract
from actors.conversation_manager.contract import (
    ListRequest,
    ListResponse,
    RegisterRequest,
    Thread,
    TouchRequest,
)
from actors.conversation_manager.handlers import ConversationManager
from actors.conversation_manager.state import SHELF_SIZE, Head, Shelf
from chassis.paging import PAGE_TOKEN_INVALID
from errors import Code, RpcError
from tests.support.crashes import survives_every_crash
from tests.support.fake_effects import START
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

USER = "acme/alice"


class Threads:
    """A user's list, and the plain list that it is compared with: newest activity last."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self.expected: list[str] = []
        self._moments = 0
        self._manager = ConversationManager()
        platform.serve(contract.component, self._manager)

    @property
    def state(self) -> dict[str, bytes]:
        return self.platform.state(contract.component, USER)

    async def register(self, key: str, name: str = "") -> None:
        """As the gateway does."""
        request = RegisterRequest(thread=self._thread(key, name))
        await self.platform.call(contract.register, request, key=USER)

    async def touch(self, key: str) -> None:
        """As the thread does."""
        await self.platform.call(contract.touch, self._touch(key), key=USER)

    async def play(self, keys: list[str]) -> None:
        """Touch or register many threads, by the same handlers without a platform around them."""
        ctx = cast("ObjectContext", _Memory(self.state))
        for key in keys:
            if key in self.expected:
                await self._manager.touch(ctx, self._touch(key))
            else:
                await self._manager.register(ctx, RegisterRequest(thread=self._thread(key, "")))

    async def page(self, **asked: Any) -> ListResponse:
        """One page."""
        return await self.platform.call(contract.list_threads, ListRequest(**asked), key=USER)

    async def pages(self, size: int, query: str = "") -> list[list[str]]:
        """The keys of every page."""
        pages: list[list[str]] = []
        token = ""
        while True:
            page = await self.page(page_size=size, page_token=token, query=query)
            pages.append([thread.conversation_key for thread in page.threads])
            token = page.next_page_token
            if not token:
                return pages

    def _thread(self, key: str, name: str) -> Thread:
        if key not in self.expected:
            self.expected.append(key)
        return Thread(conversation_key=key, name=name, created_at=self._moment())

    def _touch(self, key: str) -> TouchRequest:
        if key in self.expected:
            self.expected.remove(key)
            self.expected.append(key)
        return TouchRequest(conversation_key=key, at=self._moment())

    def _moment(self) -> datetime:
        self._moments += 1
        return START + timedelta(seconds=self._moments)


class _Memory:
    """State and nothing else; handlers of this actor need no more."""

    def __init__(self, state: dict[str, bytes]) -> None:
        self._state = state

    async def get(self, name: str, **_: Any) -> bytes | None:
        return self._state.get(name)

    def set(self, name: str, value: bytes, **_: Any) -> None:
        self._state[name] = value

    def clear(self, name: str) -> None:
        self._state.pop(name, None)


def played(keys: list[str], check: Callable[[Threads], Awaitable[None]]) -> None:
    async def run() -> None:
        async with FakePlatform() as platform:
            threads = Threads(platform)
            await threads.play(keys)
            await check(threads)

    asyncio.run(run())


def shelves_of(state: dict[str, bytes]) -> list[tuple[int, Shelf]]:
    """Shelves from the newest on, as their links say; fails when a link is wrong."""
    head = Head.from_json(state["head"])
    found: list[tuple[int, Shelf]] = []
    number, newer = head.newest, 0
    while number:
        shelf = Shelf.from_json(state[f"shelf:{number}"])
        assert shelf.newer == newer
        found.append((number, shelf))
        number, newer = shelf.older, number
    return found


@given(
    keys=st.lists(st.integers(0, 150).map(str), max_size=250),
    size=st.integers(1, 120),
)
@settings(max_examples=8, deadline=None)
def test_pages_show_every_thread_once_newest_activity_first(keys: list[str], size: int) -> None:
    async def check(threads: Threads) -> None:
        pages = await threads.pages(size)
        assert [key for page in pages for key in page] == threads.expected[::-1]
        assert all(page for page in pages[:-1])

    played(keys, check)


def test_thousands_of_touches_leave_the_order_and_no_litter() -> None:
    """Every thread stands on one shelf, every shelf is linked, none is empty or too full."""
    chance = random.Random(4711)
    keys = [f"t{chance.randrange(250)}" for _ in range(1300)]
    # Some threads are busy, most are not, which is what empties shelves.
    keys += [f"t{int(chance.paretovariate(1)) % 250}" for _ in range(700)]

    async def check(threads: Threads) -> None:
        pages = await threads.pages(200)
        assert [key for page in pages for key in page] == threads.expected[::-1]
        shelves = shelves_of(threads.state)
        standing = [s.conversation_key for _, shelf in shelves for s in reversed(shelf.standing)]
        assert standing == threads.expected[::-1]
        assert all(1 <= len(shelf.standing) <= SHELF_SIZE for _, shelf in shelves)
        stored = {name for name in threads.state if name.startswith("shelf:")}
        assert stored == {f"shelf:{number}" for number, _ in shelves}
        assert Head.from_json(threads.state["head"]).threads == len(threads.expected)

    played(keys, check)


@given(
    moved=st.lists(st.integers(0, 119), max_size=60),
    size=st.integers(1, 50),
)
@settings(max_examples=8, deadline=None)
def test_threads_that_move_while_one_pages_cost_no_other_thread_its_place(
    moved: list[int], size: int
) -> None:
    """Who did not move is shown once, in order, whatever moved in between."""

    async def check(threads: Threads) -> None:
        before = threads.expected[::-1]
        moves = [f"t{number}" for number in moved]
        seen: list[str] = []
        token = ""
        while True:
            page = await threads.page(page_size=size, page_token=token)
            seen += [thread.conversation_key for thread in page.threads]
            token = page.next_page_token
            if not token:
                break
            moving, moves = moves[:7], moves[7:]
            await threads.play(moving)
        still = [key for key in before if int(key[1:]) not in moved]
        assert [key for key in seen if key in still] == still
        assert len(seen) == len(set(seen))

    played([f"t{number}" for number in range(120)], check)


@pytest.mark.parametrize("emptied", [[2], [1, 2], [2, 3], [1, 2, 3]])
async def test_a_shelf_that_empties_while_one_pages_is_passed_over(emptied: list[int]) -> None:
    """The page goes on at the next older shelf there is; who stayed is shown once, in order."""
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.play([f"t{number}" for number in range(4 * SHELF_SIZE)])
        page = await threads.page(page_size=SHELF_SIZE)
        seen = [thread.conversation_key for thread in page.threads]
        moved = [f"t{(n - 1) * SHELF_SIZE + i}" for n in emptied for i in range(SHELF_SIZE)]
        still = [key for key in threads.expected[::-1] if key not in moved]
        await threads.play(moved)
        assert all(f"shelf:{number}" not in threads.state for number in emptied)
        while page.next_page_token:
            page = await threads.page(page_size=SHELF_SIZE, page_token=page.next_page_token)
            seen += [thread.conversation_key for thread in page.threads]
        assert [key for key in seen if key in still] == still
        assert len(seen) == len(set(seen))
        assert [number for number, _ in shelves_of(threads.state)][-1] not in emptied


async def test_the_newest_page_costs_the_same_with_any_number_of_threads() -> None:
    costs: list[int] = []
    for count in (60, 1200):
        async with FakePlatform() as platform:
            threads = Threads(platform)
            await threads.play([f"t{number}" for number in range(count)])
            platform.stored = 0
            await threads.page(page_size=10)
            await threads.touch("t0")
            costs.append(platform.stored)
    few, many = costs
    assert many <= few + 2


async def test_a_query_finds_names_and_keys_without_regard_to_case() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        names = {f"key {n}": f"Straße {n}" if n % 9 == 0 else f"Café {n}" for n in range(70)}
        for key, name in names.items():
            await threads.register(key, name)
        for wanted in ("Straße", "STRASSE", "key 7", "", "none of them", "É"):
            found = [key for page in await threads.pages(11, wanted) for key in page]
            folded = wanted.casefold()
            expected = [k for k, name in names.items() if folded in f"{name}\n{k}".casefold()]
            assert found == expected[::-1]


async def test_a_query_over_many_threads_is_answered_in_bounded_pieces() -> None:
    """Pages may be empty before the one match comes; the token leads there."""
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.play(["needle", *(f"hay {number}" for number in range(2100))])
        pages = await threads.pages(10, "needle")
        assert [key for page in pages for key in page] == ["needle"]
        assert len(pages) == 3
        platform.stored = 0
        await threads.page(query="needle")
        assert platform.stored < 40


async def test_registering_again_changes_nothing() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one", "first")
        await threads.register("two")
        before = dict(threads.state)
        await threads.register("one", "another name")
        assert threads.state == before


async def test_activity_of_a_thread_that_is_not_listed_yet_is_left_to_register() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.touch("unknown")
        assert threads.state == {}
        assert await threads.pages(10) == [[]]


async def test_a_thread_is_shown_with_its_name_and_its_times() -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one", "first")
        await threads.touch("one")
        [thread] = (await threads.page()).threads
        assert (thread.conversation_key, thread.name) == ("one", "first")
        assert thread.created_at == START + timedelta(seconds=1)
        assert thread.updated_at == START + timedelta(seconds=2)


@pytest.mark.parametrize("token", ["x", "1", "1.", ".1", "1.x", "-1.5", "99.1", "1.1.1"])
async def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.register("one")
        with pytest.raises(RpcError) as refused:
            await threads.page(page_token=token)
        assert refused.value.code is Code.INVALID_ARGUMENT
        assert refused.value.reason == PAGE_TOKEN_INVALID.word


async def test_the_list_survives_a_crash_at_every_moment() -> None:
    full: dict[str, bytes] = {}
    async with FakePlatform() as platform:
        threads = Threads(platform)
        await threads.play([f"t{number}" for number in range(SHELF_SIZE)])
        full.update(threads.state)

    async def story(platform: FakePlatform) -> object:
        threads = Threads(platform)
        threads.state.update(full)
        await threads.register("new")
        for key in ("t0", "t1", "new", "t49"):
            await threads.touch(key)
        return await threads.pages(20)

    assert await survives_every_crash(story) > 30
