"""A gateway and an actor that exist for tests: every way in which a call can end, on demand."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from restate import Context, ObjectContext, ObjectSharedContext

from app.registry import Registered, Registry
from chassis import calls
from chassis.identity import Caller, object_key
from chassis.message import Int32, Message
from chassis.retries import REQUEST, SINGLETON
from chassis.rpc import Component, Effect, Kind, Mode, Rpc
from chassis.serve import implements
from chassis.state import StateKey
from edge.local import EdgeHandler, EventStream, VerifiedRequest, sse
from edge.responses import Response
from errors import Code, ErrorDetails, Reason, RpcError

NOT_YET = Reason("probe.not_yet", Code.UNAVAILABLE, "Not yet. Try again.")


class TextRequest(Message):
    """What to echo, and for how long to wait first."""

    text: str = ""
    wait_milliseconds: Int32 = 0


class TextResponse(Message):
    """The text as the handler read it."""

    text: str = ""


class StrictRequest(Message):
    """Three required fields, so that one body can break three rules."""

    name: str
    amount: Int32
    tags: list[str]


class HeadersResponse(Message):
    """The headers that the handler saw, names in lower case."""

    headers: dict[str, str] = {}


class CounterRequest(Message):
    """A counter of the caller's tenant. fail_until: answer UNAVAILABLE before that total."""

    counter: str = ""
    fail_until: Int32 = 0
    wait_milliseconds: Int32 = 0


class CounterResponse(Message):
    """How often the counter was added to."""

    total: Int32 = 0


class FailRequest(Message):
    """The error to raise, or the exception that no handler should raise."""

    code: str = ""
    reason: str = ""
    message: str = ""
    details: str = ""
    is_terminal: bool = True
    crash: bool = False


class EmptyRequest(Message):
    """Nothing."""


PROBE = Component("ProbeGateway", Kind.GATEWAY, REQUEST, base="/api/v1/probe/")
READ, WRITE = "conversations:read", "conversations:write"

ECHO = PROBE.public("Echo", TextRequest, TextResponse, scope=READ, effect=Effect.READ)
STRICT = PROBE.public("Strict", StrictRequest, TextResponse, scope=READ, effect=Effect.READ)
WHO = PROBE.public("Who", EmptyRequest, HeadersResponse, scope=READ, effect=Effect.READ)
ADD = PROBE.public(
    "Add", CounterRequest, CounterResponse, scope=WRITE, effect=Effect.COMMAND, errors=(NOT_YET,)
)
ADD_TOO = PROBE.public(
    "AddToo", CounterRequest, CounterResponse, scope=WRITE, effect=Effect.COMMAND, errors=(NOT_YET,)
)
TOTAL = PROBE.public("Total", CounterRequest, CounterResponse, scope=READ, effect=Effect.READ)
FAIL = PROBE.public("Fail", FailRequest, TextResponse, scope=READ, effect=Effect.READ)
FAIL_COMMAND = PROBE.public(
    "FailCommand", FailRequest, TextResponse, scope=WRITE, effect=Effect.COMMAND
)
HURRY = PROBE.public(
    "Hurry",
    CounterRequest,
    CounterResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(NOT_YET,),
    deadline=timedelta(milliseconds=500),
)
SMALL = PROBE.public(
    "Small", TextRequest, TextResponse, scope=READ, effect=Effect.READ, body_limit_bytes=1024
)
MANAGE = PROBE.public("Manage", EmptyRequest, TextResponse, scope="mcp:manage", effect=Effect.READ)
NEWCOMER = PROBE.public(
    "Newcomer",
    EmptyRequest,
    HeadersResponse,
    scope="orgs:write",
    effect=Effect.READ,
    modes=frozenset({Mode.FIREBASE}),
    tenant_free=True,
)
PEOPLE_ONLY = PROBE.public(
    "PeopleOnly",
    EmptyRequest,
    TextResponse,
    scope=READ,
    effect=Effect.READ,
    modes=frozenset({Mode.FIREBASE}),
)
POLL = PROBE.public(
    "Poll", TextRequest, TextResponse, scope=READ, effect=Effect.READ, served_by_edge=True
)
LISTEN = PROBE.public(
    "Listen",
    CounterRequest,
    TextResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(NOT_YET,),
    served_by_edge=True,
    stream=True,
)

COUNTER = Component("ProbeCounterActor", Kind.ACTOR, SINGLETON, key="tenant/counter")
COUNTER_ADD = COUNTER.rpc("Add", CounterRequest, CounterResponse, errors=(NOT_YET,))
COUNTER_TOTAL = COUNTER.rpc(
    "Total", CounterRequest, CounterResponse, shared=True, edge_callable=True
)


class Probe:
    """Handlers of the probe gateway."""

    @implements(ECHO)
    async def echo(self, ctx: Context, request: TextRequest) -> TextResponse:
        """Answer with the text."""
        await asyncio.sleep(request.wait_milliseconds / 1000)
        return TextResponse(text=request.text)

    @implements(SMALL)
    async def small(self, ctx: Context, request: TextRequest) -> TextResponse:
        """Answer with the text, which must be short."""
        return TextResponse(text=request.text)

    @implements(STRICT)
    async def strict(self, ctx: Context, request: StrictRequest) -> TextResponse:
        """Answer with the name."""
        return TextResponse(text=request.name)

    @implements(WHO)
    async def who(self, ctx: Context, request: EmptyRequest) -> HeadersResponse:
        """Answer with every header that came along."""
        return HeadersResponse(headers=dict(ctx.request().headers))

    @implements(NEWCOMER)
    async def newcomer(self, ctx: Context, request: EmptyRequest) -> HeadersResponse:
        """Answer a user who may have no tenant."""
        return HeadersResponse(headers=dict(ctx.request().headers))

    @implements(ADD)
    async def add(self, ctx: Context, request: CounterRequest) -> CounterResponse:
        """Add one to a counter."""
        return await calls.call(ctx, COUNTER_ADD, request, key=_counter_key(ctx, request))

    @implements(ADD_TOO)
    async def add_too(self, ctx: Context, request: CounterRequest) -> CounterResponse:
        """Add one to a counter, at another route."""
        return await calls.call(ctx, COUNTER_ADD, request, key=_counter_key(ctx, request))

    @implements(HURRY)
    async def hurry(self, ctx: Context, request: CounterRequest) -> CounterResponse:
        """Add one to a counter within half a second."""
        return await calls.call(ctx, COUNTER_ADD, request, key=_counter_key(ctx, request))

    @implements(TOTAL)
    async def total(self, ctx: Context, request: CounterRequest) -> CounterResponse:
        """Read a counter."""
        return await calls.call(ctx, COUNTER_TOTAL, request, key=_counter_key(ctx, request))

    @implements(FAIL)
    async def fail(self, ctx: Context, request: FailRequest) -> TextResponse:
        """Raise the error that the request describes."""
        raise _error(request)

    @implements(FAIL_COMMAND)
    async def fail_command(self, ctx: Context, request: FailRequest) -> TextResponse:
        """Raise the error that the request describes, in a command."""
        raise _error(request)

    @implements(MANAGE)
    async def manage(self, ctx: Context, request: EmptyRequest) -> TextResponse:
        """Answer those who may manage."""
        return TextResponse(text="managed")

    @implements(PEOPLE_ONLY)
    async def people_only(self, ctx: Context, request: EmptyRequest) -> TextResponse:
        """Answer people, not keys."""
        return TextResponse(text="hello")


_TOTAL = StateKey("total", CounterResponse)


class ProbeCounter:
    """Handlers of the counter."""

    @implements(COUNTER_ADD)
    async def add(self, ctx: ObjectContext, request: CounterRequest) -> CounterResponse:
        """Add one, then wait or fail as asked."""
        counted = await _TOTAL.get(ctx) or CounterResponse()
        counted = CounterResponse(total=counted.total + 1)
        _TOTAL.set(ctx, counted)
        await asyncio.sleep(request.wait_milliseconds / 1000)
        if counted.total < request.fail_until:
            raise NOT_YET.error()
        return counted

    @implements(COUNTER_TOTAL)
    async def total(self, ctx: ObjectSharedContext, request: CounterRequest) -> CounterResponse:
        """Read the total."""
        return await _TOTAL.get(ctx) or CounterResponse()


def registry() -> Registry:
    """The probe's components as the app would list them."""
    return Registry([Registered.of(PROBE, Probe()), Registered.of(COUNTER, ProbeCounter())], LOCAL)


def counter_key(tenant_id: str, counter: str) -> str:
    """The object key of a counter."""
    return object_key(tenant_id, counter)


async def poll(request: VerifiedRequest) -> Response:
    """Answer in the edge itself."""
    message = request.message
    assert isinstance(message, TextRequest)
    return Response(200, TextResponse(text=message.text).to_json())


async def listen(request: VerifiedRequest) -> EventStream:
    """A frame with the counter's total, then nothing until the client goes; `fail` fails."""
    message = request.message
    assert isinstance(message, CounterRequest)
    return EventStream(_frames(request, message))


async def _frames(request: VerifiedRequest, message: CounterRequest) -> AsyncIterator[bytes]:
    key = counter_key(request.caller.tenant_id, message.counter)
    answer = await request.ingress.call(COUNTER_TOTAL, message, key=key)
    yield sse(answer.to_json(), event="total", id=str(answer.total))
    if message.counter == "fail":
        raise NOT_YET.error()
    if message.counter != "short":
        await asyncio.Event().wait()


LOCAL: dict[Rpc[Any, Any], EdgeHandler] = {POLL: poll, LISTEN: listen}


def _counter_key(ctx: Context, request: CounterRequest) -> str:
    caller = Caller.from_headers(ctx.request().headers)
    return counter_key(caller.tenant_id, request.counter)


def _error(request: FailRequest) -> Exception:
    if request.crash:
        return ValueError("a secret that no client may read")
    details = ErrorDetails.model_validate(json.loads(request.details or "{}"))
    return RpcError(
        Code(request.code),
        request.reason,
        request.message,
        details,
        is_terminal=request.is_terminal,
    )
