"""Live text finds the readers of its conversation, and late readers what was said so far."""

import pytest
from restate.server_context import restate_context_is_replaying

from app import broadcast as broadcast_module
from app.broadcast import Broadcast
from chassis.bus import DELTA, NEWS, BusServer, Subscription
from services.completion.contract import CompleteRequest
from services.openrouter.chunk import StreamDelta
from tests.support.buses import running_bus
from tests.support.waiting import until

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


def stopped_by(broadcast: Broadcast) -> list[str]:
    """The completions whose upstream call is closed, as they are."""
    stopped: list[str] = []
    broadcast.stop = stopped.append
    return stopped


TOPIC = "completion/1"


async def test_a_completion_ends_when_its_reader_says_goodbye() -> None:
    async with running_bus() as (server, client):
        broadcast = Broadcast(server)
        stopped = stopped_by(broadcast)
        async with client.subscribe(TOPIC, linger_seconds=0) as reader:
            await reader.until_watching(SECONDS)
            broadcast.accompany("cmpl_1", CompleteRequest(topic=TOPIC))
            broadcast.accompany("cmpl_2", CompleteRequest(topic="completion/2", keep=True))
            assert not broadcast.abandoned("cmpl_1")
        await until(lambda: stopped == ["cmpl_1"])
        assert broadcast.abandoned("cmpl_1")
        assert not broadcast.abandoned("cmpl_2")
        broadcast.leave("cmpl_1")
        assert not broadcast.abandoned("cmpl_1")


async def test_a_completion_that_can_be_asked_for_again_goes_on_alone() -> None:
    async with running_bus() as (server, client):
        broadcast = Broadcast(server)
        stopped = stopped_by(broadcast)
        async with client.subscribe(TOPIC, linger_seconds=0) as reader:
            await reader.until_watching(SECONDS)
            broadcast.accompany("cmpl_1", CompleteRequest(topic=TOPIC, keep=True))
        await until(lambda: not server.watched(TOPIC))
        assert not broadcast.abandoned("cmpl_1")
        assert stopped == []


async def test_a_reader_whose_line_broke_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_module, "_COME_BACK_SECONDS", 0.2)
    async with running_bus() as (server, client):
        broadcast = Broadcast(server)
        stopped = stopped_by(broadcast)
        async with client.subscribe(TOPIC) as reader:
            await reader.until_watching(SECONDS)
            broadcast.accompany("cmpl_1", CompleteRequest(topic=TOPIC))
            server.left(TOPIC, False)  # as when its connection ends
            broadcast.accompany("cmpl_2", CompleteRequest(topic="completion/2"))  # never followed
            await until(lambda: stopped == ["cmpl_2"])
        assert not broadcast.abandoned("cmpl_1")
