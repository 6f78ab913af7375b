"""Reading a completion's answer in durable steps, over attempts, until it is whole.

The steps read a process-local stream by offset, as those of a run do: a death of Restate does not
touch the model call, a death of this process starts a new attempt. Who follows is looked at inside
the step, so that what was found out is journaled with it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from restate import Context

from chassis.steps import attempt
from errors import RpcError
from services.completion.contract import ABANDONED
from services.completion.settings import CompletionSettings
from services.openrouter.chunk import Chunk
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest, Finish

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 20.0


class Followed(Protocol):
    """Whether anybody waits for a completion."""

    def abandoned(self, completion_id: str) -> bool:
        """Whether nobody does any more."""
        ...


class StreamClosedError(Exception):
    """The process is shutting down and has closed the stream under its reader: the step fails, and
    Restate runs it again elsewhere."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer."""

    text: str
    finish: Finish
    at: datetime
    first_token_ms: int


@dataclass(slots=True)
class _Progress:
    attempt: int = 1
    attempt_id: str | None = None
    offset: int = 0
    failures: int = 0
    text: list[str] = field(default_factory=list[str])


class CompletionReader:
    """Reads what one completion's models answer; `attempts` counts over all of its requests."""

    def __init__(
        self,
        ctx: Context,
        completion_id: str,
        streams: ModelStreams,
        followed: Followed,
        settings: CompletionSettings,
        deadline: datetime,
    ) -> None:
        self._ctx = ctx
        self._id = completion_id
        self._streams = streams
        self._followed = followed
        self._settings = settings
        self._deadline = deadline
        self._progress = _Progress()

    @property
    def attempts(self) -> int:
        """The number of the last attempt."""
        return self._progress.attempt

    async def read(self, request: ChatRequest) -> Answered:
        """Read until the answer is whole. Raises the failure that no further attempt may mend."""
        progress = self._progress
        while True:
            chunk = await attempt(self._ctx, "read", self._read, Chunk, request)
            if isinstance(chunk, RpcError):
                raise chunk
            self._take_in(chunk)
            if not chunk.done:
                continue
            if chunk.stopped:
                raise ABANDONED.error()
            if chunk.finish is not None:
                at = datetime.fromtimestamp(chunk.at, UTC)
                text = "".join(progress.text)
                return Answered(text, chunk.finish, at, chunk.first_token_ms or 0)
            await self._rest_or_raise(chunk)

    def start_anew(self) -> None:
        """The next request's answer takes the place of this one."""
        self._progress = _Progress(attempt=self._progress.attempt + 1)

    async def _read(self, request: ChatRequest) -> Chunk:
        """The step's body."""
        progress = self._progress
        abandoned = self._followed.abandoned(self._id)
        chunk = await self._streams.take(
            self._id,
            request,
            attempt_id=progress.attempt_id,
            attempt=progress.attempt,
            offset=progress.offset,
            every=self._settings.chunk_seconds,
            stopped=abandoned,
        )
        if chunk.stopped and not self._followed.abandoned(self._id):
            raise StreamClosedError
        return chunk

    def _take_in(self, chunk: Chunk) -> None:
        progress = self._progress
        if chunk.attempt_id and chunk.attempt_id != progress.attempt_id:
            progress.text.clear()
            progress.attempt, progress.attempt_id = chunk.attempt, chunk.attempt_id
        progress.text.append(chunk.text)
        progress.offset = chunk.offset

    async def _rest_or_raise(self, chunk: Chunk) -> None:
        """Sleep before the next attempt, if there is to be one."""
        failure, progress = chunk.failure, self._progress
        assert failure is not None, "an answer that is over is whole, stopped or failed"
        progress.failures += 1
        if failure.is_terminal or progress.failures >= self._settings.attempts:
            raise failure
        own = _FIRST_BACKOFF * 2 ** (progress.failures - 1) * (0.5 + self._ctx.random().random())
        asked = failure.retry_after
        seconds = min(max(own, asked.total_seconds() if asked else 0.0), _LONGEST_BACKOFF)
        pause = timedelta(seconds=seconds)
        if datetime.fromtimestamp(chunk.at, UTC) + pause >= self._deadline:
            raise failure
        progress.attempt, progress.attempt_id = progress.attempt + 1, None
        progress.text.clear()
        await self._ctx.sleep(pause, name="backoff")
