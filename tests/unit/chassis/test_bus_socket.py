"""The bus between two processes of a host: what is so on a socket only."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from chassis.bus import DELTA, NEWS, BusClient, BusServer
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

TOPIC = "acme/alice/thread"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the socket is."""
    return str(tmp_path / "bus")


@pytest.fixture
async def server(path: str) -> AsyncIterator[BusServer]:
    """The handlers' end, listening."""
    server = BusServer(path)
    await server.start()
    yield server
    await server.stop()


async def test_an_edge_that_is_far_behind_loses_live_text_but_no_news(
    server: BusServer, path: str
) -> None:
    async with await anyio.connect_unix(path) as slow:
        await slow.send(json.dumps({"watch": TOPIC}).encode() + b"\n")
        await until(lambda: server.watched(TOPIC))
        for number in range(100):
            server.publish(TOPIC, DELTA, {"text": "x" * 100_000})
            server.publish(TOPIC, NEWS, number)
        lines = BufferedByteReceiveStream(slow)
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1].get(NEWS) != 99:
            heard.append(json.loads(await lines.receive_until(b"\n", 1_000_000)))
    assert [line[NEWS] for line in heard if NEWS in line] == list(range(100))
    assert len([line for line in heard if DELTA in line]) < 100


async def test_the_socket_is_its_owners_alone(server: BusServer, path: str) -> None:
    assert stat.S_IMODE((await anyio.Path(path).stat()).st_mode) == 0o600
    assert not server.watched(TOPIC)


async def test_without_a_path_nobody_hears_and_nothing_fails() -> None:
    server, client = BusServer(None), BusClient(None)
    await server.start()
    client.start()
    async with client.subscribe(TOPIC) as subscription:
        server.publish(TOPIC, NEWS, 1)
        assert await subscription.next(0.01) is None
    assert not client.connected
    await client.stop()
    await server.stop()
