"""Reading the model's answer in durable chunks, over attempts, until it is whole or stopped.

One durable step reads what the process-local stream has since the last chunk; the workflow keeps
each chunk in its own state. A death of Restate therefore does not touch the model call; a death
of this process starts a new attempt, whose random id becomes durable with its first chunk.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from restate import WorkflowContext

from actors.conversation import contract as conversation
from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import (
    FinishRunRequest,
    RetryingRequest,
    RunStatus,
    Work,
)
from chassis.calls import send
from chassis.steps import attempt
from errors import RpcError, wire
from services.openrouter.chunk import Chunk
from services.openrouter.purse import Purse
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest, ToolCall
from workflows.generation.fallbacks import Fallbacks
from workflows.generation.settings import GenerationSettings
from workflows.generation.state import CHUNK, StoredChunk
from workflows.generation.stop import Stop

_BUDGET_SPENT = wire.to_envelope(conversation.BUDGET_SPENT.error())["error"]

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 60.0


class Audience(Protocol):
    """Who follows a run live."""

    def start(self, run_id: str, conversation: str, message_id: str) -> None:
        """From here on the run's live text goes to readers of the conversation."""
        ...

    def watched(self, conversation: str) -> bool:
        """Whether anybody reads the conversation now."""
        ...

    def end(self, run_id: str) -> None:
        """The run has no more live text."""
        ...


@dataclass(slots=True)
class _Progress:
    """What is durable of the answer."""

    attempt: int = 1
    attempt_id: str | None = None
    offset: int = 0
    chunks: int = 0
    failures: int = 0
    text: list[str] = field(default_factory=list[str])

    def start_anew(self) -> None:
        self.offset = 0
        self.text.clear()


class StreamClosedError(Exception):
    """The process is shutting down and has closed the stream under its reader. Half an answer
    would pass for a whole one, so the step fails, and Restate runs it again elsewhere."""


class AnswerReader:
    """Reads one run's answer."""

    def __init__(
        self,
        ctx: WorkflowContext,
        streams: ModelStreams,
        audience: Audience,
        settings: GenerationSettings,
        stop: Stop,
        conversation_key: str,
    ) -> None:
        self._ctx = ctx
        self._streams = streams
        self._audience = audience
        self._settings = settings
        self._stop = stop
        self._conversation = conversation_key
        self._progress = _Progress()
        self._fallbacks = Fallbacks()
        self._purse: Purse | None = None
        self.asked: tuple[ToolCall, ...] = ()

    async def read(self, work: Work, request: ChatRequest) -> FinishRunRequest:
        """Read until the answer is whole, stopped or failed for good, and say how it ended.

        `asked` then has the tools that the model wants called before it goes on.
        """
        self.asked = ()
        purse = self._purse = self._purse or Purse(work.spendable)
        while True:
            asked = purse.bound(self._fallbacks.ask(request))
            if asked is None:
                return self._nothing_left()
            chunk = await self._read_to_end(asked, work.answer_message_id)
            failure = None if chunk.stopped else chunk.failure
            if failure is not None and await self._retry(work, request, chunk, failure):
                continue
            self._forget_chunks()
            self.asked = chunk.finish.tool_calls if chunk.finish else ()
            paid = chunk.finish is None or purse.pay(chunk.finish)
            return self._report(chunk, None if paid else _BUDGET_SPENT)

    async def _read_to_end(self, request: ChatRequest, message_id: str) -> Chunk:
        """Read one attempt; its last chunk."""
        while True:
            chunk = await self._next_chunk(request)
            self._take_in(chunk, message_id)
            if chunk.done:
                return chunk

    def go_on(self) -> None:
        """What the model is asked next is a new attempt, with an answer of its own."""
        progress = self._progress
        progress.start_anew()
        progress.attempt, progress.attempt_id = progress.attempt + 1, None
        progress.failures = 0

    def ask_again(self, request: ChatRequest, at: datetime, error: dict[str, Any]) -> None:
        """The answer is not what was asked for, and `error` says why: the same model is asked
        for another, as the next attempt."""
        self._fallbacks.stay(request, error)
        self._report_retrying(self.attempt + 1, at.timestamp(), error)
        self.go_on()

    @property
    def attempt(self) -> int:
        """The number of the attempt that is read, or will be."""
        return self._progress.attempt

    async def _next_chunk(self, request: ChatRequest) -> Chunk:
        future = attempt(self._ctx, "read", self._read, Chunk, request)
        chunk = await self._stop.outlast(future, lambda: self._streams.stop(self._ctx.key()))
        if isinstance(chunk, RpcError):
            raise chunk
        return chunk

    async def _read(self, request: ChatRequest) -> Chunk:
        """The step's body. Runs once for each chunk, again after a crash in the middle."""
        progress = self._progress
        chunk = await self._streams.take(
            self._ctx.key(),
            request,
            attempt_id=progress.attempt_id,
            attempt=progress.attempt,
            offset=progress.offset,
            every=self._chunk_seconds(),
            stopped=self._stop.reason is not None,
        )
        if chunk.stopped and self._stop.reason is None:
            raise StreamClosedError
        return chunk

    def _chunk_seconds(self) -> float:
        settings = self._settings
        watched = self._audience.watched(self._conversation)
        wished = settings.watched_chunk_seconds if watched else settings.chunk_seconds
        return max(wished, self._streams.places_taken / settings.chunks_per_second)

    def _take_in(self, chunk: Chunk, message_id: str) -> None:
        progress = self._progress
        if chunk.attempt_id and chunk.attempt_id != progress.attempt_id:
            if chunk.attempt > progress.attempt:
                self._report_retrying(chunk.attempt, chunk.at, None)
            progress.start_anew()
            self._forget_chunks()
            progress.attempt, progress.attempt_id = chunk.attempt, chunk.attempt_id
        progress.text.append(chunk.text)
        progress.offset = chunk.offset
        if chunk.text and not chunk.done:
            stored = StoredChunk(attempt=progress.attempt, message_id=message_id, text=chunk.text)
            CHUNK.of(progress.chunks).set(self._ctx, stored)
            progress.chunks += 1

    async def _retry(
        self, work: Work, request: ChatRequest, chunk: Chunk, failure: RpcError
    ) -> bool:
        """Whether to ask again: the next model at once, or the last one after a sleep."""
        progress, at = self._progress, datetime.fromtimestamp(chunk.at, UTC)
        in_time = work.deadline is None or at < work.deadline
        if in_time and self._fallbacks.go_on(request, failure, chunk.error):
            progress.failures = 0
            self._begin_attempt(chunk)
            return self._stop.reason is None
        progress.failures += 1
        if failure.is_terminal or progress.failures >= self._settings.attempts:
            return False
        pause = _backoff(progress.failures, self._ctx.random().random(), failure.retry_after)
        if work.deadline is not None and at + pause >= work.deadline:
            return False
        # Before the pause: a stop in it is reported of the attempt that the thread knows of.
        self._begin_attempt(chunk)
        return not await self._stop.interrupts(self._ctx.sleep(pause, name="backoff"))

    def _begin_attempt(self, failed: Chunk) -> None:
        progress = self._progress
        following = progress.attempt + 1
        self._report_retrying(following, failed.at, failed.error)
        progress.attempt, progress.attempt_id = following, None

    def _report_retrying(self, number: int, at: float, error: dict[str, Any] | None) -> None:
        report = RetryingRequest(
            run_id=self._ctx.key(),
            attempt=number,
            at=datetime.fromtimestamp(at, UTC),
            error=error,
        )
        send(self._ctx, conversation.report_retrying, report, key=self._conversation)

    def _forget_chunks(self) -> None:
        for number in range(self._progress.chunks):
            CHUNK.of(number).clear(self._ctx)
        self._progress.chunks = 0

    def _nothing_left(self) -> FinishRunRequest:
        """The money of the run is spent, and nothing was asked for it."""
        return FinishRunRequest(
            run_id=self._ctx.key(),
            attempt=self._progress.attempt,
            status=RunStatus.FAILED,
            error=_BUDGET_SPENT,
            fallbacks=self._fallbacks.left,
        )

    def _report(self, chunk: Chunk, spent: dict[str, Any] | None) -> FinishRunRequest:
        stopped = self._stop.reason is not None and (chunk.stopped or chunk.finish is None)
        error = chunk.error or spent
        failed = error is not None and not stopped
        finish = chunk.finish
        usage = finish.usage if finish else None
        status = RunStatus.FAILED if failed else RunStatus.COMPLETED
        # A stop during a pause came later than the chunk.
        at = None if stopped and not chunk.stopped else datetime.fromtimestamp(chunk.at, UTC)
        return FinishRunRequest(
            run_id=self._ctx.key(),
            attempt=self._progress.attempt,
            status=RunStatus.CANCELLED if stopped else status,
            at=at,
            text="".join(self._progress.text),
            model=finish.model if finish else "",
            provider=finish.provider if finish else "",
            finish_reason=finish.finish_reason if finish else "",
            generation_id=finish.generation_id if finish else "",
            usage=_usage(usage.prompt_tokens, usage.completion_tokens) if usage else None,
            cost_usd=usage.cost if usage else "",
            time_to_first_token_ms=chunk.first_token_ms or 0,
            error=error if failed else None,
            reason=self._stop.reason or "" if stopped else "",
            fallbacks=self._fallbacks.left,
            context_tokens=usage.prompt_tokens + usage.completion_tokens if usage else 0,
        )


def _usage(prompt: int, completion: int) -> Usage:
    return Usage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )


def _backoff(failures: int, randomness: float, asked: timedelta | None) -> timedelta:
    """Doubling with jitter; a vendor's Retry-After is honoured up to a minute."""
    own = _FIRST_BACKOFF * 2 ** (failures - 1) * (0.5 + randomness)
    wanted = max(own, asked.total_seconds() if asked else 0.0)
    return timedelta(seconds=min(wanted, _LONGEST_BACKOFF))
