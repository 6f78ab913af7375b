"""Events and live text as readers get them: nothing twice, nothing missing, whatever breaks."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.conversation import contract as conversation
from chassis.bus import DELTA, BusClient, BusServer
from edge import events
from edge.events import EventReader
from errors import RpcError
from tests.support.buses import running_bus
from tests.support.event_readers import (
    AWAY,
    RUN,
    SECONDS,
    Reading,
    delta,
)
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    """A reader with a bus."""
    async with running_bus() as (server, client):
        yield Reading(server, client)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """A reader without a bus, who looks by himself, and soon."""
    monkeypatch.setattr(events, "_LOOK_WITHOUT_BUS_SECONDS", 0.01)
    monkeypatch.setattr(events, "_SUBSCRIBE_SECONDS", 0.01)
    return Reading(None, BusClient(None))


async def test_a_pull_answers_at_once_when_there_are_events(reading: Reading) -> None:
    for kind in ("message.created", "run.started"):
        reading.happen(kind)
    answer = await reading.pull(wait=25)
    assert [event.type for event in answer.events] == ["message.created", "run.started"]
    assert answer.last_sequence == 2
    assert [event.sequence for event in (await reading.pull(after=1)).events] == [2]


async def test_a_pull_without_a_wait_answers_at_once_with_nothing(reading: Reading) -> None:
    answer = await reading.pull()
    assert (answer.events, answer.last_sequence) == ([], 0)


async def test_a_pull_gives_no_more_than_was_asked_for(reading: Reading) -> None:
    for _ in range(5):
        reading.happen("message.created")
    answer = await reading.pull(after=1, limit=2)
    assert [event.sequence for event in answer.events] == [2, 3]
    assert answer.last_sequence == 5


async def test_a_waiting_pull_answers_when_something_happens(reading: Reading) -> None:
    pulling = asyncio.create_task(reading.pull(wait=25))
    await until(lambda: reading.durable.reads > 0)
    reading.happen("message.created")
    answer = await asyncio.wait_for(pulling, 3)
    assert [event.sequence for event in answer.events] == [1]


async def test_a_hint_that_is_ahead_of_the_state_is_waited_out(reading: Reading) -> None:
    """It is sent when a handler ends, a moment before others see what it wrote."""
    pulling = asyncio.create_task(reading.pull(wait=25))
    await until(lambda: reading.durable.reads > 0)
    reading.durable.hidden = 3
    reading.happen("message.created")
    answer = await asyncio.wait_for(pulling, 3)
    assert [event.sequence for event in answer.events] == [1]


async def test_a_wait_that_is_over_answers_with_nothing(reading: Reading) -> None:
    answer = await asyncio.wait_for(reading.pull(wait=0.05), SECONDS)
    assert answer.events == []


async def test_a_lost_hint_costs_a_while_and_no_event(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LOOK_ANYWAY_SECONDS", 0.05)
    pulling = asyncio.create_task(reading.pull(wait=25))
    await until(lambda: reading.durable.reads > 0)
    reading.durable.happen("message.created")
    answer = await asyncio.wait_for(pulling, SECONDS)
    assert [event.sequence for event in answer.events] == [1]


async def test_a_pull_shows_what_the_active_run_has_said(reading: Reading) -> None:
    assert reading.server is not None
    reading.durable.active = RUN
    reading.happen("run.started")
    reading.server.snapshot = lambda topic: [(DELTA, delta("né🫖", 0))]
    partial = (await reading.pull()).partial
    assert partial is not None
    assert (partial.text, partial.offset, partial.run_id) == ("né🫖", 3, RUN)


async def test_without_a_bus_events_and_partials_come_from_what_is_durable(alone: Reading) -> None:
    alone.durable.active = RUN
    alone.durable.partial = "half"
    pulling = asyncio.create_task(alone.pull(wait=25))
    await until(lambda: alone.durable.reads > 1)
    alone.durable.happen("run.started")
    answer = await asyncio.wait_for(pulling, SECONDS)
    assert [event.sequence for event in answer.events] == [1]
    assert answer.partial is not None
    assert (answer.partial.text, answer.partial.attempt) == ("half", 1)


async def test_a_start_beyond_the_end_is_refused_at_once(reading: Reading) -> None:
    reading.happen("message.created")
    for asked in (reading.pull(after=9), EventReader(reading.client).stream(reading.request(9))):
        with pytest.raises(RpcError) as refused:
            await asked
        assert refused.value.reason == conversation.BEYOND_END.word


async def test_a_stream_brings_events_with_ids_and_text_between_them_without(
    reading: Reading,
) -> None:
    reading.happen("message.created")
    async with reading.stream() as frames:
        assert await frames.next() == (
            "message.created",
            {"sequence": 1, "type": "message.created", "runId": RUN},
        )
        reading.happen("run.started")
        assert (await frames.next())[0] == "run.started"
        reading.say("Hel", 0)
        reading.say("lo 🫖", 3)
        await frames.until_text("Hello 🫖")
        reading.happen("message.completed")
        reading.happen("run.completed")
        await frames.until("run.completed")
        assert frames.ids == [1, 2, 3, 4]


async def test_all_text_comes_before_the_event_that_ends_it(reading: Reading) -> None:
    async with reading.stream() as frames:
        reading.happen("run.started")
        await frames.until("run.started")
        for offset in range(20):
            reading.say("x", offset)
        reading.happen("message.completed")
        reading.say("late", 20)
        await frames.until("message.completed")
        assert frames.texts == {1: "x" * 20}


async def test_a_stream_goes_on_after_the_last_id(reading: Reading) -> None:
    for _ in range(250):
        reading.happen("message.created")
    async with reading.stream(after=20) as frames:
        while len(frames.ids) < 230:
            await frames.next()
        assert frames.ids == list(range(21, 251))
        reading.happen("run.started")
        await frames.until("run.started")
        assert frames.ids[-1] == 251


async def test_a_reader_that_comes_late_gets_the_text_from_its_beginning(reading: Reading) -> None:
    assert reading.server is not None
    reading.server.snapshot = lambda topic: [(DELTA, delta("said be", 0))]
    reading.happen("run.started")
    async with reading.stream() as frames:
        await frames.until("run.started")
        reading.say("fore", 7)
        await frames.until_text("said before")


async def test_a_gap_is_filled_before_the_text_goes_on(reading: Reading) -> None:
    assert reading.server is not None
    so_far = ""
    reading.server.snapshot = lambda topic: [(DELTA, delta(so_far, 0))] if so_far else []
    reading.happen("run.started")
    async with reading.stream() as frames:
        await frames.until("run.started")
        reading.say("one ", 0)
        await frames.until_text("one ")
        so_far = "one two three "
        reading.say("three ", 8)  # "two " was lost
        await frames.until_text("one two three ")


async def test_a_new_attempt_starts_its_text_anew(reading: Reading) -> None:
    async with reading.stream() as frames:
        reading.happen("run.started")
        await frames.until("run.started")
        reading.say("wrong", 0)
        await frames.until_text("wrong")
        reading.happen("run.retrying")
        reading.say("right", 0, attempt=2)
        reading.say(" late", 5, attempt=1)
        await frames.until_text("right", attempt=2)
        assert frames.texts == {1: "wrong", 2: "right"}


async def test_a_stream_outlives_what_is_behind_it(reading: Reading) -> None:
    async with reading.stream() as frames:
        reading.happen("message.created")
        await frames.until("message.created")
        reading.durable.fails = [AWAY, AWAY]
        reading.happen("run.started")
        await frames.until("run.started")
        assert frames.ids == [1, 2]


async def test_a_stream_of_a_thread_that_is_gone_ends_with_its_error(reading: Reading) -> None:
    async with reading.stream() as frames:
        reading.happen("message.created")
        await frames.until("message.created")
        reading.durable.fails = [conversation.THREAD_NOT_FOUND.error()]
        reading.happen("run.started")
        with pytest.raises(RpcError) as ended:
            await frames.until("run.started")
        assert ended.value.reason == conversation.THREAD_NOT_FOUND.word


async def test_without_a_bus_a_stream_brings_what_is_durable(alone: Reading) -> None:
    alone.durable.active = RUN
    alone.durable.happen("run.started")
    async with alone.stream() as frames:
        await frames.until("run.started")
        alone.durable.partial = "half"
        await frames.until_text("half")
        alone.durable.partial = "half and more"
        await frames.until_text("half and more")
        alone.durable.happen("message.completed")
        await frames.until("message.completed")
        assert frames.ids == [1, 2]


async def test_events_that_happened_while_the_bus_was_away_are_not_missed() -> None:
    async with running_bus() as (server, client):
        reading = Reading(server, client)
        async with reading.stream() as frames:
            reading.happen("message.created")
            await frames.until("message.created")
            path = server._path  # pyright: ignore[reportPrivateUsage]
            await server.stop()
            await until(lambda: not client.connected)
            reading.durable.happen("run.started")
            again = BusServer(path)
            await again.start()
            await frames.until("run.started")
            await until(lambda: client.connected)
            reading.server = again
            reading.happen("run.completed")
            await frames.until("run.completed")
            assert frames.ids == [1, 2, 3]
            await again.stop()
