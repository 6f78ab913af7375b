"""The story of a run: get a place, get the work, read the model, call its tools, report."""

from restate import WorkflowContext, WorkflowSharedContext
from restate.exceptions import TerminalError

from actors.conversation import contract as conversation
from actors.conversation.contract.run import BeginRunRequest, FinishRunRequest, RunStatus
from chassis.calls import call, send
from chassis.serve import implements
from chassis.state import get_all
from errors import Code, RpcError, wire
from services.mcp.calls import ToolCalls
from services.openrouter.streams import ModelStreams
from workflows.generation import contract
from workflows.generation.admission import Admission
from workflows.generation.answer import AnswerReader, Audience
from workflows.generation.contract import (
    PartialRequest,
    PartialResponse,
    ResolveApprovalRequest,
    ResolveApprovalResponse,
    RunRequest,
    RunResponse,
    StopRequest,
    StopResponse,
)
from workflows.generation.settings import GenerationSettings
from workflows.generation.state import CHUNK, CHUNK_PREFIX
from workflows.generation.stop import STOP, Stop
from workflows.generation.tool_loop import ToolLoop
from workflows.generation.tool_round import approval_promise


class Generation:
    """Generates the answer of one run."""

    def __init__(
        self,
        streams: ModelStreams,
        audience: Audience,
        settings: GenerationSettings,
        calls: ToolCalls,
    ) -> None:
        self._streams = streams
        self._calls = calls
        self._audience = audience
        self._settings = settings
        self._admission = Admission(streams)

    @implements(contract.run)
    async def run(self, ctx: WorkflowContext, request: RunRequest) -> RunResponse:
        """Generate the answer of a run and report it to its thread."""
        stop = Stop(ctx)
        try:
            report = await self._generate(ctx, request, stop)
        except RpcError as error:
            report = _failed(ctx.key(), error)
        except TerminalError as failure:
            # Restate's own: an operator cancelled us outside the reading of the model.
            error = wire.from_failure(failure.message, failure.status_code, failure.metadata)
            report = _failed(ctx.key(), error)
        if report is None:
            self._audience.end(ctx.key())
            await self._streams.close(ctx.key())
            return RunResponse(status="UNWANTED")
        # A send, not a call: a second cancel cannot interrupt it.
        send(ctx, conversation.finish_run, report, key=request.conversation)
        self._audience.end(ctx.key())
        await self._streams.close(ctx.key())
        return RunResponse(status=report.status.name)

    @implements(contract.stop)
    async def stop(self, ctx: WorkflowSharedContext, request: StopRequest) -> StopResponse:
        """Stop the run; the first reason counts."""
        await _resolve(ctx, STOP, request.reason)
        return StopResponse()

    @implements(contract.resolve_approval)
    async def resolve_approval(
        self, ctx: WorkflowSharedContext, request: ResolveApprovalRequest
    ) -> ResolveApprovalResponse:
        """Hand on what was decided about a call that waits; the first word counts."""
        await _resolve(ctx, approval_promise(request.approval_id), request.to_json().decode())
        return ResolveApprovalResponse()

    @implements(contract.partial)
    async def partial(self, ctx: WorkflowSharedContext, request: PartialRequest) -> PartialResponse:
        """Read the durable text of the current attempt."""
        keys = await ctx.state_keys()
        numbers = sorted(
            int(key.removeprefix(CHUNK_PREFIX)) for key in keys if key.startswith(CHUNK_PREFIX)
        )
        chunks = await get_all(ctx, [CHUNK.of(number) for number in numbers])
        present = [chunk for chunk in chunks if chunk is not None]
        if not present:
            return PartialResponse(run_id=ctx.key())
        # A new attempt starts its chunks from the first key on, so a read in between may still
        # see chunks of the old one behind it.
        attempt = present[0].attempt
        text = "".join(chunk.text for chunk in present if chunk.attempt == attempt)
        return PartialResponse(
            run_id=ctx.key(),
            message_id=present[0].message_id,
            attempt=attempt,
            offset=len(text),
            text=text,
        )

    async def _generate(
        self, ctx: WorkflowContext, request: RunRequest, stop: Stop
    ) -> FinishRunRequest | None:
        work = request.work
        if work is None:
            at = await self._admission.wait(ctx, stop)
            if at is None:
                return FinishRunRequest(
                    run_id=ctx.key(), status=RunStatus.CANCELLED, reason=stop.reason or ""
                )
            begin = BeginRunRequest(run_id=ctx.key(), at=at)
            begun = await call(ctx, conversation.begin_run, begin, key=request.conversation)
            work = begun.work
        if work is None:
            return None
        if work.overflow:
            raise conversation.CONTEXT_TOO_LONG.error()
        self._audience.start(ctx.key(), request.conversation, work.answer_message_id)
        reader = AnswerReader(
            ctx, self._streams, self._audience, self._settings, stop, request.conversation
        )
        loop = ToolLoop(
            ctx, reader, self._calls, self._audience, self._settings, stop, request.conversation
        )
        return await loop.run(work)


async def _resolve(ctx: WorkflowSharedContext, name: str, value: str) -> None:
    promise = ctx.promise(name, type_hint=str)
    if await promise.peek() is None:
        try:
            await promise.resolve(value)
        except TerminalError as failure:
            if failure.status_code != 409:
                raise


def _failed(run_id: str, error: RpcError) -> FinishRunRequest:
    if error.code is Code.CANCELLED:
        return FinishRunRequest(run_id=run_id, status=RunStatus.CANCELLED, reason=error.message)
    return FinishRunRequest(
        run_id=run_id, status=RunStatus.FAILED, error=wire.to_envelope(error)["error"]
    )
