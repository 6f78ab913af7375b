"""A way for tests to call FirebaseBridgeActor, which only components may call: a gateway for it.

It is served by a process of its own and registered beside the platform.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import restate
import restate.server
from restate import Context

from actors.firebase_bridge import contract as bridge
from actors.firebase_bridge.contract import (
    ApplyRequest,
    ApplyResponse,
    ChangeResponse,
    ClearClaimsRequest,
    RevokeSessionsRequest,
    SetClaimsRequest,
)
from chassis.calls import call
from chassis.identity import object_key
from chassis.message import Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Effect, Kind
from chassis.serve import handlers_of, implements, restate_service
from devstack.processes import Command, Process, accepts_connections, free_port
from tests.support.stack import RunningStack

_START_SECONDS = 30


class SetRequest(Message):
    """Claims of a user."""

    user_id: str
    claims: SetClaimsRequest


class ClearRequest(Message):
    """A tenant that a user leaves."""

    user_id: str
    claims: ClearClaimsRequest


class UserRequest(Message):
    """A user."""

    user_id: str


component = Component("BridgeProbe", Kind.GATEWAY, REQUEST, base="/api/v1/bridge/")
_PUBLIC: dict[str, Any] = {"scope": "orgs:write", "effect": Effect.READ}

set_claims = component.public("Set", SetRequest, ChangeResponse, **_PUBLIC)
clear_claims = component.public("Clear", ClearRequest, ChangeResponse, **_PUBLIC)
revoke_sessions = component.public("Revoke", UserRequest, ChangeResponse, **_PUBLIC)
apply = component.public("Apply", UserRequest, ApplyResponse, **_PUBLIC)


class BridgeProbe:
    """One call down each."""

    @implements(set_claims)
    async def set_claims(self, ctx: Context, request: SetRequest) -> ChangeResponse:
        return await call(ctx, bridge.set_claims, request.claims, key=object_key(request.user_id))

    @implements(clear_claims)
    async def clear_claims(self, ctx: Context, request: ClearRequest) -> ChangeResponse:
        key = object_key(request.user_id)
        return await call(ctx, bridge.clear_claims, request.claims, key=key)

    @implements(revoke_sessions)
    async def revoke_sessions(self, ctx: Context, request: UserRequest) -> ChangeResponse:
        key = object_key(request.user_id)
        return await call(ctx, bridge.revoke_sessions, RevokeSessionsRequest(), key=key)

    @implements(apply)
    async def apply(self, ctx: Context, request: UserRequest) -> ApplyResponse:
        return await call(ctx, bridge.apply, ApplyRequest(), key=object_key(request.user_id))


def handlers() -> object:
    """The endpoint, for granian to load by name."""
    # The SDK takes SIGTERM for itself on the first request, and granian would never end then.
    cast("Any", restate.server).install_shutdown_hook = _leave_signals_alone
    return restate.app(services=[restate_service(component, handlers_of(BridgeProbe()), "Probe.")])


def _leave_signals_alone(*_args: object, **_kwargs: object) -> None:
    """In place of the SDK's hook."""


class Bridge:
    """The probe as a test calls it."""

    def __init__(self, ingress_url: str) -> None:
        self._ingress_url = ingress_url

    async def set(self, user_id: str, tenant_id: str, role: str) -> None:
        """Let the user belong to a tenant, and wait until Firebase knows."""
        claims = {"tenantId": tenant_id, "role": role}
        assert await self._call("Set", {"userId": user_id, "claims": claims}) == 200
        assert await self.apply(user_id) == 200

    async def clear(self, user_id: str, tenant_id: str) -> None:
        """Let the user leave a tenant."""
        body = {"userId": user_id, "claims": {"tenantId": tenant_id}}
        assert await self._call("Clear", body) == 200

    async def revoke(self, user_id: str) -> None:
        """End the user's sessions."""
        assert await self._call("Revoke", {"userId": user_id}) == 200

    async def apply(self, user_id: str) -> int:
        """Tell Firebase; the status of the answer."""
        return await self._call("Apply", {"userId": user_id})

    async def _call(self, method: str, body: dict[str, Any]) -> int:
        async with httpx.AsyncClient(timeout=60, trust_env=False, verify=False) as http:
            answer = await http.post(f"{self._ingress_url}/BridgeProbe/{method}", json=body)
        return answer.status_code


@contextmanager
def running_bridge(stack: RunningStack) -> Generator[Bridge]:
    """The probe beside a running platform."""
    port = free_port()
    command = (
        sys.executable, "-m", "granian", "--interface", "asginl", "--http", "2",
        "--host", "127.0.0.1", "--port", str(port), "--no-access-log",
        "--factory", "tests.support.bridge_probe:handlers",
    )  # fmt: skip
    log_path = stack.processes.options.data_path / "logs" / "bridge-probe.log"
    process = Process(Command("bridge-probe", command, log_path, ports=(port,)))
    process.start()
    try:
        process.wait_ready(lambda: accepts_connections(port), _START_SECONDS)
        stack.processes.restate.register(f"http://127.0.0.1:{port}")
        yield Bridge(stack.processes.restate.ingress_url)
    finally:
        process.stop()
