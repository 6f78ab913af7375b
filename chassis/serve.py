"""From handler classes to Restate services: parse, run, and let nothing raw out.

Each handler passes through one guard. It parses the request, sets the component for the
direction checks of `chassis.calls`, and turns failures into what the next hop can read:

- an RpcError becomes a terminal failure whose metadata carries all of it;
- an unknown exception in a gateway or service becomes INTERNAL, logged here with its request id;
- in an actor or workflow it is logged and left to Restate: retried, then killed or paused as the
  component's retry policy says. The edge masks whatever arrives without our metadata.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import restate
from restate import InvocationRetryPolicy, Service, VirtualObject, Workflow
from restate.exceptions import TerminalError
from restate.serde import BytesSerde
from restate.server_context import DisconnectedException

from chassis import logs
from chassis.calls import Relayed, current_component
from chassis.identity import REQUEST_ID
from chassis.message import REQUEST_INVALID, REQUEST_MALFORMED, Message
from chassis.rpc import Component, Kind, Rpc
from errors import RpcError, wire

S = TypeVar("S")
C = TypeVar("C")
Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

Method = Callable[[S, C, Q], Awaitable[R | Relayed[R]]]
"""What implements an RPC: it answers with the response, or with a callee's as it came."""

log = logs.get(__name__)

FINGERPRINT = "x-idem-hash"

ANY_CALL = (REQUEST_INVALID, REQUEST_MALFORMED, wire.INTERNAL, wire.CANCELLED)
"""The reasons that any handler may answer without declaring them."""
UNDECLARED = "a reason that the contract does not declare"
"""The log line of a handler whose contract is not true. The error itself goes out unchanged."""

# Room between the end of the longest step and the moment Restate cuts the attempt.
_SLACK = timedelta(minutes=1)

# A handler that waits for another holds one invocation slot while that one needs a second. When
# more wait than there are slots nothing moves, until those that wait are suspended: after this.
_PATIENCE = timedelta(seconds=1)


def implements(rpc: Rpc[Q, R]) -> Callable[[Method[S, C, Q, R]], Method[S, C, Q, R]]:
    """Mark a method as the handler of `rpc`; its types are checked against the contract."""

    def mark(method: Method[S, C, Q, R]) -> Method[S, C, Q, R]:
        method.__dict__["rpc"] = rpc
        return method

    return mark


@dataclass(frozen=True, slots=True)
class Handler:
    """A bound method and the contract that it implements."""

    rpc: Rpc[Any, Any]
    method: Callable[[Any, Any], Awaitable[Message | Relayed[Any]]]

    @property
    def description(self) -> str:
        """The docstring that discovery, OpenAPI and the CLI show."""
        return inspect.getdoc(self.method) or ""


def handlers_of(implementation: object) -> list[Handler]:
    """Every marked method of an object, in the order in which its class defines them."""
    found: list[Handler] = []
    for name, function in vars(type(implementation)).items():
        rpc = getattr(function, "__dict__", {}).get("rpc")
        if rpc is not None:
            found.append(Handler(rpc, getattr(implementation, name)))
    return found


def restate_service(
    component: Component,
    handlers: list[Handler],
    description: str,
    *,
    force_replay: bool = False,
    preload: bool = False,
) -> Service | VirtualObject | Workflow:
    """The Restate service of a component.

    force_replay: keep no timeouts of our own, so that a test server's inactivity timeout of zero
    applies and every handler is replayed at every await.
    preload: let Restate send the first keys of unbounded state along, too; it must be told to
    stop after a few of them (`eager-state-size-limit`).
    """
    service = _shell(component, description, force_replay, preload)
    for handler in handlers:
        _register(service, component, handler)
    return service


def _shell(
    component: Component, description: str, force_replay: bool, preload: bool
) -> Service | VirtualObject | Workflow:
    options: dict[str, Any] = {
        "description": description,
        # Restate refuses a public handler of a private service, so those hide handler by handler.
        "ingress_private": not any(_reachable(rpc) for rpc in component.rpcs),
        "invocation_retry_policy": InvocationRetryPolicy(
            initial_interval=component.retries.initial_interval,
            exponentiation_factor=2,
            max_interval=component.retries.max_interval,
            max_attempts=component.retries.max_attempts,
            on_max_attempts=component.retries.on_max_attempts,
        ),
    }
    if component.longest_step is None and not force_replay:
        options["inactivity_timeout"] = _PATIENCE
    elif component.longest_step is not None and not force_replay:
        # After a silent minute the default closes the line on which cancels and promises arrive.
        options["inactivity_timeout"] = component.longest_step + _SLACK
        options["abort_timeout"] = component.longest_step + _SLACK
    if component.kind is not Kind.ACTOR and component.kind is not Kind.WORKFLOW:
        return Service(component.name, **options)
    options["state_preload"] = component.eager_state or preload
    if component.kind is Kind.ACTOR:
        return VirtualObject(component.name, **options)
    return Workflow(component.name, **options)


def _reachable(rpc: Rpc[Any, Any]) -> bool:
    """Whether the edge may call it through Restate's ingress."""
    return rpc.component.kind is Kind.GATEWAY or rpc.edge_callable


def _register(
    service: Service | VirtualObject | Workflow, component: Component, handler: Handler
) -> None:
    rpc = handler.rpc
    invoke = _guarded(component, handler)
    options: dict[str, Any] = {
        "name": rpc.name,
        "input_serde": BytesSerde(),
        "output_serde": BytesSerde(),
        "journal_retention": rpc.journal_retention,
        "ingress_private": not _reachable(rpc),
    }
    if isinstance(service, VirtualObject):
        options["idempotency_retention"] = rpc.idempotency_retention
        service.handler(kind="shared" if rpc.shared else "exclusive", **options)(invoke)
    elif isinstance(service, Workflow):
        if rpc.main:
            service.main(workflow_retention=rpc.idempotency_retention, **options)(invoke)
        else:
            service.handler(**options)(invoke)
    else:
        options["idempotency_retention"] = rpc.idempotency_retention
        service.handler(**options)(invoke)


def _guarded(component: Component, handler: Handler) -> Callable[[Any, bytes], Awaitable[bytes]]:
    rpc = handler.rpc
    swallow = component.kind in (Kind.GATEWAY, Kind.SERVICE)
    known = {reason.word for reason in (*ANY_CALL, *rpc.errors)}

    async def invoke(ctx: Any, raw: bytes) -> bytes:
        token = current_component.set(component)
        try:
            response = await handler.method(ctx, rpc.request.from_json(raw))
            return _enveloped(ctx, rpc, response.to_json())
        except RpcError as error:
            if error.reason not in known:
                log.error(UNDECLARED, extra=_where(ctx, rpc, reason=error.reason))
            raise _terminal(ctx, rpc, error) from None
        except (TerminalError, DisconnectedException):
            raise
        except Exception:
            log.exception("handler failed", extra=_where(ctx, rpc))
            if swallow:
                raise _terminal(ctx, rpc, wire.internal()) from None
            raise
        finally:
            current_component.reset(token)

    invoke.__doc__ = handler.description
    invoke.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        # Discovery publishes the messages' schemas although the handler itself takes bytes.
        [
            inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            inspect.Parameter(
                "request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=rpc.request
            ),
        ],
        return_annotation=rpc.response,
    )
    return invoke


def _fingerprint(ctx: Any, rpc: Rpc[Any, Any]) -> str | None:
    """The hash of the body that made this call. Headers are journaled, so a replayed answer
    carries the first call's, which is how the edge finds a key that was used twice."""
    if not rpc.idempotency_retention or rpc.main:
        return None
    return ctx.request().headers.get(FINGERPRINT)


def _enveloped(ctx: Any, rpc: Rpc[Any, Any], body: bytes) -> bytes:
    fingerprint = _fingerprint(ctx, rpc)
    if fingerprint is None:
        return body
    return b'{"h":"' + fingerprint.encode() + b'","r":' + body + b"}"


def _terminal(ctx: Any, rpc: Rpc[Any, Any], error: RpcError) -> TerminalError:
    metadata = wire.to_metadata(error)
    fingerprint = _fingerprint(ctx, rpc)
    if fingerprint is not None:
        metadata["idemHash"] = fingerprint
    return restate.TerminalError(error.message, error.code.http_status, metadata)


def _where(ctx: Any, rpc: Rpc[Any, Any], **more: str) -> dict[str, Any]:
    request = ctx.request()
    return logs.fields(
        target=rpc.target,
        invocation_id=request.id,
        request_id=request.headers.get(REQUEST_ID),
        **more,
    )
