"""What is read off a handler's code: through methods, functions, locals, parameters; no further."""

from typing import Any

import pytest

from actors.conversation.handlers.runs import Runs
from app.components import build
from app.reach import Follower
from app.settings import HandlersConfig
from chassis.calls import Call, call, send
from chassis.message import Message
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from edge.events import EventReader
from errors import Code, Reason

BROKEN = Reason("thing.broken", Code.INTERNAL, "Broken.")
GONE = Reason("thing.gone", Code.NOT_FOUND, "Gone.")
SPENT = Reason("thing.spent", Code.ABORTED, "Spent.")


class Ask(Message):
    """A question."""


component = Component("ThingService", Kind.SERVICE, REQUEST)
look = component.rpc("Look", Ask, Ask)
keep = component.rpc("Keep", Ask, Ask)


class Store:
    """Something that a handler holds or makes."""

    @classmethod
    async def open(cls) -> "Store":
        """Make one."""
        return cls()

    @property
    def broken(self) -> bool:
        """Must not be run."""
        raise AssertionError("a property was run")

    def take(self) -> None:
        """Fails."""
        raise GONE.error()


class Handlers:
    """All ways in which code is reached."""

    def __init__(self) -> None:
        self._store = Store()

    async def through_what_it_holds(self) -> None:
        assert not self._store.broken
        self._store.take()

    async def through_a_parameter(self, store: Store) -> None:
        store.take()

    async def through_what_it_makes(self) -> None:
        store = await Store.open()
        store.take()

    async def through_a_function(self, ctx: Any) -> None:
        await call(ctx, look, Ask())
        _fail()

    async def by_a_decided_call(self) -> Call[Ask, Ask]:
        return Call(look, Ask())

    async def one_way(self, ctx: Any) -> None:
        send(ctx, keep, Ask())

    async def as_a_value(self) -> object:
        return BROKEN.error()


def _fail() -> None:
    if component.rpcs:
        raise SPENT.error() from None


@pytest.mark.parametrize(
    ("method", "raised", "called", "sent"),
    [
        ("through_what_it_holds", ["thing.gone"], [], []),
        ("through_a_parameter", ["thing.gone"], [], []),
        ("through_what_it_makes", ["thing.gone"], [], []),
        ("through_a_function", ["thing.spent"], ["ThingService/Look"], []),
        ("by_a_decided_call", [], ["ThingService/Look"], []),
        ("one_way", [], [], ["ThingService/Keep"]),
        ("as_a_value", [], [], []),
    ],
)
def test_code_is_followed(
    method: str, raised: list[str], called: list[str], sent: list[str]
) -> None:
    reach = Follower().reach_of(getattr(Handlers(), method))
    assert (list(reach.raised), list(reach.called), list(reach.sent)) == (raised, called, sent)


def test_the_real_handlers_reach_what_they_are_known_to_reach() -> None:
    registry = build(HandlersConfig.read()).registry
    (runs,) = (
        handler.method
        for each in registry.registered
        for handler in each.handlers
        if handler.rpc.target == "ConversationActor/SendMessage"
    )
    assert isinstance(getattr(runs, "__self__", None), Runs)
    reach = Follower().reach_of(runs)
    assert {"thread.not_found", "thread.queue_full", "message.id_reused"} <= set(reach.raised)
    assert {"GenerationWorkflow/Run", "ConversationManagerActor/Touch"} <= set(reach.sent)
    assert "ConversationActor/ReadEvents" in Follower().reach_of(EventReader.pull).called
