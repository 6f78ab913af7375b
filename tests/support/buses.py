"""A bus between two ends in one process, over a real unix socket or a real Valkey server."""

import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from chassis.bus import BusClient, BusServer
from chassis.valkey_bus import ValkeyBusClient, ValkeyBusServer
from tests.support.valkey import RunningValkey
from tests.support.waiting import until


class Buses(Protocol):
    """A place where any number of ends meet."""

    def server(self) -> BusServer:
        """A handlers' end, not started."""
        ...

    def client(self) -> BusClient:
        """An edge's end, not started."""
        ...


class SocketBuses:
    """Ends on a unix socket, of which one at a time can be the handlers'."""

    def __init__(self, path: str) -> None:
        self._path = path

    def server(self) -> BusServer:
        """See `Buses`."""
        return BusServer(self._path)

    def client(self) -> BusClient:
        """See `Buses`."""
        return BusClient(self._path)


class ValkeyBuses:
    """Ends on a Valkey server."""

    def __init__(self, valkey: RunningValkey) -> None:
        self._url = valkey.url

    def server(self) -> BusServer:
        """See `Buses`."""
        return ValkeyBusServer(self._url)

    def client(self) -> BusClient:
        """See `Buses`."""
        return ValkeyBusClient(self._url)


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
