"""Live text finds the readers of its conversation, and late readers what was said so far."""

import pytest
from restate.server_context import restate_context_is_replaying

from app.broadcast import Broadcast
from chassis.bus import DELTA, NEWS, BusServer, Subscription
from services.openrouter.chunk import StreamDelta
from tests.support.buses import running_bus

pytestmark = pytest.mark.anyio

THREAD = "acme/alice/one"
SECONDS = 10.0


def said(run: str = "run_1", text: str = "hi", offset: int = 0) -> StreamDelta:
    return StreamDelta(run, "att_1", 1, offset, text)


def shown(run: str = "run_1", text: str = "hi", offset: int = 0) -> dict[str, object]:
    """As readers get it: with the answer's message id, without the attempt's secret id."""
    return {
        "runId": run, "messageId": f"msg of {run}", "attempt": 1, "offset": offset, "text": text,
    }  # fmt: skip


async def heard(reader: Subscription) -> tuple[str, object]:
    line = await reader.next(SECONDS)
    assert line is not None
    return line


async def test_text_goes_to_the_conversation_of_its_run() -> None:
    async with running_bus() as (server, client), client.subscribe(THREAD) as reader:
        broadcast = Broadcast(server)
        await reader.until_watching(SECONDS)
        broadcast.on_delta(said())
        broadcast.start("run_1", THREAD, "msg of run_1")
        broadcast.start("run_2", "acme/bob/one", "msg of run_2")
        broadcast.on_delta(said("run_2", "for bob"))
        broadcast.on_delta(said(text="for alice"))
        assert await heard(reader) == (DELTA, shown(text="for alice"))
        broadcast.end("run_1")
        broadcast.on_delta(said(text="too late"))
        broadcast.events(THREAD, 7)
        assert await heard(reader) == (NEWS, 7)


async def test_who_watches_is_known_by_conversation() -> None:
    async with running_bus() as (server, client), client.subscribe(THREAD) as reader:
        broadcast = Broadcast(server)
        await reader.until_watching(SECONDS)
        assert broadcast.watched(THREAD)
        assert not broadcast.watched("acme/bob/one")


async def test_a_late_reader_gets_the_text_of_the_active_run() -> None:
    async with running_bus() as (server, client):
        broadcast = Broadcast(server)
        broadcast.sent_so_far = lambda run: said(run, "so far") if run == "run_2" else None
        broadcast.start("run_1", THREAD, "msg of run_1")
        broadcast.start("run_2", THREAD, "msg of run_2")
        broadcast.end("run_1")
        async with client.subscribe(THREAD) as reader:
            await reader.until_watching(SECONDS)
            assert reader.next_now() == (DELTA, shown("run_2", "so far"))
        broadcast.end("run_2")
        async with client.subscribe(THREAD) as reader:
            await reader.until_watching(SECONDS)
            broadcast.events(THREAD, 1)
            assert await heard(reader) == (NEWS, 1), "no text of a run that has ended"


async def test_a_replay_tells_no_news() -> None:
    async with running_bus() as (server, client), client.subscribe(THREAD) as reader:
        broadcast = Broadcast(server)
        await reader.until_watching(SECONDS)
        token = restate_context_is_replaying.set(True)
        broadcast.events(THREAD, 1)
        restate_context_is_replaying.reset(token)
        broadcast.events(THREAD, 2)
        assert await heard(reader) == (NEWS, 2)


def test_ending_what_never_began_is_no_mistake() -> None:
    broadcast = Broadcast(BusServer(None))
    broadcast.end("run_1")
    broadcast.start("run_1", THREAD, "msg")
    broadcast.start("run_2", THREAD, "msg")
    broadcast.end("run_1")
    broadcast.end("run_1")
    broadcast.sent_so_far = said
    assert broadcast._snapshot(THREAD)[0][1]["runId"] == "run_2"  # pyright: ignore[reportPrivateUsage]
