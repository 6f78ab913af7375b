"""A tenant's keys: what a change of one means, and that it reaches what the edge reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import key_text
from chassis.addresses import OutgoingAddresses
from chassis.identity import object_key
from chassis.message import REQUEST_INVALID
from errors import Code, RpcError
from services.api_key import contract
from services.api_key.contract import (
    ApiKey,
    CreateRequest,
    KeyRequest,
    KeySettings,
    KeyStatus,
    KeyType,
    ListKeysRequest,
    MadeKey,
    Oidc,
    RateLimit,
    RevokeAllRequest,
    RevokeRequest,
    RotateRequest,
    UpdateRequest,
    objects,
)
from services.api_key.contract.objects import (
    AddUsageRequest,
    Grant,
    PutRequest,
    ReadRequest,
    UsageEntry,
)
from services.api_key.handlers import index
from services.api_key.handlers.grants import ApiKeyGrants
from services.api_key.handlers.index import ApiKeyIndex
from services.api_key.handlers.service import ApiKeys
from services.api_key.reasons import KEY_NOT_ACTIVE, KEY_NOT_FOUND, TOO_MANY_KEYS
from tests.support.crashes import survives_every_crash
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

TENANT = "acme"
SCOPES = frozenset({"conversations:read", "conversations:write"})
OIDC = Oidc(issuer="https://issuer.example", audience="app")


def serve(platform: FakePlatform) -> None:
    """The service and its objects."""
    platform.serve(contract.component, ApiKeys(SCOPES, OutgoingAddresses.of([])))
    platform.serve(objects.index, ApiKeyIndex())
    platform.serve(objects.grants, ApiKeyGrants())


class Keys:
    """The calls of these tests."""

    def __init__(self, platform: FakePlatform) -> None:
        self.platform = platform
        self.texts: dict[str, list[str]] = {}
        serve(platform)

    def _made(self, text: str) -> MadeKey:
        return MadeKey(sha256=key_text.hash_of(text), prefix=key_text.shown(text))

    async def create(self, tenant_id: str = TENANT, **settings: Any) -> ApiKey:
        """A key, by default one that may do nothing."""
        text = key_text.new("sk_")
        settings.setdefault("name", "a key")
        request = CreateRequest(
            tenant_id=tenant_id,
            created_by="alice",
            settings=KeySettings(**settings),
            made=self._made(text),
        )
        made = await self.platform.call(contract.create, request)
        assert made.sha256 == key_text.hash_of(text)
        self.texts[made.api_key.key_id] = [text]
        return made.api_key

    async def rotate(self, key_id: str, grace: timedelta | None = None) -> ApiKey:
        """A new text for a key."""
        text = key_text.new("sk_")
        request = RotateRequest(
            tenant_id=TENANT,
            rotated_by="alice",
            key_id=key_id,
            made=self._made(text),
            grace=grace,
        )
        made = await self.platform.call(contract.rotate, request)
        self.texts[key_id].append(text)
        return made.api_key

    async def revoke(self, key_id: str, tenant_id: str = TENANT) -> ApiKey:
        """End a key."""
        request = RevokeRequest(tenant_id=tenant_id, revoked_by="alice", key_id=key_id)
        return (await self.platform.call(contract.revoke, request)).api_key

    async def get(self, key_id: str, tenant_id: str = TENANT) -> ApiKey:
        """A key as people see it."""
        request = KeyRequest(tenant_id=tenant_id, key_id=key_id)
        return (await self.platform.call(contract.get, request)).api_key

    async def update(self, key_id: str, **changes: Any) -> ApiKey:
        """Change a key."""
        request = UpdateRequest(tenant_id=TENANT, updated_by="alice", key_id=key_id, **changes)
        return (await self.platform.call(contract.update, request)).api_key

    async def grants(self, key_id: str) -> list[Grant]:
        """What the edge reads of each text of the key, oldest first."""
        return [await self.grant(key_text.hash_of(text)) for text in self.texts[key_id]]

    async def grant(self, sha256: str) -> Grant:
        """What the edge reads of one hash."""
        found = await self.platform.call(objects.read, ReadRequest(), key=sha256)
        assert found.grant is not None
        return found.grant


async def refused(call: Any) -> RpcError:
    """The error that a call ends with."""
    with pytest.raises(RpcError) as failure:
        await call
    return failure.value


async def test_a_created_key_is_at_once_what_the_edge_reads() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        limit = RateLimit(requests_per_minute=7)
        key = await keys.create(permissions=["conversations:read"], rate_limit=limit)
        assert (key.status, key.type, key.created_by) == ("ACTIVE", "SECRET", "alice")
        (grant,) = await keys.grants(key.key_id)
        assert (grant.tenant_id, grant.key_id, grant.revoked) == (TENANT, key.key_id, False)
        assert (grant.scopes, grant.requests_per_minute) == (["conversations:read"], 7)


async def test_all_keys_of_a_tenant_end_together_and_no_others() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        made = [await keys.create() for _ in range(index.PAGE_SIZE + 3)]
        other = await keys.create("globex")
        await keys.revoke(made[0].key_id)
        request = RevokeAllRequest(tenant_id=TENANT)
        assert (await platform.call(contract.revoke_all, request)).revoked == len(made) - 1
        for key in made:
            assert all(grant.revoked for grant in await keys.grants(key.key_id))
        assert not any(grant.revoked for grant in await keys.grants(other.key_id))
        assert (await platform.call(contract.revoke_all, request)).revoked == 0
        nobody = RevokeAllRequest(tenant_id="nobody")
        assert (await platform.call(contract.revoke_all, nobody)).revoked == 0


async def test_a_revoked_key_is_refused_under_every_text_it_ever_had() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        await keys.rotate(key.key_id)
        revoked = await keys.revoke(key.key_id)
        assert revoked.status is KeyStatus.REVOKED
        assert [grant.revoked for grant in await keys.grants(key.key_id)] == [True, True]
        again = await keys.revoke(key.key_id)
        assert again.revoked_at == revoked.revoked_at
        for call in (keys.rotate(key.key_id), keys.update(key.key_id, name="x")):
            assert (await refused(call)).reason == KEY_NOT_ACTIVE.word


async def test_after_a_rotation_both_texts_work_until_the_grace_ends() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        start = datetime.fromtimestamp(platform.now, UTC)
        rotated = await keys.rotate(key.key_id, timedelta(hours=1))
        old, new = await keys.grants(key.key_id)
        assert old.ends_at is not None
        assert timedelta(minutes=59) < old.ends_at - start <= timedelta(hours=1, seconds=1)
        assert rotated.previous_key_ends_at == old.ends_at
        assert new.ends_at is None
        assert rotated.key_prefix == key_text.shown(keys.texts[key.key_id][-1])


async def test_a_rotation_without_grace_ends_the_old_text_at_once() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        rotated = await keys.rotate(key.key_id, timedelta(0))
        old, _ = await keys.grants(key.key_id)
        assert old.ends_at is not None
        assert old.ends_at.timestamp() <= platform.now
        assert rotated.previous_key_ends_at is None


async def test_many_rotations_keep_few_texts_alive() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        for _ in range(8):
            await keys.rotate(key.key_id, timedelta(days=7))
        ends = [grant.ends_at for grant in await keys.grants(key.key_id)]
        alive = [end for end in ends if end is None or end.timestamp() > platform.now]
        assert len(alive) == 5
        assert ends[-1] is None


async def test_a_change_that_comes_late_does_not_bring_a_revoked_key_back() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        (before,) = await keys.grants(key.key_id)
        await keys.revoke(key.key_id)
        sha256 = key_text.hash_of(keys.texts[key.key_id][0])
        await platform.call(objects.put, PutRequest(sha256=sha256, grant=before), key=sha256)
        assert (await keys.grant(sha256)).revoked


async def test_a_revocation_reaches_the_edge_wherever_the_process_dies() -> None:
    sha256 = key_text.hash_of("sk_text")

    async def story(platform: FakePlatform) -> bool:
        serve(platform)
        made = MadeKey(sha256=sha256, prefix="sk_text")
        request = CreateRequest(
            tenant_id=TENANT, created_by="a", settings=KeySettings(name="k"), made=made
        )
        key_id = (await platform.call(contract.create, request)).api_key.key_id
        revoke = RevokeRequest(tenant_id=TENANT, revoked_by="a", key_id=key_id)
        await platform.call(contract.revoke, revoke)
        await platform.settle()
        found = await platform.call(objects.read, ReadRequest(), key=sha256)
        return found.grant is not None and found.grant.revoked

    assert await survives_every_crash(story) > 10


async def test_an_update_changes_what_is_named_and_nothing_else() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        limit = RateLimit(requests_per_minute=7)
        key = await keys.create(
            permissions=["conversations:read"], rate_limit=limit, description="d"
        )
        changed = await keys.update(key.key_id, name="b", permissions=["conversations:write"])
        assert (changed.name, changed.description) == ("b", "d")
        assert changed.rate_limit == limit
        (grant,) = await keys.grants(key.key_id)
        assert grant.scopes == ["conversations:write"]
        cleared = await keys.update(key.key_id, clear=["rate_limit", "description"])
        assert (cleared.rate_limit, cleared.description, cleared.name) == (None, "", "b")


async def test_a_key_of_another_tenant_is_the_same_as_none() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        others = await refused(keys.get(key.key_id, tenant_id="globex"))
        missing = await refused(keys.get("key_missing", tenant_id="globex"))
        assert others == missing == KEY_NOT_FOUND.error()
        assert await refused(keys.revoke(key.key_id, tenant_id="globex")) == missing
        assert (await keys.get(key.key_id)).status is KeyStatus.ACTIVE


async def test_keys_are_listed_newest_first_in_pages_that_hold_while_keys_are_added() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        made = [(await keys.create(name=f"key {n}")).name for n in range(120)]
        asked = ListKeysRequest(tenant_id=TENANT, page_size=7)
        found: list[str] = []
        while True:
            page = await platform.call(contract.list_keys, asked)
            found += [key.name for key in page.api_keys]
            if not page.next_page_token:
                break
            asked.page_token = page.next_page_token
            await keys.create(name="added meanwhile")
        assert found == made[::-1]
        empty = await platform.call(contract.list_keys, ListKeysRequest(tenant_id="globex"))
        assert (empty.api_keys, empty.next_page_token) == ([], "")


@pytest.mark.parametrize("token", ["x", "-1", "0", "999", "\u0661"])
async def test_a_page_token_of_our_making_only(token: str) -> None:
    async with FakePlatform() as platform:
        await Keys(platform).create()
        asked = ListKeysRequest(tenant_id=TENANT, page_token=token)
        error = await refused(platform.call(contract.list_keys, asked))
        assert error.reason == "page_token.invalid"


async def test_a_tenant_has_a_bounded_number_of_active_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "MOST_ACTIVE_KEYS", 2)
    async with FakePlatform() as platform:
        keys = Keys(platform)
        first = await keys.create()
        await keys.create()
        error = await refused(keys.create())
        assert (error.reason, error.is_terminal) == (TOO_MANY_KEYS.word, True)
        await keys.revoke(first.key_id)
        await keys.create()


async def test_users_of_one_issuer_have_one_namespace_in_a_tenant_and_no_other() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        kind = KeyType.PUBLISHABLE
        other = Oidc(issuer="https://other.example", audience="app")
        made = [await keys.create(type=kind, oidc=oidc) for oidc in (OIDC, OIDC, other)]
        (one,), (same,), (third,) = [await keys.grants(key.key_id) for key in made]
        assert one.namespace == same.namespace != third.namespace
        assert ":" not in one.namespace
        await keys.update(made[0].key_id, oidc=other)
        assert (await keys.grants(made[0].key_id))[0].namespace == third.namespace


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown scope": ({"permissions": ["conversations:read", "keys:write"]}, ["permissions[1]"]),
    "expired": ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, ["expires_at"]),
    "publishable without oidc": ({"type": KeyType.PUBLISHABLE}, ["oidc"]),
    "secret with oidc": ({"oidc": OIDC}, ["oidc"]),
    "secret with origins": ({"allowed_origins": ["https://a.example"]}, ["allowed_origins"]),
    "publishable that impersonates": (
        {"type": KeyType.PUBLISHABLE, "oidc": OIDC, "permissions": ["users:impersonate"]},
        ["permissions[0]"],
    ),
    "private addresses": (
        {
            "type": KeyType.PUBLISHABLE,
            "oidc": Oidc(issuer="https://10.0.0.1", audience="a", jwks_uri="http://a.example/"),
        },
        ["oidc.issuer", "oidc.jwks_uri"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_settings_that_do_not_fit_are_refused_with_every_breach(case: str) -> None:
    settings, fields = WRONG[case]
    async with FakePlatform() as platform:
        keys = Keys(platform)
        error = await refused(keys.create(**settings))
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, REQUEST_INVALID.word)
        assert [violation.field for violation in error.details.field_violations] == fields
        assert not platform.sent(objects.put)


async def test_usage_adds_up_by_day_and_family_and_keeps_the_last_use() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        moment = datetime(2026, 11, 23, 8, tzinfo=UTC)

        async def add(day: str, family: str, at: datetime, key_id: str = key.key_id) -> None:
            entry = UsageEntry(
                key_id=key_id, day=day, family=family, requests=2, errors=1, last_used_at=at
            )
            batch = AddUsageRequest(entries=[entry])
            await platform.call(objects.add_usage, batch, key=object_key(TENANT))

        await add("2026-11-23", "llm", moment)
        await add("2026-11-23", "llm", moment - timedelta(hours=1))
        await add("2026-11-22", "storage", moment - timedelta(days=1))
        await add("2026-11-23", "llm", moment, key_id="key_of_nobody")
        asked = KeyRequest(tenant_id=TENANT, key_id=key.key_id)
        days = (await platform.call(contract.usage, asked)).days
        assert [(day.day, day.requests, day.errors) for day in days] == [
            ("2026-11-23", 4, 2),
            ("2026-11-22", 2, 1),
        ]
        assert [family.family for family in days[1].families] == ["storage"]
        assert (await keys.get(key.key_id)).last_used_at == moment


async def test_usage_is_kept_for_a_bounded_number_of_days() -> None:
    async with FakePlatform() as platform:
        keys = Keys(platform)
        key = await keys.create()
        first = datetime(2026, 1, 1, tzinfo=UTC)
        entries = [
            UsageEntry(
                key_id=key.key_id, day=f"{at:%Y-%m-%d}", family="llm", requests=1, last_used_at=at
            )
            for at in (first + timedelta(days=n) for n in range(100))
        ]
        batch = AddUsageRequest(entries=entries)
        await platform.call(objects.add_usage, batch, key=object_key(TENANT))
        asked = KeyRequest(tenant_id=TENANT, key_id=key.key_id)
        days = (await platform.call(contract.usage, asked)).days
        assert len(days) == 92
        assert days[0].day == "2026-04-10"
