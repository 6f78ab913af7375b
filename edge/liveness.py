"""Whether anyone listens where the handlers should be, asked only for calls that wait long.

While the handlers are down Restate holds a call and tries on by itself, and its ingress says
nothing. The client should not wait for the deadline to hear of it: a call that has waited a second
while connections to the handlers are refused is answered UNAVAILABLE. It goes on in Restate, and
a repeat with the same Idempotency-Key waits for it. Refused connections are the only evidence
that counts, so a slow or busy platform loses no call.
"""

import asyncio
import contextlib

from edge.metrics import ABANDONED

_PATIENCE_SECONDS = 1.0
_TICK_SECONDS = 0.2
_CONNECT_SECONDS = 0.5
# One refusal may be the moment of a restart; three in a row are more than half a second.
_REFUSALS = 3


class Waiting:
    """One call that waits for its answer. `abandoned` when it was cancelled from here."""

    __slots__ = ("abandoned", "since", "task")

    def __init__(self, task: asyncio.Task[object], since: float) -> None:
        self.task = task
        self.since = since
        self.abandoned = False


class Liveness:
    """Watches over waiting calls. Without an address it only keeps the list."""

    def __init__(self, host: str | None, port: int | None) -> None:
        self._host, self._port = host, port
        self._waiting: dict[Waiting, None] = {}
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.create_task(self._run()) if host and port else None

    def enter(self, task: asyncio.Task[object]) -> Waiting:
        """A call begins to wait."""
        waiting = Waiting(task, self._loop.time())
        self._waiting[waiting] = None
        return waiting

    def leave(self, waiting: Waiting) -> None:
        """The call has its answer, or has ended otherwise."""
        del self._waiting[waiting]

    async def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    async def listening(self) -> bool:
        """Whether a connection to the handlers is not refused."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(self._host, self._port)
        except TimeoutError:
            return True
        except OSError:
            return False
        writer.close()
        return True

    async def _run(self) -> None:
        refusals = 0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            overdue = self._overdue()
            refusals = refusals + 1 if overdue and not await self.listening() else 0
            if refusals >= _REFUSALS:
                for waiting in overdue:
                    self._abandon(waiting)

    def _overdue(self) -> list[Waiting]:
        before = self._loop.time() - _PATIENCE_SECONDS + _REFUSALS * _TICK_SECONDS
        overdue: list[Waiting] = []
        for waiting in self._waiting:  # oldest first
            if waiting.since > before:
                break
            overdue.append(waiting)
        return overdue

    def _abandon(self, waiting: Waiting) -> None:
        if waiting in self._waiting and not waiting.abandoned:
            ABANDONED.inc()
            waiting.abandoned = True
            waiting.task.cancel()
