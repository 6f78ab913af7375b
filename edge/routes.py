"""The table of public methods, looked up by the exact bytes of the path.

Both `/api/v1/...` and Restate's own scheme `/<Component>/<Method>` (what KrakenD calls) lead to
the same entry. There is no decoding and no normalizing: `//`, `%2e` or a query in the path match
nothing, and what matches nothing never reaches the ingress.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.message.secret import holds_secrets
from chassis.rpc import Effect, Route, Rpc
from edge import reasons
from edge.requests import Request
from edge.short_way import ShortWay


class Entry:
    """A route with what the later steps need, taken apart once."""

    __slots__ = (
        "command", "deadline_seconds", "family", "holds_secrets", "ingress_path", "name", "request",
        "route", "rpc", "short_way",
    )  # fmt: skip

    def __init__(self, rpc: Rpc[Any, Any], route: Route, short_way: ShortWay | None = None) -> None:
        self.rpc = rpc
        self.short_way = short_way
        self.route = route
        self.name = rpc.target
        # `/api/v1/llm/gateway/...` belongs to the family `llm`.
        self.family = route.path.split("/")[3]
        self.request = rpc.request
        self.holds_secrets = holds_secrets(rpc.request)
        self.ingress_path = f"/{rpc.target}"
        self.command = route.effect is Effect.COMMAND
        self.deadline_seconds = route.deadline.total_seconds()


class Routes:
    """Every route by both of its paths."""

    def __init__(self, rpcs: Sequence[Rpc[Any, Any]], short_ways: Mapping[str, ShortWay]) -> None:
        self.entries = [
            Entry(rpc, rpc.route, short_ways.get(rpc.target))
            for rpc in rpcs
            if rpc.route is not None
        ]
        self._by_path: dict[bytes, Entry] = {}
        for entry in self.entries:
            self._by_path[entry.route.path.encode()] = entry
            self._by_path[entry.ingress_path.encode()] = entry

    def find(self, request: Request) -> Entry:
        """The entry of a POST, or NOT_FOUND, or METHOD_NOT_ALLOWED."""
        entry = self._by_path.get(request.path)
        if entry is None:
            raise reasons.ROUTE_NOT_FOUND.error()
        if request.method != "POST":
            raise reasons.METHOD_NOT_ALLOWED.error()
        return entry

    def is_preflight(self, request: Request) -> bool:
        """Whether this is OPTIONS on a route."""
        return request.method == "OPTIONS" and request.path in self._by_path
