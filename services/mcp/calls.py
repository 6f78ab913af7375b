"""Calls of tools in flight in this process, made by durable steps.

A step may be executed again: Restate died and never heard of its result, or this process did. A
call lives in a task of its own, so a step that is executed again in the same process finds it and
gets the same answer. In another process the call is gone, and nobody knows how far it came:

- READ and IDEMPOTENT tools are simply called again;
- a DANGEROUS one is claimed first, in a step of its own whose token is known to this process
  alone. A call step takes the token; one that finds it taken, or in a process that never had it,
  does not call but answers `tool.outcome_unknown`.
"""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

from chassis.message import Message, Struct
from chassis.sealing import Sealing
from chassis.steps import clock
from errors import ErrorDetails, RpcError, wire
from services.mcp import rules
from services.mcp.client import McpClient, Server
from services.mcp.contract.records import ServerRecord
from services.mcp.contract.tools import Timing, ToolEffect, ToolResult, ToolStatus
from services.mcp.reasons import NEVER_CALLED, OUTCOME_UNKNOWN, TOOL_CHANGED, UNREACHABLE
from services.mcp.servers import opened

_KEEP_SECONDS = 120.0
"""How long an answer stays for a step that is executed again."""
_CLAIM_SECONDS = 600.0


class PlannedCall(Message):
    """A call that is decided."""

    tenant_id: str
    record: ServerRecord
    tool_name: str
    effect: ToolEffect
    arguments: Struct | None = None


class ToolOutcome(Message):
    """How a call ended: with a result, or with an error (the envelope's inner object)."""

    status: ToolStatus = ToolStatus.TOOL_STATUS_UNSPECIFIED
    result: ToolResult | None = None
    error: Struct | None = None
    timing: Timing | None = None

    @property
    def failure(self) -> RpcError | None:
        """Why there is no result, if there is none."""
        return None if self.error is None else wire.from_envelope({"error": self.error})


class Claim(Message):
    """A token, known to the process that made it until the call takes it."""

    token: str = ""


class ToolCalls:
    """The calls of one process."""

    def __init__(self, client: McpClient, sealing: Sealing) -> None:
        self._client = client
        self._sealing = sealing
        self._tokens: set[str] = set()
        self._calls: dict[str, asyncio.Task[ToolOutcome]] = {}

    async def claim(self) -> Claim:
        """Announce a call that may not be made twice; the body of a step before the call's."""
        token = secrets.token_hex(16)
        self._tokens.add(token)
        asyncio.get_running_loop().call_later(_CLAIM_SECONDS, self._tokens.discard, token)
        return Claim(token=token)

    async def take(self, call_id: str, call: PlannedCall, claim: Claim | None) -> ToolOutcome:
        """Make the call, or find it: the body of a step. Never raises for what a server does.

        call_id: names the call in this process, whoever asks for it.
        claim: for tools that may not be called twice; None for the others.
        """
        task = self._calls.get(call_id)
        if task is None:
            if claim is not None:
                if claim.token not in self._tokens:
                    return _unknown(None, clock())
                self._tokens.discard(claim.token)
            task = self._calls[call_id] = asyncio.create_task(self._call(call))
            task.add_done_callback(lambda _: self._forget_later(call_id))
        # A step that is cancelled leaves the call alone; `cancel` ends it.
        return await asyncio.shield(task)

    def cancel(self, call_id: str) -> None:
        """End a call: the server is told, and the outcome is what is known of it."""
        task = self._calls.get(call_id)
        if task is not None:
            task.cancel()

    async def aclose(self) -> None:
        """End every call; for the shutdown of the process."""
        tasks = list(self._calls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self, call: PlannedCall) -> ToolOutcome:
        started = clock()
        try:
            server = opened(call.record, self._sealing, call.tenant_id)
            await self._check(server, call)
            result, status = await self._client.call_tool(
                server, call.tool_name, call.arguments or {}
            )
        except RpcError as error:
            if call.effect is ToolEffect.DANGEROUS and error.reason not in NEVER_CALLED:
                return _unknown(error, started)
            return _ended(started, error=wire.to_envelope(error)["error"])
        except asyncio.CancelledError:
            return _unknown(None, started)
        return _ended(started, status=status, result=result)

    async def _check(self, server: Server, call: PlannedCall) -> None:
        """Look at a confirmed tool once more, because it may have changed since it was listed."""
        confirmed = rules.confirmed(call.record, call.tool_name)
        if not confirmed:
            return
        try:
            tools = await self._client.list_tools(server)
        except RpcError as error:
            if error.reason in NEVER_CALLED:
                raise
            # Whatever this is, the tool was not called.
            raise UNREACHABLE.error(details=error.details) from None
        if confirmed not in [rules.digest(each) for each in tools if each.name == call.tool_name]:
            raise TOOL_CHANGED.error()

    def _forget_later(self, call_id: str) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(_KEEP_SECONDS, self._calls.pop, call_id, None)


def _unknown(error: RpcError | None, started: float) -> ToolOutcome:
    details = error.details if error is not None else ErrorDetails()
    unknown = OUTCOME_UNKNOWN.error(details=details)
    return _ended(started, error=wire.to_envelope(unknown)["error"])


def _ended(
    started: float,
    *,
    status: ToolStatus = ToolStatus.FAILED,
    result: ToolResult | None = None,
    error: dict[str, object] | None = None,
) -> ToolOutcome:
    timing = Timing(
        started_at=datetime.fromtimestamp(started, UTC),
        duration=timedelta(milliseconds=round((clock() - started) * 1000)),
    )
    return ToolOutcome(status=status, result=result, error=error, timing=timing)
