"""Two edges and handlers that know of each other only by a real Valkey or Redis server."""

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from redis.asyncio import Redis

from devstack.keys import SecretKey
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from tests.support.conversation import Conversation, User, model_of
from tests.support.frames import Frames, Seen, until
from tests.support.second_edge import second_edge
from tests.support.stack import RunningStack, running_stack
from tests.support.valkey import RunningValkey, running_valkey

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TURN = ["message.created", "run.started", "message.completed", "run.completed"]
GONE, THERE = "the bus is away", "the bus is there"


class TwoEdges:
    """A platform behind two edges, and the bus between them."""

    def __init__(self, stack: RunningStack, urls: tuple[str, str], valkey: RunningValkey) -> None:
        self.stack = stack
        self.urls = urls
        self.valkey = valkey

    @asynccontextmanager
    async def thread(self, key: SecretKey) -> AsyncGenerator[tuple[Conversation, Conversation]]:
        """One new thread, as it is seen through each of the edges."""
        async with (
            httpx.AsyncClient(base_url=self.urls[0], timeout=60, trust_env=False) as one,
            httpx.AsyncClient(base_url=self.urls[1], timeout=60, trust_env=False) as two,
        ):
            first = await User(one, key).create()
            yield first, Conversation(User(two, key), first.key)

    async def met(self) -> None:
        """Wait until handlers and both edges meet on the server; then an edge reads no text that
        is durable, and what is live came over the bus."""
        redis: Any = Redis.from_url(self.valkey.url)  # pyright: ignore[reportUnknownMemberType]

        async def read() -> bool:
            found = await redis.pubsub_numsub("yocaso:bus:handlers", "yocaso:bus:edges")
            return [count for _, count in found] == [1, 2]

        await self.stack.wait_until(read)
        assert await redis.dbsize() == 0, "the bus keeps nothing there"
        await redis.aclose()

    async def logged(self, text: str, times: int) -> None:
        """Wait until the handlers have said so that often."""

        async def read() -> bool:
            return self.stack.log("handlers").count(text) >= times

        await self.stack.wait_until(read)


@contextmanager
def platform() -> Generator[TwoEdges]:
    with (
        running_valkey(password="hunter2hunter2") as valkey,
        running_stack(environment={"BUS_PATH": "", "BUS_URL": valkey.url}) as stack,
        second_edge(stack) as other,
    ):
        yield TwoEdges(stack, (stack.base_url, other), valkey)


@pytest.fixture(scope="module")
def edges() -> Iterator[TwoEdges]:
    with platform() as edges:
        yield edges


async def read_text(frames: Frames, seen: Seen, text: str) -> None:
    """Take frames in until the live text of a run is this."""
    while text not in seen.texts.values():
        seen.take(await anext(frames))


async def test_live_text_and_news_reach_readers_at_both_edges(edges: TwoEdges) -> None:
    await edges.met()
    async with edges.thread(edges.stack.alice) as (one, two), model_of(edges.stack) as model:
        held = Answer(tokens=["one ", "two ", "three"], gate="both", hold_after=2)
        await model.script(held, contains="both edges")
        seen = Seen(), Seen()
        async with one.stream() as first, two.stream() as second:
            await one.send("both edges")
            # The model holds here, so no durable event has this text: it came over the bus.
            await read_text(first, seen[0], "one two ")
            await read_text(second, seen[1], "one two ")
            await model.release("both")
            await until(first, seen[0], "run.completed")
            await until(second, seen[1], "run.completed")
        for each in seen:
            assert [event["type"] for event in each.events] == TURN


async def test_a_server_that_dies_in_mid_stream_costs_nothing_durable(edges: TwoEdges) -> None:
    await edges.met()
    log = edges.stack.log("handlers")
    gone, there = log.count(GONE), log.count(THERE)
    async with edges.thread(edges.stack.bob) as (one, two), model_of(edges.stack) as model:
        await held_in_mid_stream(model, one, two)
        seen = Seen(), Seen()
        async with one.stream() as first, two.stream() as second:
            await anyio.to_thread.run_sync(edges.valkey.process.kill)
            await edges.logged(GONE, gone + 1)
            await model.release("mid")
            # The end of the turn is told by no bus, and found all the same.
            await until(first, seen[0], "run.completed")
            await until(second, seen[1], "run.completed")
            await anyio.to_thread.run_sync(edges.valkey.start)
            await edges.logged(THERE, there + 1)
            await edges.met()
            await again_live(model, one, ((first, seen[0]), (second, seen[1])))
        for each in seen:
            assert [event["type"] for event in each.events[: len(TURN)]] == TURN
            assert each.events == await one.events()
    assert "hunter2" not in "".join(map(edges.stack.log, ("handlers", "edge", "restate")))


async def held_in_mid_stream(
    model: OpenRouterControl, one: Conversation, two: Conversation
) -> None:
    """Send a message whose answer stops in its middle, when both edges have told of its half."""
    held = Answer(tokens=["half ", "whole"], gate="mid", hold_after=1)
    await model.script(held, contains="mid stream")
    async with one.stream() as first, two.stream() as second:
        await one.send("mid stream")
        seen = Seen(), Seen()
        await read_text(first, seen[0], "half ")
        await read_text(second, seen[1], "half ")


async def again_live(
    model: OpenRouterControl, thread: Conversation, readers: tuple[tuple[Frames, Seen], ...]
) -> None:
    """Live text arrives at readers that never went away."""
    await model.script(Answer(tokens=["live ", "again"], gate="again", hold_after=1), contains="go")
    await thread.send("go on")
    for frames, seen in readers:
        await read_text(frames, seen, "live ")
    await model.release("again")
    for frames, seen in readers:
        while [event["type"] for event in seen.events].count("run.completed") < 2:
            seen.take(await anext(frames))
