"""What a thread consists of: messages, and the events that tell about them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from actors.conversation.contract.tools import Approval, ToolCall
from chassis.message import Int64, Message, ProtoEnum, Struct, Timestamp, UInt32, violation


class Role(ProtoEnum):
    """Who said it."""

    ROLE_UNSPECIFIED = 0
    user = 1
    assistant = 2
    system = 3
    tool = 4


class ContentPart(Message):
    """A piece of a message: text, or the address of an image or file. Exactly one is set."""

    text: str = ""
    image_url: str = Field(default="", max_length=4096)
    file_url: str = Field(default="", max_length=4096)


def _one_thing(part: ContentPart) -> ContentPart:
    if [bool(part.text), bool(part.image_url), bool(part.file_url)].count(True) != 1:
        raise violation("must have exactly one of text, imageUrl and fileUrl")
    return part


GivenPart = Annotated[ContentPart, AfterValidator(_one_thing)]
"""A part as a client gives it."""


class Usage(Message):
    """Tokens as the model's provider counted them."""

    prompt_tokens: Int64 = 0
    completion_tokens: Int64 = 0
    total_tokens: Int64 = 0


class CompactionTrigger(ProtoEnum):
    """Who asked for a compaction: a client, or the thread's own settings."""

    COMPACTION_TRIGGER_UNSPECIFIED = 0
    MANUAL = 1
    AUTOMATIC = 2


class Compaction(Message):
    """One compaction of a thread.

    messages_summarized: how many messages left the context with it; those that an earlier summary
        stood for are not counted again.
    up_to_message_id, up_to_sequence: the last message that its summary stands for.
    tokens_before, tokens_after: of the context before and after. They are counted by the platform
        as exactly as it can without the model's own tokenizer, from what the model reported of
        its last run where that is known.
    model: what summarised. usage, cost_usd: of its calls; they count in the thread's totals.
    """

    compaction_id: str = ""
    trigger: CompactionTrigger = CompactionTrigger.COMPACTION_TRIGGER_UNSPECIFIED
    created_at: Timestamp | None = None
    model: str = ""
    branch_id: str = ""
    messages_summarized: UInt32 = 0
    up_to_message_id: str = ""
    up_to_sequence: UInt32 = 0
    tokens_before: Int64 = 0
    tokens_after: Int64 = 0
    tokens_saved: Int64 = 0
    usage: Usage | None = None
    cost_usd: str = ""


class ChatMessage(Message):
    """One message of a thread.

    sequence: the event that brought it; also its place in paging.
    branch_id: the branch in which it was said.
    partial: the answer ended before the model did, by cancel or by failure.
    tool_calls: what an assistant's message asks for.
    tool_call: the call that a message of the role `tool` answers.
    """

    message_id: str = ""
    role: Role = Role.ROLE_UNSPECIFIED
    content: str = ""
    parts: list[ContentPart] = Field(default_factory=list[ContentPart])
    created_at: Timestamp | None = None
    run_id: str = ""
    client_message_id: str = ""
    model: str = ""
    finish_reason: str = ""
    partial: bool = False
    sequence: UInt32 = 0
    branch_id: str = ""
    tool_calls: list[ToolCall] = Field(default_factory=list[ToolCall])
    tool_call: ToolCall | None = None


# Event types are words on the wire.
MESSAGE_CREATED = "message.created"
MESSAGE_COMPLETED = "message.completed"
MESSAGE_ROLLED_BACK = "message.rolled_back"
BRANCH_CREATED = "branch.created"
BRANCH_CHOSEN = "branch.chosen"
CONTEXT_COMPACTED = "context.compacted"
TOOL_REQUESTED = "tool.requested"
TOOL_APPROVAL_REQUIRED = "tool.approval_required"
TOOL_COMPLETED = "tool.completed"
RUN_STARTED = "run.started"
RUN_RETRYING = "run.retrying"
RUN_COMPLETED = "run.completed"
RUN_FAILED = "run.failed"
RUN_CANCELLED = "run.cancelled"


class Event(Message):
    """A durable fact of the conversation.

    sequence: counts from 1 for each conversation, without gaps; an event never changes.
    attempt: of the run, counts from 1; 0 where the event is about no attempt.
    message: with `message.*`, and with `tool.completed` what the model reads of the result.
    tool_call: with `tool.*`.
    approval: with `tool.approval_required`.
    compaction: with `context.compacted`.
    error: with `run.failed` and `run.retrying`: the inner object of the error envelope.
    branch_id: the branch of the thread that it belongs to; with `branch.chosen` and
        `branch.created` the one that is active from here on. `branch.created` names the message
        that is answered anew or edited.
    """

    sequence: UInt32 = 0
    type: str = ""
    created_at: Timestamp | None = None
    conversation_key: str = ""
    run_id: str = ""
    message_id: str = ""
    attempt: UInt32 = 0
    message: ChatMessage | None = None
    error: Struct | None = None
    reason: str = ""
    branch_id: str = ""
    tool_call: ToolCall | None = None
    approval: Approval | None = None
    compaction: Compaction | None = None
