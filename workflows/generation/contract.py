"""What GenerationWorkflow offers: run once, stop, and the partial answer so far."""

from datetime import timedelta

from pydantic import Field

from actors.conversation.contract import BUDGET_SPENT, CONTEXT_TOO_LONG
from actors.conversation.contract.run import Work
from chassis.message import Message, Struct, UInt32
from chassis.retries import LONG_RUNNING
from chassis.rpc import Component, Kind
from errors import Code, Reason
from services.openrouter.contract import CALL_REASONS, FORMAT_INVALID


class RunRequest(Message):
    """Which thread the run belongs to, by its object key, and its work.

    work: left out where the run has no place among the streams yet; it waits for one, then asks.
    """

    conversation: str
    work: Work | None = None


class RunResponse(Message):
    """Kept for operators; the run's record is the thread's."""

    status: str = ""


class StopRequest(Message):
    """Why the run is stopped; the first reason counts."""

    reason: str = Field(default="", max_length=200)


class StopResponse(Message):
    """Taken, or the run was stopped already."""


class ResolveApprovalRequest(Message):
    """What the thread decided about a call of a tool that waits.

    expired: nobody decided in time, and the default holds.
    arguments: those to call it with, where they are others than the model's.
    """

    approval_id: str
    approved: bool = False
    expired: bool = False
    reason: str = ""
    arguments: Struct | None = None


class ResolveApprovalResponse(Message):
    """Taken, or it was taken before."""


class PartialRequest(Message):
    """The answer so far."""


class PartialResponse(Message):
    """Durable text of the current attempt; `offset` is its length in code points."""

    run_id: str = ""
    message_id: str = ""
    attempt: UInt32 = 0
    offset: UInt32 = 0
    text: str = ""


TOOL_ROUNDS_SPENT = Reason(
    "run.tool_rounds_spent",
    Code.FAILED_PRECONDITION,
    "The model asked for tools more often than the thread allows in one run.",
)

# A reasoning model may be silent for minutes; the line on which a stop arrives stays open.
LONGEST_STEP = timedelta(minutes=30)

component = Component(
    name="GenerationWorkflow",
    kind=Kind.WORKFLOW,
    retries=LONG_RUNNING,
    key="run id",
    sends=(),
    longest_step=LONGEST_STEP,
)

run = component.rpc(
    "Run",
    RunRequest,
    RunResponse,
    # Nobody waits for a run: these are the failures that its record may tell.
    errors=(*CALL_REASONS, BUDGET_SPENT, FORMAT_INVALID, TOOL_ROUNDS_SPENT, CONTEXT_TOO_LONG),
    main=True,
    # A day, so that an operator can see what a run did; it holds the thread's text.
    journal_retention=timedelta(days=1),
    idempotency_retention=timedelta(days=1),
)
stop = component.rpc("Stop", StopRequest, StopResponse, shared=True)
partial = component.rpc("Partial", PartialRequest, PartialResponse, shared=True, edge_callable=True)
resolve_approval = component.rpc(
    "ResolveApproval", ResolveApprovalRequest, ResolveApprovalResponse, shared=True
)
