"""The authorization model on the real server: what `authorization.fga.yaml` says holds."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.openfga import OpenFgaServer
from errors import RpcError
from services.openfga import model, reasons
from services.openfga.client import OpenFgaStore
from services.openfga.names import NamedTuple
from tests.support.openfga import need_openfga, running_openfga, settings_of

pytestmark = pytest.mark.anyio

STORE_TESTS: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("authorization.fga.yaml").read_text()
)
CASES: list[dict[str, Any]] = STORE_TESTS["tests"]


@pytest.fixture(scope="module")
def server() -> Iterator[OpenFgaServer]:
    need_openfga()
    with running_openfga() as server:
        yield server


@pytest.fixture
async def store(
    server: OpenFgaServer, request: pytest.FixtureRequest
) -> AsyncIterator[OpenFgaStore]:
    """A store of its own for each test, with the tuples that all of them begin with."""
    client = OpenFgaStore(settings_of(server, f"test-{abs(hash(request.node.name)):x}"))
    await client.prepare()
    await client.write(tuples(STORE_TESTS))
    yield client
    await client.aclose()


def tuples(of: dict[str, Any]) -> list[NamedTuple]:
    return [NamedTuple(**each) for each in of.get("tuples", ())]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_the_store_tests_hold(store: OpenFgaStore, case: dict[str, Any]) -> None:
    context = tuples(case)
    asked = {
        NamedTuple(check["user"], permission, check["object"]): expected
        for check in case.get("check", ())
        for permission, expected in check["assertions"].items()
    }
    found = await store.check(list(asked), context, fresh=False)
    assert dict(zip(asked, found, strict=True)) == asked
    for listing in case.get("list_objects", ()):
        for permission, expected in listing["assertions"].items():
            objects = await store.list_objects(
                listing["user"], permission, listing["type"], context, fresh=False
            )
            assert sorted(objects) == sorted(expected), permission


def test_every_permission_of_the_model_is_tested_both_ways() -> None:
    seen: set[tuple[str, str, bool]] = set()
    for case in CASES:
        for check in case.get("check", ()):
            kind = check["object"].partition(":")[0]
            seen |= {(kind, *each) for each in check["assertions"].items()}
    permissions = {
        (each["type"], relation)
        for each in model.ours()["type_definitions"]
        for relation in each["relations"]
        if relation.startswith("can_")
    }
    assert seen == {(*each, allowed) for each in permissions for allowed in (True, False)}


async def test_preparing_again_changes_nothing(server: OpenFgaServer) -> None:
    first, second = (OpenFgaStore(settings_of(server, "prepared")) for _ in range(2))
    assert await first.prepare() == await second.prepare()
    await first.aclose()
    await second.aclose()


async def test_a_repeated_write_and_a_repeated_delete_change_nothing(store: OpenFgaStore) -> None:
    written = [
        NamedTuple("user:acme/zoe", "viewer", "file:acme/diary"),
        NamedTuple("user:acme/zoe", "viewer", "file:acme/menu"),
    ]
    asked = NamedTuple("user:acme/zoe", "can_view", "file:acme/diary")
    for _ in range(2):
        await store.write(written)
        assert await store.check([asked], [], fresh=True) == [True]
    for _ in range(2):
        await store.delete(written)
        assert await store.check([asked], [], fresh=True) == [False]


@pytest.mark.parametrize(
    "wrong",
    [
        NamedTuple("user:acme/zoe", "can_view", "file:acme/diary"),
        NamedTuple("user:*", "viewer", "file:acme/diary"),
        NamedTuple("user:acme/zoe", "parent", "file:acme/diary"),
        NamedTuple("user:acme/zoe", "nonsense", "file:acme/diary"),
        NamedTuple("conversation:acme/c1", "viewer", "file:acme/diary"),
    ],
    ids=lambda each: f"{each.user} {each.relation}",
)
async def test_what_the_model_has_no_room_for_is_written_by_nobody(
    store: OpenFgaStore, wrong: NamedTuple
) -> None:
    right = NamedTuple("user:acme/zoe", "viewer", "file:acme/diary")
    with pytest.raises(RpcError) as refused:
        await store.write([right, wrong])
    assert refused.value.reason == reasons.REQUEST_REFUSED.word
    asked = NamedTuple("user:acme/zoe", "can_view", "file:acme/diary")
    assert await store.check([asked], [], fresh=True) == [False], "a write is all or nothing"


async def test_a_wrong_key_is_ours_to_repair(server: OpenFgaServer) -> None:
    settings = settings_of(server).model_copy(update={"api_token": None})
    stranger = OpenFgaStore(settings)
    with pytest.raises(RpcError) as refused:
        await stranger.prepare()
    assert refused.value.reason == reasons.CREDENTIALS_REFUSED.word
    await stranger.aclose()
