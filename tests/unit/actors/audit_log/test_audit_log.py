"""An audit log keeps everything in its order, and reading it costs the same however long it is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from actors.audit_log import contract
from actors.audit_log.contract import Actor, AppendRequest, Entry, ListRequest, ListResponse
from actors.audit_log.handlers import AuditLog
from actors.audit_log.state import PAGE_SIZE
from chassis.paging import PAGE_TOKEN_INVALID
from errors import RpcError
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

KEY = "acme"
AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def entry(number: int, **more: Any) -> Entry:
    """An entry that can be told from others."""
    known: dict[str, Any] = {"action": "member.joined", "actor": Actor(user_id="alice")}
    return Entry(at=AT, changes={"number": str(number)}, **{**known, **more})


async def append(platform: FakePlatform, *entries: Entry) -> None:
    """Append in one call."""
    await platform.call(contract.append, AppendRequest(entries=list(entries)), key=KEY)


async def page(platform: FakePlatform, **asked: Any) -> ListResponse:
    """One page."""
    return await platform.call(contract.list_entries, ListRequest(**asked), key=KEY)


async def everything(platform: FakePlatform, **asked: Any) -> list[int]:
    """The numbers of all entries, page by page."""
    numbers: list[int] = []
    token = ""
    while True:
        found = await page(platform, page_token=token, **asked)
        numbers += [int(each.changes["number"]) for each in found.entries]
        token = found.next_page_token
        if not token:
            return numbers


@pytest.mark.parametrize("size", [1, 7, 49, 50, 51, 200])
async def test_pages_of_any_size_show_every_entry_once_newest_first(size: int) -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        for start in range(0, 120, 40):
            await append(platform, *(entry(number) for number in range(start, start + 40)))
        assert await everything(platform, page_size=size) == list(range(119, -1, -1))


async def test_a_batch_may_fill_several_pages() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        await append(platform, *(entry(number) for number in range(2 * PAGE_SIZE + 3)))
        assert len(platform.state(contract.component, KEY)) == 4
        assert await everything(platform) == list(range(2 * PAGE_SIZE + 2, -1, -1))


async def test_ids_are_given_and_sort_as_the_entries_do() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        await append(platform, entry(1), entry(2))
        await platform.advance(1)
        await append(platform, entry(3))
        ids = [each.entry_id for each in (await page(platform)).entries]
        assert len(set(ids)) == 3
        assert ids[0] == max(ids)


async def test_appending_and_the_newest_page_touch_one_page_however_long_the_log_is() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        for start in range(0, 1000, 100):
            await append(platform, *(entry(number) for number in range(start, start + 100)))
        before = dict(platform.state(contract.component, KEY))
        await append(platform, entry(1000))
        after = platform.state(contract.component, KEY)
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed == {"head", "page:20"}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"actor": "bob"}, [3, 1]),
        ({"actor": "svc:key_1"}, [3]),
        ({"actor": "key_1"}, [3]),
        ({"action": "api_key.revoked"}, [3, 2]),
        ({"action": "api_key"}, [3, 2]),
        ({"action": "member", "actor": "bob"}, [1]),
        ({"action": "mem"}, []),
    ],
)
async def test_a_filter_keeps_what_it_names(asked: dict[str, str], wanted: list[int]) -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        acting = Actor(user_id="bob", impersonator="svc:key_1", key_id="key_1")
        await append(
            platform,
            entry(0),
            entry(1, actor=Actor(user_id="bob")),
            entry(2, action="api_key.revoked"),
            entry(3, action="api_key.revoked", actor=acting),
        )
        assert await everything(platform, **asked) == wanted


async def test_a_filter_that_finds_nothing_costs_a_bounded_look_and_goes_on_by_its_token() -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        await append(platform, entry(0, actor=Actor(user_id="bob")))
        for start in range(1, 1201, 300):
            await append(platform, *(entry(number) for number in range(start, start + 300)))
        first = await page(platform, actor="bob")
        assert (first.entries, first.next_page_token) == ([], "250")
        assert await everything(platform, actor="bob") == [0]


@pytest.mark.parametrize("token", ["0", "-1", "3", "x", "1.0", "²", "9" * 60])
async def test_a_token_of_somebody_elses_making_is_refused(token: str) -> None:
    async with FakePlatform() as platform:
        platform.serve(contract.component, AuditLog())
        await append(platform, entry(1), entry(2))
        with pytest.raises(RpcError) as failure:
            await page(platform, page_token=token)
        assert failure.value.reason == PAGE_TOKEN_INVALID.word


async def test_an_entry_is_there_once_whenever_the_process_dies() -> None:
    async def story(platform: FakePlatform) -> list[int]:
        platform.serve(contract.component, AuditLog())
        await append(platform, entry(1))
        await append(platform, entry(2), entry(3))
        return await everything(platform)

    assert await survives_every_crash(story) > 0
