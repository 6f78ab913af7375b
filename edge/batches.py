"""What the edge counts and notes of calls, handed in from time to time.

Sources (`usage.py`, `impersonations.py`) gather; every few seconds what they have becomes
batches. A batch is sent under an idempotency key until it is taken, so an outage delays what was
gathered and doubles none. What a killed process had not handed in is lost: some seconds.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis import logs
from chassis.identity import object_key
from chassis.message import Message
from chassis.rpc import Rpc
from edge.platform_calls import PlatformCalls
from errors import RpcError

log = logs.get(__name__)

LARGEST_BATCH = 500
_SEND_SECONDS = 5.0
# While nobody takes them: later batches fall away before earlier ones do.
_MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """A request to the object of one tenant, and the idempotency key under which it is made."""

    rpc: Rpc[Any, Any]
    tenant_id: str
    request: Message
    key: str = field(default_factory=lambda: os.urandom(16).hex())


Source = Callable[[], list[Batch]]


class Batches:
    """Hands in what the sources have."""

    def __init__(
        self, calls: PlatformCalls, every_seconds: float, sources: Sequence[Source]
    ) -> None:
        self._calls = calls
        self._every = every_seconds
        self._sources = sources
        self._waiting: deque[Batch] = deque()
        self._task: asyncio.Task[None] | None = None

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
        """Send what was gathered, and what could not be sent before."""
        for source in self._sources:
            self._waiting.extend(source())
        while self._waiting:
            batch = self._waiting[0]
            try:
                await self._calls.call(
                    batch.rpc,
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
                log.exception("what was gathered was not handed in")
