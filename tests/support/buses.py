"""A bus between two ends in one process, over a real unix socket."""

import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from chassis.bus import BusClient, BusServer
from tests.support.waiting import until


@contextmanager
def socket_path() -> Generator[str]:
    """A path that is short enough for a socket wherever tests run."""
    with tempfile.TemporaryDirectory(prefix="bus-") as folder:
        yield str(Path(folder) / "s")


@asynccontextmanager
async def running_bus() -> AsyncGenerator[tuple[BusServer, BusClient]]:
    """Both ends, connected."""
    with socket_path() as path:
        server, client = BusServer(path), BusClient(path)
        await server.start()
        client.start()
        try:
            await until(lambda: client.connected)
            yield server, client
        finally:
            await client.stop()
            await server.stop()
