"""The methods about what a thread's model asks of tools."""

from actors.conversation.contract import (
    APPROVAL_CANCELLED,
    APPROVAL_EXPIRED,
    APPROVAL_NOT_FOUND,
    APPROVAL_RESOLVED,
    RESULT_NOT_FOUND,
    THREAD_NOT_FOUND,
)
from actors.conversation.contract.tools import GetToolResultResponse, ResolveApprovalResponse
from chassis.rpc import Effect
from gateways.llm.contract.approvals import (
    PublicGetToolResultRequest,
    PublicResolveToolApprovalRequest,
)
from gateways.llm.contract.component import READ, WRITE, component

resolve_tool_approval = component.public(
    "ResolveToolApproval",
    PublicResolveToolApprovalRequest,
    ResolveApprovalResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(
        THREAD_NOT_FOUND,
        APPROVAL_NOT_FOUND,
        APPROVAL_RESOLVED,
        APPROVAL_EXPIRED,
        APPROVAL_CANCELLED,
    ),
)
get_tool_result = component.public(
    "GetToolResult",
    PublicGetToolResultRequest,
    GetToolResultResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, RESULT_NOT_FOUND),
)
