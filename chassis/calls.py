"""Calls between components, by contract, with errors rebuilt and the direction enforced.

Awaited calls go down only (gateway, workflow, actor, service), which is what keeps an exclusive
actor from waiting for itself. Upward and sideways edges are one-way sends that the sender's
contract lists. Both rules are checked here when a call is made, because only then both ends are
known; the message of the failure says what to change.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from restate import Context, ObjectContext, ObjectSharedContext
from restate.exceptions import TerminalError

from chassis.message import Message
from chassis.rpc import Component, Kind, Rpc
from errors import wire

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

AnyContext = Context | ObjectContext | ObjectSharedContext

# Set by chassis.serve around every handler.
current_component: ContextVar[Component | None] = ContextVar("current_component", default=None)


class LayeringError(Exception):
    """A call that the architecture forbids. A bug, never an answer to a client."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, R]):
    """A call that is decided but not made: target, key and request.

    Gateway methods that are "check, then one call down" compute one of these from caller and
    request alone, so that the edge may make the same call without the hop (edge/short_way.py).
    """

    rpc: Rpc[Q, R]
    request: Q
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Relayed(Generic[R]):
    """An answer as the callee wrote it. A handler that has nothing to add returns it unread."""

    body: bytes

    def to_json(self) -> bytes:
        """The answer on the wire."""
        return self.body


async def call(
    ctx: AnyContext,
    rpc: Rpc[Q, R],
    request: Q,
    *,
    key: str | None = None,
    idempotency_key: str | None = None,
) -> R:
    """Call a component below and wait for its answer.

    Raises the RpcError that the callee raised, details included.
    """
    return rpc.response.from_json(await _answer(ctx, rpc, request, key, idempotency_key))


async def make(ctx: AnyContext, target: Call[Q, R]) -> Relayed[R]:
    """Make a decided call, for a caller of our own that is answered the same."""
    return Relayed(await _answer(ctx, target.rpc, target.request, target.key, None))


async def _answer(
    ctx: AnyContext, rpc: Rpc[Q, R], request: Q, key: str | None, idempotency_key: str | None
) -> bytes:
    _check_down(rpc)
    _check_key(rpc, key)
    try:
        return await ctx.generic_call(
            rpc.component.name,
            rpc.name,
            request.to_json(),
            key=key,
            idempotency_key=idempotency_key,
        )
    except TerminalError as failure:
        raise wire.from_failure(failure.message, failure.status_code, failure.metadata) from None


def send(
    ctx: AnyContext,
    rpc: Rpc[Q, R],
    request: Q,
    *,
    key: str | None = None,
    delay: timedelta | None = None,
) -> None:
    """Send one-way: it will happen once this attempt's progress is durable."""
    _check_send(rpc)
    _check_key(rpc, key)
    ctx.generic_send(rpc.component.name, rpc.name, request.to_json(), key=key, send_delay=delay)


def _check_down(rpc: Rpc[Q, R]) -> None:
    caller = current_component.get()
    if caller is not None and not caller.may_wait_for(rpc.component):
        raise LayeringError(
            f"{caller.name} may not wait for {rpc.target}: awaited calls go down only. "
            "Use a one-way send and list it in the sender's contract."
        )


def _check_send(rpc: Rpc[Q, R]) -> None:
    caller = current_component.get()
    if caller is None or caller.kind.height > rpc.component.kind.height:
        return
    if rpc.target not in caller.sends:
        raise LayeringError(
            f"{caller.name} sends to {rpc.target}, which its contract does not list in `sends`."
        )


def _check_key(rpc: Rpc[Q, R], key: str | None) -> None:
    keyed = rpc.component.kind in (Kind.ACTOR, Kind.WORKFLOW)
    if keyed != bool(key):
        raise LayeringError(f"{rpc.target} {'needs a' if keyed else 'takes no'} key.")
