"""The rows that are about long threads: what a turn costs in them, and to compact one."""

import itertools
import time
from collections.abc import AsyncIterator

from bench.platform import Platform

Figures = dict[str, float]

SIZES = (10, 100, 1000)
"""Messages of the threads beside the long one."""
LONG = "long"
_QUEUED = 10
_number = itertools.count()


async def history(platform: Platform, seconds: float) -> Figures:
    """Turn, acceptance and newest page in threads of 10, 100, 1,000 messages and the long one."""
    figures: Figures = {}
    for size in (*map(str, SIZES), LONG):
        times: dict[str, list[float]] = {"turn": [], "accept": [], "page": []}
        end = time.perf_counter() + seconds
        async for key in _threads(platform, size):
            began = time.perf_counter()
            if began > end:
                break
            accepted = await platform.send(key)
            times["accept"].append(time.perf_counter() - began)
            await platform.until_completed(key, accepted)
            times["turn"].append(time.perf_counter() - began)
            began = time.perf_counter()
            await platform.call("list-messages", {"conversation_key": key, "page_size": 10})
            times["page"].append(time.perf_counter() - began)
        for name, seen in times.items():
            figures[f"history.{name}.p50.{size}"] = sorted(seen)[len(seen) // 2] * 1000
    return figures


async def _threads(platform: Platform, size: str) -> AsyncIterator[str]:
    """A thread of that size for each turn. A short one would soon be long: it is made anew."""
    while True:
        key = f"history-{size}"
        if size == str(SIZES[0]):
            key = f"{key}-{next(_number)}"
            await platform.thread(key)
            await _live_through(platform, key, SIZES[0])
        for _ in range(5):
            yield key


async def compaction(platform: Platform, seconds: float) -> Figures:
    """A copy of the long thread, compacted by a model that answers at once."""
    key = f"compacted-{next(_number)}"
    copy = {"conversation_key": f"history-{LONG}", "new_conversation_key": key}
    await platform.call("fork-thread", copy)
    began = time.perf_counter()
    answer = await platform.call("compact-conversation", {"conversation_key": key})
    spent = time.perf_counter() - began
    return {
        "compaction.ms_per_1000": spent * 1e6 / answer["compaction"]["messagesSummarized"],
        "compaction.saved_share": int(answer["compaction"]["tokensSaved"])
        / int(answer["compaction"]["tokensBefore"]),
    }


async def live_through_history(platform: Platform, messages: int) -> None:
    """Have the threads that `history` needs, the long one with so many messages, by real turns."""
    for size, count in (*((str(size), size) for size in SIZES[1:]), (LONG, messages)):
        key = f"history-{size}"
        await platform.thread(key)
        await _live_through(platform, key, count)


async def _live_through(platform: Platform, key: str, messages: int) -> None:
    left = messages // 2
    while left > 0:
        # The queue stays filled, so that one run follows the other at once, and nobody reads
        # along meanwhile.
        sent = [(await platform.send(key))["runId"] for _ in range(min(left, _QUEUED))]
        await platform.until_settled(key, sent[-1])
        left -= _QUEUED
