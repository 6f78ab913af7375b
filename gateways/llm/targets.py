"""Where each method goes: pure functions from caller and request to the call below.

The handlers make these calls; written apart so that the edge may make the same ones without the
gateway's hop (edge/short_way.py).
"""

from actors.conversation import contract as conversation
from actors.conversation.contract.branch import (
    Branch,
    BranchedResponse,
    ChooseBranchRequest,
    EditMessageRequest,
    ListBranchesRequest,
    ListBranchesResponse,
    RegenerateRequest,
)
from actors.conversation.contract.run import (
    CancelRunRequest,
    GetRunRequest,
    ListMessagesRequest,
    ListMessagesResponse,
    ListRunsRequest,
    ListRunsResponse,
    Run,
    SendMessageRequest,
    SendMessageResponse,
    UserMessage,
)
from actors.conversation.contract.thread import (
    GetStateRequest,
    State,
    UpdateGenerationConfigRequest,
    UpdateGenerationConfigResponse,
    UpdateSettingsRequest,
    UpdateSettingsResponse,
)
from actors.conversation_manager import contract as manager
from actors.conversation_manager.contract import ListRequest, ListResponse
from chassis.calls import Call
from chassis.identity import Caller
from gateways.llm import contract


def list_threads(caller: Caller, request: ListRequest) -> Call[ListRequest, ListResponse]:
    """The user's own list."""
    return Call(manager.list_threads, request, caller.user_key())


def send_message(
    caller: Caller, request: contract.PublicSendMessageRequest
) -> Call[SendMessageRequest, SendMessageResponse]:
    """The user's own thread."""
    said = request.user_message
    sent = SendMessageRequest(
        user_message=UserMessage(role=said.role, content=said.content, parts=said.parts),
        client_message_id=request.client_message_id,
        generation_config=request.generation_config,
        interrupt_policy=request.interrupt_policy,
    )
    return Call(conversation.send_message, sent, caller.key(request.conversation_key))


def update_settings(
    caller: Caller, request: contract.PublicUpdateSettingsRequest
) -> Call[UpdateSettingsRequest, UpdateSettingsResponse]:
    """The user's own thread."""
    asked = UpdateSettingsRequest(settings=request.settings, clear=request.clear)
    return Call(conversation.update_settings, asked, caller.key(request.conversation_key))


def update_generation_config(
    caller: Caller, request: contract.PublicUpdateGenerationConfigRequest
) -> Call[UpdateGenerationConfigRequest, UpdateGenerationConfigResponse]:
    """The user's own thread."""
    asked = UpdateGenerationConfigRequest(
        generation_config=request.generation_config, clear=request.clear
    )
    key = caller.key(request.conversation_key)
    return Call(conversation.update_generation_config, asked, key)


def conversation_state(
    caller: Caller, request: contract.ConversationStateRequest
) -> Call[GetStateRequest, State]:
    """The user's own thread."""
    asked = GetStateRequest(page_size=request.page_size, page_token=request.page_token)
    return Call(conversation.get_state, asked, caller.key(request.conversation_key))


def list_messages(
    caller: Caller, request: contract.PublicListMessagesRequest
) -> Call[ListMessagesRequest, ListMessagesResponse]:
    """The user's own thread."""
    asked = ListMessagesRequest(
        page_size=request.page_size,
        page_token=request.page_token,
        oldest_first=request.oldest_first,
        branch_id=request.branch_id,
    )
    return Call(conversation.list_messages, asked, caller.key(request.conversation_key))


def regenerate(
    caller: Caller, request: contract.PublicRegenerateRequest
) -> Call[RegenerateRequest, BranchedResponse]:
    """The user's own thread."""
    asked = RegenerateRequest(
        message_id=request.message_id,
        generation_config=request.generation_config,
        interrupt_policy=request.interrupt_policy,
    )
    return Call(conversation.regenerate, asked, caller.key(request.conversation_key))


def edit_message(
    caller: Caller, request: contract.PublicEditMessageRequest
) -> Call[EditMessageRequest, BranchedResponse]:
    """The user's own thread."""
    said = request.user_message
    asked = EditMessageRequest(
        message_id=request.message_id,
        user_message=UserMessage(role=said.role, content=said.content, parts=said.parts),
        client_message_id=request.client_message_id,
        generation_config=request.generation_config,
        interrupt_policy=request.interrupt_policy,
    )
    return Call(conversation.edit_message, asked, caller.key(request.conversation_key))


def choose_branch(
    caller: Caller, request: contract.BranchRequest
) -> Call[ChooseBranchRequest, Branch]:
    """The user's own thread."""
    asked = ChooseBranchRequest(branch_id=request.branch_id)
    return Call(conversation.choose_branch, asked, caller.key(request.conversation_key))


def list_branches(
    caller: Caller, request: contract.PublicListBranchesRequest
) -> Call[ListBranchesRequest, ListBranchesResponse]:
    """The user's own thread."""
    asked = ListBranchesRequest(page_size=request.page_size, page_token=request.page_token)
    return Call(conversation.list_branches, asked, caller.key(request.conversation_key))


def get_run(caller: Caller, request: contract.RunRequest) -> Call[GetRunRequest, Run]:
    """A run of the user's own thread."""
    asked = GetRunRequest(run_id=request.run_id)
    return Call(conversation.get_run, asked, caller.key(request.conversation_key))


def list_runs(
    caller: Caller, request: contract.PublicListRunsRequest
) -> Call[ListRunsRequest, ListRunsResponse]:
    """The runs of the user's own thread."""
    asked = ListRunsRequest(page_size=request.page_size, page_token=request.page_token)
    return Call(conversation.list_runs, asked, caller.key(request.conversation_key))


def cancel_run(caller: Caller, request: contract.RunRequest) -> Call[CancelRunRequest, Run]:
    """A run of the user's own thread."""
    asked = CancelRunRequest(run_id=request.run_id)
    return Call(conversation.cancel_run, asked, caller.key(request.conversation_key))
