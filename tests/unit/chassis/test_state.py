"""State keys: typed, tolerant of newer versions, read together."""

import pytest
from restate import ObjectContext, ObjectSharedContext

from chassis.message import Int32, Message
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind
from chassis.serve import implements
from chassis.state import Ahead, StateKey, get_all
from chassis.steps import step
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio


class Record(Message):
    """A record of this version."""

    version: Int32 = 1
    name: str = ""
    added_later: Int32 = 7


class Numbers(Message):
    numbers: list[Int32] = []


actor = Component("StateActor", Kind.ACTOR, SINGLETON, key="any", eager_state=False)
keep = actor.rpc("Keep", Record, Record)
read = actor.rpc("Read", Numbers, Numbers, shared=True)
drop = actor.rpc("Drop", Record, Record)
ahead = actor.rpc("Ahead", Numbers, Numbers)

RECORD = StateKey("record", Record)


class Stateful:
    @implements(keep)
    async def keep(self, ctx: ObjectContext, request: Record) -> Record:
        """Keep a record, answer the one before."""
        before = await RECORD.get(ctx)
        RECORD.set(ctx, request)
        RECORD.of(request.added_later).set(ctx, request)
        return before or Record(name="nothing")

    @implements(read)
    async def read(self, ctx: ObjectSharedContext, request: Numbers) -> Numbers:
        """The names under these numbers; -1 for none."""
        records = await get_all(ctx, [RECORD.of(number) for number in request.numbers])
        return Numbers(numbers=[r.added_later if r else -1 for r in records])

    @implements(drop)
    async def drop(self, ctx: ObjectContext, request: Record) -> Record:
        """Forget."""
        RECORD.clear(ctx)
        return await RECORD.get(ctx) or Record(name="nothing")

    @implements(ahead)
    async def ahead(self, ctx: ObjectContext, request: Numbers) -> Numbers:
        """As `read`, begun before a step that is waited for, and with a write in between."""
        begun = Ahead(ctx, [RECORD.of(number) for number in request.numbers])
        await step(ctx, "meanwhile", self.act, int)
        RECORD.of(99).set(ctx, Record(added_later=99))
        wanted = [*request.numbers, *request.numbers, 99]
        records = await get_all(begun, [RECORD.of(number) for number in wanted])
        return Numbers(numbers=[r.added_later if r else -1 for r in records])

    async def act(self) -> int:
        return 1


async def test_a_record_comes_back_as_it_was_kept() -> None:
    async with FakePlatform() as platform:
        platform.serve(actor, Stateful())
        assert (await platform.call(keep, Record(name="one"), key="k")).name == "nothing"
        assert (await platform.call(keep, Record(name="two"), key="k")).name == "one"
        assert (await platform.call(drop, Record(), key="k")).name == "nothing"
        assert "record" not in platform.state(actor, "k")


async def test_members_of_a_family_are_keys_of_their_own() -> None:
    async with FakePlatform() as platform:
        platform.serve(actor, Stateful())
        for number in (1, 11, 2):
            await platform.call(keep, Record(added_later=number), key="k")
        asked = Numbers(numbers=[11, 3, 1, 2, 1])
        assert (await platform.call(read, asked, key="k")).numbers == [11, -1, 1, 2, 1]
        assert (await platform.call(read, Numbers(), key="k")).numbers == []
        assert (await platform.call(read, Numbers(numbers=[2]), key="k")).numbers == [2]


async def test_what_is_read_ahead_is_what_a_read_finds_then_and_again() -> None:
    async with FakePlatform() as platform:
        platform.serve(actor, Stateful())
        for number in (1, 2):
            await platform.call(keep, Record(added_later=number), key="k")
        found = await platform.call(ahead, Numbers(numbers=[2, 5, 1]), key="k")
        assert found.numbers == [2, -1, 1, 2, -1, 1, 99]


async def test_records_of_newer_and_older_versions_are_read() -> None:
    async with FakePlatform() as platform:
        platform.serve(actor, Stateful())
        state = platform.state(actor, "k")
        state["record"] = b'{"version":9,"name":"new","unknown":{"deep":[1]}}'
        before = await platform.call(keep, Record(), key="k")
        assert (before.version, before.name, before.added_later) == (9, "new", 7)


async def test_two_keys_share_nothing() -> None:
    async with FakePlatform() as platform:
        platform.serve(actor, Stateful())
        await platform.call(keep, Record(name="mine"), key="a/b")
        assert (await platform.call(keep, Record(name="yours"), key="a")).name == "nothing"
