"""Stop, leases and places: a stream ends when it should, and leaves nothing open."""

import asyncio

import anyio
import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from services.openrouter.client import OpenRouterClient
from services.openrouter.streams import ModelStreams
from tests.support.streams import LONG, RUN, Reader, until

pytestmark = pytest.mark.anyio


async def test_stop_before_the_first_token_closes_the_connection(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one", gate="never", hold_after=0))
    reader = Reader(streams)
    step = asyncio.create_task(reader.take())
    await double.wait(waiting=True)
    streams.stop(RUN)
    chunk = await step
    assert (chunk.text, chunk.done, chunk.stopped) == ("", True, True)
    [call] = await double.wait(closed=1, timeout_seconds=1)
    assert call.closed_by_client


async def test_stop_before_the_headers_closes_the_connection(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one", gate="never", hold_headers=True))
    step = asyncio.create_task(Reader(streams).take())
    await double.wait(waiting=True)
    streams.stop(RUN)
    assert (await step).stopped
    await double.wait(closed=1, timeout_seconds=1)


async def test_stop_in_midstream_closes_the_connection_and_keeps_the_text(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two three", gate="never", hold_after=2))
    reader = Reader(streams)
    while reader.text != "one two ":
        await reader.take()
    step = asyncio.create_task(reader.take(every=LONG))
    await anyio.wait_all_tasks_blocked()
    streams.stop(RUN)
    chunk = await step
    assert (chunk.done, chunk.stopped, chunk.finish, chunk.error) == (True, True, None, None)
    [call] = await double.wait(closed=1, timeout_seconds=1)
    assert call.closed_by_client
    assert reader.text == call.text_sent


async def test_stop_twice_is_stop_once(streams: ModelStreams, double: OpenRouterControl) -> None:
    await double.script(Answer(text="one two", gate="never", hold_after=1))
    reader = Reader(streams)
    await reader.take()
    streams.stop(RUN)
    streams.stop(RUN)
    first = await reader.take()
    streams.stop(RUN)
    again = await reader.take(stopped=True)
    assert first.stopped
    assert again.stopped
    assert len(await double.calls()) == 1


async def test_stop_after_the_end_changes_nothing(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    reader = Reader(streams)
    last = await reader.finish()
    streams.stop(RUN)
    again = await reader.take(stopped=True)
    assert again.finish == last.finish
    assert not again.stopped
    assert len(await double.calls()) == 1


async def test_a_stopped_run_without_a_stream_never_calls_the_model(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    streams.stop(RUN)
    reader = Reader(streams)
    reader.attempt_id, reader.attempt, reader.text = "att_gone", 1, "so far"
    chunk = await reader.take(stopped=True)
    assert (chunk.text, chunk.offset, chunk.done, chunk.stopped) == ("", 6, True, True)
    assert (await double.calls(), streams.places_taken) == ([], 0)


async def test_a_stream_that_nobody_reads_closes_its_connection_and_frees_its_place(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(*[Answer(text="one two", gate="never", hold_after=1)] * 2)
    streams = ModelStreams(client, lease_seconds=0.05)
    reader = Reader(streams)
    await reader.take()
    [call] = await double.wait(closed=1)
    assert call.closed_by_client
    assert streams.places_taken == 0
    assert (await reader.take()).attempt == 2
    await streams.aclose()


async def test_a_cancelled_step_leaves_the_stream_to_its_lease(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two", gate="g", hold_after=1))
    streams = ModelStreams(client, lease_seconds=0.2)
    reader = Reader(streams)
    await reader.take()
    step = asyncio.create_task(reader.take(every=LONG))
    await anyio.wait_all_tasks_blocked()
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert streams.places_taken == 1
    await double.wait(closed=1)
    await until(lambda: streams.places_taken == 0)


async def test_a_stream_that_is_being_read_outlives_its_lease(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two", first_token_delay_ms=600))
    streams = ModelStreams(client, lease_seconds=0.3)
    reader = Reader(streams)
    await reader.finish()
    assert reader.text == "one two"
    assert len(await double.calls()) == 1
    await streams.aclose()


async def test_a_finished_answer_outlives_its_place(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    streams = ModelStreams(client, lease_seconds=0.05)
    reader = Reader(streams)
    await reader.take()
    await double.wait(closed=1)
    await until(lambda: streams.places_taken == 0)
    await reader.finish()
    assert reader.text == "You said: hello"
    assert len(await double.calls()) == 1
    await streams.aclose()


async def test_places_are_limited_and_come_back(client: OpenRouterClient) -> None:
    streams = ModelStreams(client, limit=2)
    assert streams.admit("a")
    assert streams.admit("b")
    assert streams.admit("a")
    assert not streams.admit("c")
    await streams.close("a")
    assert streams.admit("c")
    assert not streams.admit("a")
    await streams.aclose()
    assert streams.places_taken == 0


async def test_a_place_that_nobody_uses_comes_back(client: OpenRouterClient) -> None:
    streams = ModelStreams(client, limit=1, lease_seconds=0.02)
    assert streams.admit("a")
    await until(lambda: streams.admit("b"))
    await streams.aclose()


async def test_an_admitted_run_streams_in_its_place(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    assert streams.admit(RUN)
    reader = Reader(streams)
    await reader.finish()
    assert streams.places_taken == 1
    await streams.close(RUN)
    assert streams.places_taken == 0


async def test_close_ends_the_upstream_connection_and_a_waiting_step(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two", gate="never", hold_after=1))
    reader = Reader(streams)
    await reader.take()
    step = asyncio.create_task(reader.take(every=LONG))
    await anyio.wait_all_tasks_blocked()
    await streams.close(RUN)
    assert (await step).stopped
    assert streams.places_taken == 0
    await double.wait(closed=1, timeout_seconds=1)
