"""The state of a thread: its head, the pages of its log, its runs."""

from pydantic import Field

from actors.conversation.contract.branch import BranchKind
from actors.conversation.contract.entry import Compaction, CompactionTrigger, Event
from actors.conversation.contract.run import Run
from actors.conversation.contract.thread import (
    GenerationConfig,
    InterruptPolicy,
    OpenRequest,
    Settings,
)
from actors.conversation.contract.tools import Approval, ToolCall
from chassis.message import Int64, Message, Timestamp, UInt32
from chassis.state import StateKey
from services.mcp.contract.tools import ToolResult


class Shown(Message):
    """What the context of a run consisted of.

    first: the sequence of its first message.
    summary: the number of the summary before it; 0 for none.
    whole: all messages since that summary, or since the thread's beginning, were in it.
    full: so many messages stand after the summary that the next ones may find no room.
    """

    first: UInt32 = 0
    summary: UInt32 = 0
    whole: bool = False
    full: bool = False


class Measured(Message):
    """What a model reported of the context of the last run: the anchor of estimates.

    tokens: of the context with the answer. last: the sequence of the answer.
    """

    tokens: Int64 = 0
    model: str = ""
    last: UInt32 = 0
    shown: Shown = Field(default_factory=Shown)


class Mark(Message):
    """The last message that a summary stands for, as a place on a path: every path that shows
    this message shows the same messages before it, so the summary is true for all of them."""

    summary: UInt32 = 0
    piece: UInt32 = 0
    turn: UInt32 = 0
    sequence: UInt32 = 0


class Compacting(Message):
    """The compaction that is under way. After its deadline it is lost, and another may begin."""

    compaction_id: str = ""
    deadline: Timestamp
    branch: UInt32 = 0
    upto_message_id: str = ""
    mark: Mark = Field(default_factory=Mark)
    trigger: CompactionTrigger = CompactionTrigger.COMPACTION_TRIGGER_UNSPECIFIED


class PendingRun(Message):
    """A run that is active or waits, with its record, which gets its own key when it is settled.

    turn: the sequence of the message that it answers.
    answer_message_id: of the answer to come; the record has it once there is one.
    first: the sequence of its `run.started`, below which it brought no entry but its question.
    policy: how its message came.
    roll_back: when it ends, its messages leave the context.
    piece, branch: where it answers, whichever branch is active by then.
    prompt_price, completion_price: of its dearest model, in US dollars a token, where they are
        known and its budget asks for them.
    approvals: calls of its model that wait for a person.
    window: tokens that the narrowest of its models can take; 0 where that is not known.
    shown: what its context consisted of.
    """

    run: Run
    turn: UInt32 = 0
    answer_message_id: str = ""
    deadline: Timestamp | None = None
    first: UInt32 = 0
    policy: InterruptPolicy = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED
    roll_back: bool = False
    piece: UInt32 = 0
    branch: UInt32 = 0
    prompt_price: str = ""
    completion_price: str = ""
    approvals: list[Approval] = Field(default_factory=list[Approval])
    window: Int64 = 0
    shown: Shown | None = None


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
    piece, branch: where it belongs.
    """

    event: Event
    turn: UInt32 = 0
    spilled_bytes: UInt32 = 0
    void: bool = False
    piece: UInt32 = 0
    branch: UInt32 = 0


class Piece(Message):
    """A stretch of a branch: what was said while the branch was active from one time on. See
    path.py.

    number: counts from 0, the one that every thread begins with; it has no parent.
    parent, upto_turn, upto_sequence: the piece before it, which it shows up to that place in
        the order of turns, itself included.
    parent_end: what it shows of its parent stands below this sequence; 0: up to the parent's end.
    begin, end: its entries stand between these sequences. The end of the active piece is that of
        the log.
    first_turn: the lowest turn in it; 0 while nothing was said.
    """

    number: UInt32 = 0
    branch: UInt32 = 0
    parent: UInt32 = 0
    upto_turn: UInt32 = 0
    upto_sequence: UInt32 = 0
    parent_end: UInt32 = 0
    begin: UInt32 = 0
    end: UInt32 = 0
    first_turn: UInt32 = 0


class BranchRecord(Message):
    """How a branch began. `parent` is a branch, `message_id` the user's message at the fork."""

    number: UInt32 = 0
    parent: UInt32 = 0
    message_id: str = ""
    kind: BranchKind = BranchKind.BRANCH_KIND_UNSPECIFIED
    created_at: Timestamp | None = None


class Tip(Message):
    """The newest piece of a branch that is not active."""

    piece: UInt32 = 0


class Place(Message):
    """Where a message stands: the sequence of the event that brought it."""

    sequence: UInt32 = 0


class Closed(Message):
    """The thread is being deleted; what was at work then."""

    stopped_run_ids: list[str] = Field(default_factory=list[str])


class Copying(Message):
    """The thread is a copy that is not whole yet; how far it is, as its source counts."""

    after: UInt32 = 0


class Head(Message):
    """The one record that every command reads and writes.

    opened: the request that created the thread, by which a repeat is known.
    last_sequence: of the newest event.
    tail: the newest entries of the log, those that do not fill a page yet. They stand here so
        that a command reads and writes one key, and a reader near the end needs no page.
    watchdog_at: when the outstanding CheckRun will come, so that there is one at most.
    touched_at: when the user's list last heard, or will hear, of activity here.
    piece: the newest piece of the active branch.
    pieces, branches: how many there are beside the first.
    metadata: since the first update; before, what the thread was opened with.
    revision: how often name, metadata or archived were changed.
    closed, copying: the thread is there for nobody.
    summaries: how many there are. marks: of the newest ones.
    compacting: the compaction under way.
    measured: what the last run told of the context's size.
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
    piece: Piece = Field(default_factory=Piece)
    pieces: UInt32 = 0
    branches: UInt32 = 0
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    archived: bool = False
    revision: UInt32 = 0
    closed: Closed | None = None
    copying: Copying | None = None
    summaries: UInt32 = 0
    marks: list[Mark] = Field(default_factory=list[Mark])
    compacting: Compacting | None = None
    measured: Measured | None = None

    @property
    def open(self) -> bool:
        """Whether the thread is there for its user."""
        return self.closed is None and self.copying is None


class Page(Message):
    """A full page of the log; written again only when a message in it is rolled back."""

    entries: list[Entry] = Field(default_factory=list[Entry])


class Content(Message):
    """The content of one large message."""

    text: str = ""


class Sent(Message):
    """What a client_message_id was used for, a digest of what was sent with it, and the newest
    event that was answered; 0 where it was kept before that was."""

    run_id: str = ""
    message_id: str = ""
    digest: str = ""
    last_sequence: UInt32 = 0


class StoredResult(Message):
    """A result of a tool that is larger than what the model reads of it."""

    call: ToolCall
    result: ToolResult


class Summary(Message):
    """What the model reads instead of older messages."""

    text: str = ""


class CompactionHistory(Message):
    """The newest compactions, oldest first."""

    compactions: list[Compaction] = Field(default_factory=list[Compaction])


HEAD = StateKey("head", Head)
LOG = StateKey("log", Page)
CONTENT = StateKey("text", Content)
RUN = StateKey("run", Run)
SENT = StateKey("sent", Sent)
MESSAGE = StateKey("message", Place)
PIECE = StateKey("piece", Piece)
# Named so that it sorts after `head`, which Restate is to send first.
BRANCH = StateKey("offshoot", BranchRecord)
TIP = StateKey("tip", Tip)
APPROVAL = StateKey("tool_approval", Approval)
RESULT = StateKey("tool_result", StoredResult)
SUMMARY = StateKey("summary", Summary)
COMPACTIONS = StateKey("summaries", CompactionHistory)

# A branch that left the thread before all of these marks has no summary any more, and is
# compacted again when it grows.
MARKS = 8
HISTORY = 20

# Measured: pages of about ten messages append nearly as fast as a key for each message and read
# two to four times as fast; half of the entries bring a message.
PAGE_SIZE = 16

# Larger contents leave their page, so that each append rewrites little.
SPILL_BYTES = 4096


def page_of(sequence: int) -> int:
    """The page on which an event stands once it is full. Sequences count from 1, pages from 0."""
    return (sequence - 1) // PAGE_SIZE
