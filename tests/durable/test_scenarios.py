"""What the fake platform promises, held against the real server: the suite is one and the same.

Calls go through the edge's own client and translation, so what a scenario sees is what a client
of the edge would get.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import quote

import anyio
import httpx
import pytest

from chassis.message import Message
from chassis.rpc import Rpc
from devstack.restate import RestateServer
from edge import translate
from edge.ingress import Answer, Ingress
from edge.liveness import Liveness
from edge.responses import error_response
from errors import Code, wire
from tests.support import scenario_parts as parts
from tests.support.scenario_parts import Asked
from tests.support.scenario_server import scenario_server
from tests.support.scenarios import NEEDS_CANCEL, Scenario, every_scenario

pytestmark = pytest.mark.anyio

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

_SECONDS = 30


class ServerStage:
    """The scenarios' view of a real server."""

    def __init__(self, server: RestateServer, ingress: Ingress) -> None:
        self._server = server
        self._ingress = ingress

    def new_key(self) -> str:
        return f"key {uuid.uuid4()}/ü"

    async def call(self, rpc: Rpc[Q, R], request: Q, *, key: str = "") -> R:
        answer = await self.answer(rpc, request, key=key)
        try:
            return rpc.response.from_json(translate.body_of(answer, None))
        except translate.FailedError as failed:
            raise failed.error from None

    async def answer(self, rpc: Rpc[Q, R], request: Q, *, key: str = "", more: str = "") -> Answer:
        """What the ingress itself says."""
        segment = f"{quote(key, safe='')}/" if key else ""
        path = f"/{rpc.component.name}/{segment}{rpc.name}{more}"
        headers = [("content-type", "application/json")]
        deadline = asyncio.get_running_loop().time() + _SECONDS
        return await self._ingress.send(path, headers, request.to_json(), deadline)

    async def submit(self, rpc: Rpc[Q, R], request: Q, *, key: str) -> None:
        answer = await self.answer(rpc, request, key=key, more="/send")
        assert answer.status in (200, 202), answer

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        with anyio.fail_after(_SECONDS):
            while not await condition():  # noqa: ASYNC110  # it lives in another process
                await anyio.sleep(0.05)

    async def cancel(self, rpc: Rpc[Q, R], key: str) -> None:
        id = (await self._invocation(rpc, key))["id"]
        async with httpx.AsyncClient(base_url=self._server.admin_url, trust_env=False) as admin:
            (await admin.patch(f"/invocations/{id}/cancel")).raise_for_status()

    async def steps(self, rpc: Rpc[Q, R], key: str) -> list[str]:
        id = (await self._invocation(rpc, key))["id"]
        rows = await self._query(
            f"SELECT name FROM sys_journal WHERE id = '{id}' AND entry_type = 'Command: Run'"
            " ORDER BY index"
        )
        return [row["name"] for row in rows]

    async def status(self, rpc: Rpc[Q, R], key: str) -> str:
        return (await self._invocation(rpc, key))["status"]

    async def _invocation(self, rpc: Rpc[Q, R], key: str) -> dict[str, str]:
        rows = await self._query(
            "SELECT id, status FROM sys_invocation"
            f" WHERE target_service_name = '{rpc.component.name}'"
            f" AND target_handler_name = '{rpc.name}' AND target_service_key = '{key}'"
        )
        return rows[0]

    async def _query(self, sql: str) -> list[dict[str, str]]:
        return await anyio.to_thread.run_sync(self._server.query, sql)


@pytest.fixture(scope="module", params=[False, True], ids=["live", "replay"])
def lane(request: pytest.FixtureRequest) -> bool:
    """Whether every handler is suspended at every wait."""
    return request.param


@pytest.fixture(scope="module")
def server(lane: bool) -> Iterator[RestateServer]:
    with scenario_server(force_replay=lane) as server:
        yield server


@asynccontextmanager
async def staged(server: RestateServer) -> AsyncGenerator[ServerStage]:
    """A stage on the running loop, to which the ingress' connections belong."""
    ingress = Ingress(server.ingress_url, _SECONDS, Liveness(None, None))
    try:
        yield ServerStage(server, ingress)
    finally:
        await ingress.close()


@every_scenario
async def test_the_server_passes_what_the_fake_passes(
    scenario: Scenario, server: RestateServer, lane: bool
) -> None:
    if lane and scenario in NEEDS_CANCEL:
        pytest.skip("a handler that is suspended at every wait cannot be cancelled")
    async with staged(server) as stage:
        await scenario(stage)


async def test_what_restate_tells_of_a_crash_ends_at_the_edge(server: RestateServer) -> None:
    """Restate's own answer quotes the exception; what a client gets has nothing of it."""
    async with staged(server) as stage:
        answer = await stage.answer(parts.break_down, Asked(kind="actor", key=stage.new_key()))
    failed = translate.failure_of(answer, None)
    assert failed.error == wire.internal()
    assert failed.error.code is Code.INTERNAL
    shown = error_response(failed.error, "req_1", failed.outcome).body.decode()
    assert parts.SECRET not in shown
    assert "Traceback" not in shown
