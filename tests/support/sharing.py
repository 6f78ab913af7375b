"""The platform with a gateway over OpenFGAService, which has no public methods of its own.

`python -m tests.support.sharing handlers|edge` are its two servers; `running_sharing` is a stack of
them with the real OpenFGA server.
"""

import argparse
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from granian.constants import HTTPModes
from restate import Context

from app import handlers_server
from app.__main__ import serve
from app.registry import Registered
from chassis.calls import call
from chassis.message import Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Effect, Kind, Rpc
from chassis.serve import implements
from devstack.keys import SecretKey
from devstack.stack import OPENFGA, Stack, StackOptions
from services.openfga import contract

gateway = Component("SharingGateway", Kind.GATEWAY, REQUEST, base="/api/v1/sharing/")


def _public(rpc: Rpc[Any, Any]) -> Rpc[Any, Any]:
    return gateway.public(
        rpc.name,
        rpc.request,
        rpc.response,
        scope="storage:write",
        effect=Effect.READ,
        errors=contract.CALL_REASONS,
    )


write_tuples = _public(contract.write_tuples)
delete_tuples = _public(contract.delete_tuples)
check = _public(contract.check)
batch_check = _public(contract.batch_check)
list_objects = _public(contract.list_objects)


class SharingGateway:
    """One call down each."""

    @implements(write_tuples)
    async def write_tuples(self, ctx: Context, request: contract.WriteTuplesRequest) -> Message:
        """Write tuples."""
        return await call(ctx, contract.write_tuples, request)

    @implements(delete_tuples)
    async def delete_tuples(self, ctx: Context, request: contract.DeleteTuplesRequest) -> Message:
        """Delete tuples."""
        return await call(ctx, contract.delete_tuples, request)

    @implements(check)
    async def check(self, ctx: Context, request: contract.CheckRequest) -> Message:
        """Ask."""
        return await call(ctx, contract.check, request)

    @implements(batch_check)
    async def batch_check(self, ctx: Context, request: contract.BatchCheckRequest) -> Message:
        """Ask several questions."""
        return await call(ctx, contract.batch_check, request)

    @implements(list_objects)
    async def list_objects(self, ctx: Context, request: contract.ListObjectsRequest) -> Message:
        """List objects."""
        return await call(ctx, contract.list_objects, request)


def handlers() -> handlers_server.App:
    """The Restate endpoint."""
    return handlers_server.with_components(Registered.of(gateway, SharingGateway()))


class RunningSharing:
    """A stack whose gateway is called at Restate's ingress, past the edge."""

    def __init__(self, stack: Stack) -> None:
        self.processes = stack
        self.http = httpx.AsyncClient(
            base_url=stack.restate.ingress_url, timeout=60, trust_env=False
        )

    async def call(self, rpc: Rpc[Any, Any], request: Message) -> httpx.Response:
        """Call a method of the gateway."""
        headers = {"content-type": "application/json"}
        return await self.http.post(
            f"/SharingGateway/{rpc.name}", content=request.to_json(), headers=headers
        )


@contextmanager
def running_sharing(environment: dict[str, str], *, force_replay: bool) -> Generator[Stack]:
    """The platform with sharing, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="yocaso-sharing-", ignore_cleanup_errors=True) as path:
        options = StackOptions(
            data_path=Path(path),
            keys=(SecretKey(tenant_id="acme", user_id="alice"),),
            fsync=False,
            openfga=True,
            force_replay=force_replay,
            environment=environment,
            platform="tests.support.sharing",
        )
        stack = Stack(options)
        stack.start()
        try:
            yield stack
        finally:
            stack.stop()


def main() -> None:
    """Serve one of the two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=("handlers", "edge"))
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    if options.server == "handlers":
        serve("tests.support.sharing:handlers", "127.0.0.1", options.port, HTTPModes.http2)
    else:
        serve("app.edge_server:create", "127.0.0.1", options.port, HTTPModes.http1)


__all__ = ["OPENFGA", "RunningSharing", "running_sharing"]

if __name__ == "__main__":
    main()
