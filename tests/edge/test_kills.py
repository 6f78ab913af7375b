"""kill -9 under sixteen clients that retry with their keys: no error stays, nothing is doubled."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import uuid4

import anyio.to_thread
import httpx
import pytest

from devstack.processes import Process
from errors import Code
from tests.support.edges import error_of, outcome_of
from tests.support.probe_stack import ProbeStack, probe_stack
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

CLIENTS = 16
GIVE_UP_SECONDS = 30

Fault = Callable[[ProbeStack], Awaitable[None]]


@pytest.fixture(scope="module")
def killable() -> Iterator[ProbeStack]:
    with probe_stack() as stack:
        yield stack


@pytest.fixture
async def http(killable: ProbeStack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=killable.base_url,
        headers={"x-api-key": killable.alice.key},
        timeout=GIVE_UP_SECONDS,
        trust_env=False,
        verify=False,
    ) as http:
        yield http


async def _restart(process: Process, port: int, stack: ProbeStack) -> None:
    def again() -> None:
        process.kill()
        process.start()
        stack.wait(process, port)

    await anyio.to_thread.run_sync(again)


async def kill_restate(stack: ProbeStack) -> None:
    def again() -> None:
        stack.restate.process.kill()
        stack.restate.start()
        stack.restate.wait_ready()

    await anyio.to_thread.run_sync(again)


async def kill_handlers(stack: ProbeStack) -> None:
    await _restart(stack.handlers, stack.handlers_port, stack)


async def kill_edge(stack: ProbeStack) -> None:
    await _restart(stack.edge, stack.edge_port, stack)


async def kill_restate_and_handlers(stack: ProbeStack) -> None:
    await asyncio.gather(kill_restate(stack), kill_handlers(stack))


class Writer:
    """A client that adds to its own counter, one at a time, and repeats until it is told OK."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._counter = uuid4().hex
        self.acknowledged = 0
        self.repeats = 0

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            total = await self._add(uuid4().hex)
            self.acknowledged += 1
            assert total == self.acknowledged, "an effect was lost or doubled"

    async def _add(self, key: str) -> int:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                answer = await self._http.post(
                    "/api/v1/probe/add",
                    json={"counter": self._counter},
                    headers={"idempotency-key": key},
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return answer.json()["total"]
            if answer is not None:
                error = answer.json()["error"]
                assert not error["isTerminal"], error
            assert time.monotonic() < deadline, "the client never heard of its success"
            self.repeats += 1
            await asyncio.sleep(0.05)

    async def counted(self) -> int:
        answer = await self._http.post("/api/v1/probe/total", json={"counter": self._counter})
        return answer.json().get("total", 0)


@pytest.mark.parametrize(
    "fault", [kill_restate, kill_handlers, kill_edge, kill_restate_and_handlers]
)
async def test_every_effect_happens_once_and_every_client_hears_of_it(
    killable: ProbeStack, http: httpx.AsyncClient, fault: Fault
) -> None:
    over = asyncio.Event()
    writers = [Writer(http) for _ in range(CLIENTS)]
    running = [asyncio.create_task(writer.run(over)) for writer in writers]
    await until(lambda: _all_went_on(running, writers, [0] * CLIENTS))
    await fault(killable)
    after = [writer.acknowledged for writer in writers]
    await until(lambda: _all_went_on(running, writers, after))
    over.set()
    await asyncio.gather(*running)
    for writer in writers:
        assert await writer.counted() == writer.acknowledged


def _all_went_on(
    running: list[asyncio.Task[None]], writers: list[Writer], since: list[int]
) -> bool:
    for task in running:
        if task.done():
            task.result()
    return all(w.acknowledged >= n + 3 for w, n in zip(writers, since, strict=True))


async def test_commands_without_a_key_are_not_doubled_by_the_edge_when_restate_is_killed(
    killable: ProbeStack, http: httpx.AsyncClient
) -> None:
    counter = uuid4().hex
    sent = acknowledged = 0
    over = asyncio.Event()

    async def write() -> None:
        nonlocal sent, acknowledged
        while not over.is_set():
            sent += 1
            answer = await http.post("/api/v1/probe/add", json={"counter": counter})
            acknowledged += answer.status_code == 200

    running = [asyncio.create_task(write()) for _ in range(CLIENTS)]
    await until(lambda: acknowledged >= 50)
    await kill_restate(killable)
    before = acknowledged
    await until(lambda: acknowledged >= before + 50)
    over.set()
    await asyncio.gather(*running)
    answer = await http.post("/api/v1/probe/total", json={"counter": counter})
    assert acknowledged <= answer.json()["total"] <= sent


async def test_handlers_that_are_down_are_told_within_two_seconds_and_the_work_is_found_again(
    killable: ProbeStack, http: httpx.AsyncClient
) -> None:
    counter, headers = uuid4().hex, {"idempotency-key": uuid4().hex}
    await anyio.to_thread.run_sync(killable.handlers.kill)
    started = time.monotonic()
    answer = await http.post("/api/v1/probe/add", json={"counter": counter}, headers=headers)
    assert time.monotonic() - started < 2
    assert error_of(answer).code is Code.UNAVAILABLE
    assert not error_of(answer).is_terminal
    assert outcome_of(answer) == "UNKNOWN"
    await kill_handlers(killable)
    for _ in range(2):
        answer = await http.post("/api/v1/probe/add", json={"counter": counter}, headers=headers)
        assert answer.json() == {"total": 1}
