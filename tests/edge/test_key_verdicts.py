"""What the edge makes of a tenant's key: few look-ups, and no verdict older than five seconds."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import key_text
from edge import reasons
from edge.credentials import grants, verdicts
from errors import Reason
from services.api_key.contract import KeyType
from tests.support.edges import EdgeUnderTest, error_of, running_edge
from tests.support.ingress import Seen, fake_ingress
from tests.support.key_store import KeyStore, key_store

pytestmark = pytest.mark.anyio

ECHO = "/api/v1/probe/echo"
KEY = key_text.new("sk_")


@pytest.fixture
async def store() -> AsyncIterator[KeyStore]:
    async with key_store() as store:
        yield store


@pytest.fixture
async def edge(store: KeyStore) -> AsyncIterator[EdgeUnderTest]:
    async with running_edge(store, unreachable_seconds=0.2) as edge:
        yield edge


def let_verdicts_age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Look at verdicts as if that much more time had passed."""
    clock = verdicts.time.monotonic
    monkeypatch.setattr(verdicts.time, "monotonic", lambda: clock() + seconds)


async def call(edge: EdgeUnderTest, key: str = KEY, **headers: str) -> Any:
    """Call the probe with a key."""
    return await edge.anonymous(ECHO, headers={"x-api-key": key, **headers})


async def refusal(edge: EdgeUnderTest, key: str, reason: Reason, **headers: str) -> None:
    """The call is refused for this reason."""
    error = error_of(await call(edge, key, **headers))
    assert (error.code, error.reason) == (reason.code, reason.word)


async def test_a_known_key_calls_as_its_own_service_identity(
    edge: EdgeUnderTest, store: KeyStore
) -> None:
    store.put(KEY, requests_per_minute=5)
    answer = await call(edge)
    assert answer.status_code == 200
    assert answer.headers["ratelimit-limit"] == "5"
    (seen,) = store.forwarded
    assert seen.headers["x-tenant-id"] == "acme"
    assert seen.headers["x-user-id"] == "svc%3Akey_1"
    assert seen.headers["x-key-id"] == "key_1"
    assert not any(KEY in each.line or KEY in str(each.headers) for each in store.seen)


async def test_a_burst_with_one_key_costs_one_look_up(edge: EdgeUnderTest, store: KeyStore) -> None:
    store.put(KEY)
    answers = await asyncio.gather(*(call(edge) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert store.lookups == 1


async def test_a_burst_with_an_unknown_key_costs_one_look_up(
    edge: EdgeUnderTest, store: KeyStore
) -> None:
    for _ in range(20):
        await refusal(edge, KEY, reasons.CREDENTIALS_INVALID)
    assert store.lookups == 1
    assert store.forwarded == []


async def test_a_typo_costs_no_look_up(edge: EdgeUnderTest, store: KeyStore) -> None:
    store.put(KEY)
    for at in range(3, len(KEY)):
        wrong = KEY[:at] + ("A" if KEY[at] != "A" else "B") + KEY[at + 1 :]
        await refusal(edge, wrong, reasons.CREDENTIALS_INVALID)
    assert store.lookups == 0


async def test_a_revoked_key_is_refused_when_its_verdict_is_five_seconds_old(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY)
    assert (await call(edge)).status_code == 200
    store.put(KEY, revoked=True)
    assert (await call(edge)).status_code == 200
    let_verdicts_age(monkeypatch, 5)
    await refusal(edge, KEY, reasons.KEY_REVOKED)


async def test_a_busy_key_is_looked_up_in_the_background(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY)
    await call(edge)
    store.put(KEY, revoked=True)
    let_verdicts_age(monkeypatch, 3)
    assert (await call(edge)).status_code == 200
    while (await call(edge)).status_code == 200:
        assert store.lookups <= 2
    assert store.lookups == 2


async def test_a_new_key_is_accepted_five_seconds_after_it_was_unknown(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refusal(edge, KEY, reasons.CREDENTIALS_INVALID)
    store.put(KEY)
    let_verdicts_age(monkeypatch, 5)
    assert (await call(edge)).status_code == 200


async def test_a_key_whose_time_is_over_is_refused_without_a_look_up(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY, ends_at=datetime.now(UTC) + timedelta(seconds=1))
    assert (await call(edge)).status_code == 200
    ended = datetime.now(UTC) + timedelta(seconds=2)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return ended

    monkeypatch.setattr(grants, "datetime", Later)
    await refusal(edge, KEY, reasons.KEY_EXPIRED)
    assert store.lookups == 1


async def test_while_a_key_cannot_be_looked_up_it_is_neither_accepted_nor_called_wrong(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY)
    await call(edge)
    store.down = True
    assert (await call(edge)).status_code == 200
    let_verdicts_age(monkeypatch, 5)
    await refusal(edge, KEY, reasons.PLATFORM_UNAVAILABLE)
    await refusal(edge, key_text.new("sk_"), reasons.PLATFORM_UNAVAILABLE)
    store.down = False
    assert (await call(edge)).status_code == 200


async def test_verdicts_are_bounded(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "REMEMBERED", 3)
    keys = [key_text.new("sk_") for _ in range(5)]
    for key in keys:
        await refusal(edge, key, reasons.CREDENTIALS_INVALID)
    await refusal(edge, keys[-1], reasons.CREDENTIALS_INVALID)
    assert store.lookups == 5
    await refusal(edge, keys[0], reasons.CREDENTIALS_INVALID)
    assert store.lookups == 6


@pytest.mark.parametrize("prefix", ["sk_", "sk_live_", "sk_test_"])
async def test_older_prefixes_are_accepted(
    edge: EdgeUnderTest, store: KeyStore, prefix: str
) -> None:
    key = key_text.new(prefix)
    store.put(key)
    assert (await call(edge, key)).status_code == 200


async def test_a_publishable_key_that_poses_as_secret_is_refused(
    edge: EdgeUnderTest, store: KeyStore
) -> None:
    key = key_text.new("sk_")
    store.put(key, type=KeyType.PUBLISHABLE)
    await refusal(edge, key, reasons.CREDENTIALS_INVALID)


async def test_the_text_of_a_secret_key_is_no_publishable_key(
    edge: EdgeUnderTest, store: KeyStore
) -> None:
    store.put(KEY)
    user = {"authorization": "Bearer a.b.c"}
    await refusal(edge, f"pk_{KEY[3:]}", reasons.CREDENTIALS_INVALID, **user)
    assert store.lookups == 0


async def test_keys_are_found_by_their_hash_and_never_compared_so_no_guess_is_nearly_right(
    edge: EdgeUnderTest, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(key_made_of(monkeypatch, "a" * 32))
    near, far = key_made_of(monkeypatch, "a" * 31 + "b"), key_made_of(monkeypatch, "z" * 32)
    answers = [await call(edge, guess) for guess in (near, far)]
    assert {error_of(answer).reason for answer in answers} == {reasons.CREDENTIALS_INVALID.word}
    # All that anything behind the edge could compare, and so all that its time could depend on.
    asked = [seen.line.split("/")[2] for seen in store.seen]
    assert asked == [key_text.hash_of(near), key_text.hash_of(far)]


def key_made_of(monkeypatch: pytest.MonkeyPatch, random: str) -> str:
    """A whole key whose random part is this."""
    characters = iter(random)

    def choice(_: object) -> str:
        return next(characters)

    with monkeypatch.context() as patched:
        patched.setattr(key_text.secrets, "choice", choice)
        return key_text.new("sk_")


async def test_a_key_impersonates_only_with_the_scope_and_is_named_beside_the_user(
    edge: EdgeUnderTest, store: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store.put(KEY)
    behalf = {"x-on-behalf-of": "u1:someone"}
    await refusal(edge, KEY, reasons.IMPERSONATION_DENIED, **behalf)
    other = key_text.new("sk_")
    store.put(other, key_id="key_2", scopes=["conversations:read", "users:impersonate"])
    assert (await call(edge, other, **behalf)).status_code == 200
    (seen,) = store.forwarded
    assert seen.headers["x-user-id"] == "u1%3Asomeone"
    assert seen.headers["x-impersonator"] == "svc%3Akey_2"
    lines = [each.__dict__ for each in caplog.records if each.getMessage() == "call"]
    told = lines[-1]["yocaso_fields"]
    assert told["key_id"] == "key_2"
    assert (told["impersonator"], told["on_behalf_of"]) == ("svc:key_2", "u1:someone")
    await refusal(edge, other, reasons.IMPERSONATION_INVALID, **{"x-on-behalf-of": "svc:key_1"})


async def test_keys_from_the_settings_need_no_look_up() -> None:
    async with fake_ingress() as ingress, running_edge(ingress) as edge:
        assert (await edge.post(ECHO)).status_code == 200
        assert len(ingress.seen) == 1


async def test_a_flood_of_invented_keys_is_limited_and_keeps_few_look_ups_busy(
    store: KeyStore,
) -> None:
    store.put(KEY)
    answer_of, busy, most = store.behaviour, 0, 0
    full = asyncio.Event()

    async def slowly(seen: Seen) -> bytes | None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if busy >= verdicts.MOST_LOOKUPS:
            full.set()
        await full.wait()
        busy -= 1
        return await answer_of(seen)

    store.behaviour = slowly
    async with running_edge(store, refused_credentials_per_minute=100) as edge:
        invented = [key_text.new("sk_") for _ in range(150)]
        answers = await asyncio.gather(*(call(edge, key) for key in invented))
        assert Counter(each.status_code for each in answers) == {401: 100, 429: 50}
        assert most == verdicts.MOST_LOOKUPS
        # Somebody else behind the same address has done nothing wrong.
        assert (await call(edge)).status_code == 200
