"""What the death of one edge means for the others on the bus."""

import asyncio
import json

import uvloop

from chassis.bus import NEWS, BusServer
from tests.support.buses import socket_path

LINES = 9


async def watching(path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An edge's line, of which somebody reads the topic."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"watch":"t"}\n')
    assert json.loads(await reader.readline()) == {"watching": "t"}
    return reader, writer


async def heard_beside_one_that_dies() -> list[int]:
    with socket_path() as path:
        server = BusServer(path)
        await server.start()
        _, dying = await watching(path)
        reader, writer = await watching(path)
        try:
            dying.transport.abort()
            for number in range(LINES):
                # The server learns of the death somewhere in between.
                server.publish("t", NEWS, number)
                await asyncio.sleep(0)
            return [json.loads(await reader.readline())["events"] for _ in range(LINES)]
        finally:
            writer.close()
            await server.stop()


def test_an_edge_that_dies_takes_no_line_from_another() -> None:
    # On the loop of production: uvloop raises where asyncio drops what cannot be written.
    assert uvloop.run(heard_beside_one_that_dies()) == list(range(LINES))
