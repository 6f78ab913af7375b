"""Calls that a key makes for a user are noted with both names, however many there are."""

from collections.abc import AsyncIterator

import pytest

from actors.audit_log.contract import AppendRequest, Entry
from chassis.identity import Caller
from chassis.rpc import Mode
from edge import impersonations
from edge.batches import Batches
from edge.impersonations import ACTION, Impersonations
from edge.ingress import Ingress
from edge.liveness import Liveness
from edge.platform_calls import PlatformCalls
from tests.support.ingress import FakeIngress, fake_ingress, response

pytestmark = pytest.mark.anyio

METHOD = "LLMGateway/SendMessage"


class Notes(Impersonations):
    """Notes that are handed in when a test says so."""

    def __init__(self, calls: PlatformCalls) -> None:
        super().__init__()
        self._told = Batches(calls, 3600, [self.batches])

    async def hand_in(self) -> None:
        """Hand in what was noted."""
        await self._told.hand_in()


@pytest.fixture
async def ingress() -> AsyncIterator[FakeIngress]:
    async with fake_ingress() as ingress:
        ingress.answers(response(body=b"{}"))
        yield ingress


@pytest.fixture
async def notes(ingress: FakeIngress) -> AsyncIterator[Notes]:
    calls = PlatformCalls()
    calls.ingress = Ingress(ingress.url, 0.2, Liveness(None, None))
    yield Notes(calls)
    await calls.ingress.close()


def acting(user_id: str = "anna", tenant: str = "acme", address: str = "203.0.113.7") -> Caller:
    """A key that acts for a user."""
    return Caller(
        tenant,
        user_id,
        Mode.SECRET_KEY,
        frozenset(),
        key_id="key_1",
        impersonator="svc:key_1",
        address=address,
        user_agent="backend/1.0",
    )


def told(ingress: FakeIngress) -> list[Entry]:
    """Every entry that was handed in."""
    return [entry for seen in ingress.seen for entry in AppendRequest.from_json(seen.body).entries]


async def test_an_entry_names_the_user_and_who_acted_for_them(
    notes: Notes, ingress: FakeIngress
) -> None:
    notes.note(acting(), METHOD, "OK")
    await notes.hand_in()
    (entry,) = told(ingress)
    assert ingress.seen[0].line.startswith("POST /AuditLogActor/acme/Append ")
    assert entry.actor is not None
    assert entry.target is not None
    assert (entry.action, entry.calls, entry.changes) == (ACTION, 1, {"code": "OK"})
    assert (entry.actor.user_id, entry.actor.impersonator) == ("anna", "svc:key_1")
    assert (entry.actor.key_id, entry.actor.address) == ("key_1", "203.0.113.7")
    assert (entry.actor.user_agent, entry.target.id) == ("backend/1.0", METHOD)


async def test_a_thousand_calls_that_are_alike_are_one_entry(
    notes: Notes, ingress: FakeIngress
) -> None:
    for _ in range(1000):
        notes.note(acting(), METHOD, "OK")
    await notes.hand_in()
    await notes.hand_in()
    (entry,) = told(ingress)
    assert entry.calls == 1000


async def test_what_differs_is_told_apart(notes: Notes, ingress: FakeIngress) -> None:
    notes.note(acting(), METHOD, "OK")
    notes.note(acting("bob"), METHOD, "OK")
    notes.note(acting(), "LLMGateway/ListThreads", "OK")
    notes.note(acting(), METHOD, "NOT_FOUND")
    notes.note(acting(address="198.51.100.1"), METHOD, "OK")
    notes.note(acting(tenant="globex"), METHOD, "OK")
    await notes.hand_in()
    assert [entry.calls for entry in told(ingress)] == [1] * 6
    assert len(ingress.seen) == 2


async def test_what_was_lost_comes_again_under_its_key(notes: Notes, ingress: FakeIngress) -> None:
    notes.note(acting(), METHOD, "OK")
    ingress.answers(None)
    await notes.hand_in()
    keys = {seen.headers["idempotency-key"] for seen in ingress.seen}
    ingress.seen.clear()
    ingress.answers(response(body=b"{}"))
    await notes.hand_in()
    assert {seen.headers["idempotency-key"] for seen in ingress.seen} == keys
    assert len(told(ingress)) == 1


async def test_what_is_noted_is_bounded(
    notes: Notes, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impersonations, "_MOST_NOTES", 2)
    for number in range(4):
        notes.note(acting(f"user-{number}"), METHOD, "OK")
    await notes.hand_in()
    assert len(told(ingress)) == 2
