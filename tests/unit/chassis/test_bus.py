"""What every kind of bus keeps: over a real socket, and over a real Valkey server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from chassis.bus import DELTA, NEWS, RESYNC, BusClient, BusServer, Subscription
from tests.support.buses import Buses, SocketBuses, ValkeyBuses
from tests.support.valkey import RunningValkey, running_valkey

pytestmark = pytest.mark.anyio

TOPIC = "acme/alice/thread"
SECONDS = 20


@pytest.fixture(scope="module")
def valkey() -> Iterator[RunningValkey]:
    with running_valkey() as server:
        yield server


@pytest.fixture(params=["socket", "valkey"])
def buses(request: pytest.FixtureRequest, tmp_path: Path) -> Buses:
    """Where the ends meet."""
    if request.param == "socket":
        return SocketBuses(str(tmp_path / "bus"))
    return ValkeyBuses(request.getfixturevalue("valkey"))


@pytest.fixture
async def server(buses: Buses) -> AsyncIterator[BusServer]:
    """The handlers' end, listening."""
    server = buses.server()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(buses: Buses, server: BusServer) -> AsyncIterator[BusClient]:
    """The edge's end, connected."""
    client = buses.client()
    client.start()
    await until(lambda: client.connected)
    yield client
    await client.stop()


async def watching(subscription: Subscription) -> None:
    """Wait until nothing that is said is lost."""
    with anyio.fail_after(SECONDS):
        await subscription.watching.wait()


async def said(subscription: Subscription, kind: str) -> Any:
    """The content of the next line of a kind."""
    while (line := await subscription.next(SECONDS)) is not None:
        if line[0] == kind:
            return line[1]
    raise AssertionError(f"no {kind}")


async def until(condition: Any) -> None:
    """Wait for a condition on the other end."""
    with anyio.fail_after(SECONDS):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def test_a_reader_hears_what_is_said_about_its_topic_only(
    server: BusServer, client: BusClient
) -> None:
    async with client.subscribe(TOPIC) as subscription:
        await watching(subscription)
        server.publish("acme/bob/thread", NEWS, 1)
        server.publish(TOPIC, NEWS, 2)
        assert await said(subscription, NEWS) == 2


async def test_a_topic_is_watched_while_anybody_reads_it_and_a_little_longer(
    server: BusServer, client: BusClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.bus._LINGER_SECONDS", 0.05)
    async with client.subscribe(TOPIC) as first:
        await watching(first)
        async with client.subscribe(TOPIC) as second:
            await watching(second)
        server.publish(TOPIC, NEWS, 1)
        assert await said(first, NEWS) == 1
    await until(lambda: not server.watched(TOPIC))


async def test_the_topics_of_an_edge_that_stops_are_forgotten(
    server: BusServer, buses: Buses
) -> None:
    dying = buses.client()
    dying.start()
    async with dying.subscribe(TOPIC) as subscription:
        await watching(subscription)
        await dying.stop()
        await until(lambda: not server.watched(TOPIC))


async def test_a_reader_that_comes_late_gets_the_snapshot(
    server: BusServer, client: BusClient
) -> None:
    text = "\N{SNOWMAN}" * 500_000
    server.snapshot = lambda topic: [(DELTA, {"topic": topic, "text": text})]
    async with client.subscribe(TOPIC) as subscription:
        assert await said(subscription, DELTA) == {"topic": TOPIC, "text": text}
        client.ask_again(TOPIC)
        assert await said(subscription, DELTA) == {"topic": TOPIC, "text": text}


async def test_after_a_restart_of_the_handlers_readers_look_again_and_hear_more(
    server: BusServer, client: BusClient, buses: Buses
) -> None:
    async with client.subscribe(TOPIC) as subscription:
        await watching(subscription)
        await server.stop()
        successor = buses.server()
        await successor.start()
        assert await said(subscription, RESYNC) is None
        await until(lambda: successor.watched(TOPIC))
        successor.publish(TOPIC, NEWS, 7)
        assert await said(subscription, NEWS) == 7
        await successor.stop()


async def test_a_reader_that_is_too_far_behind_is_told_to_look_again() -> None:
    subscription = Subscription()
    for number in range(2000):
        subscription.offer(NEWS, number)
    heard: list[tuple[str, Any]] = []
    while (line := await subscription.next(0.01)) is not None:
        heard.append(line)
    assert heard[-1] == (RESYNC, None)
    assert [content for kind, content in heard if kind == NEWS] == list(range(len(heard) - 1))


async def test_news_that_a_reader_hears_before_it_can_read_it_is_not_forgotten(
    server: BusServer, client: BusClient
) -> None:
    async with client.subscribe(TOPIC) as reader:
        await watching(reader)
        server.publish(TOPIC, NEWS, 4)
        assert await said(reader, NEWS) == 4
        client.note(TOPIC, 2)
    async with client.subscribe(TOPIC):
        assert client.newest(TOPIC) == 4


async def test_what_is_newest_is_unknown_until_somebody_has_looked(
    server: BusServer, client: BusClient
) -> None:
    async with client.subscribe(TOPIC) as reader:
        await watching(reader)
        server.publish(TOPIC, NEWS, 4)
        assert await said(reader, NEWS) == 4
        assert client.newest(TOPIC) is None
