"""The state of a thread: its head, the pages of its log, its runs."""

from pydantic import Field

from actors.conversation.contract.entry import Event
from actors.conversation.contract.run import Run
from actors.conversation.contract.thread import GenerationConfig, OpenRequest, Settings
from chassis.message import Int64, Message, Timestamp, UInt32
from chassis.state import StateKey


class PendingRun(Message):
    """A run that is active or waits. `turn` is the sequence of the message that it answers."""

    run_id: str
    message_id: str = ""
    turn: UInt32 = 0
    answer_message_id: str = ""
    attempt: UInt32 = 0
    deadline: Timestamp | None = None


class Totals(Message):
    """What all runs of the thread used."""

    prompt_tokens: Int64 = 0
    completion_tokens: Int64 = 0
    cost_usd: str = ""


class Head(Message):
    """The small record that every command reads and writes.

    opened: the request that created the thread, by which a repeat is known.
    last_sequence: of the newest event.
    watchdog_at: when the outstanding CheckRun will come, so that there is one at most.
    """

    version: UInt32 = 1
    opened: OpenRequest
    name: str = ""
    created_at: Timestamp
    settings: Settings | None = None
    generation_config: GenerationConfig | None = None
    last_sequence: UInt32 = 0
    active: PendingRun | None = None
    queue: list[PendingRun] = Field(default_factory=list[PendingRun])
    totals: Totals = Field(default_factory=Totals)
    watchdog_at: Timestamp | None = None


class Entry(Message):
    """An event with what the thread knows beside it.

    turn: the sequence of the user's message that this entry belongs to; context is ordered by it,
        because a queued message stands in the log before the answers to those ahead of it.
    spilled_bytes: the size of a content that is under a key of its own, 0 for one that is here.
    """

    event: Event
    turn: UInt32 = 0
    spilled_bytes: UInt32 = 0


class Page(Message):
    """Consecutive entries of the log."""

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
    """The page on which an event stands. Sequences count from 1, pages from 0."""
    return (sequence - 1) // PAGE_SIZE
