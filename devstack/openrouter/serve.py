"""Runs the double on this process's event loop, on loopback only."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from devstack.openrouter.app import OpenRouterDouble


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@asynccontextmanager
async def serving(double: OpenRouterDouble, port: int) -> AsyncGenerator[str]:
    """The double's address, which is ready, for as long as the context lasts."""
    server = Server(
        double,
        address="127.0.0.1",
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
                    raise OSError(f"The double could not listen on port {port}.")
        yield f"http://127.0.0.1:{port}"
    finally:
        double.state.reset()
        server.stop()
        await asyncio.gather(task, return_exceptions=True)
