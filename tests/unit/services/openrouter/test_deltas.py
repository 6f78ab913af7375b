"""Live readers get what durable readers get, earlier and without gaps."""

import asyncio

import pytest

from devstack.openrouter.control import OpenRouterControl
from devstack.openrouter.messages import Answer
from services.openrouter.chunk import StreamDelta
from services.openrouter.client import OpenRouterClient
from services.openrouter.streams import ModelStreams
from tests.support.streams import LONG, RUN, Reader, until

pytestmark = pytest.mark.anyio


async def test_live_deltas_wait_until_the_attempt_is_durable_and_are_gapless(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    tokens = [f"🙂{number} " for number in range(200)]
    await double.script(Answer(tokens=tokens, gate="g", hold_after=100, token_delay_ms=0.5))
    deltas: list[StreamDelta] = []
    streams = ModelStreams(client, on_delta=deltas.append)
    reader = Reader(streams)
    await reader.take()
    await double.wait(tokens_sent=100, waiting=True)
    assert deltas == []
    await reader.take()
    assert deltas[0].offset == 0
    await until(lambda: sum(len(delta.text) for delta in deltas) == len("".join(tokens[:100])))
    await double.release("g")
    await reader.finish()
    at = 0
    for delta in deltas:
        assert (delta.run_id, delta.attempt_id, delta.attempt) == (RUN, reader.attempt_id, 1)
        assert delta.offset == at
        at += len(delta.text)
    assert "".join(delta.text for delta in deltas) == reader.text == "".join(tokens)
    await streams.aclose()


async def test_a_delta_does_not_wait_for_the_next_chunk(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two three", gate="g", hold_after=1))
    deltas: list[StreamDelta] = []
    streams = ModelStreams(client, on_delta=deltas.append)
    reader = Reader(streams)
    await reader.take()
    step = asyncio.create_task(reader.take(every=LONG))
    await until(lambda: len(deltas) == 1)
    assert (deltas[0].offset, deltas[0].text) == (0, "one ")
    await double.release("g")
    await step
    assert "".join(delta.text for delta in deltas) == "one two three"
    await streams.aclose()


async def test_a_broken_listener_does_not_break_the_stream(
    client: OpenRouterClient, double: OpenRouterControl
) -> None:
    await double.script(Answer(text="one two", gate="g", hold_after=1))

    called: list[StreamDelta] = []

    def broken(delta: StreamDelta) -> None:
        called.append(delta)
        raise RuntimeError

    streams = ModelStreams(client, on_delta=broken)
    reader = Reader(streams)
    await reader.take()
    await double.release("g")
    assert (await reader.finish()).error is None
    assert (reader.text, "".join(delta.text for delta in called)) == ("one two", "one two")
    await streams.aclose()
