"""What a message does to the runs before it: wait for them, be refused, or end them.

INTERRUPT and ROLLBACK end the active run, and of the waiting ones those that came with such a
policy too: they would have been ended had they started a moment sooner, so what is answered does
not depend on how long a stop takes. Messages that came to wait keep their place and their answer.
"""

from datetime import datetime

from restate import ObjectContext

from actors.conversation.contract.run import FinishRunRequest, RunStatus
from actors.conversation.contract.thread import InterruptPolicy
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.state import Head, PendingRun

_UNSPECIFIED = InterruptPolicy.INTERRUPT_POLICY_UNSPECIFIED
_ENDING = (InterruptPolicy.INTERRUPT, InterruptPolicy.ROLLBACK)
_REASON = {
    InterruptPolicy.INTERRUPT: "interrupted by a newer message",
    InterruptPolicy.ROLLBACK: "rolled back for a newer message",
}


def policy_of(head: Head, asked: InterruptPolicy) -> InterruptPolicy:
    """The message's policy over the thread's over QUEUE."""
    of_thread = head.settings.interrupt_policy if head.settings else _UNSPECIFIED
    return next((p for p in (asked, of_thread) if p is not _UNSPECIFIED), InterruptPolicy.QUEUE)


def superseded(head: Head, policy: InterruptPolicy) -> list[PendingRun]:
    """The waiting runs that a message with this policy ends."""
    return [p for p in head.queue if p.policy in _ENDING] if policy in _ENDING else []


async def make_way(
    ctx: ObjectContext,
    ledger: Ledger,
    lifecycle: Lifecycle,
    policy: InterruptPolicy,
    at: datetime,
) -> None:
    """End what a message with this policy ends; before it joins the queue itself."""
    if policy not in _ENDING:
        return
    roll_back, reason = policy is InterruptPolicy.ROLLBACK, _REASON[policy]
    for waiting in superseded(ledger.head, policy):
        ledger.head.queue.remove(waiting)
        waiting.roll_back = roll_back
        waiting.run.cancel_requested = True
        report = FinishRunRequest(
            run_id=waiting.run.run_id, status=RunStatus.CANCELLED, reason=reason
        )
        await lifecycle.settle(ctx, ledger, waiting, report, at)
    active = ledger.head.active
    if active is not None:
        active.roll_back = active.roll_back or roll_back
        lifecycle.stop(ctx, active, reason)
