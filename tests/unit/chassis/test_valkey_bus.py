"""What is so on the bus over Valkey only: silence, strangers, floods, and who may come in."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio.to_thread
import pytest
from redis.asyncio import Redis

from chassis.bus import DELTA, NEWS, RESYNC
from chassis.valkey_bus import ValkeyBusClient, ValkeyBusServer
from tests.support.valkey import RunningValkey, running_valkey
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

TOPIC = "acme/alice/thread"
SECONDS = 20.0
PASSWORD = "hunter2hunter2"


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey(PASSWORD) as server:
        yield server


@pytest.fixture
async def server(valkey: RunningValkey) -> AsyncIterator[ValkeyBusServer]:
    if not valkey.process.running:  # a test that kills it has failed
        await anyio.to_thread.run_sync(valkey.start)
    server = ValkeyBusServer(valkey.url)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(valkey: RunningValkey, server: ValkeyBusServer) -> AsyncIterator[ValkeyBusClient]:
    client = ValkeyBusClient(valkey.url)
    client.start()
    await until(lambda: client.connected)
    yield client
    await client.stop()


async def test_a_server_that_dies_and_comes_back_is_found_by_both_ends(
    valkey: RunningValkey, server: ValkeyBusServer, client: ValkeyBusClient
) -> None:
    left: list[str] = []
    server.left = lambda topic, _said: left.append(topic)
    async with client.subscribe(TOPIC) as reader:
        await reader.until_watching(SECONDS)
        client.note(TOPIC, 1)
        await anyio.to_thread.run_sync(valkey.process.kill)
        await until(lambda: not client.connected)
        assert client.newest(TOPIC) is None
        server.publish(TOPIC, NEWS, 2)
        await anyio.to_thread.run_sync(valkey.start)
        await until(lambda: client.connected)
        heard = await reader.next(SECONDS)
        assert heard == (RESYNC, None)
        await heard_again(server, client)
        assert left == [], "handlers believe in a reader while nobody can be heard"


async def heard_again(server: ValkeyBusServer, client: ValkeyBusClient) -> None:
    async with client.subscribe(TOPIC) as reader:
        await reader.until_watching(SECONDS)
        server.publish(TOPIC, NEWS, 3)
        while (said := await reader.next(SECONDS)) != (NEWS, 3):
            assert said is not None


async def test_an_edge_that_falls_silent_is_gone_and_comes_back_when_it_speaks(
    server: ValkeyBusServer, client: ValkeyBusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.valkey_bus._BEAT_SECONDS", 0.05)
    async with client.subscribe(TOPIC) as reader:
        await reader.until_watching(SECONDS)
        # Nobody has spoken for so long, from the next beat of the handlers on.
        monkeypatch.setattr("chassis.valkey_bus._SILENT_SECONDS", -1.0)
        server._beat()  # pyright: ignore[reportPrivateUsage]
        monkeypatch.undo()
        assert not server.watched(TOPIC)
        client._beat()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: server.watched(TOPIC))


async def test_an_edge_without_handlers_knows_that_nobody_will_tell(valkey: RunningValkey) -> None:
    client, server = ValkeyBusClient(valkey.url), ValkeyBusServer(valkey.url)
    client.start()
    async with client.subscribe(TOPIC) as reader:
        await reader.until_watching(0.2)
        assert not client.connected
        await server.start()
        await until(lambda: client.connected)
        await reader.until_watching(SECONDS)
        await server.stop()
        await until(lambda: not client.connected)
    await client.stop()


async def test_what_is_newest_is_believed_for_a_moment_only(
    client: ValkeyBusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client.subscribe(TOPIC):
        client.note(TOPIC, 4)
        assert client.newest(TOPIC) == 4
        monkeypatch.setattr(client, "newest_holds_seconds", -1.0)
        assert client.newest(TOPIC) is None


async def test_a_flood_loses_live_text_before_news_and_is_bounded(
    server: ValkeyBusServer, client: ValkeyBusClient
) -> None:
    async with client.subscribe(TOPIC) as reader:
        await reader.until_watching(SECONDS)
        for number in range(100):  # at once: nothing is said in between
            server.publish(TOPIC, DELTA, {"text": "x" * 100_000})
            server.publish(TOPIC, NEWS, number)
        heard: list[tuple[str, Any]] = []
        while (NEWS, 99) not in heard:
            said = await reader.next(SECONDS)
            assert said is not None
            heard.append(said)
    assert [content for kind, content in heard if kind == NEWS] == list(range(100))
    assert 0 < len([kind for kind, _ in heard if kind == DELTA]) < 20


@pytest.mark.parametrize(
    "line",
    [b"no json", b"\xff\xfe", b"[1]", b"1", b'{"edge": 5}', b'{"topic": 5}', b'{"edge": "x"}',
     b'{"watch": "t"}', b'{"topic": "acme/alice/thread"}', b'{"edge": "x", "watch": [1]}'],
)  # fmt: skip
async def test_lines_that_make_no_sense_are_passed_over(
    valkey: RunningValkey, server: ValkeyBusServer, client: ValkeyBusClient, line: bytes
) -> None:
    redis: Any = Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType]
    async with redis, client.subscribe(TOPIC) as reader:
        await reader.until_watching(SECONDS)
        # The handlers' greeting may have come just before: it is no answer to the line.
        while reader.next_now() is not None:
            pass
        for channel in ("handlers", "edges", client._link.name):  # pyright: ignore[reportPrivateUsage]
            await redis.publish(f"yocaso:bus:{channel}", line)
        server.publish(TOPIC, NEWS, 1)
        assert await reader.next(SECONDS) == (NEWS, 1)


async def test_a_wrong_password_lets_nobody_in_and_is_not_told(
    valkey: RunningValkey, caplog: pytest.LogCaptureFixture
) -> None:
    client = ValkeyBusClient(valkey.url.replace(PASSWORD, "swordfish99"))
    with caplog.at_level(logging.INFO):
        client.start()
        await until(lambda: "the bus is away" in caplog.text)
    assert not client.connected
    assert "swordfish99" not in json.dumps(caplog.text)
    await client.stop()


async def test_an_acl_that_knows_the_bus_alone_is_enough(
    valkey: RunningValkey, server: ValkeyBusServer
) -> None:
    redis: Any = Redis.from_url(valkey.url)  # pyright: ignore[reportUnknownMemberType]
    # As docs/operations.md has it.
    rules = "on >swordfish99 resetchannels &yocaso:bus:*"
    commands = "+publish +subscribe +unsubscribe +hello +client +select +ping"
    await redis.execute_command("ACL", "SETUSER", "edge", *rules.split(), *commands.split())
    await redis.aclose()
    client = ValkeyBusClient(valkey.url.replace(f":{PASSWORD}", "edge:swordfish99"))
    client.start()
    await until(lambda: client.connected)
    await heard_again(server, client)
    await client.stop()
