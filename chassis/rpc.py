"""Typed contracts: what a component offers, as values that everything else is made from.

A contract module names its messages, one `Component`, and one `Rpc` for each method, in that
order. Handlers implement the Rpc, callers call it, and the registry generates routes, OpenAPI,
KrakenD's file and the permission table from it. There is no behaviour here.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from chassis.message import Message
from chassis.retries import RetryPolicy
from errors import Reason

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


class Kind(StrEnum):
    """What a component is to Restate, and which layer it stands in."""

    SERVICE = "service"
    ACTOR = "actor"
    WORKFLOW = "workflow"
    GATEWAY = "gateway"

    @property
    def height(self) -> int:
        """Awaited calls go from a greater height to a smaller one only."""
        return _HEIGHT[self]

    @property
    def keyed(self) -> bool:
        """Whether a call names one instance of the component."""
        return self in (Kind.ACTOR, Kind.WORKFLOW)


_HEIGHT = {Kind.SERVICE: 0, Kind.ACTOR: 1, Kind.WORKFLOW: 2, Kind.GATEWAY: 3}


class Mode(StrEnum):
    """How a caller may prove who they are."""

    FIREBASE = "firebase"
    SECRET_KEY = "secret-key"
    PUBLISHABLE_KEY = "publishable-key"


ALL_MODES = frozenset(Mode)

# How long the same Idempotency-Key gets the first answer.
COMMAND_RETENTION = timedelta(days=1)


class Effect(StrEnum):
    """What repeating a request means, which decides idempotency and retention."""

    READ = "read"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Route:
    """The public side of an Rpc.

    path: the whole path, `/api/v1/llm/gateway/create-thread`.
    scope: what the caller must hold, `<resource>:<action>`.
    effect: READ routes take no Idempotency-Key; COMMAND routes do.
    deadline: when the edge answers DEADLINE_EXCEEDED; the work may go on.
    body_limit_bytes: a larger body is refused unread.
    modes: the credentials it accepts.
    tenant_free: a JWT without a tenant is let through.
    served_by_edge: the edge answers itself, no handler implements it.
    stream: the answer is text/event-stream; such routes bypass KrakenD.
    audited: the caller's address and user agent are told too, for the audit log.
    """

    path: str
    scope: str
    effect: Effect
    deadline: timedelta = timedelta(seconds=30)
    body_limit_bytes: int = 1024 * 1024
    modes: frozenset[Mode] = ALL_MODES
    tenant_free: bool = False
    served_by_edge: bool = False
    stream: bool = False
    audited: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Rpc(Generic[Q, R]):
    """One method of a component.

    name: PascalCase, as Restate, its CLI and its UI show it.
    errors: every reason that a caller may meet beyond those that any call may meet.
    shared: for actors: runs beside the exclusive handler and cannot write state.
    main: for workflows: the one handler that runs once for each key.
    edge_callable: reachable through Restate's ingress although the component is private,
        because the edge calls it.
    journal_retention: kept for operators; zero for what is one step.
    idempotency_retention: how long a keyed answer is remembered.
    """

    component: "Component"
    name: str
    request: type[Q]
    response: type[R]
    route: Route | None = None
    errors: tuple[Reason, ...] = ()
    shared: bool = False
    main: bool = False
    edge_callable: bool = False
    journal_retention: timedelta = timedelta(0)
    idempotency_retention: timedelta = timedelta(0)

    @property
    def target(self) -> str:
        """`Component/Method`, the name that logs, metrics and operators use."""
        return f"{self.component.name}/{self.name}"

    @property
    def python_name(self) -> str:
        """The handler method that implements it."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.name).lower()


@dataclass(frozen=True, slots=True)
class Example:
    """What a call of a public method may look like, for OpenAPI.

    stream: for streams: the text of the answer, whose events `response` does not show.
    """

    request: Message
    response: Message
    stream: str = ""


@dataclass(frozen=True, eq=False)
class Component:
    """A component's identity towards Restate and the registry.

    base: for gateways: the path that its methods stand under, with a slash at the end.
    key: for keyed kinds: what the key is, for people.
    owner: for an object that lives inside another component: that component, which alone may
        wait for it whatever their heights are.
    sends: the upward and sideways one-way sends it makes, as `Component/Method`; anything else
        that does not go down is refused when it is tried.
    eager_state: preload all state with each call; right for small state only. An object without
        a bound says no, and names the key that every call reads so that it sorts first: where the
        operator allows it, Restate sends keys in byte order up to a limit.
    longest_step: the longest that one step may be silent; Restate's timeouts are set above it.
    """

    name: str
    kind: Kind
    retries: RetryPolicy
    base: str = ""
    key: str = ""
    owner: "Component | None" = None
    sends: tuple[str, ...] = ()
    eager_state: bool = True
    longest_step: timedelta | None = None
    rpcs: list[Rpc[Message, Message]] = field(default_factory=list[Rpc[Message, Message]])

    def may_wait_for(self, other: "Component") -> bool:
        """Whether it may await calls of another component.

        An owner is a service without a key, so waiting for its own objects closes no circle.
        """
        if other.owner is not None:
            return other.owner is self
        return self.kind.height > other.kind.height

    def rpc(
        self,
        name: str,
        request: type[Q],
        response: type[R],
        *,
        errors: tuple[Reason, ...] = (),
        shared: bool = False,
        main: bool = False,
        edge_callable: bool = False,
        journal_retention: timedelta = timedelta(0),
        idempotency_retention: timedelta = timedelta(0),
    ) -> Rpc[Q, R]:
        """Declare a private method."""
        return self._add(
            Rpc(
                component=self,
                name=name,
                request=request,
                response=response,
                errors=errors,
                shared=shared,
                main=main,
                edge_callable=edge_callable,
                journal_retention=journal_retention,
                idempotency_retention=idempotency_retention,
            )
        )

    def public(
        self,
        name: str,
        request: type[Q],
        response: type[R],
        *,
        effect: Effect,
        scope: str = "",
        errors: tuple[Reason, ...] = (),
        deadline: timedelta = timedelta(seconds=30),
        body_limit_bytes: int = 1024 * 1024,
        modes: frozenset[Mode] = ALL_MODES,
        tenant_free: bool = False,
        served_by_edge: bool = False,
        stream: bool = False,
        audited: bool = False,
    ) -> Rpc[Q, R]:
        """Declare a method with a route below the component's base.

        One without a scope can be declared, but the registry does not start with it.

        Commands are remembered for a day under their idempotency key, reads not at all;
        neither keeps a journal, because a gateway is one call down.
        """
        route = Route(
            path=self.base + _kebab(name),
            scope=scope,
            effect=effect,
            deadline=deadline,
            body_limit_bytes=body_limit_bytes,
            modes=modes,
            tenant_free=tenant_free,
            served_by_edge=served_by_edge,
            stream=stream,
            audited=audited,
        )
        remembered = COMMAND_RETENTION if effect is Effect.COMMAND else timedelta(0)
        return self._add(
            Rpc(
                component=self,
                name=name,
                request=request,
                response=response,
                route=route,
                errors=errors,
                idempotency_retention=remembered,
            )
        )

    def _add(self, rpc: Rpc[Q, R]) -> Rpc[Q, R]:
        self.rpcs.append(rpc)  # pyright: ignore[reportArgumentType]  # a list of all shapes
        return rpc


def _kebab(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    # AuthGateway's base is /api/v1/, so ApiKeysCreate stands at api-keys/create and OrgsGet at
    # orgs/get; ManageSend of the notification gateway at manage/send.
    for family in ("api-keys", "orgs", "manage"):
        if words.startswith(f"{family}-"):
            return f"{family}/{words[len(family) + 1 :]}"
    return words
