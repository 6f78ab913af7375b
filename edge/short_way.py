"""The short way: the edge makes a gateway's one call itself, without the gateway's hop.

A gateway method that is "check, then one call down" is a pure function from caller and request to
that call (`targets.py` of its gateway). The gateway's handler makes the call; with a route's
switch on, the edge evaluates the same function and makes the same call. What a client sees is the
same both ways, which a test over all of these routes holds. See docs/decisions.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.calls import Call
from chassis.identity import Caller, encode_segment
from chassis.message import Message
from chassis.rpc import Rpc

EVERY = "*"


@dataclass(frozen=True, slots=True)
class ShortWay:
    """Where a route may go at once.

    target: what is called; it has to be reachable by the edge.
    decide: the gateway's own function.
    """

    target: Rpc[Any, Any]
    decide: Callable[[Caller, Any], Call[Any, Any]]

    def aim(self, caller: Caller, message: Message) -> tuple[str, bytes]:
        """The path at the ingress and the body."""
        call = self.decide(caller, message)
        key = "" if call.key is None else encode_segment(call.key) + "/"
        return f"/{call.rpc.component.name}/{key}{call.rpc.name}", call.request.to_json()


def chosen(ways: Mapping[Rpc[Any, Any], ShortWay], names: Collection[str]) -> dict[str, ShortWay]:
    """The ways that the operator switched on, by the name of their route.

    Raises ValueError for a name that has none.
    """
    by_name = {route.target: way for route, way in ways.items()}
    if EVERY in names:
        return by_name
    unknown = sorted(set(names) - set(by_name))
    if unknown:
        raise ValueError(
            f"EDGE_SHORT_WAYS names {', '.join(unknown)}, which cannot go the short way; "
            f"these can: {', '.join(sorted(by_name))}, or {EVERY} for all"
        )
    return {name: by_name[name] for name in names}
