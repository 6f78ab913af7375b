"""What the platform says of a key or a user, remembered for at most five seconds.

Whoever is busy is looked up again in the background before the verdict is too old, so callers never
wait; "there is no such thing" is remembered in the same way. Age counts from the moment at which
the look-up began: what changes while it is under way is not missed. While the platform cannot be
asked nothing that is older is believed: a revocation may be what it could not tell.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import Counter

from errors import RpcError

FRESH_SECONDS, USABLE_SECONDS = 2.5, 5.0
LOOKUP_SECONDS = 3.0
REMEMBERED = 10_000
# A flood of credentials that are well made may keep this many look-ups busy, and no more.
MOST_LOOKUPS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Verdict(Generic[T]):
    """When the look-up began, and what it found."""

    asked: float
    found: T


class Verdicts(Generic[T]):
    """What `ask` answers, by what it was asked about."""

    def __init__(self, ask: Callable[[str], Awaitable[T]], lookups: Counter) -> None:
        """`ask` raises UNAVAILABLE when there is no answer. `lookups` counts those that failed."""
        self._ask = ask
        self._counted = lookups
        self._verdicts: dict[str, _Verdict[T]] = {}
        self._lookups: dict[str, asyncio.Task[_Verdict[T]]] = {}
        self._free = asyncio.Semaphore(MOST_LOOKUPS)

    async def close(self) -> None:
        """End look-ups that are under way."""
        for task in list(self._lookups.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, RpcError):
                await task

    async def find(self, name: str) -> T:
        """What is known, at most five seconds old. Raises UNAVAILABLE when nothing is."""
        verdict = self._verdicts.get(name)
        age = time.monotonic() - verdict.asked if verdict is not None else USABLE_SECONDS
        if verdict is None or age >= USABLE_SECONDS:
            # Shielded: one client that goes away must not end the look-up of all others.
            verdict = await asyncio.shield(self._look_up(name))
        elif age >= FRESH_SECONDS:
            self._look_up(name)
        return verdict.found

    def _look_up(self, name: str) -> asyncio.Task[_Verdict[T]]:
        task = self._lookups.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._asked(name))
            self._lookups[name] = task
            task.add_done_callback(lambda done: self._end(name, done))
        return task

    async def _asked(self, name: str) -> _Verdict[T]:
        async with self._free:
            verdict = _Verdict(time.monotonic(), await self._ask(name))
        # Deleted first, so that the order of the dictionary is the order of the look-ups.
        self._verdicts.pop(name, None)
        if len(self._verdicts) >= REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[name] = verdict
        return verdict

    def _end(self, name: str, task: asyncio.Task[_Verdict[T]]) -> None:
        del self._lookups[name]
        if not task.cancelled() and task.exception() is not None:
            self._counted.labels("failed").inc()
