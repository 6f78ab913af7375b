"""The one list of what exists, checked at start.

Everything the outside sees is made from a Registry: the Restate services, the edge's routes,
KrakenD's file, OpenAPI and the generated pages. What the checks refuse cannot start.
"""

import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from restate import Service, VirtualObject, Workflow

from chassis.rpc import Component, Kind, Rpc
from chassis.serve import Handler, handlers_of, restate_service


class RegistryError(Exception):
    """The components do not fit together; `problems` has one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Registered:
    """A component with the objects that implement it."""

    component: Component
    handlers: tuple[Handler, ...]
    description: str

    @classmethod
    def of(cls, component: Component, *implementations: object) -> "Registered":
        """Pair a contract with its handler objects; the package docstring describes it."""
        handlers = tuple(h for each in implementations for h in handlers_of(each))
        package = type(implementations[0]).__module__.split(".handlers")[0]
        doc = inspect.getdoc(importlib.import_module(package)) or ""
        return cls(component, handlers, doc)


class Registry:
    """All components of the platform, known to fit together."""

    def __init__(self, registered: Sequence[Registered]) -> None:
        self.registered = tuple(registered)
        problems = list(_problems(self.registered))
        if problems:
            raise RegistryError(problems)

    def rpcs(self) -> list[Rpc[Any, Any]]:
        """Every method of every component, in the order of the list."""
        return [rpc for each in self.registered for rpc in each.component.rpcs]

    def routes(self) -> list[Rpc[Any, Any]]:
        """Every public method."""
        return [rpc for rpc in self.rpcs() if rpc.route is not None]

    def description(self, rpc: Rpc[Any, Any]) -> str:
        """The public text of a method: its handler's docstring."""
        for each in self.registered:
            for handler in each.handlers:
                if handler.rpc is rpc:
                    return handler.description
        return ""

    def restate_services(
        self, *, force_replay: bool = False
    ) -> list[Service | VirtualObject | Workflow]:
        """What the Restate endpoint serves."""
        return [
            restate_service(
                each.component, list(each.handlers), each.description, force_replay=force_replay
            )
            for each in self.registered
        ]


_SCOPE = re.compile(r"^[a-z]+:[a-z]+$")
_NAME = re.compile(r"^[A-Z][A-Za-z0-9]*$")


def _problems(registered: Sequence[Registered]) -> Iterable[str]:
    components = [each.component for each in registered]
    yield from _duplicates("component", [component.name for component in components])
    targets = {rpc.target for component in components for rpc in component.rpcs}
    for each in registered:
        yield from _component_problems(each, targets)
    routes = [rpc.route.path for c in components for rpc in c.rpcs if rpc.route]
    yield from _duplicates("route", routes)


def _duplicates(what: str, names: Iterable[str]) -> Iterable[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"The {what} {name} is declared {count} times."


def _component_problems(each: Registered, targets: set[str]) -> Iterable[str]:
    component = each.component
    yield from _duplicates("method", [rpc.target for rpc in component.rpcs])
    if not each.description:
        yield f"{component.name} has no package docstring."
    for target in component.sends:
        if target not in targets:
            yield f"{component.name} lists a send to {target}, which does not exist."
    implemented = Counter(id(handler.rpc) for handler in each.handlers)
    for rpc in component.rpcs:
        yield from _rpc_problems(component, rpc, implemented[id(rpc)])
    for handler in each.handlers:
        if not handler.description:
            yield f"{handler.rpc.target} has no docstring on its handler."
        if handler.rpc.component is not component:
            yield f"{handler.rpc.target} is implemented by a handler of {component.name}."


def _rpc_problems(component: Component, rpc: Rpc[Any, Any], handlers: int) -> Iterable[str]:
    if not _NAME.match(rpc.name):
        yield f"{rpc.target} is not PascalCase."
    by_edge = rpc.route is not None and rpc.route.served_by_edge
    if handlers != (0 if by_edge else 1):
        yield f"{rpc.target} has {handlers} handlers, not {0 if by_edge else 1}."
    if rpc.main != (component.kind is Kind.WORKFLOW and not rpc.shared):
        yield f"{rpc.target}: a workflow has one main handler, all its others are shared."
    if rpc.route is None:
        return
    if component.kind is not Kind.GATEWAY:
        yield f"{rpc.target} has a route, but only gateways are public."
    if not rpc.route.path.startswith("/api/v1/"):
        yield f"{rpc.target} stands at {rpc.route.path}, outside /api/v1/."
    if not _SCOPE.match(rpc.route.scope):
        yield f"{rpc.target} names no scope of the form resource:action."
