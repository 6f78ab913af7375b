"""`/api/v1/llm/gateway/`: the public methods of conversations.

Methods that read or change one thread name it by `conversation_key`, which belongs to the caller.
Answers are made of the nouns that ConversationActor's contract defines. The requests stand in
threads.py, runs.py, branches.py, events.py, completions.py, approvals.py and
mcp.py.
"""

from datetime import timedelta

from actors.conversation.contract import (
    BEYOND_END,
    BRANCH_NOT_FOUND,
    COMPACTION_RUNNING,
    MESSAGE_ID_REUSED,
    MESSAGE_NOT_FOUND,
    MODELS,
    NOT_THE_USERS,
    NOTHING_TO_COMPACT,
    QUEUE_FULL,
    RUN_NOT_FOUND,
    STARTING,
    THREAD_BUSY,
    THREAD_DELETING,
    THREAD_EXISTS,
    THREAD_NOT_FOUND,
)
from actors.conversation.contract.branch import Branch, BranchedResponse, ListBranchesResponse
from actors.conversation.contract.run import (
    ListMessagesResponse,
    ListRunsResponse,
    Run,
    SendMessageResponse,
)
from actors.conversation.contract.thread import (
    State,
    UpdateGenerationConfigResponse,
    UpdateSettingsResponse,
)
from actors.conversation_manager.contract import ListRequest, ListResponse
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.rpc import Effect
from gateways.llm.contract.approvals import (
    PublicGetToolResultRequest,
    PublicResolveToolApprovalRequest,
)
from gateways.llm.contract.branches import (
    BranchRequest,
    PublicEditMessageRequest,
    PublicListBranchesRequest,
    PublicRegenerateRequest,
)
from gateways.llm.contract.completions import CompletionMessage, PublicCompleteRequest
from gateways.llm.contract.component import READ, WRITE, component
from gateways.llm.contract.events import Partial, PullEventsRequest, PullEventsResponse
from gateways.llm.contract.mcp import (
    McpCallToolRequest,
    McpGetPromptRequest,
    McpListAvailableServersRequest,
    McpPageRequest,
    McpReadResourceRequest,
    McpServerRequest,
)
from gateways.llm.contract.mcp_methods import (
    mcp_call_tool,
    mcp_get_prompt,
    mcp_get_server_info,
    mcp_list_available_servers,
    mcp_list_prompts,
    mcp_list_resources,
    mcp_list_tools,
    mcp_read_resource,
    mcp_register_server,
    mcp_remove_server,
)
from gateways.llm.contract.runs import (
    PublicListMessagesRequest,
    PublicListRunsRequest,
    PublicSendMessageRequest,
    PublicUserMessage,
    RunRequest,
)
from gateways.llm.contract.threads import (
    CompactConversationRequest,
    CompactConversationResponse,
    ConversationStateRequest,
    CreateThreadRequest,
    CreateThreadResponse,
    DeleteThreadRequest,
    DeleteThreadResponse,
    ForkThreadRequest,
    ForkThreadResponse,
    PublicUpdateGenerationConfigRequest,
    PublicUpdateSettingsRequest,
    PublicUpdateThreadRequest,
    UpdateThreadResponse,
)
from gateways.llm.contract.tool_methods import get_tool_result, resolve_tool_approval
from services.completion.contract import (
    COMPLETE_REASONS,
    LONGEST_SECONDS,
    CompleteResponse,
)
from services.erasure.contract import BUSY, UNREACHABLE
from services.openrouter.contract import (
    CATALOGUE_REASONS,
    MODEL_UNKNOWN,
    ListModelsRequest,
    ListModelsResponse,
)
from workflows.compaction.contract import COMPACTION_REASONS
from workflows.compaction.contract import LONGEST_SECONDS as LONGEST_COMPACTION_SECONDS

__all__ = [
    "READ",
    "WRITE",
    "BranchRequest",
    "CompactConversationRequest",
    "CompactConversationResponse",
    "CompletionMessage",
    "ConversationStateRequest",
    "CreateThreadRequest",
    "CreateThreadResponse",
    "DeleteThreadRequest",
    "DeleteThreadResponse",
    "ForkThreadRequest",
    "ForkThreadResponse",
    "McpCallToolRequest",
    "McpGetPromptRequest",
    "McpListAvailableServersRequest",
    "McpPageRequest",
    "McpReadResourceRequest",
    "McpServerRequest",
    "Partial",
    "PublicCompleteRequest",
    "PublicEditMessageRequest",
    "PublicGetToolResultRequest",
    "PublicListBranchesRequest",
    "PublicListMessagesRequest",
    "PublicListRunsRequest",
    "PublicRegenerateRequest",
    "PublicResolveToolApprovalRequest",
    "PublicSendMessageRequest",
    "PublicUpdateGenerationConfigRequest",
    "PublicUpdateSettingsRequest",
    "PublicUpdateThreadRequest",
    "PublicUserMessage",
    "PullEventsRequest",
    "PullEventsResponse",
    "RunRequest",
    "UpdateThreadResponse",
    "component",
    "get_tool_result",
    "mcp_call_tool",
    "mcp_get_prompt",
    "mcp_get_server_info",
    "mcp_list_available_servers",
    "mcp_list_prompts",
    "mcp_list_resources",
    "mcp_list_tools",
    "mcp_read_resource",
    "mcp_register_server",
    "mcp_remove_server",
    "resolve_tool_approval",
]

list_threads = component.public(
    "ListThreads",
    ListRequest,
    ListResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(PAGE_TOKEN_INVALID,),
)
create_thread = component.public(
    "CreateThread",
    CreateThreadRequest,
    CreateThreadResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_EXISTS, THREAD_DELETING, *MODELS),
)
update_thread = component.public(
    "UpdateThread",
    PublicUpdateThreadRequest,
    UpdateThreadResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND,),
)
delete_thread = component.public(
    "DeleteThread",
    DeleteThreadRequest,
    DeleteThreadResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, UNREACHABLE, BUSY),
)
fork_thread = component.public(
    "ForkThread",
    ForkThreadRequest,
    ForkThreadResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(
        THREAD_NOT_FOUND,
        MESSAGE_NOT_FOUND,
        THREAD_EXISTS,
        THREAD_DELETING,
        *MODELS,
    ),
)
update_settings = component.public(
    "UpdateSettings",
    PublicUpdateSettingsRequest,
    UpdateSettingsResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, MODEL_UNKNOWN),
)
update_generation_config = component.public(
    "UpdateGenerationConfig",
    PublicUpdateGenerationConfigRequest,
    UpdateGenerationConfigResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, *MODELS),
)
send_message = component.public(
    "SendMessage",
    PublicSendMessageRequest,
    SendMessageResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, THREAD_BUSY, QUEUE_FULL, MESSAGE_ID_REUSED, *STARTING),
)
conversation_state = component.public(
    "ConversationState",
    ConversationStateRequest,
    State,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
)
compact_conversation = component.public(
    "CompactConversation",
    CompactConversationRequest,
    CompactConversationResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(COMPACTION_RUNNING, NOTHING_TO_COMPACT, *STARTING, *COMPACTION_REASONS),
    # A little longer than the longest compaction, so that its own failure is told.
    deadline=timedelta(seconds=LONGEST_COMPACTION_SECONDS + 15),
)
list_messages = component.public(
    "ListMessages",
    PublicListMessagesRequest,
    ListMessagesResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, BRANCH_NOT_FOUND, PAGE_TOKEN_INVALID),
)
regenerate = component.public(
    "Regenerate",
    PublicRegenerateRequest,
    BranchedResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, MESSAGE_NOT_FOUND, THREAD_BUSY, QUEUE_FULL, *STARTING),
)
edit_message = component.public(
    "EditMessage",
    PublicEditMessageRequest,
    BranchedResponse,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(
        THREAD_NOT_FOUND,
        MESSAGE_NOT_FOUND,
        NOT_THE_USERS,
        MESSAGE_ID_REUSED,
        THREAD_BUSY,
        QUEUE_FULL,
        *STARTING,
    ),
)
choose_branch = component.public(
    "ChooseBranch",
    BranchRequest,
    Branch,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, BRANCH_NOT_FOUND),
)
list_branches = component.public(
    "ListBranches",
    PublicListBranchesRequest,
    ListBranchesResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
)
get_run = component.public(
    "GetRun",
    RunRequest,
    Run,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, RUN_NOT_FOUND),
)
list_runs = component.public(
    "ListRuns",
    PublicListRunsRequest,
    ListRunsResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, PAGE_TOKEN_INVALID),
)
cancel_run = component.public(
    "CancelRun",
    RunRequest,
    Run,
    scope=WRITE,
    effect=Effect.COMMAND,
    errors=(THREAD_NOT_FOUND, RUN_NOT_FOUND),
)
pull_events = component.public(
    "PullEvents",
    PullEventsRequest,
    PullEventsResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, BEYOND_END),
    # Longer than the longest wait.
    deadline=timedelta(seconds=35),
    served_by_edge=True,
)
stream_events = component.public(
    "StreamEvents",
    PullEventsRequest,
    PullEventsResponse,
    scope=READ,
    effect=Effect.READ,
    errors=(THREAD_NOT_FOUND, BEYOND_END),
    served_by_edge=True,
    stream=True,
)
list_models = component.public(
    "ListModels",
    ListModelsRequest,
    ListModelsResponse,
    scope="models:read",
    effect=Effect.READ,
    errors=CATALOGUE_REASONS,
)

# A little longer than the longest completion, so that its own failure is told.
_COMPLETED = timedelta(seconds=LONGEST_SECONDS + 15)

complete = component.public(
    "Complete",
    PublicCompleteRequest,
    CompleteResponse,
    scope="models:write",
    effect=Effect.COMMAND,
    errors=COMPLETE_REASONS,
    deadline=_COMPLETED,
    served_by_edge=True,
)
stream_complete = component.public(
    "StreamComplete",
    PublicCompleteRequest,
    CompleteResponse,
    scope="models:write",
    effect=Effect.COMMAND,
    errors=COMPLETE_REASONS,
    deadline=_COMPLETED,
    served_by_edge=True,
    stream=True,
)
