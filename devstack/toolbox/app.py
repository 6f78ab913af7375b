"""The ASGI application: the server of the protocol and the control interface beside it."""

import asyncio
import importlib
import json
from typing import Any

from devstack.exchange import ClientGoneError, Exchange, Receive, Scope, Send
from devstack.toolbox.tools import Tools


class Toolbox:
    """A tool server. The protocol's library is read when the first request comes: it costs a
    second, and most stacks have no use for it."""

    def __init__(self) -> None:
        self.tools = Tools()
        self._served: asyncio.Future[Any] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.startswith("/control/"):
            await self._control(Exchange(scope, receive, send))
            return
        served = await self._protocol()
        await served(scope, receive, send)

    def close(self) -> None:
        """Let go whoever waits, and end the server."""
        self.tools.release_all()
        self._over.set()

    async def _protocol(self) -> Any:
        if self._served is None:
            self._served = asyncio.get_running_loop().create_future()
            self._keeper = asyncio.create_task(self._hold(self._served))
        return await asyncio.shield(self._served)

    async def _hold(self, ready: asyncio.Future[Any]) -> None:
        """The library's own tasks have to be ended by the task that began them."""
        server = await asyncio.to_thread(importlib.import_module, "devstack.toolbox.server")
        served, manager = server.application(self.tools)
        async with manager.run():
            ready.set_result(served)
            await self._over.wait()

    async def _control(self, exchange: Exchange) -> None:
        body = await exchange.body()
        async with exchange:
            try:
                await self._controlled(exchange, body)
            except ClientGoneError:
                return

    async def _controlled(self, exchange: Exchange, body: bytes) -> None:
        match exchange.method, exchange.path:
            case "GET", "/control/calls":
                calls = [call.model_dump() for call in self.tools.calls]
                await exchange.send_json(200, {"calls": calls})
                return
            case "POST", "/control/release":
                self.tools.release(str(json.loads(body)["gate"]))
            case "POST", "/control/schemas":
                self.tools.schemas = dict(json.loads(body))
            case "POST", "/control/reset":
                self.tools.reset()
            case _:
                await exchange.send_json(404, {"error": "There is nothing at this path."})
                return
        await exchange.send_json(200, {})
