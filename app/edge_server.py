"""The server of the edge. granian calls `create` in its worker.

It imports contracts, not handlers: the edge needs routes and messages, and no vendor's library.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from app import edge_routes
from app.settings import or_end, read_edge
from chassis import logs
from chassis.rpc import Rpc
from chassis.valkey_bus import bus_client
from edge.app import Edge
from edge.page import Pages, api_page, console
from gateways.auth import contract as auth
from gateways.llm import contract as llm

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_ROOT = Path(__file__).parents[1]
_SWAGGER_UI = ".cache/node/node_modules/swagger-ui-dist"

# All that the public can reach. A test holds this list against the registry's.
GATEWAYS = [
    llm.component,
    auth.component,
]


def create() -> App:
    """The HTTP front of the platform."""
    return with_routes()


def with_routes(*more: Rpc[Any, Any]) -> App:
    """The HTTP front, with routes beside the platform's own, such as those of the benchmark."""
    settings = or_end(read_edge)
    logs.set_up(settings.log_level)
    bus = bus_client(settings.bus_path, settings.bus_url)
    # The routes come from contracts alone; the edge runs no handlers.
    front = Edge(
        settings,
        [*public_routes(), *more],
        edge_routes.handlers(bus),
        edge_routes.SHORT_WAYS,
    )

    served: App = _with_page(front) if settings.api_page else front
    if settings.console:
        served = Pages(served, console())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            bus.start()
            try:
                await served(scope, receive, send)
            finally:
                await bus.stop()
        else:
            await served(scope, receive, send)

    return app


def _with_page(front: App) -> App:
    try:
        return Pages(front, api_page(_ROOT / "openapi.json", _ROOT / _SWAGGER_UI))
    except FileNotFoundError:
        sys.exit("EDGE_API_PAGE needs a checkout in which `make setup` has run.")


def public_routes() -> list[Rpc[Any, Any]]:
    """Every public method of every gateway."""
    return [rpc for gateway in GATEWAYS for rpc in gateway.rpcs if rpc.route is not None]
