"""Calls that wait for a person: each has an owner, a deadline, and what holds after it.

The thread alone decides what became of one, so that a decision in the last moment and the deadline
cannot both count. It then tells the workflow, which waits.
"""

from datetime import datetime, timedelta

from restate import ObjectContext

from actors.conversation.contract import expire_approval
from actors.conversation.contract.run import RunStatus
from actors.conversation.contract.tools import (
    Approval,
    ApprovalDecision,
    ApprovalStatus,
    AskedCall,
    ExpireApprovalRequest,
    ToolSettings,
)
from actors.conversation.state import APPROVAL, PendingRun
from chassis.calls import send
from chassis.identity import key_segments
from chassis.steps import new_id
from workflows.generation import contract as generation


def ask(
    ctx: ObjectContext,
    pending: PendingRun,
    asked: AskedCall,
    settings: ToolSettings,
    timeout: timedelta,
    at: datetime,
) -> Approval:
    """Let a call wait, with a reminder for its deadline."""
    decided = settings.approval_default
    _, owner, _ = key_segments(ctx.key())
    approval = Approval(
        approval_id=new_id(ctx, "apr", at),
        run_id=pending.run.run_id,
        call_id=asked.call.call_id,
        server_name=asked.call.server_name,
        tool_name=asked.call.tool_name,
        arguments=asked.call.arguments,
        input_schema=asked.input_schema,
        effect=asked.call.effect,
        owner=owner,
        requested_at=at,
        deadline=at + timeout,
        default_decision=decided if decided.number else ApprovalDecision.DENY,
        status=ApprovalStatus.PENDING,
    )
    pending.approvals.append(approval)
    pending.run.status = RunStatus.AWAITING_APPROVAL
    APPROVAL.of(approval.approval_id).set(ctx, approval)
    reminder = ExpireApprovalRequest(run_id=approval.run_id, approval_id=approval.approval_id)
    send(ctx, expire_approval, reminder, key=ctx.key(), delay=timeout)
    return approval


def conclude(ctx: ObjectContext, pending: PendingRun, approval: Approval) -> None:
    """Store what became of an approval and tell the workflow."""
    _settle(ctx, approval)
    pending.approvals = [
        each for each in pending.approvals if each.approval_id != approval.approval_id
    ]
    if not pending.approvals:
        pending.run.status = RunStatus.RUNNING
    word = generation.ResolveApprovalRequest(
        approval_id=approval.approval_id,
        approved=is_approved(approval),
        expired=approval.status is ApprovalStatus.EXPIRED,
        reason=approval.reason,
        arguments=approval.edited,
    )
    send(ctx, generation.resolve_approval, word, key=approval.run_id)


def cancel_all(ctx: ObjectContext, pending: PendingRun, at: datetime) -> None:
    """The run has ended: nothing that it asked for waits any more."""
    for approval in pending.approvals:
        approval.status = ApprovalStatus.CANCELLED
        approval.resolved_at = at
        _settle(ctx, approval)
    pending.approvals = []


def is_approved(approval: Approval) -> bool:
    """Whether the call may be made."""
    if approval.status is ApprovalStatus.EXPIRED:
        return approval.default_decision is ApprovalDecision.APPROVE
    return approval.status is ApprovalStatus.APPROVED


def _settle(ctx: ObjectContext, approval: Approval) -> None:
    """Keep the record without the schema, which nobody needs any more."""
    approval.input_schema = None
    APPROVAL.of(approval.approval_id).set(ctx, approval)
