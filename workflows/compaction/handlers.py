"""The story of a compaction: read a piece, have it summarised, the next one; then report."""

from datetime import datetime, timedelta
from decimal import Decimal

import restate
from restate import WorkflowContext, WorkflowSharedContext
from restate.exceptions import TerminalError

from actors.conversation import contract as conversation
from actors.conversation.contract.compaction import (
    CompactionPlan,
    FinishCompactionRequest,
    ReadCompactedRequest,
    ReadCompactedResponse,
)
from actors.conversation.contract.entry import Usage
from chassis.calls import call
from chassis.serve import implements
from chassis.steps import now
from errors import Code, RpcError, wire
from services.completion import contract as completion
from services.completion.contract import BUSY, CompleteRequest, CompleteResponse
from services.openrouter.tokens import cut, text_tokens
from workflows.compaction import contract, transcript
from workflows.compaction.contract import (
    AbandonRequest,
    AbandonResponse,
    Ended,
    OutcomeRequest,
    OutcomeResponse,
    RunRequest,
    RunResponse,
)
from workflows.compaction.settings import CompactionSettings

_DONE = "done"

# While all streams are taken; each wait is twice as long as the one before.
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)


class Compaction:
    """Summarises the older messages of one thread."""

    def __init__(self, settings: CompactionSettings) -> None:
        self._settings = settings

    @implements(contract.run)
    async def run(self, ctx: WorkflowContext, request: RunRequest) -> RunResponse:
        """Summarise what the plan names and hand the summary to the thread."""
        writer = Writer(ctx, request, self._settings)
        try:
            report = await writer.write()
        except RpcError as error:
            report = await writer.failed(error)
        except TerminalError as failure:
            # An operator cancelled us.
            error = wire.from_failure(failure.message, failure.status_code, failure.metadata)
            report = await writer.failed(error)
        try:
            key = request.conversation
            recorded = await call(ctx, conversation.finish_compaction, report, key=key)
        except RpcError as error:
            await _resolve(ctx, Ended(error=_inner(error)))
            return RunResponse(status=error.reason)
        if report.error is not None:
            ended = Ended(error=report.error)
        elif recorded.compaction is None:
            ended = Ended(error=_inner(contract.SUPERSEDED.error()))
        else:
            ended = Ended(answer=OutcomeResponse(compaction=recorded.compaction))
        await _resolve(ctx, ended)
        return RunResponse(status="RECORDED" if ended.answer is not None else "FAILED")

    @implements(contract.abandon)
    async def abandon(self, ctx: WorkflowSharedContext, request: AbandonRequest) -> AbandonResponse:
        """Let nobody wait any longer."""
        await _resolve(ctx, Ended(error=_inner(conversation.THREAD_NOT_FOUND.error())))
        return AbandonResponse()

    @implements(contract.outcome)
    async def outcome(self, ctx: WorkflowSharedContext, request: OutcomeRequest) -> OutcomeResponse:
        """Wait for the end of the compaction."""
        late = ctx.sleep(timedelta(seconds=request.seconds), name="wait for the compaction")
        promise = ctx.promise(_DONE, type_hint=str).value()
        what, value = await restate.select(done=promise, late=late)
        if what == "late":
            raise contract.LOST.error()
        ended = Ended.from_json(value.encode())
        if ended.answer is None:
            raise wire.from_envelope({"error": ended.error})
        return ended.answer


class Writer:
    """Writes the summary of one plan; knows what that has cost, whatever comes."""

    def __init__(
        self, ctx: WorkflowContext, request: RunRequest, settings: CompactionSettings
    ) -> None:
        self._ctx = ctx
        self._conversation = request.conversation
        self._plan: CompactionPlan = request.plan
        self._wished = settings
        self._usage = Usage()
        self._cost = Decimal(0)

    async def write(self) -> FinishCompactionRequest:
        """Summarise piece by piece."""
        plan = self._plan
        model = plan.generation_config.model
        longest = transcript.summary_room(self._wished.summary_tokens, plan.window)
        room = transcript.piece_tokens(self._wished.piece_tokens, plan.window, longest)
        summary, after, done = plan.previous, 0, False
        lines = list[str]()
        messages = removed = 0
        answer = CompleteResponse()
        while not done or lines:
            while not done and transcript.takes(lines, room, model) == len(lines):
                page = await self._read(after)
                for message in page.messages:
                    line = transcript.written(message, room, model)
                    removed += text_tokens(line, plan.context_model)
                    lines.append(line)
                messages += len(page.messages)
                after, done = page.after, page.done
            if not lines:
                break
            taken = transcript.takes(lines, room, model)
            piece, lines = lines[:taken], lines[taken:]
            try:
                answer = await self._ask(summary, piece, longest)
            except RpcError as error:
                if error.code is not Code.CONTEXT_LENGTH_EXCEEDED or room <= transcript.SMALLEST:
                    raise
                # The window was not known, or the estimate too low: smaller pieces.
                room = max(room // 2, transcript.SMALLEST)
                lines = [cut(line, room, model) for line in (*piece, *lines)]
                continue
            summary = cut(answer.content.strip(), longest * 2, model)
        if not messages or not summary:
            raise contract.EMPTY.error()
        before, left = self._tokens(removed, summary)
        return FinishCompactionRequest(
            compaction_id=plan.compaction_id,
            summary=summary,
            model=answer.model or model,
            messages_summarized=messages,
            tokens_before=before,
            tokens_after=left,
            usage=self._usage,
            cost_usd=format(self._cost, "f") if self._cost else "",
            at=answer.finished_at or await now(self._ctx),
        )

    async def failed(self, error: RpcError) -> FinishCompactionRequest:
        """The report of a compaction that did not come about, with what it has cost."""
        return FinishCompactionRequest(
            compaction_id=self._plan.compaction_id,
            usage=self._usage,
            cost_usd=format(self._cost, "f") if self._cost else "",
            at=await now(self._ctx),
            error=_inner(error),
        )

    async def _read(self, after: int) -> ReadCompactedResponse:
        """The next messages to summarise."""
        plan = self._plan
        request = ReadCompactedRequest(
            piece=plan.piece,
            after_turn=plan.after_turn,
            after_sequence=plan.after_sequence,
            upto_turn=plan.upto_turn,
            upto_sequence=plan.upto_sequence,
            after=after,
            longest_message=plan.longest_message,
        )
        return await call(self._ctx, conversation.read_compacted, request, key=self._conversation)

    async def _ask(self, summary: str, piece: list[str], longest: int) -> CompleteResponse:
        plan = self._plan
        config = plan.generation_config.model_copy(update={"max_tokens": longest})
        messages = transcript.question(summary, piece, plan.instructions, longest)
        wait = _FIRST_WAIT
        while True:
            at = await now(self._ctx)
            asked = CompleteRequest(
                messages=messages,
                generation_config=config,
                # Nobody follows it, and nobody's absence ends it.
                keep=True,
                seconds=_seconds(at, plan.deadline),
            )
            try:
                answer = await call(self._ctx, completion.complete, asked)
            except RpcError as error:
                if error.reason != BUSY.word or at + wait >= plan.deadline:
                    raise
                await self._ctx.sleep(wait, name="wait for a stream")
                wait = min(wait * 2, _LONGEST_WAIT)
                continue
            self._pay(answer)
            if not answer.content.strip():
                raise contract.EMPTY.error()
            return answer

    def _pay(self, answer: CompleteResponse) -> None:
        used = answer.usage or Usage()
        self._usage = Usage(
            prompt_tokens=self._usage.prompt_tokens + used.prompt_tokens,
            completion_tokens=self._usage.completion_tokens + used.completion_tokens,
            total_tokens=self._usage.total_tokens + used.total_tokens,
        )
        self._cost += Decimal(answer.cost_usd or "0")

    def _tokens(self, removed: int, summary: str) -> tuple[int, int]:
        """The context before and after. What the model reported of it corrects the estimates,
        unless it was about another context, as after a change of the branch."""
        plan = self._plan
        previous, following = (
            text_tokens(text, plan.context_model) for text in (plan.previous, summary)
        )
        before = plan.tokens_kept + previous + removed
        left = plan.tokens_kept + following
        measured = plan.tokens_measured
        if measured and before / 2 <= measured <= before * 2:
            return measured, round(left * measured / before)
        return before, left


def _seconds(at: datetime, deadline: datetime) -> float:
    left = (deadline - at).total_seconds()
    if left <= 0:
        raise contract.LOST.error()
    return min(left, completion.LONGEST_SECONDS)


def _inner(error: RpcError) -> dict[str, object]:
    return wire.to_envelope(error)["error"]


async def _resolve(ctx: WorkflowContext | WorkflowSharedContext, ended: Ended) -> None:
    """The first word counts."""
    promise = ctx.promise(_DONE, type_hint=str)
    if await promise.peek() is None:
        try:
            await promise.resolve(ended.to_json().decode())
        except TerminalError as failure:
            if failure.status_code != 409:
                raise
