"""The model streams of this process, read by durable steps.

A run's stream lives here while its workflow reads it chunk by chunk; each read is a step, so a
crash of Restate or a replay finds the same stream and the same text. What identifies a stream is
its random attempt id, which becomes durable with its first chunk. A step that names another
attempt, or runs in a process that has no stream, gets a new attempt from its first character.

Leases, not cleanup code, end what nobody reads: a handler's `finally` also runs when Restate
merely suspends it, and closing there would call the model again on every replay.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from services.openrouter.chunk import Chunk, StreamDelta, nothing
from services.openrouter.live import ChatStreamer, LiveStream
from services.openrouter.wire import ChatRequest

_KEEP_SECONDS = 120.0
"""How long a finished answer that nobody reads stays, so that a slow replay finds it."""


@dataclass(slots=True)
class _Run:
    stream: LiveStream | None = None
    readers: int = 0
    timer: asyncio.TimerHandle | None = None


class ModelStreams:
    """At most `limit` admitted runs and their streams.

    lease_seconds: how long a place or an open stream survives without a reader.
    on_delta: called for live text of confirmed attempts; must not block.
    """

    def __init__(
        self,
        client: ChatStreamer,
        *,
        limit: int = 200,
        lease_seconds: float = 10.0,
        on_delta: Callable[[StreamDelta], None] | None = None,
    ) -> None:
        self._client = client
        self._limit = limit
        self._lease = lease_seconds
        self._on_delta = on_delta
        self._runs: dict[str, _Run] = {}
        self._places: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def places_taken(self) -> int:
        """How many runs hold a place now."""
        return len(self._places)

    def admit(self, run_id: str) -> bool:
        """Take one of the places, or keep the one that the run has; False when all are taken.

        The place is freed by `close`, or by itself after `lease_seconds` without a `take`.
        """
        if run_id not in self._places:
            if self.places_taken >= self._limit:
                return False
            self._places.add(run_id)
        self._renew(run_id, self._runs.setdefault(run_id, _Run()))
        return True

    async def take(
        self,
        run_id: str,
        request: ChatRequest | Callable[[], ChatRequest],
        *,
        attempt_id: str | None,
        attempt: int,
        offset: int,
        every: float,
        stopped: bool = False,
    ) -> Chunk:
        """The next chunk of the run's answer; the body of a durable step. Consumes nothing.

        attempt_id, attempt: those of the last durable chunk. For the first chunk, and to try
            again after a failed attempt, attempt_id is None and `attempt` the number to use; a
            stream of that number that is already here is read, not opened again.
        offset: the code points that are durable; counts only when the attempt is still the same.
        every: seconds of text in a chunk, except the first, which comes with the first text.
        stopped: the run was stopped: never calls the model, closes what is open.

        Never raises for what the model does: see `Chunk.error`. A run without a place (a replay
        in a new process) takes one, even past the limit: it was admitted once.
        """
        run = self._runs.get(run_id)
        number = attempt if attempt_id is None else attempt + 1
        if stopped:
            if run is None or run.stream is None or not _is(run.stream, attempt_id, number):
                return nothing(attempt_id, attempt, offset)
            run.stream.stop()
        run = run or _Run()
        stream = run.stream
        if stream is None or not _is(stream, attempt_id, number):
            stream = self._open(run_id, run, request, number)
        self._runs[run_id] = run
        if stream.attempt_id != attempt_id:
            offset = 0
        else:
            stream.confirm()
        return await self._read(run_id, run, stream, offset, every)

    def stop(self, run_id: str) -> None:
        """Close the run's upstream connection now. The text stays readable and is `stopped`."""
        run = self._runs.get(run_id)
        if run is not None and run.stream is not None:
            run.stream.stop()

    def sent_so_far(self, run_id: str) -> StreamDelta | None:
        """All live text of the run's current attempt as one delta; None while there is none."""
        run = self._runs.get(run_id)
        return run.stream.sent_so_far() if run is not None and run.stream is not None else None

    async def close(self, run_id: str) -> None:
        """Forget the run and free its place. Only for runs that are settled or stopped: a stream
        that is still wanted would be opened again."""
        run = self._runs.get(run_id)
        if run is None:
            return
        self._forget(run_id, run)
        if run.stream is not None:
            await asyncio.gather(run.stream.task, return_exceptions=True)

    async def aclose(self) -> None:
        """Close every stream; for the shutdown of the process."""
        for run_id, run in list(self._runs.items()):
            self._forget(run_id, run)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _open(
        self,
        run_id: str,
        run: _Run,
        request: ChatRequest | Callable[[], ChatRequest],
        attempt: int,
    ) -> LiveStream:
        if run.stream is not None:
            run.stream.stop()
        stream = LiveStream(
            self._client,
            request if isinstance(request, ChatRequest) else request(),
            run_id=run_id,
            attempt=attempt,
            on_delta=self._on_delta,
        )
        run.stream = stream
        self._tasks.add(stream.task)
        stream.task.add_done_callback(self._tasks.discard)
        return stream

    async def _read(
        self, run_id: str, run: _Run, stream: LiveStream, offset: int, every: float
    ) -> Chunk:
        run.readers += 1
        if not stream.over:
            self._places.add(run_id)
        self._cancel_timer(run)
        try:
            await stream.wait(offset, every)
            return stream.read(offset)
        finally:
            # Also when the step is cancelled, else the stream would have no end.
            run.readers -= 1
            if self._runs.get(run_id) is run:
                self._renew(run_id, run)

    def _renew(self, run_id: str, run: _Run, seconds: float | None = None) -> None:
        self._cancel_timer(run)
        if run.readers == 0:
            loop = asyncio.get_running_loop()
            run.timer = loop.call_later(seconds or self._lease, self._expire, run_id, run)

    def _expire(self, run_id: str, run: _Run) -> None:
        keep = run_id in self._places and run.stream is not None and run.stream.over
        self._places.discard(run_id)
        if keep:
            self._renew(run_id, run, _KEEP_SECONDS)
        else:
            self._forget(run_id, run)

    def _forget(self, run_id: str, run: _Run) -> None:
        self._cancel_timer(run)
        self._places.discard(run_id)
        self._runs.pop(run_id, None)
        if run.stream is not None:
            run.stream.stop()

    def _cancel_timer(self, run: _Run) -> None:
        if run.timer is not None:
            run.timer.cancel()
            run.timer = None


def _is(stream: LiveStream, attempt_id: str | None, number: int) -> bool:
    """Whether a stream serves a step: its own attempt, or one begun after the step's last."""
    return stream.attempt_id == attempt_id or stream.attempt >= number
