"""Who and what does not belong on the bus: other users, lines that are no orders, old sockets."""

import asyncio
import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from chassis.bus import NEWS, BusServer
from tests.support.buses import running_bus, socket_path

pytestmark = pytest.mark.anyio

SECONDS = 10.0


async def test_a_socket_that_a_killed_process_left_is_replaced() -> None:
    with socket_path() as path:
        os.close(os.open(path, os.O_CREAT))
        server = BusServer(path)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"watch":"t"}\n')
        assert json.loads(await reader.readline()) == {"watching": "t"}
        writer.close()
        await server.stop()
        assert not os.access(path, os.F_OK)


@pytest.mark.parametrize("line", [b"no json\n", b"\xff\xfe\n", b"[1]\n", b'"text"\n', b"1\n"])
async def test_a_line_that_makes_no_sense_ends_its_connection_alone(line: bytes) -> None:
    async with running_bus() as (server, client), client.subscribe("t") as reader:
        await reader.until_watching(SECONDS)
        path = server._path  # pyright: ignore[reportPrivateUsage]
        assert path is not None
        stray, writer = await asyncio.open_unix_connection(path)
        writer.write(line)
        assert await asyncio.wait_for(stray.read(), SECONDS) == b""
        writer.close()
        server.publish("t", NEWS, 1)
        assert await reader.next(SECONDS) == (NEWS, 1)


@contextmanager
def as_somebody_else() -> Generator[None]:
    """What is done in the block is done by a user without rights."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def connected(path: str) -> socket.socket:
    """A connection as it is made in other programs."""
    peer = socket.socket(socket.AF_UNIX)
    try:
        peer.connect(path)
    except OSError:
        peer.close()
        raise
    return peer


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_refused_even_where_the_file_lets_it_in() -> None:
    with socket_path() as path:
        server = BusServer(path)
        await server.start()
        os.chmod(os.path.dirname(path), 0o755)
        with as_somebody_else(), pytest.raises(PermissionError):
            connected(path)
        os.chmod(path, 0o666)
        with as_somebody_else():
            peer = connected(path)
        reader, writer = await asyncio.open_unix_connection(sock=peer)
        writer.write(b'{"watch":"t"}\n')
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), SECONDS)
        assert not server.watched("t")
        writer.close()
        await server.stop()
