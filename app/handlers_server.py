"""The server of the Restate handlers. granian calls `create` in its worker."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import restate
import restate.server

from app.components import Platform, build
from app.registry import Registered, RegistryError
from app.settings import HandlersConfig, or_end
from chassis import logs

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def create() -> App:
    """The Restate endpoint of the platform."""
    return with_components()


def with_components(*more: Registered) -> App:
    """The Restate endpoint, with what it needs started before and stopped after it.

    more: components beside the platform's own, such as those of the benchmark.
    """
    config = or_end(HandlersConfig.read)
    logs.set_up(config.process.log_level)
    # The SDK takes SIGTERM for itself on the first request, and granian would never end then.
    restate.server.install_shutdown_hook = _leave_signals_alone
    try:
        platform = build(config, *more)
    except RegistryError as error:
        # The worker's own end: sentences for who changed a contract, and no traceback.
        sys.exit("\n".join(error.problems))
    key = config.process.restate_identity_key
    endpoint: Any = restate.app(
        platform.registry.restate_services(
            force_replay=config.process.force_replay, preload=config.process.preload_state
        ),
        identity_keys=[key] if key else None,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(platform, receive, send)
        else:
            await endpoint(scope, receive, send)

    return app


def _leave_signals_alone(*_args: object, **_kwargs: object) -> None:
    """In place of the SDK's hook; granian drains and ends by itself."""


async def _lifespan(platform: Platform, receive: Receive, send: Send) -> None:
    await receive()
    await platform.bus.start()
    platform.catalogue.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await platform.catalogue.stop()
    await platform.streams.aclose()
    await platform.tools.aclose()
    await platform.authorization.aclose()
    for pool in platform.pools:
        await pool.aclose()
    await platform.bus.stop()
    await send({"type": "lifespan.shutdown.complete"})
