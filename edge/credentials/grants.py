"""What a key grants, as ApiKeyService says it, remembered for at most five seconds.

A busy key is looked up again in the background before its verdict is too old, so its callers
never wait; an answer of "no such key" is remembered in the same way. The checksum is judged first,
so typos and inventions cost no look-up.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis import key_text
from edge import reasons
from edge.metrics import KEY_LOOKUPS
from edge.platform_calls import PlatformCalls
from errors import RpcError
from services.api_key.contract import objects
from services.api_key.contract.objects import Grant, ReadRequest

_FRESH_SECONDS, _USABLE_SECONDS = 2.5, 5.0
LOOKUP_SECONDS = 3.0
_REMEMBERED = 10_000
# A flood of invented keys with good checksums may keep this many look-ups busy, and no more.
_MOST_LOOKUPS = 64


@dataclass(frozen=True, slots=True)
class _Verdict:
    """When the look-up began, and what it found."""

    asked: float
    grant: Grant | None


class Grants:
    """The grants of keys by their text."""

    def __init__(self, calls: PlatformCalls) -> None:
        self._calls = calls
        self._verdicts: dict[str, _Verdict] = {}
        self._lookups: dict[str, asyncio.Task[_Verdict]] = {}
        self._free = asyncio.Semaphore(_MOST_LOOKUPS)

    async def close(self) -> None:
        """End look-ups that are under way."""
        for task in list(self._lookups.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, RpcError):
                await task

    async def find(self, key: str) -> Grant:
        """The grant of a key that is in force.

        Raises UNAUTHENTICATED, or UNAVAILABLE while that cannot be found out.
        """
        if not key_text.is_whole(key):
            raise reasons.CREDENTIALS_INVALID.error()
        digest = key_text.hash_of(key)
        verdict = self._verdicts.get(digest)
        age = time.monotonic() - verdict.asked if verdict is not None else _USABLE_SECONDS
        if verdict is None or age >= _USABLE_SECONDS:
            verdict = await asyncio.shield(self._look_up(digest))
        elif age >= _FRESH_SECONDS:
            self._look_up(digest)
        return _in_force(verdict.grant)

    def _look_up(self, digest: str) -> asyncio.Task[_Verdict]:
        task = self._lookups.get(digest)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(digest))
            self._lookups[digest] = task
            task.add_done_callback(lambda done: self._end(digest, done))
        return task

    async def _ask(self, digest: str) -> _Verdict:
        async with self._free:
            asked = time.monotonic()
            found = await self._calls.call(
                objects.read, ReadRequest(), key=digest, seconds=LOOKUP_SECONDS
            )
        KEY_LOOKUPS.labels("unknown" if found.grant is None else "found").inc()
        verdict = _Verdict(asked, found.grant)
        # Deleted first, so that the order of the dictionary is the order of the look-ups.
        self._verdicts.pop(digest, None)
        if len(self._verdicts) >= _REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[digest] = verdict
        return verdict

    def _end(self, digest: str, task: asyncio.Task[_Verdict]) -> None:
        del self._lookups[digest]
        if not task.cancelled() and task.exception() is not None:
            KEY_LOOKUPS.labels("failed").inc()


def _in_force(grant: Grant | None) -> Grant:
    if grant is None:
        raise reasons.CREDENTIALS_INVALID.error()
    if grant.revoked:
        raise reasons.KEY_REVOKED.error()
    if grant.ends_at is not None and grant.ends_at <= datetime.now(UTC):
        raise reasons.KEY_EXPIRED.error()
    return grant
