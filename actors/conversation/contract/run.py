"""Messages about runs: starting one, what its workflow reports, reading and cancelling it."""

from pydantic import Field

from actors.conversation.contract.entry import ChatMessage, ContentPart, Role, Usage
from actors.conversation.contract.thread import GenerationConfig, InterruptPolicy
from actors.conversation.contract.tools import ToolCall, ToolSettings
from chassis.message import Int32, Int64, Message, ProtoEnum, Struct, Timestamp, UInt32


class RunStatus(ProtoEnum):
    """QUEUED only behind another message of the thread; a run that waits for a free stream is
    RUNNING without `started_at`."""

    RUN_STATUS_UNSPECIFIED = 0
    QUEUED = 1
    RUNNING = 2
    AWAITING_APPROVAL = 3
    COMPLETED = 4
    FAILED = 5
    CANCELLED = 6


class Fallback(Message):
    """A model that could not answer, or not in the form that was asked for, and why: the inner
    object of the error envelope."""

    model: str = ""
    error: Struct | None = None


class Run(Message):
    """The record of one run; kept as long as the thread.

    model, provider: what answered; the wished model is in `generation_config`.
    fallbacks: models that were asked before it in vain, in order.
    attempts: how often a model was asked.
    time_to_first_token_ms: from the opening of the model call that answered.
    error: the inner object of the error envelope, for FAILED runs.
    branch_id: the branch in which it answers.
    rolled_back: the run was cancelled by a message with ROLLBACK, and its messages left the
        context.
    """

    run_id: str = ""
    status: RunStatus = RunStatus.RUN_STATUS_UNSPECIFIED
    message_id: str = ""
    answer_message_id: str = ""
    created_at: Timestamp | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    cancel_requested: bool = False
    attempts: UInt32 = 0
    model: str = ""
    provider: str = ""
    finish_reason: str = ""
    generation_id: str = ""
    usage: Usage | None = None
    cost_usd: str = ""
    time_to_first_token_ms: Int64 = 0
    generation_config: GenerationConfig | None = None
    error: Struct | None = None
    rolled_back: bool = False
    branch_id: str = ""
    fallbacks: list[Fallback] = Field(default_factory=list[Fallback])


class UserMessage(Message):
    """What a user says: `content`, or `parts`, not both."""

    role: Role = Role.user
    content: str = ""
    parts: list[ContentPart] = Field(default_factory=list[ContentPart], max_length=64)


class SendMessageRequest(Message):
    """Append a message and start, or queue, a run that answers it.

    interrupt_policy: instead of the thread's, for this message alone.
    """

    user_message: UserMessage
    client_message_id: str = Field(default="", max_length=128)
    generation_config: GenerationConfig | None = None
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED


class SendMessageResponse(Message):
    """What was accepted. `status` is RUNNING or QUEUED.

    last_sequence: the newest event that the acceptance brought: as `after` of pull-events it leads
    straight to what follows, which is the answer.
    """

    run_id: str = ""
    status: RunStatus = RunStatus.RUN_STATUS_UNSPECIFIED
    message_id: str = ""
    last_sequence: UInt32 = 0


class BeginRunRequest(Message):
    """The workflow has a place for the run and asks for its work."""

    run_id: str
    at: Timestamp


class ContextMessage(Message):
    """A message as the model sees it."""

    role: Role = Role.ROLE_UNSPECIFIED
    content: str = ""
    parts: list[ContentPart] = Field(default_factory=list[ContentPart])
    tool_calls: list[ToolCall] = Field(default_factory=list[ToolCall])
    tool_call_id: str = ""


class Spendable(Message):
    """What a run may still spend, in US dollars, and the prices of its dearest model for a token;
    prices are empty where they are not known."""

    usd: str = ""
    prompt_price: str = ""
    completion_price: str = ""


class Work(Message):
    """What a run is to do: ask a model, by its deadline, with this context and these tools.

    prompt_limit: the tokens that the model can read; the oldest messages are left out where there
        are more. 0: not known, or nothing may be left out.
    pinned: how many of the first messages always stay.
    known_tokens, known_messages: what the model reported of so many of the first messages.
    overflow: the thread is longer than any context may be, and nothing may be left out.
    """

    answer_message_id: str = ""
    deadline: Timestamp | None = None
    started_at: Timestamp | None = None
    generation_config: GenerationConfig | None = None
    context: list[ContextMessage] = Field(default_factory=list[ContextMessage])
    spendable: Spendable | None = None
    tools: ToolSettings | None = None
    prompt_limit: Int64 = 0
    pinned: UInt32 = 0
    known_tokens: Int64 = 0
    known_messages: UInt32 = 0
    overflow: bool = False


class BeginRunResponse(Message):
    """The work of a run; none when it was settled meanwhile."""

    work: Work | None = None


class RetryingRequest(Message):
    """The model is asked again; the text of the attempt before is void."""

    run_id: str
    attempt: UInt32
    at: Timestamp
    error: Struct | None = None


class FinishRunRequest(Message):
    """How a run ended: COMPLETED, FAILED or CANCELLED, with what the model gave so far.

    at: when; left out where the workflow has no durable time at hand.
    context_tokens: of the last model call, its answer included; 0 where it was not reported.
    context_dropped: messages that had to be left out of it.
    """

    run_id: str
    attempt: UInt32 = 0
    status: RunStatus
    at: Timestamp | None = None
    text: str = ""
    model: str = ""
    provider: str = ""
    finish_reason: str = ""
    generation_id: str = ""
    usage: Usage | None = None
    cost_usd: str = ""
    time_to_first_token_ms: Int64 = 0
    error: Struct | None = None
    reason: str = ""
    fallbacks: list[Fallback] = Field(default_factory=list[Fallback])
    context_tokens: Int64 = 0
    context_dropped: UInt32 = 0


class CheckRunRequest(Message):
    """The watchdog's own reminder. With a run id: settle this cancel if nobody else has."""

    cancelled_run_id: str = ""


class Done(Message):
    """Nothing to say beyond that it is done."""


class CancelRunRequest(Message):
    """Stop a run; a settled one stays as it is."""

    run_id: str
    reason: str = Field(default="", max_length=200)


class GetRunRequest(Message):
    """Which run."""

    run_id: str


class ListRunsRequest(Message):
    """A page of runs, newest first."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class ListRunsResponse(Message):
    """Runs, newest first."""

    runs: list[Run] = Field(default_factory=list[Run])
    next_page_token: str = ""


class ListMessagesRequest(Message):
    """A page of messages. Without a token: the newest, or with `oldest_first` the oldest.
    Without a branch: the active one's."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
    oldest_first: bool = False
    branch_id: str = ""


class ListMessagesResponse(Message):
    """Messages: newest first, or oldest first when that was asked for."""

    messages: list[ChatMessage] = Field(default_factory=list[ChatMessage])
    next_page_token: str = ""
