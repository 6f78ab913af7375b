"""Who may wait for whom, and what a refusal tells its reader to change."""

import pytest
from restate import Context

from chassis.calls import Call, LayeringError, call, current_component, make, send
from chassis.message import Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind, Rpc
from chassis.serve import implements
from errors import Code, RpcError
from tests.support.fake_platform import FakePlatform

pytestmark = pytest.mark.anyio

KINDS = list(Kind)


class Ping(Message):
    text: str = ""


def component(kind: Kind, *sends: str) -> Component:
    return Component(f"{kind.value.title()}One", kind, REQUEST, sends=sends)


def method(kind: Kind) -> Rpc[Ping, Ping]:
    """A method of another component of that kind."""
    return Component(f"{kind.value.title()}Two", kind, REQUEST).rpc("Ping", Ping, Ping)


class Recorder:
    """The two methods of a context that calls use."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def generic_send(self, service: str, handler: str, *_: object, **__: object) -> None:
        self.sent.append(f"{service}/{handler}")

    async def generic_call(self, service: str, handler: str, *_: object, **__: object) -> bytes:
        self.sent.append(f"{service}/{handler}")
        return b"{}"


def key_of(kind: Kind) -> str | None:
    return "k" if kind.keyed else None


@pytest.mark.parametrize("caller", KINDS)
@pytest.mark.parametrize("callee", KINDS)
async def test_awaited_calls_go_down_only(caller: Kind, callee: Kind) -> None:
    """Else an exclusive actor could wait for itself."""
    order = [Kind.SERVICE, Kind.ACTOR, Kind.WORKFLOW, Kind.GATEWAY]
    ctx, rpc = Recorder(), method(callee)
    token = current_component.set(component(caller, rpc.target))
    try:
        made = make(ctx, Call(rpc, Ping(), key_of(callee)))  # pyright: ignore[reportArgumentType]
        if order.index(caller) > order.index(callee):
            await made
            assert ctx.sent == [rpc.target]
        else:
            with pytest.raises(LayeringError, match=f"(?s){rpc.target}.*one-way send"):
                await made
            assert ctx.sent == []
    finally:
        current_component.reset(token)


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("caller", KINDS)
@pytest.mark.parametrize("callee", KINDS)
def test_sends_go_down_or_are_listed(caller: Kind, callee: Kind, listed: bool) -> None:
    order = [Kind.SERVICE, Kind.ACTOR, Kind.WORKFLOW, Kind.GATEWAY]
    ctx, rpc = Recorder(), method(callee)
    token = current_component.set(component(caller, *([rpc.target] if listed else [])))
    try:
        if listed or order.index(caller) > order.index(callee):
            send(ctx, rpc, Ping(), key=key_of(callee))  # pyright: ignore[reportArgumentType]
            assert ctx.sent == [rpc.target]
        else:
            with pytest.raises(LayeringError, match=f"{rpc.target}.*`sends`"):
                send(ctx, rpc, Ping(), key=key_of(callee))  # pyright: ignore[reportArgumentType]
            assert ctx.sent == []
    finally:
        current_component.reset(token)


@pytest.mark.parametrize("callee", KINDS)
def test_a_key_is_given_exactly_where_there_is_one(callee: Kind) -> None:
    ctx, rpc = Recorder(), method(callee)
    wrong = None if callee.keyed else "k"
    with pytest.raises(LayeringError, match="key"):
        send(ctx, rpc, Ping(), key=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(LayeringError, match="key"):
        send(ctx, rpc, Ping(), key="" if callee.keyed else "k")  # pyright: ignore[reportArgumentType]
    assert ctx.sent == []


gateway = Component("CallsGateway", Kind.GATEWAY, REQUEST)
ask = gateway.rpc("Ask", Ping, Ping)
below = Component("CallsService", Kind.SERVICE, REQUEST).rpc("Answer", Ping, Ping)


class Asking:
    @implements(ask)
    async def ask(self, ctx: Context, request: Ping) -> Ping:
        """Ask below."""
        return await call(ctx, below, request)


async def test_the_error_of_a_call_is_raised_where_it_is_awaited() -> None:
    error = RpcError(Code.CONTENT_FILTERED, "a.b", "No.", is_terminal=False)

    def refuse(request: Ping, key: str) -> Ping:
        raise error

    async with FakePlatform() as platform:
        platform.serve(gateway, Asking())
        platform.stub(below, refuse)
        with pytest.raises(RpcError) as caught:
            await platform.call(ask, Ping())
        assert caught.value == error


async def test_the_component_is_known_within_its_handlers_only() -> None:
    async with FakePlatform() as platform:
        platform.serve(gateway, Asking())
        platform.stub(below, lambda request, key: Ping(text=request.text + "!"))
        assert await platform.call(ask, Ping(text="a")) == Ping(text="a!")
    assert current_component.get() is None
