"""What other components hear of sharing, with every handler replayed from its journal."""

from collections.abc import Sequence

import pytest

from errors import RpcError
from services.openfga import contract, reasons
from services.openfga.access import Access
from services.openfga.client import OpenFgaStore
from services.openfga.contract import (
    Asker,
    BatchCheckRequest,
    CheckRequest,
    DeleteTuplesRequest,
    Entity,
    EntityType,
    ListObjectsRequest,
    Question,
    Tuple,
    WriteTuplesRequest,
)
from services.openfga.handlers import OpenFGA
from services.openfga.names import NamedTuple
from services.openfga.settings import OpenFgaSettings
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

ANN = Asker(tenant_id="acme", user_id="ann")
FILE = Entity(type=EntityType.FILE, id="f1")
SHARE = Tuple(subject=Entity(type=EntityType.USER, id="ann"), relation="viewer", object=FILE)
MAY_VIEW = Question(permission="can_view", object=FILE)


class Tuples:
    """A store in memory, where `can_view` is `viewer`; fails as often as it is told."""

    def __init__(self, *failures: RpcError) -> None:
        self.tuples: set[NamedTuple] = set()
        self.failures = list(failures)

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
        return [NamedTuple(each.user, "viewer", each.object) in self.tuples for each in asked]

    async def list_objects(
        self, user: str, relation: str, kind: str, context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[str]:
        self._fail()
        return [each.object for each in self.tuples if each.user == user]

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


def serving(platform: FakePlatform, store: Tuples | OpenFgaStore) -> None:
    platform.serve(contract.component, OpenFGA(Access(store, 5.0)))


async def test_what_is_shared_may_be_done_until_it_is_not_shared_any_more() -> None:
    async with FakePlatform() as platform:
        serving(platform, Tuples())
        asked = CheckRequest(asker=ANN, question=MAY_VIEW)
        assert not (await platform.call(contract.check, asked)).allowed
        shared = WriteTuplesRequest(tenant_id="acme", tuples=[SHARE])
        await platform.call(contract.write_tuples, shared)
        assert (await platform.call(contract.check, asked)).allowed
        listed = await platform.call(
            contract.list_objects,
            ListObjectsRequest(asker=ANN, permission="can_view", type=EntityType.FILE),
        )
        assert (listed.ids, listed.truncated) == (["f1"], False)
        ended = DeleteTuplesRequest(tenant_id="acme", tuples=[SHARE])
        await platform.call(contract.delete_tuples, ended)
        assert not (await platform.call(contract.check, asked)).allowed


async def test_several_answers_come_in_the_order_of_the_questions() -> None:
    async with FakePlatform() as platform:
        serving(platform, Tuples())
        shared = WriteTuplesRequest(tenant_id="acme", tuples=[SHARE])
        await platform.call(contract.write_tuples, shared)
        other = Question(permission="can_view", object=Entity(type=EntityType.FILE, id="f2"))
        asked = BatchCheckRequest(asker=ANN, questions=[other, MAY_VIEW, other])
        answer = await platform.call(contract.batch_check, asked)
        assert answer.allowed == [False, True, False]


async def test_a_write_whose_answer_was_lost_is_written_again() -> None:
    store = Tuples(reasons.UNREACHABLE.error())
    async with FakePlatform() as platform:
        serving(platform, store)
        shared = WriteTuplesRequest(tenant_id="acme", tuples=[SHARE])
        await platform.call(contract.write_tuples, shared)
    assert store.tuples == {NamedTuple("user:acme/ann", "viewer", "file:acme/f1")}


async def test_a_server_that_stays_away_is_told_and_the_owner_goes_on() -> None:
    async with FakePlatform() as platform:
        serving(platform, Tuples(*[reasons.UNREACHABLE.error()] * 9))
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.check, CheckRequest(asker=ANN, question=MAY_VIEW))
        assert refused.value.reason == reasons.UNREACHABLE.word
        assert not refused.value.is_terminal
        own = Question(permission="can_delete", object=FILE, owner_id="ann")
        answer = await platform.call(contract.check, CheckRequest(asker=ANN, question=own))
        assert answer.allowed


async def test_without_a_server_sharing_says_so_and_the_owner_goes_on() -> None:
    async with FakePlatform() as platform:
        serving(platform, OpenFgaStore(OpenFgaSettings()))
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.check, CheckRequest(asker=ANN, question=MAY_VIEW))
        assert refused.value == reasons.NOT_CONFIGURED.error()
        own = Question(permission="can_view", object=FILE, owner_id="ann")
        answer = await platform.call(contract.check, CheckRequest(asker=ANN, question=own))
        assert answer.allowed


async def test_relations_cannot_be_asked_for_in_place_of_permissions() -> None:
    async with FakePlatform() as platform:
        serving(platform, Tuples())
        relation = Question.model_construct(permission="viewer", object=FILE)
        asked = CheckRequest.model_construct(asker=ANN, question=relation)
        with pytest.raises(RpcError) as refused:
            await platform.call(contract.check, asked)
        assert refused.value.reason == "request.invalid"
