"""What calls of the LLM gateway look like; OpenAPI shows them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from actors.conversation.contract.branch import (
    Branch,
    BranchedResponse,
    BranchKind,
    ListBranchesResponse,
)
from actors.conversation.contract.entry import (
    MESSAGE_COMPLETED,
    ChatMessage,
    Compaction,
    CompactionTrigger,
    Event,
    Role,
    Usage,
)
from actors.conversation.contract.run import (
    ListMessagesResponse,
    ListRunsResponse,
    Run,
    RunStatus,
    SendMessageResponse,
)
from actors.conversation.contract.thread import (
    GenerationConfig,
    InterruptPolicy,
    Settings,
    State,
    ThreadStatus,
    UpdateGenerationConfigResponse,
    UpdateSettingsResponse,
)
from actors.conversation_manager.contract import ListRequest, ListResponse, Thread
from chassis.rpc import Example, Rpc
from gateways.llm import contract
from gateways.llm.tool_examples import MCP_EXAMPLES
from services.completion.contract import CompleteResponse
from services.openrouter.contract import (
    ListModelsRequest,
    ListModelsResponse,
    Model,
    ModelPricing,
)

_KEY = "trip-to-lisbon"
_RUN, _ANSWER, _QUESTION = "run_0198c2a7d3f1", "msg_0198c2a7d3f2", "msg_0198c2a7d3f0"
_EDITED = "msg_0198c2a7d3f3"
_MODEL = "openai/gpt-4o-mini"
_AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_DONE_AT = _AT + timedelta(seconds=3)
_USAGE = Usage(prompt_tokens=21, completion_tokens=12, total_tokens=33)

_ASKED = ChatMessage(
    message_id=_QUESTION,
    role=Role.user,
    content="Name three districts of Lisbon.",
    created_at=_AT,
    run_id=_RUN,
    sequence=1,
    branch_id="main",
)
_ANSWERED = ChatMessage(
    message_id=_ANSWER,
    role=Role.assistant,
    content="Alfama, Chiado and Belém.",
    created_at=_DONE_AT,
    run_id=_RUN,
    model=_MODEL,
    finish_reason="stop",
    sequence=3,
    branch_id="main",
)
_SUMMARY = "The user plans five days in Lisbon in May, likes trams and avoids long walks."
_COMPACTED = Compaction(
    compaction_id="cmp_0198c2a7d3f4",
    trigger=CompactionTrigger.MANUAL,
    created_at=_DONE_AT,
    model=_MODEL,
    branch_id="main",
    messages_summarized=42,
    up_to_message_id="msg_0198c2a7d3e0",
    up_to_sequence=170,
    tokens_before=6120,
    tokens_after=1440,
    tokens_saved=4680,
    usage=Usage(prompt_tokens=5210, completion_tokens=230, total_tokens=5440),
    cost_usd="0.0009195",
)
_FINISHED = Run(
    run_id=_RUN,
    status=RunStatus.COMPLETED,
    message_id=_QUESTION,
    answer_message_id=_ANSWER,
    created_at=_AT,
    started_at=_AT,
    finished_at=_DONE_AT,
    attempts=1,
    model=_MODEL,
    finish_reason="stop",
    usage=_USAGE,
    cost_usd="0.00001035",
    time_to_first_token_ms=412,
    branch_id="main",
    generation_config=GenerationConfig(model=_MODEL),
)
_EVENT = Event(
    sequence=3,
    type=MESSAGE_COMPLETED,
    created_at=_DONE_AT,
    conversation_key=_KEY,
    run_id=_RUN,
    message_id=_ANSWER,
    attempt=1,
    message=_ANSWERED,
    branch_id="main",
)
_STREAM = f"""\
event: message.delta
data: {{"runId":"{_RUN}","messageId":"{_ANSWER}","attempt":1,"offset":0,"text":"Alfama, "}}

id: 3
event: message.completed
data: {_EVENT.to_json().decode()}

"""

_COMPLETED = CompleteResponse(
    completion_id="cmpl_0198c2a7d3f3",
    created_at=_AT,
    finished_at=_DONE_AT,
    content="Alfama, Chiado and Belém.",
    requested_model=_MODEL,
    model=_MODEL,
    provider="OpenAI",
    finish_reason="stop",
    attempts=1,
    usage=_USAGE,
    cost_usd="0.00001035",
    time_to_first_token_ms=412,
)
_COMPLETE = contract.PublicCompleteRequest(
    model=_MODEL,
    messages=[
        contract.CompletionMessage(role=Role.system, content="Be brief."),
        contract.CompletionMessage(role=Role.user, content=_ASKED.content),
    ],
    generation_config=GenerationConfig(temperature=0.3, max_tokens=200),
)
_COMPLETION_STREAM = f"""\
event: completion.delta
data: {{"attempt":1,"offset":0,"text":"Alfama, "}}

event: completion.completed
data: {_COMPLETED.to_json().decode()}

"""

EXAMPLES: dict[Rpc[Any, Any], Example] = {
    contract.list_threads: Example(
        ListRequest(page_size=20, query="lisbon"),
        ListResponse(
            threads=[
                Thread(conversation_key=_KEY, name="Lisbon", created_at=_AT, updated_at=_DONE_AT)
            ]
        ),
    ),
    contract.create_thread: Example(
        contract.CreateThreadRequest(
            conversation_key=_KEY,
            name="Lisbon",
            settings=Settings(system_prompt="You are a travel guide. Be brief."),
            generation_config=GenerationConfig(model=_MODEL, temperature=0.3),
            metadata={"source": "ios"},
        ),
        contract.CreateThreadResponse(conversation_key=_KEY, name="Lisbon", created_at=_AT),
    ),
    contract.update_thread: Example(
        contract.PublicUpdateThreadRequest(
            conversation_key=_KEY, name="Lisbon 2026", archived=True
        ),
        contract.UpdateThreadResponse(
            conversation_key=_KEY,
            name="Lisbon 2026",
            archived=True,
            metadata={"source": "ios"},
            created_at=_AT,
        ),
    ),
    contract.delete_thread: Example(
        contract.DeleteThreadRequest(conversation_key=_KEY),
        contract.DeleteThreadResponse(
            conversation_key=_KEY,
            stopped_run_ids=[_RUN],
            erased_messages=2,
            erased_runs=1,
            erased_events=4,
            erased_invocations=1,
            stopped_timers=1,
        ),
    ),
    contract.fork_thread: Example(
        contract.ForkThreadRequest(
            conversation_key=_KEY, message_id=_ANSWER, new_conversation_key="trip-to-porto"
        ),
        contract.ForkThreadResponse(
            conversation_key="trip-to-porto", name="Lisbon", created_at=_DONE_AT
        ),
    ),
    contract.update_settings: Example(
        contract.PublicUpdateSettingsRequest(
            conversation_key=_KEY,
            settings=Settings(interrupt_policy=InterruptPolicy.INTERRUPT),
            clear=["keep_last"],
        ),
        UpdateSettingsResponse(
            settings=Settings(
                system_prompt="You are a travel guide. Be brief.",
                interrupt_policy=InterruptPolicy.INTERRUPT,
            )
        ),
    ),
    contract.update_generation_config: Example(
        contract.PublicUpdateGenerationConfigRequest(
            conversation_key=_KEY, generation_config=GenerationConfig(temperature=0.7)
        ),
        UpdateGenerationConfigResponse(
            generation_config=GenerationConfig(model=_MODEL, temperature=0.7)
        ),
    ),
    contract.send_message: Example(
        contract.PublicSendMessageRequest(
            conversation_key=_KEY,
            user_message=contract.PublicUserMessage(role=Role.user, content=_ASKED.content),
            client_message_id="2f1d6c0e-5a7b",
        ),
        SendMessageResponse(
            run_id=_RUN, status=RunStatus.RUNNING, message_id=_QUESTION, last_sequence=2
        ),
    ),
    contract.conversation_state: Example(
        contract.ConversationStateRequest(conversation_key=_KEY),
        State(
            conversation_key=_KEY,
            name="Lisbon",
            status=ThreadStatus.IDLE,
            created_at=_AT,
            messages=[_ASKED, _ANSWERED],
            generation_config=GenerationConfig(model=_MODEL),
            total_usage=_USAGE,
            total_cost_usd="0.00001035",
            last_sequence=4,
            active_branch_id="main",
            compactions=[_COMPACTED],
            context_summary=_SUMMARY,
        ),
    ),
    contract.compact_conversation: Example(
        contract.CompactConversationRequest(conversation_key=_KEY),
        contract.CompactConversationResponse(conversation_key=_KEY, compaction=_COMPACTED),
    ),
    contract.list_messages: Example(
        contract.PublicListMessagesRequest(conversation_key=_KEY, oldest_first=True),
        ListMessagesResponse(messages=[_ASKED, _ANSWERED]),
    ),
    contract.regenerate: Example(
        contract.PublicRegenerateRequest(conversation_key=_KEY, message_id=_ANSWER),
        BranchedResponse(
            run_id=_RUN,
            status=RunStatus.RUNNING,
            message_id=_QUESTION,
            branch_id="branch-1",
            last_sequence=6,
        ),
    ),
    contract.edit_message: Example(
        contract.PublicEditMessageRequest(
            conversation_key=_KEY,
            message_id=_QUESTION,
            user_message=contract.PublicUserMessage(content="Name three districts of Porto."),
            client_message_id="8c9b6e1f-0d2a",
        ),
        BranchedResponse(
            run_id=_RUN,
            status=RunStatus.RUNNING,
            message_id=_EDITED,
            branch_id="branch-2",
            last_sequence=7,
        ),
    ),
    contract.choose_branch: Example(
        contract.BranchRequest(conversation_key=_KEY, branch_id="main"),
        Branch(branch_id="main", created_at=_AT, active=True),
    ),
    contract.list_branches: Example(
        contract.PublicListBranchesRequest(conversation_key=_KEY),
        ListBranchesResponse(
            branches=[
                Branch(
                    branch_id="branch-1",
                    parent_branch_id="main",
                    message_id=_QUESTION,
                    kind=BranchKind.REGENERATE,
                    created_at=_DONE_AT,
                    active=True,
                ),
                Branch(branch_id="main", created_at=_AT),
            ]
        ),
    ),
    contract.get_run: Example(
        contract.RunRequest(conversation_key=_KEY, run_id=_RUN),
        _FINISHED,
    ),
    contract.list_runs: Example(
        contract.PublicListRunsRequest(conversation_key=_KEY),
        ListRunsResponse(runs=[_FINISHED]),
    ),
    contract.cancel_run: Example(
        contract.RunRequest(conversation_key=_KEY, run_id=_RUN),
        Run(
            run_id=_RUN,
            status=RunStatus.RUNNING,
            message_id=_QUESTION,
            answer_message_id=_ANSWER,
            created_at=_AT,
            started_at=_AT,
            cancel_requested=True,
            attempts=1,
        ),
    ),
    contract.pull_events: Example(
        contract.PullEventsRequest(conversation_key=_KEY, after=2, wait=timedelta(seconds=20)),
        contract.PullEventsResponse(events=[_EVENT], last_sequence=3),
    ),
    contract.stream_events: Example(
        contract.PullEventsRequest(conversation_key=_KEY, after=2),
        contract.PullEventsResponse(events=[_EVENT], last_sequence=3),
        stream=_STREAM,
    ),
    contract.complete: Example(_COMPLETE, _COMPLETED),
    contract.stream_complete: Example(_COMPLETE, _COMPLETED, stream=_COMPLETION_STREAM),
    contract.list_models: Example(
        ListModelsRequest(),
        ListModelsResponse(
            models=[
                Model(
                    id=_MODEL,
                    name="GPT-4o mini",
                    context_length=128_000,
                    max_completion_tokens=16_384,
                    pricing=ModelPricing(prompt="0.00000015", completion="0.0000006"),
                    supported_parameters=["temperature", "top_p", "max_tokens"],
                    input_modalities=["text", "image"],
                    output_modalities=["text"],
                )
            ]
        ),
    ),
    **MCP_EXAMPLES,
}
