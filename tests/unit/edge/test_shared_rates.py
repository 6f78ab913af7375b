"""Counting together: one round trip for many, none for a spent limit, and nobody waits for ever."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from edge import shared_rates
from edge.shared_rates import AwayError, SharedWindows

pytestmark = pytest.mark.anyio


class FakeServer:
    """Counts in memory; away or held up when told so."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.batches: list[int] = []
        self.away = False
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def count(self, names: Sequence[str]) -> list[tuple[int, float]]:
        self.batches.append(len(names))
        self.asked.set()
        await self.answers.wait()
        if self.away:
            raise AwayError
        self.counts.update(names)
        return [(self.counts[name], 60.0) for name in names]

    async def reachable(self) -> bool:
        return not self.away

    async def close(self) -> None:
        pass


class Clock:
    """Time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def windows(server: FakeServer, clock: Clock) -> SharedWindows:
    return SharedWindows(server, clock)


async def test_what_arrives_during_a_round_trip_goes_together_in_the_next(
    windows: SharedWindows, server: FakeServer
) -> None:
    server.answers.clear()
    first = asyncio.create_task(windows.hit("calls", "a", 1000))
    await server.asked.wait()
    rest = [asyncio.create_task(windows.hit("calls", "a", 1000)) for _ in range(50)]
    await asyncio.sleep(0)  # each of them has asked now
    server.answers.set()
    found = [await each for each in (first, *rest)]
    assert server.batches == [1, 50]
    assert len(found) == 51
    assert set(server.counts.values()) == {51}


async def test_a_spent_limit_costs_no_round_trip_until_its_window_ends(
    windows: SharedWindows, server: FakeServer, clock: Clock
) -> None:
    counts = [await windows.hit("calls", "a", 2) for _ in range(5)]
    assert [counted[0] for counted in counts if counted] == [1, 2, 3, 3, 3]
    assert len(server.batches) == 3
    clock.now += 59
    counted = await windows.hit("calls", "a", 2)
    assert counted == (3, 1.0)
    clock.now += 1
    await windows.hit("calls", "a", 2)
    assert len(server.batches) == 4


async def test_a_limit_that_was_raised_is_asked_about_again(
    windows: SharedWindows, server: FakeServer
) -> None:
    await windows.hit("calls", "a", 0)
    assert await windows.hit("calls", "a", 5) == (2, 60.0)


async def test_kinds_and_keys_are_counted_apart_and_named_to_nobody(
    windows: SharedWindows, server: FakeServer
) -> None:
    await windows.hit("calls", "user:ann@example.com", 9)
    await windows.hit("refusals", "user:ann@example.com", 9)
    await windows.hit("calls", "user:bob@example.com", 9)
    assert list(server.counts.values()) == [1, 1, 1]
    assert not [name for name in server.counts if "example" in name]


async def test_a_server_that_is_away_is_left_alone_for_a_second(
    windows: SharedWindows, server: FakeServer, clock: Clock
) -> None:
    server.away = True
    assert await windows.hit("calls", "a", 9) is None
    for _ in range(10):
        assert await windows.hit("calls", "a", 9) is None
    assert len(server.batches) == 1
    server.away = False
    clock.now += 1
    assert await windows.hit("calls", "a", 9) == (1, 60.0)


async def test_many_who_wait_for_a_server_that_goes_away_wait_for_one_failure(
    windows: SharedWindows, server: FakeServer
) -> None:
    server.answers.clear()
    server.away = True
    waiting = [asyncio.create_task(windows.hit("calls", f"k{n}", 9)) for n in range(700)]
    await server.asked.wait()
    server.answers.set()
    assert [await each for each in waiting] == [None] * 700
    assert len(server.batches) == 1


async def test_a_caller_who_gives_up_does_not_hold_up_the_others(
    windows: SharedWindows, server: FakeServer
) -> None:
    server.answers.clear()
    gone = asyncio.create_task(windows.hit("calls", "a", 9))
    stays = asyncio.create_task(windows.hit("calls", "b", 9))
    await server.asked.wait()
    gone.cancel()
    server.answers.set()
    assert await stays == (1, 60.0)


async def test_closing_lets_nobody_wait(windows: SharedWindows, server: FakeServer) -> None:
    server.answers.clear()
    waiting = asyncio.create_task(windows.hit("calls", "a", 9))
    await server.asked.wait()
    await windows.close()
    assert await waiting is None


async def test_what_is_remembered_of_spent_limits_is_bounded(
    windows: SharedWindows, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_rates, "_MOST_SPENT", 2)
    for key in ("a", "b", "c"):
        await windows.hit("calls", key, 0)
    await windows.hit("calls", "c", 0)
    assert len(server.batches) == 3
    await windows.hit("calls", "a", 0)
    assert len(server.batches) == 4
