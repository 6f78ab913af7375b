"""The guard around every handler: what goes in, what comes out, and what never does."""

import logging
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from restate import Context, ObjectContext, VirtualObject
from restate.exceptions import TerminalError
from restate.vm import Failure

from chassis.message import Int32, Message
from chassis.retries import REQUEST, RetryPolicy
from chassis.rpc import Component, Effect, Kind
from chassis.serve import FINGERPRINT, UNDECLARED, handlers_of, implements, restate_service
from errors import Code, ErrorDetails, Outcome, Reason, RpcError, wire
from errors.rpc_error import FieldViolation, HelpLink, ModelError, RetryInfo, UpstreamError
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

SECRET = "what no client may read"
TWICE = RetryPolicy("TWICE", REQUEST.initial_interval, REQUEST.max_interval, 2, "kill")
PAUSE = RetryPolicy("PAUSE", REQUEST.initial_interval, REQUEST.max_interval, 2, "pause")
DECLARED = Reason("guard.declared", Code.NOT_FOUND, "Not here.")


class Asked(Message):
    text: str
    number: Int32 = 0


class Told(Message):
    text: str = ""


gateway = Component("GuardGateway", Kind.GATEWAY, TWICE, base="/api/v1/guard/")
service = Component("GuardService", Kind.SERVICE, TWICE)
actor = Component("GuardActor", Kind.ACTOR, TWICE, key="any")
workflow = Component("GuardWorkflow", Kind.WORKFLOW, PAUSE, key="any")

read = gateway.public("Read", Asked, Told, scope="a:a", effect=Effect.READ)
command = gateway.public(
    "Command", Asked, Told, scope="a:a", effect=Effect.COMMAND, errors=(DECLARED,)
)
serve = service.rpc("Serve", Asked, Told)
act = actor.rpc("Act", Asked, Told)
flow = workflow.rpc("Flow", Asked, Told, main=True)

BY_KIND = {"gateway": read, "service": serve, "actor": act, "workflow": flow}


class Guarded:
    """Does what `deed` says, in its first `times` calls."""

    def __init__(self) -> None:
        self.deed: Exception | None = None
        self.times = 100
        self.calls = 0

    def answer(self, request: Asked) -> Told:
        self.calls += 1
        if self.deed is not None and self.calls <= self.times:
            raise self.deed
        return Told(text=request.text)

    @implements(read)
    async def read(self, ctx: Context, request: Asked) -> Told:
        """Answer."""
        return self.answer(request)

    @implements(command)
    async def command(self, ctx: Context, request: Asked) -> Told:
        """Answer."""
        return self.answer(request)

    @implements(serve)
    async def serve(self, ctx: Context, request: Asked) -> Told:
        """Answer."""
        return self.answer(request)

    @implements(act)
    async def act(self, ctx: ObjectContext, request: Asked) -> Told:
        """Answer."""
        return self.answer(request)

    @implements(flow)
    async def flow(self, ctx: ObjectContext, request: Asked) -> Told:
        """Answer."""
        return self.answer(request)


def guard(platform: FakePlatform, deed: Exception | None = None) -> Guarded:
    """The handlers, served; each component has those of its own."""
    guarded = Guarded()
    guarded.deed = deed
    for component in (gateway, service, actor, workflow):
        own = [h for h in handlers_of(guarded) if h.rpc.component is component]
        platform.serve_handlers(component, own)
    return guarded


@pytest.mark.parametrize("kind", ["gateway", "service"])
async def test_an_unknown_exception_of_a_gateway_or_service_is_internal_at_once(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakePlatform() as platform:
        guarded = guard(platform, ValueError(SECRET))
        headers = {"x-request-id": "req_1"}
        with pytest.raises(RpcError) as caught:
            await platform.call(BY_KIND[kind], Asked(text=""), key="", headers=headers)
        assert caught.value == wire.internal()
        assert guarded.calls == 2, "once, and once in the replay"
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.__dict__["yocaso_fields"]["request_id"] == "req_1"
    assert record.__dict__["yocaso_fields"]["target"] == BY_KIND[kind].target


async def test_an_unknown_exception_of_an_actor_is_retried_then_killed() -> None:
    async with FakePlatform(attempts=2) as platform:
        guarded = guard(platform, ValueError(SECRET))
        with pytest.raises(RpcError) as caught:
            await platform.call(act, Asked(text=""), key="k")
        assert caught.value == wire.internal()
        assert guarded.calls == 2


async def test_an_unknown_exception_of_a_workflow_is_retried_then_paused() -> None:
    async with FakePlatform(attempts=2) as platform:
        guard(platform, ValueError(SECRET))
        invocation = platform.start(flow, Asked(text=""), key="k")
        await platform.rest()
        assert invocation.paused
        assert invocation.result is None


async def test_an_actor_that_recovers_answers() -> None:
    async with FakePlatform() as platform:
        guarded = guard(platform, ValueError(SECRET))
        guarded.times = 2
        assert await platform.call(act, Asked(text="x"), key="k") == Told(text="x")
        assert guarded.calls == 3


@pytest.mark.parametrize("kind", BY_KIND)
async def test_an_rpc_error_of_any_kind_comes_out_as_it_went_in(kind: str) -> None:
    error = RpcError(
        Code.RATE_LIMITED,
        "a.b",
        "Wait.",
        ErrorDetails(retry_info=RetryInfo(attempts=3)),
        is_terminal=True,
    )
    key = "k" if BY_KIND[kind].component.kind.keyed else ""
    async with FakePlatform() as platform:
        guard(platform, error)
        with pytest.raises(RpcError) as caught:
            await platform.call(BY_KIND[kind], Asked(text=""), key=key)
        assert caught.value == error


texts = st.text(max_size=30)
details = st.builds(
    ErrorDetails,
    upstream_error=st.none()
    | st.builds(UpstreamError, service=texts, status_code=st.integers(0, 599), body=texts),
    model_error=st.none()
    | st.builds(ModelError, model=texts, limits=st.dictionaries(texts, st.integers(0, 99))),
    retry_info=st.none()
    | st.builds(
        RetryInfo,
        retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=1)),
        attempts=st.integers(0, 9),
    ),
    field_violations=st.lists(st.builds(FieldViolation, field=texts, description=texts)).map(tuple),
    help_link=st.none() | st.builds(HelpLink, url=texts),
)


@given(
    code=st.sampled_from(Code),
    reason=texts,
    message=texts,
    more=details,
    terminal=st.booleans(),
    outcome=st.none() | st.sampled_from(Outcome),
)
def test_what_a_terminal_error_carries_is_the_whole_error(
    code: Code,
    reason: str,
    message: str,
    more: ErrorDetails,
    terminal: bool,
    outcome: Outcome | None,
) -> None:
    error = RpcError(code, reason, message, more, is_terminal=terminal, outcome=outcome)
    metadata = wire.to_metadata(error)
    assert all(isinstance(value, str) for value in metadata.values())
    assert wire.from_failure(error.message, code.http_status, metadata) == error


async def test_a_request_that_cannot_be_read_is_the_callers_mistake() -> None:
    async with FakePlatform() as platform:
        guarded = guard(platform)

        class Wrong(Message):
            number: str = "not a number"

        invocation = platform.start(read, Asked(text=""))
        invocation.payload = Wrong().to_json()
        with pytest.raises(RpcError) as caught:
            await platform.finish(invocation)
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert guarded.calls == 0


async def test_restates_own_end_is_not_ours_to_change() -> None:
    """An operator's cancel passes the guard as it is, without our metadata."""
    async with FakePlatform() as platform:
        guard(platform, TerminalError("cancelled", 409))
        invocation = platform.start(read, Asked(text=""))
        with pytest.raises(RpcError) as caught:
            await platform.finish(invocation)
        assert caught.value.code is Code.CANCELLED
        assert isinstance(invocation.result, Failure)
        assert not invocation.result.metadata


async def test_a_keyed_commands_answer_carries_the_fingerprint_of_its_body() -> None:
    async with FakePlatform() as platform:
        guarded = guard(platform)
        invocation = platform.start(command, Asked(text="x"), headers={FINGERPRINT: "abc"})
        await platform.rest()
        assert invocation.result == b'{"h":"abc","r":{"text":"x"}}'

        guarded.deed = DECLARED.error()
        invocation = platform.start(command, Asked(text="x"), headers={FINGERPRINT: "abc"})
        await platform.rest()
        assert isinstance(invocation.result, Failure)
        assert invocation.result.metadata is not None
        assert invocation.result.metadata["idemHash"] == "abc"
        assert invocation.error() == DECLARED.error()


async def test_a_read_and_an_unkeyed_command_answer_plainly() -> None:
    async with FakePlatform() as platform:
        guard(platform)
        fingerprinted = platform.start(read, Asked(text="x"), headers={FINGERPRINT: "abc"})
        unkeyed = platform.start(command, Asked(text="x"))
        await platform.rest()
        assert fingerprinted.result == b'{"text":"x"}'
        assert unkeyed.result == b'{"text":"x"}'


async def test_a_reason_that_the_contract_does_not_declare_is_logged_and_goes_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = Reason("guard.other", Code.NOT_FOUND, "Not there.")
    async with FakePlatform() as platform:
        for error in (DECLARED.error(), wire.internal(), other.error()):
            caplog.clear()
            guard(platform, error)
            invocation = platform.start(command, Asked(text=""))
            await platform.rest()
            assert invocation.error() == error
            told = [r for r in caplog.records if r.message == UNDECLARED]
            assert len(told) == (1 if error == other.error() else 0)


def test_the_service_says_what_restate_must_know() -> None:
    guarded = Guarded()
    own = [h for h in handlers_of(guarded) if h.rpc.component is gateway]
    made = restate_service(gateway, own, "A guard.")
    assert made.service_tag.description == "A guard."
    assert set(cast("Any", made).handlers) == {"Read", "Command"}
    assert made.ingress_private is False
    policy = made.invocation_retry_policy
    assert policy is not None
    assert (policy.max_attempts, policy.on_max_attempts) == (2, "kill")
    own = [h for h in handlers_of(guarded) if h.rpc.component is actor]
    assert restate_service(actor, own, "").ingress_private is True


def test_state_without_a_bound_is_preloaded_only_where_the_operator_says_so() -> None:
    unbounded = Component("LongActor", Kind.ACTOR, TWICE, key="any", eager_state=False)
    assert _preloads(unbounded, preload=False) is False
    assert _preloads(unbounded, preload=True) is True
    assert _preloads(actor, preload=False) is True


def _preloads(component: Component, *, preload: bool) -> object:
    made = restate_service(component, [], "", preload=preload)
    assert isinstance(made, VirtualObject)
    return made.state_preload
