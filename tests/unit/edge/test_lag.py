"""Readers look when an announced event should be there: later after a miss, sooner after hits."""

import asyncio

import pytest

from edge.lag import Lag

pytestmark = pytest.mark.anyio


def clock() -> float:
    return asyncio.get_running_loop().time()


def waits(lag: Lag, heard_at: float) -> bool:
    """Whether a read after a hint of that time has to wait at all."""
    waiting = lag.wait(heard_at)
    try:
        waiting.send(None)
    except StopIteration:
        return False
    waiting.close()
    return True


async def test_nobody_waits_before_there_was_a_miss() -> None:
    lag = Lag()
    assert lag.seconds == 0
    assert not waits(lag, clock())


async def test_a_miss_lengthens_the_wait_and_never_beyond_its_bound() -> None:
    lag = Lag()
    lag.learn(clock(), missed=True)
    once = lag.seconds
    for _ in range(1000):
        lag.learn(clock(), missed=True)
    assert 0 < once < lag.seconds <= 0.05


async def test_hits_shorten_the_wait() -> None:
    lag = Lag()
    for _ in range(10):
        lag.learn(clock(), missed=True)
    before = lag.seconds
    for _ in range(200):
        lag.learn(clock(), missed=False)
    assert lag.seconds < before / 10


async def test_a_read_long_after_its_hint_teaches_nothing() -> None:
    lag = Lag()
    lag.learn(clock(), missed=True)
    before = lag.seconds
    lag.learn(clock() - 1, missed=False)
    assert lag.seconds == before


async def test_the_wait_counts_from_the_hint() -> None:
    lag = Lag()
    for _ in range(20):
        lag.learn(clock(), missed=True)
    heard_at = clock()
    assert waits(lag, heard_at)
    await lag.wait(heard_at)
    assert clock() - heard_at >= lag.seconds
    assert not waits(lag, heard_at)
