"""Messages about compaction: older messages leave the model's context, and a summary stands for
them there. The messages themselves stay in the thread."""

from pydantic import Field

from actors.conversation.contract.entry import (
    ChatMessage,
    Compaction,
    Usage,
)
from actors.conversation.contract.thread import GenerationConfig
from chassis.message import Int64, Message, Struct, Timestamp, UInt32


class CompactRequest(Message):
    """Compact the active branch, if there is anything to compact."""


class CompactResponse(Message):
    """The compaction that was started."""

    compaction_id: str = ""


class CompactionPlan(Message):
    """What a workflow is to summarise: the messages of a path after one place in the order of
    turns, up to another.

    piece: the newest piece of the path.
    after_turn, after_sequence: the last message that the summary before stands for; zeros without
        one.
    upto_turn, upto_sequence: the last message to summarise.
    previous: the text of the summary before.
    context_model: what reads the thread, and counts its tokens.
    tokens_kept: of what stays as it is, the system prompt included, estimated.
    tokens_measured: of the whole context before, as its model reported it; 0 where it did not.
    generation_config: the model that summarises. window: tokens that it can take; 0 where that is
        not known.
    longest_message: characters of one message that it is shown; a longer one is cut.
    """

    compaction_id: str = ""
    piece: UInt32 = 0
    after_turn: UInt32 = 0
    after_sequence: UInt32 = 0
    upto_turn: UInt32 = 0
    upto_sequence: UInt32 = 0
    previous: str = ""
    context_model: str = ""
    tokens_kept: Int64 = 0
    tokens_measured: Int64 = 0
    instructions: str = ""
    generation_config: GenerationConfig = Field(default_factory=GenerationConfig)
    window: Int64 = 0
    longest_message: UInt32 = 0
    deadline: Timestamp


class ReadCompactedRequest(Message):
    """A page of the messages that a plan is about, oldest first; `after` is where the page before
    ended."""

    piece: UInt32 = 0
    after_turn: UInt32 = 0
    after_sequence: UInt32 = 0
    upto_turn: UInt32 = 0
    upto_sequence: UInt32 = 0
    after: UInt32 = 0
    longest_message: UInt32 = 0


class ReadCompactedResponse(Message):
    """Messages, cut where they were too long. `after` is where the next page begins; `done` says
    that there is none."""

    messages: list[ChatMessage] = Field(default_factory=list[ChatMessage])
    after: UInt32 = 0
    done: bool = False


class FinishCompactionRequest(Message):
    """How a compaction ended: with a summary, or with the inner object of an error envelope."""

    compaction_id: str
    summary: str = ""
    model: str = ""
    messages_summarized: UInt32 = 0
    tokens_before: Int64 = 0
    tokens_after: Int64 = 0
    usage: Usage | None = None
    cost_usd: str = ""
    at: Timestamp
    error: Struct | None = None


class FinishCompactionResponse(Message):
    """What was recorded; nothing where the compaction did not fit any more."""

    compaction: Compaction | None = None
