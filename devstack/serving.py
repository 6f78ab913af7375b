"""Runs an ASGI application on this process's event loop, on loopback unless told otherwise."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from devstack.exchange import Receive, Scope, Send

LOOPBACK = "127.0.0.1"


class Application(Protocol):
    """An ASGI application that may hold requests and lets them go."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        ...

    def close(self) -> None:
        """Let go whoever waits: the server is about to stop."""
        ...


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@asynccontextmanager
async def serving(application: Application, port: int, host: str = LOOPBACK) -> AsyncGenerator[str]:
    """The application's loopback address, which is ready, for as long as the context lasts."""
    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not await _accepts(port):
                await asyncio.wait({task}, timeout=0.02)
                if task.done():
                    task.result()
                    raise OSError(f"Nothing could listen on port {port}.")
        yield f"http://{LOOPBACK}:{port}"
    finally:
        application.close()
        server.stop()
        await asyncio.gather(task, return_exceptions=True)


async def serve_until_told(
    application: Application,
    port: int,
    greeting: Callable[[str], str],
    host: str = LOOPBACK,
) -> None:
    """Serve, print one line with the address, and go on until SIGINT or SIGTERM.

    host: another address than loopback is for a container, which has a network of its own.
    """
    over = asyncio.Event()
    async with serving(application, port, host) as address:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        print(greeting(address), flush=True)
        await over.wait()
