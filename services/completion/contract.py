"""What CompletionService offers: one completion. Its answer is public."""

from datetime import timedelta

from pydantic import Field

from actors.conversation.contract import BEYOND_MODEL, BUDGET_SPENT
from actors.conversation.contract.entry import Usage
from actors.conversation.contract.run import ContextMessage
from actors.conversation.contract.thread import GenerationConfig
from chassis.message import Double, Int64, Message, Timestamp, UInt32
from chassis.retries import REQUEST
from chassis.rpc import COMMAND_RETENTION, Component, Kind
from errors import Code, Reason
from services.openrouter.contract import CALL_REASONS, FORMAT_INVALID

BUSY = Reason(
    "completion.busy",
    Code.UNAVAILABLE,
    "As many models answer as can be served at once. Try again in a moment.",
    terminal=False,
)
ABANDONED = Reason(
    "completion.abandoned",
    Code.CANCELLED,
    "The client went away without an Idempotency-Key by which it could ask again.",
)

COMPLETE_REASONS = (
    *CALL_REASONS,
    BEYOND_MODEL,
    BUDGET_SPENT,
    FORMAT_INVALID,
    BUSY,
    ABANDONED,
)
"""What a completion may answer."""

# The longest that a completion may take; the public deadlines stand a little above it.
LONGEST_SECONDS = 600.0


class CompleteRequest(Message):
    """What the model is asked, and who follows.

    generation_config: `model` may be left out for the platform's default.
    topic: of the bus; whoever asked follows there, with the live text if `live`.
    keep: the completion goes on when nobody follows any more, because it can be asked for again.
    """

    messages: list[ContextMessage] = Field(default_factory=list[ContextMessage])
    generation_config: GenerationConfig | None = None
    topic: str = ""
    live: bool = False
    keep: bool = False
    seconds: Double = LONGEST_SECONDS


class CompleteResponse(Message):
    """The answer of a model.

    model, provider: what answered; `requested_model` is what was asked for.
    attempts: how often a model was asked. Text of an attempt before the last one is void.
    time_to_first_token_ms: from the opening of the model call that answered.
    """

    completion_id: str = ""
    created_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    content: str = ""
    requested_model: str = ""
    model: str = ""
    provider: str = ""
    finish_reason: str = ""
    generation_id: str = ""
    attempts: UInt32 = 0
    usage: Usage | None = None
    cost_usd: str = ""
    time_to_first_token_ms: Int64 = 0


component = Component(
    name="CompletionService",
    kind=Kind.SERVICE,
    retries=REQUEST,
    longest_step=timedelta(seconds=LONGEST_SECONDS),
)

complete = component.rpc(
    "Complete",
    CompleteRequest,
    CompleteResponse,
    errors=COMPLETE_REASONS,
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
