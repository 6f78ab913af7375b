"""The rows of the benchmark: each is measured once a round, beside the rows it is compared with."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.history import compaction, history
from bench.identity import IDENTITY as WHO_IS_CALLING
from bench.live import live
from bench.load import Load, closed_loop, cpu_seconds, wrk
from bench.platform import ALICE, EDGE, FEW, IDENTITY, MANY, Platform
from bench.tools import tools
from devstack.keys import SecretKey

NOOP: dict[str, object] = {"name": "x", "amount": 1, "tags": []}
KEY = {"x-api-key": ALICE.key}
_NOOP_PATH = "/api/v1/bench/noop"

# What one round saw: a name for each figure.
Figures = dict[str, float]
Measure = Callable[[Platform, float], Awaitable[Figures]]

_number = itertools.count()


async def _wrk(platform: Platform, path: str, connections: int, seconds: float, **how: Any) -> Load:
    direct = not path.startswith("/api/")
    url = (platform.ingress_url if direct else platform.edge_url) + path
    headers = how.get("headers", IDENTITY if direct else KEY)
    return await asyncio.to_thread(
        wrk,
        url,
        how.get("body", NOOP),
        headers,
        connections=connections,
        seconds=seconds,
        expect=how.get("expect", 200),
    )


async def direct(platform: Platform, seconds: float) -> Figures:
    """The no-op handler at Restate's ingress, which everything is compared with."""
    figures: Figures = {}
    for connections in (1, 16, 64):
        load = await _wrk(platform, "/BenchGateway/Noop", connections, seconds)
        figures[f"direct.rps.{connections}"] = load.per_second
        figures[f"direct.p50.{connections}"] = load.p50
    return figures


async def edge(platform: Platform, seconds: float) -> Figures:
    """The same handler through the edge, with a secret key."""
    figures: Figures = {}
    for connections in (1, 16, 64):
        before = cpu_seconds(platform.pid(EDGE))
        load = await _wrk(platform, _NOOP_PATH, connections, seconds)
        spent = cpu_seconds(platform.pid(EDGE)) - before
        figures[f"edge.rps.{connections}"] = load.per_second
        figures[f"edge.cpu_ms.{connections}"] = spent / (load.per_second * seconds) * 1000
    return figures


async def refusals(platform: Platform, seconds: float) -> Figures:
    """What the edge refuses by itself."""
    wrong_key = {"x-api-key": ALICE.key[:-4] + "AAAA"}
    unauthenticated = await _wrk(platform, _NOOP_PATH, 16, seconds, headers=wrong_key, expect=401)
    unknown = await _wrk(platform, "/api/v1/bench/nothing", 16, seconds, expect=404)
    invalid = await _wrk(
        platform,
        _NOOP_PATH,
        16,
        seconds,
        body={"name": 1, "amount": "x", "tags": 3},
        expect=400,
    )
    return {
        "refusal.401.rps": unauthenticated.per_second,
        "refusal.404.rps": unknown.per_second,
        "refusal.400.rps": invalid.per_second,
    }


async def turns(platform: Platform, seconds: float) -> Figures:
    """Whole turns: a message, and its answer read through pull-events, ten to a thread."""
    figures: Figures = {}
    for workers in (1, 16):
        fresh = [f"turns-{next(_number)}" for _ in range(workers + int(seconds * 40))]
        for key in fresh:
            await platform.thread(key)
        writers = [_Writer(platform, fresh) for _ in range(workers)]
        load = await closed_loop(
            lambda worker, writers=writers: writers[worker].turn(),
            workers=workers,
            seconds=seconds,
        )
        figures[f"turn.rps.{workers}"] = load.per_second
        figures[f"turn.p50.{workers}"] = load.p50
    return figures


class _Writer:
    """Somebody who says ten things in a thread and then begins another."""

    def __init__(self, platform: Platform, fresh: list[str]) -> None:
        self._platform, self._fresh = platform, fresh
        self._key, self._left = "", 0

    async def turn(self) -> None:
        """One turn."""
        if not self._left and self._fresh:
            self._key, self._left = self._fresh.pop(), 10
        self._left -= 1
        await self._platform.turn(self._key)


async def acceptance(platform: Platform, seconds: float) -> Figures:
    """A message until it is accepted; its turn is waited for but not counted."""
    key = await platform.thread(f"accept-{next(_number)}")
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        accepted = await platform.send(key)
        times.append(time.perf_counter() - began)
        await platform.until_completed(key, accepted)
    return {"accept.p50.1": sorted(times)[len(times) // 2] * 1000}


async def reads(platform: Platform, seconds: float) -> Figures:
    """conversation-state of a thread of ten messages, sixteen readers."""
    key = await platform.thread(f"reads-{next(_number)}")
    for _ in range(5):
        await platform.turn(key)
    body = {"conversation_key": key}
    load = await _wrk(platform, "/api/v1/llm/gateway/conversation-state", 16, seconds, body=body)
    return {"state.rps.16": load.per_second}


async def single_step(platform: Platform, seconds: float) -> Figures:
    """One model call as a single durable step, gateway to service."""
    load = await _wrk(platform, "/api/v1/bench/ask", 16, seconds, body={"text": "hello"})
    return {"step.rps.16": load.per_second}


async def lists(platform: Platform, seconds: float) -> Figures:
    """The newest page of a long list of threads against that of a short one."""
    figures: Figures = {}
    for size, owner in (("short", FEW), ("long", MANY)):
        load = await _wrk(
            platform,
            "/api/v1/llm/gateway/list-threads",
            1,
            seconds,
            body={"page_size": 10},
            headers={"x-api-key": owner.key},
        )
        figures[f"list.p50.{size}"] = load.p50
    return figures


async def live_through_threads(platform: Platform, threads: int) -> None:
    """Have one user with ten threads and one with many."""
    for owner, count in ((FEW, 10), (MANY, threads)):
        numbers = itertools.count()

        async def create(owner: SecretKey = owner, count: int = count, n: Any = numbers) -> None:
            while (number := next(n)) < count:
                body = {"conversation_key": f"thread-{number}", "name": f"Thread {number}"}
                await platform.call("create-thread", body, owner)

        await asyncio.gather(*(create() for _ in range(16)))


ROUND: tuple[Measure, ...] = (
    direct,
    edge,
    refusals,
    turns,
    acceptance,
    reads,
    single_step,
    history,
    compaction,
    lists,
    live,
    tools,
    *WHO_IS_CALLING,
)
