"""Health of this process on the public port; dependencies and metrics on the private one.

An edge that left rotation because Restate blinked could not answer 503 any more, so /readyz says
only whether this process takes requests.
"""

import json
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from edge.metrics import exposition
from edge.responses import Response

Check = Callable[[], Awaitable[bool]]

HEALTHZ, READYZ = b"/healthz", b"/readyz"


def answer(path: bytes, *, draining: bool) -> Response:
    """The answer to /healthz or /readyz."""
    if path == READYZ and draining:
        return Response(503, b'{"status":"draining"}')
    return Response(200, b'{"status":"ok"}')


class PrivateServer:
    """/metrics and /statusz, for operators: never reachable from outside."""

    def __init__(self, host: str, port: int, dependencies: Mapping[str, Check]) -> None:
        self._host, self._port = host, port
        self._dependencies = dependencies
        app = web.Application()
        app.add_routes(
            [web.get("/metrics", self._metrics), web.get("/statusz", self._statusz)],
        )
        self._runner = web.AppRunner(app, access_log=None)
        self.address = ""

    async def start(self) -> None:
        """Listen. `address` is `host:port` afterwards, also for port 0."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=exposition(), headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _statusz(self, _: web.Request) -> web.Response:
        states = {
            name: "ok" if await check() else "down" for name, check in self._dependencies.items()
        }
        healthy = all(state == "ok" for state in states.values())
        body = json.dumps({"status": "ok" if healthy else "degraded", "dependencies": states})
        return web.Response(
            text=body, status=200 if healthy else 503, content_type="application/json"
        )
