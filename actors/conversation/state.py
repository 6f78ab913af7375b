"""The state of a thread: its head, the pages of its log, its runs."""

from pydantic import Field

from actors.conversation.contract.entry import Event
from actors.conversation.contract.run import Run
from actors.conversation.contract.thread import (
    GenerationConfig,
    InterruptPolicy,
    OpenRequest,
    Settings,
)
from chassis.message import Int64, Message, Timestamp, UInt32
from chassis.state import StateKey


class PendingRun(Message):
    """A run that is active or waits, with its record, which gets its own key when it is settled.

    turn: the sequence of the message that it answers.
    answer_message_id: of the answer to come; the record has it once there is one.
    first: the sequence of its `run.started`, below which it brought no entry but its question.
    policy: how its message came.
    roll_back: when it ends, its messages leave the context.
    """

    run: Run
    turn: UInt32 = 0
    answer_message_id: str = ""
    deadline: Timestamp | None = None
    first: UInt32 = 0
    policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED
    roll_back: bool = False


class Totals(Message):
    """What all runs of the thread used."""

    prompt_tokens: Int64 = 0
    completion_tokens: Int64 = 0
    cost_usd: str = ""


class Entry(Message):
    """An event with what the thread knows beside it.

    turn: the sequence of the user's message that this entry belongs to; context is ordered by it,
        because a queued message stands in the log before the answers to those ahead of it.
    spilled_bytes: the size of a content that is under a key of its own, 0 for one that is here.
    void: its message was rolled back and is no part of the thread any more. The event stays.
    """

    event: Event
    turn: UInt32 = 0
    spilled_bytes: UInt32 = 0
    void: bool = False


class Head(Message):
    """The one record that every command reads and writes.

    opened: the request that created the thread, by which a repeat is known.
    last_sequence: of the newest event.
    tail: the newest entries of the log, those that do not fill a page yet. They stand here so
        that a command reads and writes one key, and a reader near the end needs no page.
    watchdog_at: when the outstanding CheckRun will come, so that there is one at most.
    touched_at: when the user's list last heard, or will hear, of activity here.
    """

    version: UInt32 = 1
    opened: OpenRequest
    name: str = ""
    created_at: Timestamp
    settings: Settings | None = None
    generation_config: GenerationConfig | None = None
    last_sequence: UInt32 = 0
    tail: list[Entry] = Field(default_factory=list[Entry])
    active: PendingRun | None = None
    queue: list[PendingRun] = Field(default_factory=list[PendingRun])
    totals: Totals = Field(default_factory=Totals)
    watchdog_at: Timestamp | None = None
    touched_at: Timestamp | None = None


class Page(Message):
    """A full page of the log; written again only when a message in it is rolled back."""

    entries: list[Entry] = Field(default_factory=list[Entry])


class Content(Message):
    """The content of one large message."""

    text: str = ""


class Sent(Message):
    """What a client_message_id was used for, and a digest of what was sent with it."""

    run_id: str = ""
    message_id: str = ""
    digest: str = ""


HEAD = StateKey("head", Head)
LOG = StateKey("log", Page)
CONTENT = StateKey("content", Content)
RUN = StateKey("run", Run)
SENT = StateKey("sent", Sent)

# Measured: pages of about ten messages append nearly as fast as a key for each message and read
# two to four times as fast; half of the entries bring a message.
PAGE_SIZE = 16

# Larger contents leave their page, so that each append rewrites little.
SPILL_BYTES = 4096


def page_of(sequence: int) -> int:
    """The page on which an event stands once it is full. Sequences count from 1, pages from 0."""
    return (sequence - 1) // PAGE_SIZE
