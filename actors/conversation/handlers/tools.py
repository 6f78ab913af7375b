"""What a run's model asks of tools: reported by the workflow, decided by the thread's user."""

from datetime import datetime, timedelta

from restate import ObjectContext, ObjectSharedContext

from actors.conversation import approvals, contract
from actors.conversation.contract.entry import (
    MESSAGE_COMPLETED,
    TOOL_APPROVAL_REQUIRED,
    TOOL_COMPLETED,
    TOOL_REQUESTED,
    ChatMessage,
    Role,
)
from actors.conversation.contract.run import Done
from actors.conversation.contract.tools import (
    Approval,
    ApprovalDecision,
    ApprovalStatus,
    ExpireApprovalRequest,
    GetToolResultRequest,
    GetToolResultResponse,
    ReportToolCallsRequest,
    ReportToolCallsResponse,
    ReportToolResultRequest,
    ResolveApprovalRequest,
    ResolveApprovalResponse,
    ToolSettings,
)
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import APPROVAL, HEAD, RESULT, PendingRun, StoredResult
from chassis.json_schema import breaches
from chassis.message import REQUEST_INVALID
from chassis.serve import implements
from chassis.steps import new_id, now
from errors import ErrorDetails, FieldViolation

_DECIDED = {
    ApprovalDecision.APPROVE: ApprovalStatus.APPROVED,
    ApprovalDecision.DENY: ApprovalStatus.DENIED,
}


class Tools:
    """Calls of tools in a thread."""

    def __init__(self, settings: ConversationSettings, lifecycle: Lifecycle) -> None:
        self._settings = settings
        self._lifecycle = lifecycle

    @implements(contract.report_tool_calls)
    async def report_tool_calls(
        self, ctx: ObjectContext, request: ReportToolCallsRequest
    ) -> ReportToolCallsResponse:
        """Take down what the model asks for, and let wait what a person has to decide."""
        ledger = await Ledger.open(ctx)
        active = ledger.active(request.run_id)
        if active is None or request.attempt < active.run.attempts:
            return ReportToolCallsResponse()
        self._append_asked(ledger, active, request)
        waiting = self._ask(ctx, ledger, active, request)
        active.answer_message_id = new_id(ctx, "msg", request.at)
        active.run.attempts = request.attempt
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return ReportToolCallsResponse(
            wanted=True,
            answer_message_id=active.answer_message_id,
            approvals=[_without_schema(approval) for approval in waiting],
            deadline=active.deadline,
        )

    @implements(contract.report_tool_result)
    async def report_tool_result(
        self, ctx: ObjectContext, request: ReportToolResultRequest
    ) -> Done:
        """Take down what a call has brought."""
        ledger = await Ledger.open(ctx)
        active = ledger.active(request.run_id)
        if active is None:
            return Done()
        at = request.at or await now(ctx)
        call = request.call
        if request.result is not None:
            call.result_id = new_id(ctx, "res", at)
            RESULT.of(call.result_id).set(ctx, StoredResult(call=call, result=request.result))
        ledger.append(
            TOOL_COMPLETED,
            at,
            of=active,
            message_id=new_id(ctx, "msg", at),
            message=ChatMessage(role=Role.tool, content=request.text, tool_call=call),
            tool_call=call,
        )
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return Done()

    @implements(contract.expire_approval)
    async def expire_approval(self, ctx: ObjectContext, request: ExpireApprovalRequest) -> Done:
        """Let the default hold where nobody has decided."""
        ledger = await Ledger.open(ctx)
        active = ledger.active(request.run_id)
        approval = _waiting(active, request.approval_id)
        if active is None or approval is None:
            return Done()
        approval.status = ApprovalStatus.EXPIRED
        approval.resolved_at = approval.deadline
        approvals.conclude(ctx, active, approval)
        ledger.save()
        return Done()

    @implements(contract.resolve_tool_approval)
    async def resolve_tool_approval(
        self, ctx: ObjectContext, request: ResolveApprovalRequest
    ) -> ResolveApprovalResponse:
        """Decide on a call that waits."""
        ledger = await Ledger.open(ctx)
        known = await APPROVAL.of(request.approval_id).get(ctx)
        if known is None:
            raise contract.APPROVAL_NOT_FOUND.error()
        if known.status is not ApprovalStatus.PENDING:
            return ResolveApprovalResponse(approval=_repeated(known, request))
        at = await now(ctx)
        if known.deadline is not None and at >= known.deadline:
            raise contract.APPROVAL_EXPIRED.error()
        _check_arguments(known, request)
        active = ledger.active(known.run_id)
        assert active is not None, "a settled run has no approval that waits"
        known.status = _DECIDED[request.decision]
        known.resolved_at = at
        known.reason = request.reason
        known.edited = request.arguments
        approvals.conclude(ctx, active, known)
        ledger.save()
        return ResolveApprovalResponse(approval=known)

    @implements(contract.get_tool_result)
    async def get_tool_result(
        self, ctx: ObjectSharedContext, request: GetToolResultRequest
    ) -> GetToolResultResponse:
        """Read a result that was too large for the context."""
        head = await HEAD.get(ctx)
        if head is None or not head.open:
            raise contract.THREAD_NOT_FOUND.error()
        stored = await RESULT.of(request.result_id).get(ctx)
        if stored is None:
            raise contract.RESULT_NOT_FOUND.error()
        return GetToolResultResponse(call=stored.call, result=stored.result)

    def _append_asked(
        self, ledger: Ledger, active: PendingRun, request: ReportToolCallsRequest
    ) -> None:
        message_id = active.answer_message_id
        ledger.append(
            MESSAGE_COMPLETED,
            request.at,
            of=active,
            message_id=message_id,
            attempt=request.attempt,
            message=ChatMessage(
                role=Role.assistant,
                content=request.text,
                model=request.model,
                finish_reason="tool_calls",
                tool_calls=[asked.call for asked in request.calls],
            ),
        )
        for asked in request.calls:
            ledger.append(
                TOOL_REQUESTED,
                request.at,
                of=active,
                message_id=message_id,
                attempt=request.attempt,
                tool_call=asked.call,
            )

    def _ask(
        self,
        ctx: ObjectContext,
        ledger: Ledger,
        active: PendingRun,
        request: ReportToolCallsRequest,
    ) -> list[Approval]:
        of_thread = ledger.head.settings.tools if ledger.head.settings else None
        settings = of_thread or ToolSettings()
        timeout = settings.approval_timeout or self._settings.approval_timeout
        waiting = [
            approvals.ask(ctx, active, asked, settings, timeout, request.at)
            for asked in request.calls
            if asked.approval
        ]
        for approval in waiting:
            ledger.append(
                TOOL_APPROVAL_REQUIRED,
                request.at,
                of=active,
                attempt=request.attempt,
                approval=_without_schema(approval),
            )
        if waiting and active.deadline is not None:
            active.deadline = max(active.deadline, self._later(request, timeout))
        return waiting

    def _later(self, request: ReportToolCallsRequest, timeout: timedelta) -> datetime:
        """A person's time is not the run's: it begins anew after the last moment to decide."""
        return request.at + timeout + self._settings.run_deadline


def _waiting(active: PendingRun | None, approval_id: str) -> Approval | None:
    waiting = active.approvals if active is not None else []
    return next((each for each in waiting if each.approval_id == approval_id), None)


def _repeated(known: Approval, request: ResolveApprovalRequest) -> Approval:
    """The approval, for the same word said twice; another word comes too late."""
    if known.status is ApprovalStatus.EXPIRED:
        raise contract.APPROVAL_EXPIRED.error()
    if known.status is ApprovalStatus.CANCELLED:
        raise contract.APPROVAL_CANCELLED.error()
    if known.status is not _DECIDED[request.decision] or known.edited != request.arguments:
        raise contract.APPROVAL_RESOLVED.error()
    return known


def _check_arguments(known: Approval, request: ResolveApprovalRequest) -> None:
    if request.arguments is None:
        return
    broken = breaches(known.input_schema or {}, request.arguments)
    if broken:
        violations = tuple(
            FieldViolation(
                field=f"arguments{path}", description=f"must fulfil `{keyword}` of the schema"
            )
            for path, keyword in broken
        )
        raise REQUEST_INVALID.error(details=ErrorDetails(field_violations=violations))


def _without_schema(approval: Approval) -> Approval:
    return approval.model_copy(update={"input_schema": None})
