"""How keys are used: counted here, handed to ApiKeyService in batches.

A request costs an addition to a dictionary. Every few seconds what was counted becomes one batch
for each tenant; a batch is sent under an idempotency key until it is taken, so an outage delays
counts and doubles none. What a killed process had not handed in is lost: some seconds of counts.
"""

import asyncio
import contextlib
import os
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis import logs
from chassis.identity import object_key
from edge.credentials.verified import Verified
from edge.platform_calls import PlatformCalls
from edge.routes import Entry
from errors import RpcError
from services.api_key.contract import objects
from services.api_key.contract.objects import AddUsageRequest, UsageEntry

log = logs.get(__name__)

_SEND_SECONDS = 5.0
_LARGEST_BATCH = 500
# While ApiKeyService is away: later counts fall away before earlier ones do.
_MOST_WAITING = 1000
_MOST_COUNTS = 100_000


@dataclass(slots=True)
class _Count:
    requests: int = 0
    errors: int = 0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Counts of one tenant, and the idempotency key under which they are handed in."""

    key: str
    tenant_id: str
    request: AddUsageRequest


class Usage:
    """The counts of this process."""

    def __init__(self, calls: PlatformCalls, every_seconds: float) -> None:
        self._calls = calls
        self._every = every_seconds
        self._counts: dict[tuple[str, str, str, str], _Count] = {}
        self._waiting: deque[_Batch] = deque()
        self._task: asyncio.Task[None] | None = None

    def count(self, verified: Verified, entry: Entry, *, failed: bool) -> None:
        """Count one request of a key."""
        moment = datetime.now(UTC)
        caller = verified.caller
        where = (caller.tenant_id, caller.key_id, f"{moment:%Y-%m-%d}", entry.family)
        count = self._counts.get(where)
        if count is None:
            if len(self._counts) >= _MOST_COUNTS:
                return
            count = self._counts[where] = _Count()
        count.requests += 1
        count.errors += failed
        count.last = moment.timestamp()

    def start(self) -> None:
        """Hand in from time to time."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Hand in what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            await self.hand_in()

    async def hand_in(self) -> None:
        """Send what was counted, and what could not be sent before."""
        self._waiting.extend(self._batches())
        while self._waiting:
            batch = self._waiting[0]
            try:
                await self._calls.call(
                    objects.add_usage,
                    batch.request,
                    key=object_key(batch.tenant_id),
                    seconds=_SEND_SECONDS,
                    idempotency_key=batch.key,
                )
            except RpcError:
                break
            self._waiting.popleft()
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.pop()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.hand_in()
            except Exception:
                log.exception("usage was not handed in")

    def _batches(self) -> list[_Batch]:
        counts, self._counts = self._counts, {}
        entries: dict[str, list[UsageEntry]] = {}
        for (tenant_id, key_id, day, family), count in counts.items():
            entry = UsageEntry(
                key_id=key_id,
                day=day,
                family=family,
                requests=count.requests,
                errors=count.errors,
                last_used_at=datetime.fromtimestamp(count.last, UTC),
            )
            entries.setdefault(tenant_id, []).append(entry)
        return [
            _Batch(os.urandom(16).hex(), tenant_id, AddUsageRequest(entries=part))
            for tenant_id, found in entries.items()
            for part in _parts(found)
        ]


def _parts(entries: list[UsageEntry]) -> list[list[UsageEntry]]:
    return [entries[at : at + _LARGEST_BATCH] for at in range(0, len(entries), _LARGEST_BATCH)]
