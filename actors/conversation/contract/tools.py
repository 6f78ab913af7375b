"""What a thread knows of tools: what its model may call, what was called, what waits for a word."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from chassis.message import Duration, Int32, Message, ProtoEnum, Struct, Timestamp, UInt32
from services.mcp.contract.tools import ApprovalRule, Timing, ToolEffect, ToolResult

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=7)

ToolPattern = Annotated[
    str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,31}(/[!-~]([ -~]{0,126}[!-~])?)?)$")
]
"""`*` for every tool, a server's name for all of its tools, or `server/tool` for one."""


class ApprovalDecision(ProtoEnum):
    """What becomes of a call that waits for approval."""

    APPROVAL_DECISION_UNSPECIFIED = 0
    APPROVE = 1
    DENY = 2


class ApprovalStatus(ProtoEnum):
    """EXPIRED: nobody decided in time, and the default holds. CANCELLED: the run ended before."""

    APPROVAL_STATUS_UNSPECIFIED = 0
    PENDING = 1
    APPROVED = 2
    DENIED = 3
    EXPIRED = 4
    CANCELLED = 5


class ThreadToolRule(Message):
    """Which calls need approval in this thread. The narrowest pattern counts. It stands over
    what was registered for the tool, except that ALWAYS cannot be loosened."""

    tool: ToolPattern
    approval: ApprovalRule


class ToolSettings(Message):
    """What the model may call.

    allowed: the tools that the model is offered; none when empty.
    approvals: which calls need approval, beside what is registered for the tools.
    approval_timeout: how long a call waits for a decision, an hour when left out.
    approval_default: what holds then, DENY when left out.
    max_rounds: how often in a run the model may ask for tools, 10 when left out.
    """

    allowed: list[ToolPattern] = Field(default_factory=list[str], max_length=64)
    approvals: list[ThreadToolRule] = Field(default_factory=list[ThreadToolRule], max_length=64)
    approval_timeout: Duration | None = Field(default=None, ge=_SHORTEST, le=_LONGEST)
    approval_default: ApprovalDecision = ApprovalDecision.APPROVAL_DECISION_UNSPECIFIED
    max_rounds: Int32 = Field(default=0, ge=0, le=50)


class ToolCallStatus(ProtoEnum):
    """How a call of a tool stands.

    FAILED: the tool or its server failed, or the model asked for something that cannot be.
    DENIED: a person, or the default, did not approve it; it was not made.
    UNKNOWN: its answer was lost, and it is not known whether it did its work.
    CANCELLED: the run ended before it was made.
    """

    TOOL_CALL_STATUS_UNSPECIFIED = 0
    REQUESTED = 1
    SUCCEEDED = 2
    FAILED = 3
    DENIED = 4
    UNKNOWN = 5
    CANCELLED = 6


class ToolCall(Message):
    """A call that the model asked for.

    name: as the model knows the tool.
    arguments: as they were asked for; those of the call itself where a person has edited them.
    result_id: of a result that is too large for the context; get-tool-result has all of it.
    result_bytes: the size of the whole result's text.
    error: why there is no result: the inner object of the error envelope.
    """

    call_id: str = ""
    name: str = ""
    server_name: str = ""
    tool_name: str = ""
    arguments: Struct | None = None
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    status: ToolCallStatus = ToolCallStatus.TOOL_CALL_STATUS_UNSPECIFIED
    approval_id: str = ""
    result_id: str = ""
    result_bytes: UInt32 = 0
    timing: Timing | None = None
    error: Struct | None = None


class Approval(Message):
    """A call that waits, or waited, for a person.

    owner: the user who decides: the thread's.
    input_schema: of the tool, for whoever wants to edit the arguments.
    default_decision: what holds when nobody decides before the deadline.
    edited: the arguments of the decision, where they are others.
    """

    approval_id: str = ""
    run_id: str = ""
    call_id: str = ""
    server_name: str = ""
    tool_name: str = ""
    arguments: Struct | None = None
    input_schema: Struct | None = None
    effect: ToolEffect = ToolEffect.TOOL_EFFECT_UNSPECIFIED
    owner: str = ""
    requested_at: Timestamp | None = None
    deadline: Timestamp | None = None
    default_decision: ApprovalDecision = ApprovalDecision.APPROVAL_DECISION_UNSPECIFIED
    status: ApprovalStatus = ApprovalStatus.APPROVAL_STATUS_UNSPECIFIED
    resolved_at: Timestamp | None = None
    reason: str = ""
    edited: Struct | None = None


class AskedCall(Message):
    """A call as the workflow reports it; `approval` when a person has to decide first."""

    call: ToolCall
    approval: bool = False
    input_schema: Struct | None = None


class ReportToolCallsRequest(Message):
    """The model has asked for tools: what it said, what it cost, and the calls."""

    run_id: str
    attempt: UInt32
    at: Timestamp
    text: str = ""
    model: str = ""
    calls: list[AskedCall] = Field(default_factory=list[AskedCall])


class ReportToolCallsResponse(Message):
    """How to go on.

    wanted: false when the run was settled meanwhile.
    answer_message_id: of the model's next words.
    approvals: those that are waited for.
    deadline: of the run, later where a person has to decide.
    """

    wanted: bool = False
    answer_message_id: str = ""
    approvals: list[Approval] = Field(default_factory=list[Approval])
    deadline: Timestamp | None = None


class ReportToolResultRequest(Message):
    """A call has ended. `text` is what the model reads; `result` is there where that is less."""

    run_id: str
    at: Timestamp | None = None
    call: ToolCall
    text: str = ""
    result: ToolResult | None = None


class ExpireApprovalRequest(Message):
    """The deadline of an approval has come; the thread reminds itself."""

    run_id: str
    approval_id: str


class ResolveApprovalRequest(Message):
    """A person's word. `arguments` replace those that the model asked for."""

    approval_id: str
    decision: ApprovalDecision
    reason: str = ""
    arguments: Struct | None = None


class ResolveApprovalResponse(Message):
    """The approval as it stands."""

    approval: Approval | None = None


class GetToolResultRequest(Message):
    """Which result."""

    result_id: str


class GetToolResultResponse(Message):
    """The call and all of its result."""

    call: ToolCall | None = None
    result: ToolResult | None = None
