"""Messages about a thread as a whole: opening it, its settings, its state."""

from typing import Annotated

from pydantic import Field, JsonValue

from actors.conversation.contract.context import ManagedContext
from actors.conversation.contract.entry import ChatMessage, Compaction, Usage
from actors.conversation.contract.tools import Approval, ToolSettings
from chassis.message import Double, Int32, Message, ProtoEnum, Struct, Timestamp, UInt32


class ThreadStatus(ProtoEnum):
    """What the thread is doing."""

    THREAD_STATUS_UNSPECIFIED = 0
    IDLE = 1
    RUNNING = 2
    AWAITING_APPROVAL = 3


class ResponseFormatType(ProtoEnum):
    """What the model is asked to answer with."""

    RESPONSE_FORMAT_TYPE_UNSPECIFIED = 0
    TEXT = 1
    JSON_OBJECT = 2
    JSON_SCHEMA = 3


class ResponseFormat(Message):
    """The form of the answer; `json_schema` goes with JSON_SCHEMA.

    An answer that is not JSON, or does not fit the schema, is told to the model, which is asked
    once more; when that answer is wrong too the run ends with `answer.format_invalid` and keeps
    its text. Patterns and formats of a schema are left to the model's provider.
    """

    type: ResponseFormatType = ResponseFormatType.RESPONSE_FORMAT_TYPE_UNSPECIFIED
    name: str = Field(default="", max_length=64)
    json_schema: Struct | None = None


class InterruptPolicy(ProtoEnum):
    """What happens to a message that comes while a run of its thread is active.

    QUEUE: it waits; at most 100 do. The default.
    REJECT: it is refused with `thread.busy`.
    INTERRUPT: the active run is cancelled and its partial answer kept; the message is next.
    ROLLBACK: the same, and the messages of the cancelled run leave the context.
    """

    INTERRUPT_POLICY_UNSPECIFIED = 0
    QUEUE = 1
    REJECT = 2
    INTERRUPT = 3
    ROLLBACK = 4


class ReasoningEffort(ProtoEnum):
    """How much a model that reasons may think before it answers."""

    REASONING_EFFORT_UNSPECIFIED = 0
    MINIMAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4


class DataCollection(ProtoEnum):
    """Whether providers that keep what they are asked may be used."""

    DATA_COLLECTION_UNSPECIFIED = 0
    ALLOW = 1
    DENY = 2


class ProviderSort(ProtoEnum):
    """What the choice among a model's providers looks at first."""

    PROVIDER_SORT_UNSPECIFIED = 0
    PRICE = 1
    THROUGHPUT = 2
    LATENCY = 3


ProviderName = Annotated[str, Field(min_length=1, max_length=100)]


class ProviderRouting(Message):
    """Which of a model's providers may answer, and in which order they are tried.

    order: tried first, in this order. only, ignore: no others, and never these.
    allow_fallbacks: whether others than those of `order` may be tried; they may unless it is said.
    require_parameters: only providers that know every parameter of the request.
    """

    order: list[ProviderName] = Field(default_factory=list[str], max_length=32)
    only: list[ProviderName] = Field(default_factory=list[str], max_length=32)
    ignore: list[ProviderName] = Field(default_factory=list[str], max_length=32)
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: DataCollection = DataCollection.DATA_COLLECTION_UNSPECIFIED
    sort: ProviderSort = ProviderSort.PROVIDER_SORT_UNSPECIFIED


_SHOWN_USD: dict[str, JsonValue] = {"examples": ["0.25"]}
Usd = Annotated[
    str, Field(pattern=r"^([0-9]{1,9}(\.[0-9]{1,12})?)?$", json_schema_extra=_SHOWN_USD)
]


class Budget(Message):
    """What may be spent, in US dollars as decimal numbers; empty means no limit.

    run_usd: by one run. thread_usd: by all runs of the thread together. A run that would go beyond
    ends with `budget.spent` and keeps what there is of its answer; limits of the thread and of a
    message both hold. A completion without a thread knows `run_usd` alone; where the money cuts
    its answer off, that is told with the finish reason `length`.
    """

    run_usd: Usd = ""
    thread_usd: Usd = ""


class GenerationConfig(Message):
    """How answers are generated. Absent fields leave the next wider setting in force:
    the message's config over the thread's over the platform's.

    fallback_models: asked in this order when the model before could not answer.
    """

    model: str = Field(default="", max_length=200)
    fallback_models: list[str] = Field(default_factory=list[str], max_length=8)
    temperature: Double | None = Field(default=None, ge=0, le=2)
    top_p: Double | None = Field(default=None, gt=0, le=1)
    max_tokens: Int32 | None = Field(default=None, ge=1, le=1_000_000)
    stop: list[str] = Field(default_factory=list[str], max_length=4)
    seed: Int32 | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort = ReasoningEffort.REASONING_EFFORT_UNSPECIFIED
    provider: ProviderRouting | None = None
    budget: Budget | None = None


class Settings(Message):
    """How the thread behaves.

    keep_last: how many of the newest messages the model sees; 0 means the platform's default.
    context_management: how a long thread is kept within what its model can read.
    interrupt_policy: what happens to a message that comes while a run is active.
    tools: what the model may call; none when left out.
    """

    system_prompt: str = Field(default="", max_length=100_000)
    keep_last: Int32 = Field(default=0, ge=0, le=1000)
    interrupt_policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED
    tools: ToolSettings | None = None
    context_management: ManagedContext | None = None


class ForkOrigin(Message):
    """What a thread is a copy of: another of the same user's, up to a message."""

    conversation_key: str = ""
    message_id: str = ""


class OpenRequest(Message):
    """Create the thread, or find it open with the same content. A copy is the same when it has
    the same name and origin, whatever became of its source meanwhile."""

    name: str = ""
    settings: Settings | None = None
    generation_config: GenerationConfig | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    fork: ForkOrigin | None = None


class OpenResponse(Message):
    """The thread as it was created. A copy that is not whole yet says how far it is."""

    name: str = ""
    created_at: Timestamp
    copying: bool = False
    copied: UInt32 = 0


class UpdateRequest(Message):
    """What the thread is called and how it is filed. Absent fields stay; `metadata` is replaced
    as a whole; `clear` names what is to be empty."""

    name: str = ""
    archived: bool | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    clear: list[str] = Field(default_factory=list[str], max_length=8)


class UpdateResponse(Message):
    """The thread as it is filed now; `revision` grows with each change."""

    name: str = ""
    archived: bool = False
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    created_at: Timestamp
    revision: UInt32 = 0


class UpdateSettingsRequest(Message):
    """The settings to change, and the names of those to set back to the platform's default."""

    settings: Settings | None = None
    clear: list[str] = Field(default_factory=list[str], max_length=32)


class UpdateSettingsResponse(Message):
    """The thread's settings as they are now."""

    settings: Settings


class UpdateGenerationConfigRequest(Message):
    """The fields to change, and the names of those to set back to the platform's default."""

    generation_config: GenerationConfig | None = None
    clear: list[str] = Field(default_factory=list[str], max_length=32)


class UpdateGenerationConfigResponse(Message):
    """The thread's config as it is now."""

    generation_config: GenerationConfig


class GetStateRequest(Message):
    """One page of messages, newest last, and everything small about the thread."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class State(Message):
    """A thread as a client sees it. `messages` is a page of the active branch in the order they
    were said; `next_page_token` leads to the page before it. `compactions` are the newest ones,
    newest first; `context_summary` is what the model reads of the messages before the rest of the
    active branch, where it was compacted."""

    conversation_key: str = ""
    name: str = ""
    status: ThreadStatus = ThreadStatus.THREAD_STATUS_UNSPECIFIED
    created_at: Timestamp
    messages: list[ChatMessage] = Field(default_factory=list[ChatMessage])
    next_page_token: str = ""
    active_run_id: str = ""
    queued_run_ids: list[str] = Field(default_factory=list[str])
    generation_config: GenerationConfig | None = None
    settings: Settings | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    total_usage: Usage | None = None
    total_cost_usd: str = ""
    last_sequence: UInt32 = 0
    active_branch_id: str = ""
    archived: bool = False
    pending_approvals: list[Approval] = Field(default_factory=list[Approval])
    compactions: list[Compaction] = Field(default_factory=list[Compaction])
    compaction_running: bool = False
    context_summary: str = ""
