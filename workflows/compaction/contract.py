"""What CompactionWorkflow offers: to run once, and to wait for how it ended."""

from datetime import timedelta

from actors.conversation.contract import THREAD_NOT_FOUND
from actors.conversation.contract.compaction import CompactionPlan
from actors.conversation.contract.entry import Compaction
from chassis.message import Double, Message, Struct
from chassis.retries import LONG_RUNNING
from chassis.rpc import Component, Kind
from errors import Code, Reason
from services.completion.contract import COMPLETE_REASONS

EMPTY = Reason(
    "compaction.empty",
    Code.UPSTREAM_ERROR,
    "The model gave no summary. The thread is as it was; try again, or name another summaryModel.",
    terminal=False,
)
LOST = Reason(
    "compaction.lost",
    Code.DEADLINE_EXCEEDED,
    "The compaction did not end in time. The thread is as it was, unless `context.compacted` tells"
    " otherwise.",
)
SUPERSEDED = Reason(
    "compaction.superseded",
    Code.ABORTED,
    "The compaction came too late: another one has taken its place.",
)

COMPACTION_REASONS = (*COMPLETE_REASONS, EMPTY, LOST, SUPERSEDED, THREAD_NOT_FOUND)
"""How a compaction may fail."""

LONGEST_SECONDS = 900.0
"""The longest that anybody waits for a compaction."""


class RunRequest(Message):
    """Which thread, by its object key, and what of it is to be summarised."""

    conversation: str
    plan: CompactionPlan


class RunResponse(Message):
    """Kept for operators; the record is the thread's."""

    status: str = ""


class AbandonRequest(Message):
    """The thread is being deleted: whoever waits need not any more."""


class AbandonResponse(Message):
    """Taken, or it had ended."""


class OutcomeRequest(Message):
    """Wait for the end, so many seconds at most."""

    seconds: Double = LONGEST_SECONDS


class OutcomeResponse(Message):
    """What was recorded. Without the summary: answers are remembered for a day, and a deleted
    thread leaves no text."""

    compaction: Compaction


class Ended(Message):
    """The value of the promise: an answer, or the inner object of an error envelope."""

    answer: OutcomeResponse | None = None
    error: Struct | None = None


component = Component(
    name="CompactionWorkflow", kind=Kind.WORKFLOW, retries=LONG_RUNNING, key="compaction id"
)

run = component.rpc(
    "Run",
    RunRequest,
    RunResponse,
    # Nobody waits for the run itself: these are the failures that it hands on.
    errors=COMPACTION_REASONS,
    main=True,
    # A day, so that an operator can see what happened, and so that the promise outlasts whoever
    # waits for it. It holds the thread's text; deleting the thread erases it.
    journal_retention=timedelta(days=1),
    idempotency_retention=timedelta(days=1),
)
abandon = component.rpc("Abandon", AbandonRequest, AbandonResponse, shared=True)
outcome = component.rpc(
    "Outcome", OutcomeRequest, OutcomeResponse, errors=COMPACTION_REASONS, shared=True
)
