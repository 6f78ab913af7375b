"""Erasing the traces of an object, on a stand-in for Restate's admin port."""

import httpx
import pytest

from errors import Code, RpcError
from services.erasure import contract
from services.erasure.client import RestateAdmin
from services.erasure.contract import PurgeRequest, PurgeResponse
from services.erasure.handlers import Erasure
from services.erasure.settings import ErasureSettings
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

OBJECT = PurgeRequest(component="ConversationActor", key="acme/alice/o%27brien")


class AdminPort:
    """Invocations by id, and what was asked. `ends_after` rounds, what runs has ended."""

    def __init__(self, *rows: tuple[str, str, str], ends_after: int = 10**6) -> None:
        self.rows = {id: (component, status) for id, component, status in rows}
        self.ends_after = ends_after
        self.queries: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.down = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the admin port does."""
        if self.down:
            self.down -= 1
            raise httpx.ConnectError("down")
        if request.url.path == "/query":
            return self._query(request)
        _, _, id, verb = request.url.path.split("/")
        component, status = self.rows.get(id, ("", ""))
        if not status or (verb == "purge") != (status == "completed"):
            return httpx.Response(404 if not status else 409)
        self.ended.append((verb, id))
        if verb == "kill" and status != "scheduled":
            self.rows[id] = (component, "completed")
        else:
            del self.rows[id]
        return httpx.Response(200)

    def _query(self, request: httpx.Request) -> httpx.Response:
        self.queries.append(request.content.decode())
        if len(self.queries) > self.ends_after:
            self.rows = {id: (name, "completed") for id, (name, _) in self.rows.items()}
        rows = [
            {"id": id, "target_service_name": name, "status": status}
            for id, (name, status) in self.rows.items()
        ]
        return httpx.Response(200, json={"rows": rows})


async def purged(port: AdminPort, patience: float = 0.5) -> PurgeResponse:
    """Erase the traces of the object."""
    transport = httpx.MockTransport(port)
    async with httpx.AsyncClient(transport=transport, base_url="http://restate") as http:
        settings = ErasureSettings.model_construct(patience_seconds=patience)
        async with FakePlatform() as platform:
            handlers = Erasure(RestateAdmin(http), settings)
            platform.serve(contract.component, handlers)
            return await platform.call(contract.purge, OBJECT)


async def test_finished_calls_are_purged_and_reminders_never_come() -> None:
    port = AdminPort(
        ("inv_1", "GenerationWorkflow", "completed"),
        ("inv_2", "ConversationActor", "completed"),
        ("inv_3", "ConversationActor", "scheduled"),
    )
    assert await purged(port) == PurgeResponse(purged=2, reminders=1)
    assert port.ended == [("purge", "inv_1"), ("purge", "inv_2"), ("kill", "inv_3")]
    assert port.rows == {}


async def test_a_run_may_end_by_itself_and_is_purged_then() -> None:
    port = AdminPort(("inv_1", "GenerationWorkflow", "running"), ends_after=3)
    assert await purged(port) == PurgeResponse(purged=1)
    assert port.ended == [("purge", "inv_1")]


async def test_a_run_that_does_not_end_is_killed_and_purged() -> None:
    port = AdminPort(("inv_1", "GenerationWorkflow", "backing-off"))
    assert await purged(port) == PurgeResponse(purged=1, killed=1)
    assert port.ended == [("kill", "inv_1"), ("purge", "inv_1")]


async def test_the_object_itself_is_never_killed_at_work() -> None:
    port = AdminPort(("inv_1", "ConversationActor", "running"))
    with pytest.raises(RpcError) as refused:
        await purged(port)
    assert (refused.value.code, refused.value.reason) == (
        Code.UNAVAILABLE, contract.BUSY.word,
    )  # fmt: skip
    assert not refused.value.is_terminal
    assert port.ended == []


async def test_an_admin_port_that_blinks_is_asked_again() -> None:
    port = AdminPort(("inv_1", "GenerationWorkflow", "completed"))
    port.down = 2
    assert await purged(port) == PurgeResponse(purged=1)


async def test_an_admin_port_that_is_away_is_told() -> None:
    port = AdminPort()
    port.down = 100
    with pytest.raises(RpcError) as refused:
        await purged(port)
    assert refused.value.reason == contract.UNREACHABLE.word
    assert not refused.value.is_terminal


async def test_a_key_cannot_leave_its_quotes() -> None:
    port = AdminPort()
    transport = httpx.MockTransport(port)
    async with httpx.AsyncClient(transport=transport, base_url="http://restate") as http:
        admin = RestateAdmin(http)
        await admin.traces("ConversationActor", "x' OR 'a'='a")
    [query] = port.queries
    assert "'x'' OR ''a''=''a'" in query
