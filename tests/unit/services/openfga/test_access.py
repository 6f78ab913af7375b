"""What is remembered is never older than it may be, and never survives a write."""

import asyncio
from collections.abc import Sequence

import pytest

from errors import RpcError
from services.openfga import access, reasons
from services.openfga.access import Access
from services.openfga.contract import Asker, Entity, EntityType, Question, Tuple
from services.openfga.names import NamedTuple

pytestmark = pytest.mark.anyio

ANN = Asker(tenant_id="acme", user_id="ann")
SHARE = Tuple(
    subject=Entity(type=EntityType.USER, id="ann"),
    relation="viewer",
    object=Entity(type=EntityType.FILE, id="f1"),
)


class FakeStore:
    """Holds tuples, and counts what is asked; `can_view` is `viewer`."""

    def __init__(self) -> None:
        self.tuples: set[NamedTuple] = set()
        self.calls: list[tuple[int, bool]] = []
        self.context: list[NamedTuple] = []
        self.failure: RpcError | None = None
        self.asked = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def write(self, tuples: Sequence[NamedTuple]) -> None:
        self.tuples |= set(tuples)
        self._fail()

    async def delete(self, tuples: Sequence[NamedTuple]) -> None:
        self.tuples -= set(tuples)
        self._fail()

    async def check(
        self, asked: Sequence[NamedTuple], context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[bool]:
        self._fail()
        self.calls.append((len(asked), fresh))
        self.context = list(context)
        verdicts = [NamedTuple(a.user, "viewer", a.object) in self.tuples for a in asked]
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        return verdicts

    async def list_objects(
        self, user: str, relation: str, kind: str, context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[str]:
        self._fail()
        self.calls.append((1, fresh))
        return sorted(t.object for t in self.tuples if t.user == user)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checks(store: FakeStore, clock: Clock) -> Access:
    return Access(store, 5.0, clock)


def may_view(*ids: str, owner_id: str = "") -> list[Question]:
    return [
        Question(
            permission="can_view", object=Entity(type=EntityType.FILE, id=id), owner_id=owner_id
        )
        for id in ids
    ]


async def test_nothing_is_allowed_that_nobody_has_allowed(checks: Access) -> None:
    assert await checks.allowed(ANN, may_view("f1", "f2")) == [False, False]


async def test_a_verdict_is_asked_for_once_and_again_when_it_is_too_old(
    checks: Access, store: FakeStore, clock: Clock
) -> None:
    for _ in range(3):
        await checks.allowed(ANN, may_view("f1"))
    assert len(store.calls) == 1
    clock.now += 5
    await checks.allowed(ANN, may_view("f1"))
    assert len(store.calls) == 2


async def test_questions_that_are_not_remembered_are_asked_together_and_once(
    checks: Access, store: FakeStore
) -> None:
    await checks.write("acme", [SHARE])
    await checks.allowed(ANN, may_view("f2"))
    answers = await checks.allowed(ANN, may_view("f1", "f2", "f3", "f1"))
    assert answers == [True, False, False, True]
    assert [number for number, _ in store.calls] == [1, 2]


async def test_who_writes_sees_it_at_once_and_past_the_servers_caches(
    checks: Access, store: FakeStore, clock: Clock
) -> None:
    assert await checks.allowed(ANN, may_view("f1")) == [False]
    await checks.write("acme", [SHARE])
    assert await checks.allowed(ANN, may_view("f1")) == [True]
    await checks.delete("acme", [SHARE])
    assert await checks.allowed(ANN, may_view("f1")) == [False]
    clock.now += 60
    await checks.allowed(ANN, may_view("f1"))
    assert [fresh for _, fresh in store.calls] == [False, True, True, False]


async def test_a_write_of_one_tenant_leaves_the_verdicts_of_others(
    checks: Access, store: FakeStore
) -> None:
    carol = Asker(tenant_id="globex", user_id="carol")
    await checks.allowed(carol, may_view("f1"))
    await checks.write("acme", [SHARE])
    await checks.allowed(carol, may_view("f1"))
    assert len(store.calls) == 1


async def test_a_verdict_that_was_under_way_during_a_write_is_not_remembered(
    checks: Access, store: FakeStore
) -> None:
    store.held = asyncio.Event()
    early = asyncio.create_task(checks.allowed(ANN, may_view("f1")))
    await store.asked.wait()
    await checks.write("acme", [SHARE])
    store.held.set()
    assert await early == [False]
    assert await checks.allowed(ANN, may_view("f1")) == [True]


async def test_a_write_that_failed_may_have_happened_so_nothing_is_remembered(
    checks: Access, store: FakeStore
) -> None:
    await checks.allowed(ANN, may_view("f1"))
    store.failure = reasons.UNREACHABLE.error()
    with pytest.raises(RpcError):
        await checks.write("acme", [SHARE])
    store.failure = None
    assert await checks.allowed(ANN, may_view("f1")) == [True]


async def test_fresh_questions_use_nothing_that_was_remembered(
    checks: Access, store: FakeStore
) -> None:
    await checks.allowed(ANN, may_view("f1"))
    store.tuples.add(NamedTuple("user:acme/ann", "viewer", "file:acme/f1"))
    assert await checks.allowed(ANN, may_view("f1")) == [False]
    assert await checks.allowed(ANN, may_view("f1"), fresh=True) == [True]
    assert store.calls[-1] == (1, True)
    assert await checks.allowed(ANN, may_view("f1")) == [True]


async def test_owners_are_answered_while_the_server_is_away_and_others_are_not(
    checks: Access, store: FakeStore
) -> None:
    store.failure = reasons.UNREACHABLE.error()
    assert await checks.allowed(ANN, may_view("f1", owner_id="ann")) == [True]
    with pytest.raises(RpcError) as refused:
        await checks.allowed(ANN, may_view("f1", owner_id="bob"))
    assert refused.value.reason == reasons.UNREACHABLE.word
    assert store.calls == []


async def test_a_role_is_asked_with_and_its_verdicts_are_kept_apart(
    checks: Access, store: FakeStore
) -> None:
    await checks.allowed(ANN, may_view("f1"))
    assert store.context == []
    admin = Asker(tenant_id="acme", user_id="ann", role="admin")
    await checks.allowed(admin, may_view("f1"))
    assert store.context == [NamedTuple("user:acme/ann", "admin", "tenant:acme")]


async def test_memory_is_bounded(
    checks: Access, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_MOST_VERDICTS", 3)
    await checks.allowed(ANN, may_view("a", "b", "c", "d"))
    await checks.allowed(ANN, may_view("d"))
    assert len(store.calls) == 1
    await checks.allowed(ANN, may_view("a"))
    assert len(store.calls) == 2


async def test_a_tenant_that_is_forgotten_does_not_find_its_old_verdicts(
    checks: Access, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_MOST_TENANTS", 1)
    assert await checks.allowed(ANN, may_view("f1")) == [False]
    await checks.write("acme", [SHARE])
    await checks.write("globex", [SHARE])
    assert await checks.allowed(ANN, may_view("f1")) == [True]


async def test_lists_have_ids_and_say_when_they_were_cut(
    checks: Access, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await checks.write("acme", [SHARE])
    assert await checks.listed(ANN, "can_view", EntityType.FILE) == (["f1"], False)
    monkeypatch.setattr(access, "MOST_LISTED", 1)
    assert await checks.listed(ANN, "can_view", EntityType.FILE) == (["f1"], True)
