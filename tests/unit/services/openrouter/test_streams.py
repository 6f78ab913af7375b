"""Durable steps read a model's stream by offset: nothing lost, nothing doubled."""

import asyncio
import json

import pytest

from devstack.openrouter import messages
from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer, ToolCall
from services.openrouter import live
from services.openrouter.chunk import Chunk
from services.openrouter.client import OpenRouterClient
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest
from tests.support.models import question
from tests.support.streams import LONG, RUN, Reader

pytestmark = pytest.mark.anyio


async def test_the_text_is_what_the_model_sent_code_point_by_code_point(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    tokens = [f"é{number}🙂 " for number in range(500)]
    await double.script(Answer(tokens=tokens, token_delay_ms=0.2, cost=0.5))
    reader = Reader(streams)
    last = await reader.finish()
    [call] = await double.wait(closed=1)
    assert reader.text == call.text_sent == "".join(tokens)
    assert last.finish is not None
    assert last.finish.usage is not None
    assert (last.finish.model, last.finish.usage.cost) == ("double/echo", "0.5")
    assert last.first_token_ms is not None
    assert (last.error, last.stopped) == (None, False)


async def test_the_first_chunk_comes_with_the_first_text(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two", gate="g", hold_after=1))
    chunk = await Reader(streams).take(every=LONG)
    assert (chunk.text, chunk.done, chunk.attempt) == ("one ", False, 1)


async def test_later_chunks_gather_and_the_end_comes_at_once(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two three", gate="g", hold_after=1))
    reader = Reader(streams)
    await reader.take()
    step = asyncio.create_task(reader.take(every=LONG))
    await double.release("g")
    chunk = await step
    assert (chunk.text, chunk.done) == ("two three", True)


async def test_a_silent_model_makes_no_empty_chunks(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two", gate="g", hold_after=1))
    reader = Reader(streams)
    await reader.take()
    step = asyncio.create_task(reader.take(every=0.001))
    done, _ = await asyncio.wait({step}, timeout=0.1)
    assert not done
    await double.release("g")
    assert (await step).text == "two"


async def test_a_step_that_is_repeated_gets_the_same_text_again(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two three", gate="g", hold_after=2))
    reader = Reader(streams)
    lost = await reader.peek()
    kept = await reader.take()
    assert kept.attempt_id == lost.attempt_id
    assert kept.text.startswith(lost.text)
    await double.release("g")
    lost = await reader.peek(every=LONG)
    kept = await reader.take(every=LONG)
    assert (kept.text, kept.finish) == (lost.text, lost.finish)
    assert reader.text == "one two three"
    assert len(await double.calls()) == 1


async def test_a_huge_text_comes_in_chunks_of_bounded_size(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    await double.script(Answer(size_bytes=1_000_000))
    reader = Reader(streams)
    sizes: list[int] = []
    while not (chunk := await reader.take()).done:
        sizes.append(len(chunk.text))
        assert (chunk.finish, chunk.error) == (None, None)
    [call] = await double.calls()
    assert reader.text == call.text_sent
    assert max(sizes) <= live.MAX_CHUNK_CHARS


async def test_a_chunk_survives_the_journal(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    tools = [ToolCall(name="f", arguments='{"a":1}')]
    await double.script(Answer(text="é", tool_calls=tools), messages.rate_limited("5"))
    reader = Reader(streams)
    answered = await reader.finish()
    reader.attempt_id, reader.attempt = None, 2
    failed = await reader.finish()
    for chunk in (answered, failed):
        assert Chunk.from_json(json.loads(json.dumps(chunk.to_json())) | {"new": 1}) == chunk
    assert answered.finish is not None
    assert answered.finish.tool_calls[0].arguments == '{"a":1}'


async def test_another_process_begins_a_new_attempt_from_the_first_character(
    streams: ModelStreams, client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(
        Answer(text="one two", gate="never", hold_after=1), Answer(text="other words")
    )
    reader = Reader(streams)
    first = await reader.take()
    reader.streams = ModelStreams(client)
    second = await reader.take()
    assert second.attempt_id != first.attempt_id
    assert (second.attempt, second.offset_start) == (2, 0)
    await reader.finish()
    assert reader.text == "other words"
    assert len(await double.calls()) == 2
    await reader.streams.aclose()


async def test_an_attempt_that_never_became_durable_is_read_from_the_start(
    streams: ModelStreams, client: OpenRouterClient, double: OpenRouterControl
) -> None:
    reader = Reader(ModelStreams(client))
    await reader.take()
    reader.streams = streams
    lost = await reader.peek()
    kept = await reader.take()
    assert (kept.attempt_id, kept.attempt) == (lost.attempt_id, 2)
    await reader.finish()
    assert reader.text == "You said: hello"
    assert len(await double.calls()) == 2


async def test_a_stale_stream_gives_way_to_the_attempt_after_it(
    streams: ModelStreams, client: OpenRouterClient, double: OpenRouterControl
) -> None:
    """The run went to another process and came back before its lease here was over."""
    await double.script(
        Answer(text="here once", gate="never", hold_after=1),
        Answer(text="there", gate="never", hold_after=1),
        Answer(text="here again"),
    )
    reader = Reader(streams)
    await reader.take()
    reader.streams = ModelStreams(client)
    await reader.take()
    await reader.streams.aclose()
    reader.streams = streams
    chunk = await reader.take()
    assert chunk.attempt == 3
    await reader.finish()
    assert reader.text == "here again"
    calls = await double.wait(closed=3)
    assert [call.closed_by_client for call in calls] == [True, True, False]


async def test_a_late_step_of_an_older_attempt_opens_nothing(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    reader = Reader(streams)
    reader.attempt = 2
    await reader.finish()
    late = Reader(streams)
    chunk = await late.take()
    assert (chunk.attempt, chunk.attempt_id) == (2, reader.attempt_id)
    assert len(await double.calls()) == 1


async def test_the_request_is_made_only_for_a_new_attempt(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    made: list[int] = []

    def request() -> ChatRequest:
        made.append(1)
        return question()

    offset, attempt_id = 0, None
    while True:
        chunk = await streams.take(
            RUN, request, attempt_id=attempt_id, attempt=1, offset=offset, every=0.01
        )
        offset, attempt_id = chunk.offset, chunk.attempt_id
        if chunk.done:
            break
    assert len(made) == 1


async def test_many_runs_at_once_each_get_their_own_text(
    streams: ModelStreams, double: OpenRouterControl
) -> None:
    async def run(number: int) -> str:
        text, attempt_id = "", None
        request = question(f"number {number}")
        while True:
            chunk = await streams.take(
                f"run_{number}",
                request,
                attempt_id=attempt_id,
                attempt=1,
                offset=len(text),
                every=0.01,
            )
            text, attempt_id = text + chunk.text, chunk.attempt_id
            if chunk.done:
                await streams.close(f"run_{number}")
                return text

    await double.pace(token_delay_ms=1)
    texts = await asyncio.gather(*(run(number) for number in range(100)))
    assert texts == [f"You said: number {number}" for number in range(100)]
    assert streams.places_taken == 0
    assert len(await double.wait(closed=100)) == 100
