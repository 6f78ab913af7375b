"""What ConversationActor offers: to the gateway, to the workflow that generates, to the edge.

The nouns (ChatMessage, Event, Run, Settings, GenerationConfig) are public: the gateway's answers
are made of them, so their fields are a promise.
"""

from actors.conversation.contract.branch import (
    Branch,
    BranchedResponse,
    ChooseBranchRequest,
    EditMessageRequest,
    ListBranchesRequest,
    ListBranchesResponse,
    RegenerateRequest,
)
from actors.conversation.contract.compaction import (
    CompactRequest,
    CompactResponse,
    FinishCompactionRequest,
    FinishCompactionResponse,
    ReadCompactedRequest,
    ReadCompactedResponse,
)
from actors.conversation.contract.ending import (
    CloseRequest,
    CloseResponse,
    EraseRequest,
    EraseResponse,
)
from actors.conversation.contract.events import ReadEventsRequest, ReadEventsResponse
from actors.conversation.contract.fork import (
    ExportRequest,
    ExportResponse,
    ImportRequest,
    ImportResponse,
)
from actors.conversation.contract.run import (
    BeginRunRequest,
    BeginRunResponse,
    CancelRunRequest,
    CheckRunRequest,
    Done,
    FinishRunRequest,
    GetRunRequest,
    ListMessagesRequest,
    ListMessagesResponse,
    ListRunsRequest,
    ListRunsResponse,
    RetryingRequest,
    Run,
    SendMessageRequest,
    SendMessageResponse,
)
from actors.conversation.contract.thread import (
    GetStateRequest,
    OpenRequest,
    OpenResponse,
    State,
    UpdateGenerationConfigRequest,
    UpdateGenerationConfigResponse,
    UpdateRequest,
    UpdateResponse,
    UpdateSettingsRequest,
    UpdateSettingsResponse,
)
from actors.conversation.contract.tools import (
    ExpireApprovalRequest,
    GetToolResultRequest,
    GetToolResultResponse,
    ReportToolCallsRequest,
    ReportToolCallsResponse,
    ReportToolResultRequest,
    ResolveApprovalRequest,
    ResolveApprovalResponse,
)
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import SINGLETON
from chassis.rpc import COMMAND_RETENTION, Component, Kind
from errors import Code, Outcome, Reason
from services.openrouter.contract import MODEL_UNKNOWN

THREAD_NOT_FOUND = Reason(
    "thread.not_found", Code.NOT_FOUND, "There is no such thread. Create it with create-thread."
)
THREAD_EXISTS = Reason(
    "thread.already_exists",
    Code.ALREADY_EXISTS,
    "A thread with this conversation_key exists with other content.",
)
THREAD_DELETING = Reason(
    "thread.being_deleted",
    Code.ABORTED,
    "A thread with this conversation_key is being deleted. Repeat delete-thread to finish that.",
    outcome=Outcome.NOT_STARTED,
)
QUEUE_FULL = Reason(
    "thread.queue_full",
    Code.QUOTA_EXCEEDED,
    "Too many messages wait in this thread. Send again when one of them was answered.",
    terminal=False,
)
THREAD_BUSY = Reason(
    "thread.busy",
    Code.ABORTED,
    "A run of this thread is active, and the message asked not to wait.",
    outcome=Outcome.NOT_STARTED,
)
BUDGET_SPENT = Reason(
    "budget.spent",
    Code.QUOTA_EXCEEDED,
    "The budget is spent. Raise `budget` in the generation config to go on.",
    terminal=True,
)
BEYOND_MODEL = Reason(
    "config.beyond_model",
    Code.INVALID_ARGUMENT,
    "The generation config asks for more than its models can do; `fieldViolations` says where.",
)
MESSAGE_ID_REUSED = Reason(
    "message.id_reused",
    Code.ALREADY_EXISTS,
    "This client_message_id was used for a message with other content.",
)
MESSAGE_NOT_FOUND = Reason(
    "message.not_found", Code.NOT_FOUND, "There is no such message in this thread."
)
NOT_THE_USERS = Reason(
    "message.not_the_users",
    Code.FAILED_PRECONDITION,
    "Only a message of the user can be edited. An answer can be regenerated.",
)
BRANCH_NOT_FOUND = Reason(
    "branch.not_found", Code.NOT_FOUND, "There is no such branch in this thread."
)
RUN_NOT_FOUND = Reason("run.not_found", Code.NOT_FOUND, "There is no such run in this thread.")
RUN_LOST = Reason(
    "run.lost",
    Code.UNAVAILABLE,
    "The run was lost and did not answer within its deadline. Send the message again.",
)
APPROVAL_NOT_FOUND = Reason(
    "approval.not_found", Code.NOT_FOUND, "There is no such approval in this thread."
)
APPROVAL_RESOLVED = Reason(
    "approval.resolved",
    Code.FAILED_PRECONDITION,
    "This approval was decided otherwise before.",
)
APPROVAL_EXPIRED = Reason(
    "approval.expired",
    Code.FAILED_PRECONDITION,
    "The deadline of this approval has passed, and its default holds.",
)
APPROVAL_CANCELLED = Reason(
    "approval.cancelled",
    Code.FAILED_PRECONDITION,
    "The run that asked for this approval has ended.",
)
RESULT_NOT_FOUND = Reason(
    "tool_result.not_found", Code.NOT_FOUND, "There is no such result in this thread."
)
COMPACTION_RUNNING = Reason(
    "compaction.running",
    Code.FAILED_PRECONDITION,
    "The thread is being compacted already; `context.compacted` will tell when that is done.",
)
NOTHING_TO_COMPACT = Reason(
    "compaction.nothing",
    Code.FAILED_PRECONDITION,
    "There is nothing to compact: no message is older than those that stay as they are.",
)
CONTEXT_TOO_LONG = Reason(
    "context.too_long",
    Code.CONTEXT_LENGTH_EXCEEDED,
    "The thread is longer than any context may be, and its strategy is NONE. Choose another with"
    " update-settings, or call compact-conversation.",
)
BEYOND_END = Reason(
    "events.beyond_end",
    Code.INVALID_ARGUMENT,
    "`after` is beyond the newest event. Start again from conversation-state.",
)

# What may be wrong with the models of a config, and with the start of a run.
MODELS = (MODEL_UNKNOWN, BEYOND_MODEL)
STARTING = (*MODELS, BUDGET_SPENT)

component = Component(
    name="ConversationActor",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="tenant/user/conversation_key, each segment percent-encoded",
    sends=(
        "GenerationWorkflow/Run",
        "GenerationWorkflow/Stop",
        "ConversationManagerActor/Touch",
        "GenerationWorkflow/ResolveApproval",
        "ConversationActor/CheckRun",
        "ConversationActor/ExpireApproval",
        "CompactionWorkflow/Run",
        "CompactionWorkflow/Abandon",
    ),
    eager_state=False,
)

open_thread = component.rpc(
    "Open", OpenRequest, OpenResponse, errors=(THREAD_EXISTS, THREAD_DELETING, *MODELS)
)
update = component.rpc("Update", UpdateRequest, UpdateResponse, errors=(THREAD_NOT_FOUND,))
close = component.rpc("Close", CloseRequest, CloseResponse, errors=(THREAD_NOT_FOUND,))
erase = component.rpc("Erase", EraseRequest, EraseResponse, errors=(THREAD_NOT_FOUND,))
export = component.rpc(
    "Export",
    ExportRequest,
    ExportResponse,
    errors=(THREAD_NOT_FOUND, MESSAGE_NOT_FOUND),
    shared=True,
)
import_page = component.rpc("ImportPage", ImportRequest, ImportResponse, errors=(THREAD_NOT_FOUND,))
update_settings = component.rpc(
    "UpdateSettings",
    UpdateSettingsRequest,
    UpdateSettingsResponse,
    errors=(THREAD_NOT_FOUND, MODEL_UNKNOWN),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
update_generation_config = component.rpc(
    "UpdateGenerationConfig",
    UpdateGenerationConfigRequest,
    UpdateGenerationConfigResponse,
    errors=(THREAD_NOT_FOUND, *MODELS),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
send_message = component.rpc(
    "SendMessage",
    SendMessageRequest,
    SendMessageResponse,
    errors=(THREAD_NOT_FOUND, THREAD_BUSY, QUEUE_FULL, MESSAGE_ID_REUSED, *STARTING),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
regenerate = component.rpc(
    "Regenerate",
    RegenerateRequest,
    BranchedResponse,
    errors=(THREAD_NOT_FOUND, MESSAGE_NOT_FOUND, THREAD_BUSY, QUEUE_FULL, *STARTING),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
edit_message = component.rpc(
    "EditMessage",
    EditMessageRequest,
    BranchedResponse,
    errors=(
        THREAD_NOT_FOUND,
        MESSAGE_NOT_FOUND,
        NOT_THE_USERS,
        MESSAGE_ID_REUSED,
        THREAD_BUSY,
        QUEUE_FULL,
        *STARTING,
    ),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
choose_branch = component.rpc(
    "ChooseBranch",
    ChooseBranchRequest,
    Branch,
    errors=(THREAD_NOT_FOUND, BRANCH_NOT_FOUND),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
cancel_run = component.rpc(
    "CancelRun",
    CancelRunRequest,
    Run,
    errors=(THREAD_NOT_FOUND, RUN_NOT_FOUND),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
begin_run = component.rpc("BeginRun", BeginRunRequest, BeginRunResponse, errors=(THREAD_NOT_FOUND,))
report_retrying = component.rpc("ReportRetrying", RetryingRequest, Done, errors=(THREAD_NOT_FOUND,))
finish_run = component.rpc("FinishRun", FinishRunRequest, Done, errors=(THREAD_NOT_FOUND,))
report_tool_calls = component.rpc(
    "ReportToolCalls",
    ReportToolCallsRequest,
    ReportToolCallsResponse,
    errors=(THREAD_NOT_FOUND,),
)
report_tool_result = component.rpc(
    "ReportToolResult", ReportToolResultRequest, Done, errors=(THREAD_NOT_FOUND,)
)
expire_approval = component.rpc(
    "ExpireApproval", ExpireApprovalRequest, Done, errors=(THREAD_NOT_FOUND,)
)
resolve_tool_approval = component.rpc(
    "ResolveToolApproval",
    ResolveApprovalRequest,
    ResolveApprovalResponse,
    errors=(
        THREAD_NOT_FOUND,
        APPROVAL_NOT_FOUND,
        APPROVAL_RESOLVED,
        APPROVAL_EXPIRED,
        APPROVAL_CANCELLED,
    ),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
get_tool_result = component.rpc(
    "GetToolResult",
    GetToolResultRequest,
    GetToolResultResponse,
    errors=(THREAD_NOT_FOUND, RESULT_NOT_FOUND),
    shared=True,
    edge_callable=True,
)
compact = component.rpc(
    "Compact",
    CompactRequest,
    CompactResponse,
    errors=(THREAD_NOT_FOUND, COMPACTION_RUNNING, NOTHING_TO_COMPACT, *STARTING),
)
finish_compaction = component.rpc(
    "FinishCompaction",
    FinishCompactionRequest,
    FinishCompactionResponse,
    errors=(THREAD_NOT_FOUND,),
)
read_compacted = component.rpc(
    "ReadCompacted",
    ReadCompactedRequest,
    ReadCompactedResponse,
    errors=(THREAD_NOT_FOUND,),
    shared=True,
)
check_run = component.rpc("CheckRun", CheckRunRequest, Done, errors=(THREAD_NOT_FOUND,))

get_state = component.rpc(
    "GetState",
    GetStateRequest,
    State,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
    shared=True,
    edge_callable=True,
)
list_branches = component.rpc(
    "ListBranches",
    ListBranchesRequest,
    ListBranchesResponse,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
    shared=True,
    edge_callable=True,
)
list_messages = component.rpc(
    "ListMessages",
    ListMessagesRequest,
    ListMessagesResponse,
    errors=(THREAD_NOT_FOUND, BRANCH_NOT_FOUND, PAGE_TOKEN_INVALID),
    shared=True,
    edge_callable=True,
)
get_run = component.rpc(
    "GetRun",
    GetRunRequest,
    Run,
    errors=(THREAD_NOT_FOUND, RUN_NOT_FOUND),
    shared=True,
    edge_callable=True,
)
list_runs = component.rpc(
    "ListRuns",
    ListRunsRequest,
    ListRunsResponse,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
    shared=True,
    edge_callable=True,
)
read_events = component.rpc(
    "ReadEvents",
    ReadEventsRequest,
    ReadEventsResponse,
    errors=(THREAD_NOT_FOUND, BEYOND_END),
    shared=True,
    edge_callable=True,
)
