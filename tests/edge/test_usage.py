"""Usage is handed in by batches: nothing is doubled, and an outage delays what it cannot lose."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.edge_server import public_routes
from chassis.identity import Caller
from chassis.rpc import Mode
from edge import batches as edge_batches
from edge.batches import Batches
from edge.credentials.verified import Verified
from edge.ingress import Ingress
from edge.liveness import Liveness
from edge.platform_calls import PlatformCalls
from edge.routes import Entry
from edge.usage import Usage
from services.api_key.contract.objects import AddUsageRequest
from tests.support.ingress import FakeIngress, fake_ingress, response

pytestmark = pytest.mark.anyio

RPC = next(rpc for rpc in public_routes() if rpc.name == "ListThreads")
assert RPC.route is not None
ENTRY = Entry(RPC, RPC.route)


class Counts(Usage):
    """Counts that are handed in when a test says so."""

    def __init__(self, calls: PlatformCalls) -> None:
        super().__init__()
        self._told = Batches(calls, 3600, [self.batches])

    async def hand_in(self) -> None:
        """Hand in what was counted."""
        await self._told.hand_in()


@pytest.fixture
async def ingress() -> AsyncIterator[FakeIngress]:
    async with fake_ingress() as ingress:
        ingress.answers(response(body=b"{}"))
        yield ingress


@pytest.fixture
async def counts(ingress: FakeIngress) -> AsyncIterator[Counts]:
    calls = PlatformCalls()
    calls.ingress = Ingress(ingress.url, 0.2, Liveness(None, None))
    yield Counts(calls)
    await calls.ingress.close()


def count(counts: Counts, times: int = 1, *, key_id: str = "key_1", tenant: str = "acme") -> None:
    """Count calls with a key."""
    caller = Caller(tenant, f"svc:{key_id}", Mode.SECRET_KEY, frozenset(), key_id=key_id)
    for number in range(times):
        counts.count(Verified(caller, f"key:{key_id}"), ENTRY, failed=number % 2 == 1)


def batches(ingress: FakeIngress) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """The key under which each batch came, and what it counts."""
    found: list[tuple[str, list[tuple[str, int, int]]]] = []
    for seen in ingress.seen:
        request = AddUsageRequest.from_json(seen.body)
        entries = [(entry.key_id, entry.requests, entry.errors) for entry in request.entries]
        found.append((seen.headers["idempotency-key"], entries))
    return found


async def test_a_thousand_calls_are_one_batch(counts: Counts, ingress: FakeIngress) -> None:
    count(counts, 1000)
    assert ingress.seen == []
    await counts.hand_in()
    ((_, entries),) = batches(ingress)
    assert entries == [("key_1", 1000, 500)]
    assert ingress.seen[0].line.startswith("POST /ApiKeyIndex/acme/AddUsage ")
    await counts.hand_in()
    assert len(ingress.seen) == 1


async def test_each_tenant_has_its_own_batch(counts: Counts, ingress: FakeIngress) -> None:
    count(counts, 2)
    count(counts, 1, key_id="key_2")
    count(counts, 1, key_id="key_3", tenant="glo/bex")
    await counts.hand_in()
    assert [len(entries) for _, entries in batches(ingress)] == [2, 1]
    assert "/ApiKeyIndex/glo%252Fbex/AddUsage " in ingress.seen[1].line


async def test_a_batch_whose_answer_was_lost_comes_again_under_its_key(
    counts: Counts, ingress: FakeIngress
) -> None:
    count(counts, 2)
    ingress.answers(None)
    await counts.hand_in()
    lost = batches(ingress)
    assert {key for key, _ in lost} == {lost[0][0]}
    ingress.seen.clear()
    ingress.answers(response(body=b"{}"))
    count(counts, 4)
    await counts.hand_in()
    again, later = batches(ingress)
    assert again == lost[0]
    assert later[0] != again[0]
    assert later[1] == [("key_1", 4, 2)]


async def test_what_waits_is_bounded(
    counts: Counts, ingress: FakeIngress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_batches, "_MOST_WAITING", 2)
    ingress.answers(None)
    for number in range(4):
        count(counts, key_id=f"key_{number}")
        await counts.hand_in()
    ingress.seen.clear()
    ingress.answers(response(body=b"{}"))
    await counts.hand_in()
    told: list[Any] = [entries[0][0] for _, entries in batches(ingress)]
    assert told == ["key_0", "key_1"]
