"""The record is what counts; Firebase hears of it in the end, and never the wrong thing last."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from actors.firebase_bridge import contract, reasons
from actors.firebase_bridge.client import FirebaseClient
from actors.firebase_bridge.contract import (
    ApplyRequest,
    ChangeResponse,
    ClearClaimsRequest,
    ReadRequest,
    ReadResponse,
    ReportRequest,
    RevokeSessionsRequest,
    SetClaimsRequest,
)
from actors.firebase_bridge.handlers import FirebaseBridge
from actors.firebase_bridge.state import MOST_TENANTS, Account
from errors import RpcError
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

ALICE = "alice%40example"
ADMIN = {"tenant_id": "acme", "role": "admin"}


class Told:
    """A Firebase that remembers what it was told, or fails as often as a test wants."""

    configured = True

    def __init__(self, *errors: RpcError) -> None:
        self.errors = list(errors)
        self.claims: dict[str, str] | None = {}
        self.valid_since = 0
        self.users: list[str] = []

    async def update(self, user_id: str, *, claims: Any, valid_since: int) -> bool:
        self.users.append(user_id)
        if self.errors:
            raise self.errors.pop(0)
        self.claims = claims
        self.valid_since = valid_since
        return True


class Bridge:
    """One user's bridge."""

    def __init__(self, platform: FakePlatform, told: Told) -> None:
        self.platform = platform
        self.told = told
        platform.serve(contract.component, FirebaseBridge(cast("FirebaseClient", told)))

    async def set(self, tenant_id: str = "acme", role: str = "admin", revision: int = 0) -> Any:
        request = SetClaimsRequest(tenant_id=tenant_id, role=role, tenant_revision=revision)
        return await self.platform.call(contract.set_claims, request, key=ALICE)

    async def clear(self, tenant_id: str = "acme", revision: int = 0) -> ChangeResponse:
        request = ClearClaimsRequest(tenant_id=tenant_id, tenant_revision=revision)
        return await self.platform.call(contract.clear_claims, request, key=ALICE)

    async def revoke(self) -> ChangeResponse:
        request = RevokeSessionsRequest()
        return await self.platform.call(contract.revoke_sessions, request, key=ALICE)

    async def apply(self) -> None:
        await self.platform.call(contract.apply, ApplyRequest(), key=ALICE)

    async def read(self) -> ReadResponse:
        return await self.platform.call(contract.read, ReadRequest(), key=ALICE)


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    async with FakePlatform() as platform:
        yield Bridge(platform, Told())


async def test_a_user_of_whom_nothing_was_said_is_not_managed(bridge: Bridge) -> None:
    assert await bridge.read() == ReadResponse()


async def test_a_change_is_a_record_before_firebase_hears_of_it(bridge: Bridge) -> None:
    changed = await bridge.set()
    assert (changed.revision, changed.tenant_id, changed.role) == (1, "acme", "admin")
    assert await bridge.read() == ReadResponse(managed=True, tenant_id="acme", role="admin")
    assert bridge.told.users == []


async def test_whoever_waits_has_told_firebase_and_nobody_tells_it_again(bridge: Bridge) -> None:
    await bridge.set()
    await bridge.apply()
    assert bridge.told.claims == ADMIN
    await bridge.platform.advance(3600 * 48)
    assert bridge.told.users == ["alice@example"]


async def test_nobody_has_to_wait_for_firebase_to_hear(bridge: Bridge) -> None:
    await bridge.set()
    await bridge.platform.advance(2)
    assert bridge.told.claims == ADMIN


async def test_claims_of_a_user_who_left_are_taken_away(bridge: Bridge) -> None:
    await bridge.set()
    await bridge.clear()
    await bridge.apply()
    assert bridge.told.claims == {}
    assert await bridge.read() == ReadResponse(managed=True)


async def test_a_tenant_takes_away_no_claims_of_another(bridge: Bridge) -> None:
    await bridge.set("globex", "owner")
    await bridge.clear("acme")
    read = await bridge.read()
    assert (read.tenant_id, read.role) == ("globex", "owner")


async def test_a_user_whose_claims_were_set_elsewhere_can_lose_them(bridge: Bridge) -> None:
    await bridge.clear("acme")
    assert (await bridge.read()).managed


async def test_a_change_that_comes_late_changes_nothing(bridge: Bridge) -> None:
    await bridge.set("acme", "admin", revision=3)
    await bridge.clear("acme", revision=5)
    await bridge.set("acme", "owner", revision=4)
    assert await bridge.read() == ReadResponse(managed=True)
    await bridge.set("acme", "member", revision=6)
    await bridge.clear("acme", revision=5)
    assert (await bridge.read()).role == "member"


async def test_tenants_count_their_changes_apart(bridge: Bridge) -> None:
    await bridge.set("acme", "admin", revision=100)
    await bridge.set("globex", "member", revision=1)
    assert (await bridge.read()).tenant_id == "globex"


async def test_the_same_again_is_no_change(bridge: Bridge) -> None:
    first, second = await bridge.set(revision=1), await bridge.set(revision=1)
    assert first.revision == second.revision == 1


async def test_a_sign_in_of_the_second_in_which_sessions_end_is_void_too(bridge: Bridge) -> None:
    changed = await bridge.revoke()
    at = bridge.platform.now
    assert changed.valid_since == datetime.fromtimestamp(int(at) + 1, UTC)
    await bridge.apply()
    assert bridge.told.valid_since == int(at) + 1
    assert bridge.told.claims is None
    assert not (await bridge.read()).managed


async def test_a_failing_firebase_is_asked_until_it_answers(bridge: Bridge) -> None:
    bridge.told.errors = [reasons.UNAVAILABLE.error() for _ in range(20)]
    await bridge.set()
    await bridge.platform.advance(3600)
    assert bridge.told.errors == []
    assert bridge.told.claims == ADMIN
    asked = len(bridge.told.users)
    await bridge.platform.advance(3600 * 48)
    assert len(bridge.told.users) == asked


async def test_a_firebase_that_never_answers_is_given_up_after_a_day(bridge: Bridge) -> None:
    bridge.told.errors = [reasons.FAILED.error() for _ in range(1000)]
    await bridge.set()
    await bridge.platform.advance(3600 * 24)
    asked = len(bridge.told.users)
    await bridge.platform.advance(3600 * 100)
    assert 60 < asked < len(bridge.told.users) < 150
    settled = len(bridge.told.users)
    await bridge.platform.advance(3600 * 100)
    assert len(bridge.told.users) == settled


async def test_whoever_waits_hears_why_it_failed_and_it_is_tried_again(bridge: Bridge) -> None:
    bridge.told.errors = [reasons.UNAVAILABLE.error() for _ in range(3)]
    await bridge.set()
    with pytest.raises(RpcError) as caught:
        await bridge.apply()
    assert caught.value.reason == reasons.UNAVAILABLE.word
    await bridge.platform.advance(10)
    assert bridge.told.claims == ADMIN


async def test_a_user_who_is_not_at_firebase_is_not_looked_for_again(bridge: Bridge) -> None:
    bridge.told.errors = [reasons.USER_NOT_FOUND.error() for _ in range(9)]
    await bridge.set()
    await bridge.platform.advance(3600 * 48)
    assert len(bridge.told.users) == 1
    assert (await bridge.read()).tenant_id == "acme"


async def test_the_next_change_tries_again_what_was_given_up(bridge: Bridge) -> None:
    bridge.told.errors = [reasons.USER_NOT_FOUND.error()]
    await bridge.set()
    await bridge.platform.advance(10)
    await bridge.set()
    await bridge.platform.advance(10)
    assert bridge.told.claims == ADMIN


async def test_an_old_change_that_firebase_heard_last_is_put_right(bridge: Bridge) -> None:
    await bridge.set("acme", "admin")
    await bridge.set("acme", "member")
    await bridge.apply()
    await bridge.platform.settle()
    # An Apply that began before the second change, and ended after the one above.
    bridge.told.claims = ADMIN
    late = ReportRequest(revision=1)
    await bridge.platform.call(contract.report, late, key=ALICE)
    await bridge.platform.advance(2)
    assert bridge.told.claims == {"tenant_id": "acme", "role": "member"}


async def test_a_second_change_makes_no_second_row_of_tries(bridge: Bridge) -> None:
    bridge.told.errors = [reasons.FAILED.error() for _ in range(1000)]
    for role in ("admin", "member", "owner"):
        await bridge.set("acme", role)
    await bridge.platform.advance(60)
    # Three tries of a step, at 1, 2, 4, 8, 16 and 32 seconds, each some seconds long.
    assert len(bridge.told.users) <= 3 * 6


async def test_without_firebase_claims_cannot_be_given_but_taken_away(bridge: Bridge) -> None:
    bridge.told.configured = False
    with pytest.raises(RpcError) as caught:
        await bridge.set()
    assert caught.value.reason == reasons.NOT_CONFIGURED.word
    await bridge.clear("acme")
    await bridge.revoke()
    read = await bridge.read()
    assert read.managed
    assert read.valid_since is not None
    await bridge.platform.advance(3600)
    assert bridge.told.users == []


async def test_a_user_of_many_tenants_keeps_a_bounded_record() -> None:
    account = Account()
    for number in range(200):
        assert not account.is_late(f"tenant-{number}", 1)
    assert len(account.seen) == MOST_TENANTS
    assert account.is_late("tenant-199", 1) is False
    assert account.is_late("tenant-199", 0) is False
    account.is_late("tenant-199", 7)
    assert account.is_late("tenant-199", 6)


async def test_no_moment_of_death_loses_or_doubles_a_change() -> None:
    async def story(platform: FakePlatform) -> Any:
        bridge = Bridge(platform, Told())
        await bridge.set("acme", "admin", 1)
        await bridge.apply()
        await bridge.set("acme", "member", 2)
        await bridge.revoke()
        await platform.advance(5)
        read = await bridge.read()
        return read.to_json(), json.dumps(bridge.told.claims)

    assert await survives_every_crash(story) > 10
