"""The one list of what exists, checked at start.

Everything the outside sees is made from a Registry: the Restate services, the edge's routes,
KrakenD's file, OpenAPI and the generated pages. What the checks refuse (`checks.py`) cannot start.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from restate import Service, VirtualObject, Workflow

from app import checks
from app.reach import Follower, Reach
from chassis.rpc import Component, Rpc
from chassis.serve import Handler, handlers_of, restate_service
from errors import Reason

EdgeFunction = Callable[..., Any]


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

    def __init__(
        self,
        registered: Sequence[Registered],
        served_by_edge: Mapping[Rpc[Any, Any], EdgeFunction] | None = None,
    ) -> None:
        """`served_by_edge` has the functions of the routes that the edge answers itself.

        Raises RegistryError when anything does not fit.
        """
        self.registered = tuple(registered)
        self._methods = _methods(self.registered, served_by_edge or {})
        problems = list(checks.problems([each.component for each in registered], self._methods))
        problems += [f"{r.component.name} has no package docstring." for r in registered
                     if not r.description]  # fmt: skip
        if problems:
            raise RegistryError(problems)

    def rpcs(self) -> list[Rpc[Any, Any]]:
        """Every method of every component, in the order of the list."""
        return [rpc for each in self.registered for rpc in each.component.rpcs]

    def routes(self) -> list[Rpc[Any, Any]]:
        """Every public method."""
        return [rpc for rpc in self.rpcs() if rpc.route is not None]

    def description(self, rpc: Rpc[Any, Any]) -> str:
        """The public text of a method: the docstring of what answers it."""
        return self._of(rpc).description

    def reach(self, rpc: Rpc[Any, Any]) -> Reach:
        """What the method raises, calls and sends, as far as its code tells."""
        return self._of(rpc).reach

    def reasons(self) -> list[Reason]:
        """Every declared reason once, in the order of the list."""
        return list(dict.fromkeys(reason for rpc in self.rpcs() for reason in rpc.errors))

    def restate_services(
        self, *, force_replay: bool = False, preload: bool = False
    ) -> list[Service | VirtualObject | Workflow]:
        """What the Restate endpoint serves."""
        return [
            restate_service(
                each.component,
                list(each.handlers),
                each.description,
                force_replay=force_replay,
                preload=preload,
            )
            for each in self.registered
        ]

    def _of(self, rpc: Rpc[Any, Any]) -> checks.Method:
        return next(method for method in self._methods if method.rpc is rpc)


def _methods(
    registered: Sequence[Registered], served_by_edge: Mapping[Rpc[Any, Any], EdgeFunction]
) -> list[checks.Method]:
    follower = Follower()
    handled = [
        checks.Method(h.rpc, each.component, h.description, follower.reach_of(h.method))
        for each in registered
        for h in each.handlers
    ]
    served = [
        checks.Method(rpc, None, inspect.getdoc(function) or "", follower.reach_of(function))
        for rpc, function in served_by_edge.items()
    ]
    return [*handled, *served]
