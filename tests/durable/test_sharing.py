"""Sharing through Restate and the real OpenFGA server, which may die in between."""

from collections.abc import AsyncIterator, Iterator

import anyio.to_thread
import httpx
import pytest

from devstack.stack import Stack
from errors import RpcError, wire
from services.openfga import contract, reasons
from services.openfga.contract import (
    Asker,
    BatchCheckRequest,
    CheckRequest,
    CheckResponse,
    DeleteTuplesRequest,
    Entity,
    EntityType,
    ListObjectsRequest,
    Question,
    Tuple,
    WriteTuplesRequest,
)
from tests.support.openfga import need_openfga
from tests.support.sharing import OPENFGA, RunningSharing, running_sharing

pytestmark = pytest.mark.anyio

# Nothing is remembered, so that every question reaches the server, which may be down.
FORGETFUL = {"OPENFGA_REMEMBERED_SECONDS": "0", "OPENFGA_TIMEOUT_SECONDS": "10"}
EVERYBODY = Entity(type=EntityType.TENANT)
ANN, BOB = (Asker(tenant_id="acme", user_id=name) for name in ("ann", "u1234:bob@x"))


@pytest.fixture(scope="module", params=[False, True], ids=["live", "replay"])
def running(request: pytest.FixtureRequest) -> Iterator[Stack]:
    need_openfga()
    with running_sharing(FORGETFUL, force_replay=request.param) as stack:
        yield stack


@pytest.fixture
async def sharing(running: Stack) -> AsyncIterator[RunningSharing]:
    sharing = RunningSharing(running)
    yield sharing
    await sharing.http.aclose()


def file(id: str) -> Entity:
    return Entity(type=EntityType.FILE, id=id)


def viewer(of: Entity, user_id: str = BOB.user_id) -> Tuple:
    subject = Entity(type=EntityType.USER, id=user_id)
    return Tuple(subject=subject, relation="viewer", object=of)


def may_view(what: Entity, owner_id: str = "") -> Question:
    return Question(permission="can_view", object=what, owner_id=owner_id)


async def allowed(sharing: RunningSharing, asker: Asker, question: Question) -> bool:
    asked = CheckRequest(asker=asker, question=question)
    answer = await sharing.call(contract.check, asked)
    assert answer.status_code == 200, answer.text
    return CheckResponse.from_json(answer.content).allowed


async def write(sharing: RunningSharing, *tuples: Tuple) -> None:
    request = WriteTuplesRequest(tenant_id="acme", tuples=list(tuples))
    assert (await sharing.call(contract.write_tuples, request)).status_code == 200


def error_of(answer: httpx.Response) -> RpcError:
    body = answer.json()
    return wire.from_failure(body["message"], answer.status_code, body["metadata"])


async def test_what_is_shared_is_seen_at_once_and_gone_at_once(sharing: RunningSharing) -> None:
    shared = file("shared")
    assert not await allowed(sharing, BOB, may_view(shared))
    for _ in range(2):
        await write(sharing, viewer(shared))
        assert await allowed(sharing, BOB, may_view(shared))
    asked = ListObjectsRequest(asker=BOB, permission="can_view", type=EntityType.FILE)
    assert (await sharing.call(contract.list_objects, asked)).json()["ids"] == ["shared"]
    ended = DeleteTuplesRequest(tenant_id="acme", tuples=[viewer(shared)])
    for _ in range(2):
        assert (await sharing.call(contract.delete_tuples, ended)).status_code == 200
        assert not await allowed(sharing, BOB, may_view(shared))


async def test_everybody_are_the_members_and_nobody_else(sharing: RunningSharing) -> None:
    menu = file("menu")
    everybody = Tuple(subject=EVERYBODY, subject_relation="member", relation="viewer", object=menu)
    await write(sharing, everybody)
    member = Asker(tenant_id="acme", user_id="eve", role="member")
    assert await allowed(sharing, member, may_view(menu))
    assert not await allowed(sharing, Asker(tenant_id="acme", user_id="eve"), may_view(menu))
    stranger = Asker(tenant_id="globex", user_id="eve", role="owner")
    assert not await allowed(sharing, stranger, may_view(menu))


async def test_a_hundred_tuples_and_fifty_questions_go_at_once(sharing: RunningSharing) -> None:
    await write(sharing, *(viewer(file(f"many-{n}")) for n in range(100)))
    questions = [may_view(file(f"many-{n * 4}")) for n in range(50)]
    asked = BatchCheckRequest(asker=BOB, questions=questions)
    answer = await sharing.call(contract.batch_check, asked)
    assert answer.json()["allowed"] == [n * 4 < 100 for n in range(50)]


async def test_while_the_server_is_dead_owners_go_on_and_guests_are_refused(
    sharing: RunningSharing,
) -> None:
    shared = file("outage")
    await write(sharing, viewer(shared))
    await anyio.to_thread.run_sync(sharing.processes.kill, OPENFGA)
    try:
        assert await allowed(sharing, ANN, may_view(shared, owner_id="ann"))
        asked = CheckRequest(asker=BOB, question=may_view(shared, owner_id="ann"))
        answer = await sharing.call(contract.check, asked)
        assert answer.status_code == 503
        error = error_of(answer)
        assert (error.reason, error.is_terminal) == (reasons.UNREACHABLE.word, False)
    finally:
        await anyio.to_thread.run_sync(sharing.processes.start_again, OPENFGA)
    assert await allowed(sharing, BOB, may_view(shared)), "tuples survive a kill"
