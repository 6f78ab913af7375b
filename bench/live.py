"""The rows that are about live text and many runs at once; measured with a ten-second model."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bench.load import LoadError, cpu_seconds, resident_megabytes
from bench.platform import EDGE, HANDLERS, RESTATE, Platform

R = TypeVar("R")

Figures = dict[str, float]

SLOW = "stub/ten-seconds"
_number = itertools.count()


@dataclass(slots=True)
class _Cancelled:
    """One run that a reader followed until its first text and then cancelled."""

    first_delta_ms: list[float] = field(default_factory=list[float])
    closed_ms: list[float] = field(default_factory=list[float])


async def live(platform: Platform, seconds: float) -> Figures:
    """From the model's first chunk to a reader's, and from Cancel to the closed upstream call."""
    seen = _Cancelled()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        await asyncio.gather(*(_follow_and_cancel(platform, seen) for _ in range(4)))
    closed = sorted(seen.closed_ms)
    return {
        "live.first_delta_ms.p50": statistics.median(seen.first_delta_ms),
        "live.cancel_ms.p50": statistics.median(closed),
        "live.cancel_ms.p99": closed[min(len(closed) - 1, int(len(closed) * 0.99))],
    }


async def _follow_and_cancel(platform: Platform, seen: _Cancelled) -> None:
    name = f"live-{next(_number)}"
    await platform.thread(name, SLOW)
    reading = asyncio.create_task(_first_delta(platform, name))
    run_id = (await platform.send(name, name))["runId"]
    arrived = await asyncio.wait_for(reading, 30)
    began = time.time()
    await platform.call("cancel-run", {"conversation_key": name, "run_id": run_id})
    while "gone" not in (times := (await platform.times())[name]):
        if time.time() - began > 30:
            raise LoadError("The model's connection was still open 30 s after the cancel.")
        await asyncio.sleep(0.002)
    seen.first_delta_ms.append((arrived - times["first"]) * 1000)
    seen.closed_ms.append((times["gone"] - began) * 1000)


async def _first_delta(platform: Platform, key: str) -> float:
    async for kind, _ in platform.events(key):
        if kind == "message.delta":
            return time.time()
    raise LoadError("The event stream ended before there was live text.")


async def many_runs(platform: Platform, count: int) -> Figures:
    """So many runs at once on a model that takes ten seconds: all complete, at what memory."""
    keys = await _threads(platform, count)
    began = time.perf_counter()
    runs = await _in_turn(16, [(key, "tell me") for key in keys], platform.send)
    most = 0.0
    waiting = [
        {"conversation_key": k, "run_id": r["runId"]} for k, r in zip(keys, runs, strict=True)
    ]
    while waiting:
        most = max(most, resident_megabytes(platform.pid(HANDLERS)))
        status = (await platform.call("get-run", waiting[-1]))["status"]
        if status == "COMPLETED":
            waiting.pop()
        elif status != "RUNNING":
            raise LoadError(f"A run of {count} ended as {status}.")
        else:
            await asyncio.sleep(0.1)
    return {
        "runs.count": count,
        "runs.seconds": time.perf_counter() - began,
        "runs.handlers_mb": most,
    }


async def many_readers(platform: Platform, count: int) -> Figures:
    """So many readers on as many running turns: every event and all text reaches each."""
    keys = await _threads(platform, count)
    cpu = {name: cpu_seconds(platform.pid(name)) for name in (EDGE, HANDLERS, RESTATE)}
    readers = [asyncio.create_task(_whole_turn(platform, key)) for key in keys]
    await _in_turn(16, [(key, "tell me") for key in keys], platform.send)
    most = 0.0
    while not all(reader.done() for reader in readers):
        most = max(most, resident_megabytes(platform.pid(EDGE)))
        await asyncio.wait(readers, timeout=0.2)
    lost = [await reader for reader in readers].count(False)
    if lost:
        raise LoadError(f"{lost} of {count} readers did not get the whole turn.")
    figures = {
        f"readers.{name}_cpu_s": cpu_seconds(platform.pid(name)) - before
        for name, before in cpu.items()
    }
    return {"readers.count": count, "readers.lost": lost, "readers.edge_mb": most, **figures}


async def _whole_turn(platform: Platform, key: str) -> bool:
    """Whether the live text and the events of one turn came whole and in order."""
    text, sequence = "", 0
    async for kind, content in platform.events(key):
        if kind == "message.delta":
            if content["offset"] != len(text):
                return False
            text += content["text"]
            continue
        sequence += 1
        if content["sequence"] != sequence:
            return False
        if kind == "message.completed":
            # The last live text may still be under way when the answer is there as a whole.
            whole = content["message"]["content"]
            if not whole.startswith(text) or not text:
                return False
        if kind == "run.completed":
            return True
    return False


async def _threads(platform: Platform, count: int) -> list[str]:
    keys = [f"many-{next(_number)}" for _ in range(count)]
    await _in_turn(16, [(key, SLOW) for key in keys], platform.thread)
    return keys


async def _in_turn(
    workers: int, items: list[tuple[str, str]], work: Callable[[str, str], Awaitable[R]]
) -> list[R]:
    """`work` on all items, so many at a time; the results in the order of the items."""
    places = asyncio.Semaphore(workers)

    async def one(item: tuple[str, str]) -> R:
        async with places:
            return await work(*item)

    return await asyncio.gather(*map(one, items))
