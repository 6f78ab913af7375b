"""Clients that are slow, or go away, and servers that go down: streams and requests end cleanly."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import anyio.to_thread
import httpx
import pytest

from edge import reasons
from errors import RpcError
from errors.wire import from_envelope
from tests.support.probe_stack import ProbeStack, probe_stack
from tests.support.raw_http import NOTHING, one_raw, request

pytestmark = pytest.mark.anyio

LISTEN = "/api/v1/probe/listen"


@pytest.fixture
def fresh() -> Iterator[ProbeStack]:
    with probe_stack() as stack:
        yield stack


@asynccontextmanager
async def _client(probe: ProbeStack) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"x-api-key": probe.alice.key}
    async with httpx.AsyncClient(
        base_url=probe.base_url, headers=headers, timeout=30, trust_env=False, verify=False
    ) as http:
        yield http


async def _until(probe: ProbeStack, metric: str, value: float) -> None:
    deadline = time.monotonic() + 10
    while (seen := await anyio.to_thread.run_sync(probe.metric, metric)) != value:
        assert time.monotonic() < deadline, f"{metric} is {seen}"
        await asyncio.sleep(0.01)


async def test_a_client_that_sends_a_byte_a_second_is_cut_off_and_nothing_is_forwarded(
    probe_live: ProbeStack,
) -> None:
    before = probe_live.forwarded()
    started = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", probe_live.edge_port)
    key = f"X-API-Key: {probe_live.alice.key}"
    writer.write(request("/api/v1/probe/echo", key, "Content-Length: 1000", length=False))

    async def drip() -> None:
        while True:
            await asyncio.sleep(1)
            writer.write(b" ")

    dripping = asyncio.create_task(drip())
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    finally:
        dripping.cancel()
        writer.close()
    assert head.startswith(b"HTTP/1.1 504")
    assert time.monotonic() - started < 5
    assert probe_live.forwarded() == before


async def test_a_body_that_is_declared_too_large_is_refused_unread(
    probe_live: ProbeStack,
) -> None:
    key = f"X-API-Key: {probe_live.alice.key}"
    declared = request("/api/v1/probe/small", key, "Content-Length: 5000000000", length=False)
    answer = await one_raw(probe_live.edge_port, declared, seconds=5)
    assert answer.status == 413
    assert answer.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_others_are_served_while_a_hundred_clients_are_slow(probe_live: ProbeStack) -> None:
    key = f"X-API-Key: {probe_live.alice.key}"
    start = request("/api/v1/probe/echo", key, "Content-Length: 1000", length=False)
    writers: list[asyncio.StreamWriter] = []
    for _ in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", probe_live.edge_port)
        writer.write(start)
        writers.append(writer)
    try:
        answer = await one_raw(probe_live.edge_port, request("/api/v1/probe/echo", key), seconds=5)
        assert answer.status == 200
    finally:
        for writer in writers:
            writer.close()


async def test_a_client_that_goes_away_in_its_body_leaves_nothing_behind(
    probe_live: ProbeStack,
) -> None:
    before = probe_live.forwarded()
    key = f"X-API-Key: {probe_live.alice.key}"
    start = request("/api/v1/probe/add", key, "Content-Length: 1000", length=False)
    _, writer = await asyncio.open_connection("127.0.0.1", probe_live.edge_port)
    writer.write(start)
    await writer.drain()
    writer.close()
    # Only the request for the metrics themselves is not counted here: it is on the private port.
    await _until(probe_live, "edge_in_flight", 0)
    assert probe_live.forwarded() == before


async def test_work_goes_on_for_a_client_that_goes_away(probe_live: ProbeStack) -> None:
    counter = uuid4().hex
    body = f'{{"counter":"{counter}","waitMilliseconds":300}}'.encode()
    key = f"X-API-Key: {probe_live.alice.key}"
    answer = await one_raw(
        probe_live.edge_port, request("/api/v1/probe/add", key, body=body), seconds=0.1
    )
    assert answer is NOTHING
    async with _client(probe_live) as http:
        deadline = time.monotonic() + 10
        while True:
            total = await http.post("/api/v1/probe/total", json={"counter": counter})
            if total.json().get("total") == 1:
                return
            assert time.monotonic() < deadline


async def test_a_stream_ends_in_the_edge_when_its_client_goes_away(probe_live: ProbeStack) -> None:
    async with _client(probe_live) as http:
        async with http.stream("POST", LISTEN, json={}) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            lines = answer.aiter_lines()  # kept: the stream closes with its iterator
            assert await anext(lines) == "id: 0"
            await _until(probe_live, "edge_streams", 1)
        await _until(probe_live, "edge_streams", 0)


async def test_a_failure_in_a_stream_is_its_last_event(probe_live: ProbeStack) -> None:
    async with _client(probe_live) as http:
        answer = await http.post(LISTEN, json={"counter": "fail"})
    assert answer.text.startswith("id: 0\nevent: total\n")
    event, data = answer.text.strip().split("\n\n")[-1].split("\n")
    assert event == "event: error"
    assert _error(data).reason == "probe.not_yet"


def _error(line: str) -> RpcError:
    return from_envelope(httpx.Response(200, text=line.removeprefix("data: ")).json())


async def test_a_refused_stream_is_answered_with_the_envelope(probe_live: ProbeStack) -> None:
    async with _client(probe_live) as http:
        answer = await http.post(LISTEN, json={"unknown": 1})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"


async def test_sigterm_tells_streams_finishes_requests_and_ends_the_process(
    fresh: ProbeStack,
) -> None:
    async with _client(fresh) as http:

        async def listen() -> str:
            answer = await http.post(LISTEN, json={})
            return answer.text

        streams = [asyncio.create_task(listen()) for _ in range(20)]
        slow = {"counter": "drained", "waitMilliseconds": 1000}
        work = asyncio.create_task(http.post("/api/v1/probe/add", json=slow))
        await _until(fresh, "edge_streams", 20)
        await _until(fresh, "edge_in_flight", 21)
        started = time.monotonic()
        assert await anyio.to_thread.run_sync(fresh.edge.stop)
        assert time.monotonic() - started < 5
        for text in await asyncio.gather(*streams):
            assert text.endswith("event: bye\ndata: {}\n\n")
        assert (await work).json() == {"total": 1}


async def test_a_draining_edge_refuses_new_requests_on_open_connections(
    fresh: ProbeStack,
) -> None:
    key = f"X-API-Key: {fresh.alice.key}"
    reader, writer = await asyncio.open_connection("127.0.0.1", fresh.edge_port)
    body = b'{"waitMilliseconds":1000}'
    writer.write(request("/api/v1/probe/add", key, body=body))
    await _until(fresh, "edge_in_flight", 1)
    stopping = asyncio.create_task(anyio.to_thread.run_sync(fresh.edge.stop))
    writer.write(request("/api/v1/probe/add", key))
    first = await reader.readuntil(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    await reader.readuntil(b"}")
    rest = await reader.read()
    writer.close()
    assert await stopping
    assert rest == b"" or reasons.DRAINING.word.encode() in rest
