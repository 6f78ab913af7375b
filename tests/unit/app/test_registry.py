"""The checks at start: what a contract or a handler lacks is told in one sentence."""

from datetime import timedelta
from typing import Any

import pytest
from restate import Context, ObjectContext

from app.components import build
from app.registry import Registered, Registry, RegistryError
from app.settings import HandlersConfig
from chassis.calls import call, send
from chassis.message import Message
from chassis.retries import REQUEST, SINGLETON
from chassis.rpc import Component, Effect, Kind, Mode
from chassis.serve import implements
from edge.local import VerifiedRequest
from edge.reasons import RATE_LIMITED
from edge.responses import Response
from errors import Code, Reason

GONE = Reason("thing.gone", Code.NOT_FOUND, "The thing is gone.")
READ = Effect.READ


class Ask(Message):
    """A question."""


class Answer(Message):
    """An answer."""


def gateway(base: str = "/api/v1/things/gateway/") -> Component:
    """A gateway without methods."""
    return Component("ThingGateway", Kind.GATEWAY, REQUEST, base=base)


def actor(**more: Any) -> Component:
    """An actor without methods."""
    return Component("ThingActor", Kind.ACTOR, SINGLETON, key="thing", **more)


def problems_of(*registered: Registered, **more: Any) -> list[str]:
    """What the registry says against these components."""
    try:
        Registry(registered, **more)
    except RegistryError as error:
        return error.problems
    return []


def one_method(component: Component, **options: Any) -> Registered:
    """The component with the public method `Ask` and a sound handler."""
    options = {"scope": "things:read", "effect": READ} | options
    ask_rpc = component.public("Ask", Ask, Answer, **options)

    class Handlers:
        @implements(ask_rpc)
        async def ask(self, ctx: Context, request: Ask) -> Answer:
            """Answer a question."""
            return Answer()

    return Registered.of(component, Handlers())


def test_the_platform_fits_together() -> None:
    build(HandlersConfig.read())


def test_a_sound_method_is_accepted() -> None:
    assert problems_of(one_method(gateway())) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scope": ""}, "ThingGateway/Ask names no scope; give it scope='<resource>:<action>'."),
        ({"scope": "everything"}, "ThingGateway/Ask names no scope;"),
        ({"deadline": timedelta(0)}, "ThingGateway/Ask has no deadline."),
        ({"body_limit_bytes": 0}, "ThingGateway/Ask has no limit for its body."),
        ({"modes": frozenset[Mode]()}, "ThingGateway/Ask accepts no kind of credential."),
        (
            {"tenant_free": True, "modes": frozenset({Mode.SECRET_KEY})},
            "ThingGateway/Ask is tenant-free",
        ),
        (
            {"errors": (Reason("Gone", Code.NOT_FOUND, "Gone."),)},
            "The reason Gone is not of the form noun.condition.",
        ),
        (
            {"errors": (Reason("rate.limited", Code.ABORTED, "Slower."),)},
            "The reason rate.limited is declared twice;",
        ),
    ],
)
def test_a_route_that_lacks_something_is_refused_in_one_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    (problem,) = problems_of(one_method(gateway(), **options))
    assert problem.startswith(sentence)


def test_a_reason_of_the_edge_may_be_declared_again_as_the_same_value() -> None:
    assert problems_of(one_method(gateway(), errors=(RATE_LIMITED,))) == []


def test_a_path_outside_the_public_prefix_is_refused() -> None:
    (problem,) = problems_of(one_method(gateway("/internal/")))
    assert problem.startswith("ThingGateway/Ask stands at /internal/ask")


def test_a_handler_without_a_docstring_is_refused() -> None:
    component = gateway()
    ask_rpc = component.public("Ask", Ask, Answer, scope="things:read", effect=READ)

    class Handlers:
        @implements(ask_rpc)
        async def ask(self, ctx: Context, request: Ask) -> Answer:
            return Answer()

    (problem,) = problems_of(Registered.of(component, Handlers()))
    assert problem.startswith("ThingGateway/Ask has no docstring;")


def test_a_method_without_a_handler_is_refused() -> None:
    component = gateway()
    registered = one_method(component)
    component.public("Forgotten", Ask, Answer, scope="things:read", effect=READ)
    assert problems_of(registered) == [
        "ThingGateway/Forgotten is implemented 0 times; it must be once."
    ]


def test_a_route_of_the_edge_needs_its_function_and_that_needs_a_docstring() -> None:
    component = gateway()
    wait = component.public(
        "Wait", Ask, Answer, scope="things:read", effect=READ, served_by_edge=True
    )

    async def undocumented(request: VerifiedRequest) -> Response:
        return Response(200, b"{}")

    async def documented(request: VerifiedRequest) -> Response:
        """Wait for an answer."""
        return Response(200, b"{}")

    registered = one_method(component)
    assert problems_of(registered) == ["ThingGateway/Wait is implemented 0 times; it must be once."]
    (problem,) = problems_of(registered, served_by_edge={wait: undocumented})
    assert problem.startswith("ThingGateway/Wait has no docstring;")
    assert problems_of(registered, served_by_edge={wait: documented}) == []


def test_a_stream_that_a_handler_would_serve_is_refused() -> None:
    (problem,) = problems_of(one_method(gateway(), stream=True))
    assert problem.startswith("ThingGateway/Ask is a stream")


def test_a_component_without_a_retry_policy_is_refused() -> None:
    component: Any = Component
    forgotten = component("ThingGateway", Kind.GATEWAY, None, base="/api/v1/things/gateway/")
    (problem,) = problems_of(one_method(forgotten))
    assert problem == "ThingGateway has no retry policy; choose one of chassis.retries."


def test_a_listed_send_to_nowhere_is_refused() -> None:
    assert problems_of(Registered(actor(sends=("Ghost/Appear",)), (), "An actor.")) == [
        "ThingActor lists a send to Ghost/Appear, which does not exist."
    ]


def test_a_reason_that_a_handler_raises_must_be_declared() -> None:
    component = actor()
    drop_rpc = component.rpc("Drop", Ask, Answer)

    class Handlers:
        @implements(drop_rpc)
        async def drop(self, ctx: ObjectContext, request: Ask) -> Answer:
            """Drop the thing."""
            self._check()
            return Answer()

        def _check(self) -> None:
            raise GONE.error()

    (problem,) = problems_of(Registered.of(component, Handlers()))
    assert problem.startswith("ThingActor/Drop raises thing.gone")


def test_a_method_declares_what_the_methods_that_it_calls_may_answer() -> None:
    below, above = actor(), gateway()
    drop_rpc = below.rpc("Drop", Ask, Answer, errors=(GONE,))
    ask_rpc = above.public("Ask", Ask, Answer, scope="things:read", effect=READ)

    class Below:
        @implements(drop_rpc)
        async def drop(self, ctx: ObjectContext, request: Ask) -> Answer:
            """Drop the thing."""
            raise GONE.error()

    class Above:
        @implements(ask_rpc)
        async def ask(self, ctx: Context, request: Ask) -> Answer:
            """Ask for it."""
            return await call(ctx, drop_rpc, request, key="thing")

    registered = (Registered.of(above, Above()), Registered.of(below, Below()))
    (problem,) = problems_of(*registered)
    assert problem.startswith("ThingGateway/Ask calls ThingActor/Drop, which may answer thing.gone")


def test_a_handler_that_waits_for_its_own_layer_or_sends_up_unlisted_is_refused() -> None:
    component, other = actor(), Component("OtherActor", Kind.ACTOR, SINGLETON, key="other")
    drop_rpc = component.rpc("Drop", Ask, Answer)
    keep_rpc = other.rpc("Keep", Ask, Answer)

    class Handlers:
        @implements(drop_rpc)
        async def drop(self, ctx: ObjectContext, request: Ask) -> Answer:
            """Drop the thing."""
            send(ctx, keep_rpc, request, key="thing")
            return await call(ctx, keep_rpc, request, key="thing")

    class Others:
        @implements(keep_rpc)
        async def keep(self, ctx: ObjectContext, request: Ask) -> Answer:
            """Keep the thing."""
            return Answer()

    registered = (Registered.of(component, Handlers()), Registered.of(other, Others()))
    assert problems_of(*registered) == [
        "ThingActor/Drop waits for OtherActor/Keep; awaited calls go down only.",
        "ThingActor/Drop sends to OtherActor/Keep, which `sends` does not list.",
    ]
