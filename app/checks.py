"""What must hold before anything starts, each breach in one sentence that says what to change.

The sentences are for the person who just changed a contract or a handler, so each names the
method and what it lacks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.reach import Reach
from chassis.retries import RetryPolicy
from chassis.rpc import Component, Effect, Kind, Mode, Route, Rpc
from chassis.serve import ANY_CALL
from edge import reasons as edge_reasons
from errors import Reason

EDGE_REASONS: tuple[Reason, ...] = tuple(
    value for value in vars(edge_reasons).values() if isinstance(value, Reason)
)
"""What the edge answers before, or instead of, a handler."""
COMMON_REASONS: tuple[Reason, ...] = (*EDGE_REASONS, *ANY_CALL)
"""What any public method may answer without declaring it."""

_REMEMBERED = timedelta(days=1)
_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_SCOPE = re.compile(r"[a-z]+:[a-z]+")
_PATH = re.compile(r"/api/v1(/[a-z][a-z0-9]*(-[a-z0-9]+)*)+")
_WORD = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Method:
    """One implementation of a method: by a handler of `component`, or by the edge (None)."""

    rpc: Rpc[Any, Any]
    component: Component | None
    description: str
    reach: Reach


def problems(components: Sequence[Component], methods: Sequence[Method]) -> Iterator[str]:
    """Everything that does not fit together."""
    rpcs = [rpc for component in components for rpc in component.rpcs]
    yield from _duplicates("component", [component.name for component in components])
    yield from _duplicates("method", [rpc.target for rpc in rpcs])
    yield from _duplicates("route", [rpc.route.path for rpc in rpcs if rpc.route])
    yield from _reason_problems(rpcs)
    targets = {rpc.target for rpc in rpcs}
    for component in components:
        yield from _component_problems(component, targets)
    implemented = Counter(id(method.rpc) for method in methods)
    for rpc in rpcs:
        if implemented[id(rpc)] != 1:
            yield f"{rpc.target} is implemented {implemented[id(rpc)]} times; it must be once."
        yield from _rpc_problems(rpc)
        if rpc.route is not None:
            yield from _route_problems(rpc, rpc.route)
    for method in methods:
        yield from _method_problems(method)


def _duplicates(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"The {what} {name} is declared {count} times."


def _reason_problems(rpcs: Iterable[Rpc[Any, Any]]) -> Iterator[str]:
    meanings: dict[str, Reason] = {}
    for reason in (*COMMON_REASONS, *(reason for rpc in rpcs for reason in rpc.errors)):
        if meanings.setdefault(reason.word, reason) is not reason:
            yield f"The reason {reason.word} is declared twice; declare it once and share it."
        if not _WORD.fullmatch(reason.word):
            yield f"The reason {reason.word} is not of the form noun.condition."


def _component_problems(component: Component, targets: set[str]) -> Iterator[str]:
    name = component.name
    if not isinstance(component.retries, RetryPolicy):  # pyright: ignore[reportUnnecessaryIsInstance]
        yield f"{name} has no retry policy; choose one of chassis.retries."
    if component.kind.keyed != bool(component.key):
        yield f"{name} {'must' if component.kind.keyed else 'must not'} say what its key is."
    if (component.kind is Kind.GATEWAY) != bool(component.base):
        yield f"{name}: a gateway has a base path, and nothing else has one."
    if component.owner is not None and component.owner.kind is not Kind.SERVICE:
        yield f"{name} is owned by {component.owner.name}; only services own objects."
    for target in component.sends:
        if target not in targets:
            yield f"{name} lists a send to {target}, which does not exist."


def _rpc_problems(rpc: Rpc[Any, Any]) -> Iterator[str]:
    kind = rpc.component.kind
    if not _NAME.fullmatch(rpc.name):
        yield f"{rpc.target} is not PascalCase."
    if rpc.main != (kind is Kind.WORKFLOW and not rpc.shared):
        yield f"{rpc.target}: a workflow has one main handler, all its others are shared."
    public = rpc.route is not None
    # A gateway's private method goes on where the edge has taken a secret out of the request.
    if public != (kind is Kind.GATEWAY) and (public or not rpc.edge_callable):
        yield f"{rpc.target}: the methods of gateways have a route, and no others have one."


def _route_problems(rpc: Rpc[Any, Any], route: Route) -> Iterator[str]:
    target = rpc.target
    if not route.path.startswith(rpc.component.base) or not _PATH.fullmatch(route.path):
        yield f"{target} stands at {route.path}, which is no path below /api/v1/ and its base."
    if not _SCOPE.fullmatch(route.scope):
        yield f"{target} names no scope; give it scope='<resource>:<action>'."
    if route.deadline <= timedelta(0):
        yield f"{target} has no deadline."
    if route.body_limit_bytes <= 0:
        yield f"{target} has no limit for its body."
    if not route.modes:
        yield f"{target} accepts no kind of credential."
    if route.tenant_free and Mode.FIREBASE not in route.modes:
        yield f"{target} is tenant-free, but only tokens can come without a tenant."
    if route.stream and not route.served_by_edge:
        yield f"{target} is a stream, and only the edge can serve those."
    remembered = _REMEMBERED if route.effect is Effect.COMMAND else timedelta(0)
    if rpc.idempotency_retention != remembered:
        yield f"{target}: a command is remembered for a day under its key, a read not at all."


def _method_problems(method: Method) -> Iterator[str]:
    rpc, target = method.rpc, method.rpc.target
    served_by_edge = rpc.route is not None and rpc.route.served_by_edge
    if served_by_edge != (method.component is None):
        wanted = "the edge" if served_by_edge else f"a handler of {rpc.component.name}"
        yield f"{target} is to be implemented by {wanted}."
    elif method.component is not None and method.component is not rpc.component:
        yield f"{target} is implemented by a handler of {method.component.name}."
    if not method.description:
        yield f"{target} has no docstring; the public reads it, so write one on its handler."
    yield from _undeclared(method)
    yield from _wrong_directions(method)


def _undeclared(method: Method) -> Iterator[str]:
    rpc = method.rpc
    declared = {reason.word for reason in (*COMMON_REASONS, *rpc.errors)}
    for word in method.reach.raised:
        if word not in declared:
            yield f"{rpc.target} raises {word}, which its contract does not declare in `errors`."
    if rpc.main:  # the failures of a workflow are kept in records, not answered
        return
    for called in method.reach.called.values():
        for reason in called.errors:
            if reason.word not in declared:
                yield (
                    f"{rpc.target} calls {called.target}, which may answer {reason.word}, "
                    "but does not declare it in `errors`."
                )


def _wrong_directions(method: Method) -> Iterator[str]:
    caller = method.component
    if caller is None:
        for called in method.reach.called.values():
            if not called.edge_callable:
                yield f"{method.rpc.target}: {called.target} is not declared `edge_callable`."
        return
    for called in method.reach.called.values():
        if not caller.may_wait_for(called.component):
            yield f"{method.rpc.target} waits for {called.target}; awaited calls go down only."
    for sent in method.reach.sent.values():
        upward = caller.kind.height <= sent.component.kind.height
        if upward and sent.target not in caller.sends:
            yield f"{method.rpc.target} sends to {sent.target}, which `sends` does not list."
