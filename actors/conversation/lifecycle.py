"""The states of a run, as the thread moves them: QUEUED, RUNNING, then settled once for all."""

from datetime import datetime, timedelta
from typing import Protocol

from restate import ObjectContext

from actors.conversation import approvals, budgets, compacting, context, turn
from actors.conversation.contract import check_run
from actors.conversation.contract.entry import (
    MESSAGE_COMPLETED,
    MESSAGE_ROLLED_BACK,
    RUN_CANCELLED,
    RUN_COMPLETED,
    RUN_FAILED,
    RUN_STARTED,
    ChatMessage,
    Role,
)
from actors.conversation.contract.run import (
    CheckRunRequest,
    FinishRunRequest,
    Run,
    RunStatus,
    Work,
)
from actors.conversation.ledger import Ledger
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import PendingRun
from chassis.calls import send
from chassis.state import ReadContext
from chassis.steps import new_id
from workflows.generation import contract as generation

_EVENT = {
    RunStatus.COMPLETED: RUN_COMPLETED,
    RunStatus.FAILED: RUN_FAILED,
    RunStatus.CANCELLED: RUN_CANCELLED,
}

# A little after the moment from which a run counts as lost, so that it does when we look.
_AFTER = timedelta(milliseconds=50)


class Hints(Protocol):
    """Tells readers that a conversation has news; a lost hint only makes them look later."""

    def events(self, conversation: str, up_to: int) -> None:
        """The conversation of this object key has events up to this sequence, or will at once."""
        ...


class Lifecycle:
    """Moves runs through their states. Every method changes the ledger; callers save it, then
    call `announce`."""

    def __init__(self, settings: ConversationSettings, hints: Hints) -> None:
        self._settings = settings
        self._hints = hints

    async def work(self, ctx: ReadContext, ledger: Ledger, pending: PendingRun) -> Work:
        """What the model is asked in this run."""
        head = ledger.head
        work = await context.work_of(ctx, head, pending, self._settings)
        work.answer_message_id = pending.answer_message_id
        work.deadline = pending.deadline
        work.started_at = pending.run.started_at
        work.generation_config = pending.run.generation_config
        work.spendable = budgets.spendable(head, pending)
        work.tools = turn.tools_of(head.settings)
        return work

    def make_active(
        self, ctx: ObjectContext, ledger: Ledger, pending: PendingRun, at: datetime
    ) -> None:
        """Make a run the active one; `hand_over` follows."""
        pending.run.status = RunStatus.RUNNING
        pending.deadline = at + self._settings.run_deadline
        pending.answer_message_id = new_id(ctx, "msg", at)
        ledger.head.active = pending
        if ledger.head.watchdog_at is None:
            self._watch(ctx, ledger, pending.deadline, at)

    def start(self, ledger: Ledger, pending: PendingRun, at: datetime) -> None:
        """The active run has its place among the streams."""
        pending.run.started_at = at
        pending.run.attempts = 1
        pending.first = ledger.append(
            RUN_STARTED, at, message_id=pending.answer_message_id, attempt=1, of=pending
        )

    def hand_over(self, ctx: ObjectContext, pending: PendingRun, work: Work | None) -> None:
        """Give the active run to its workflow, which asks for the work where it gets none."""
        request = generation.RunRequest(conversation=ctx.key(), work=work)
        send(ctx, generation.run, request, key=pending.run.run_id)

    def stop(
        self, ctx: ObjectContext, pending: PendingRun, reason: str, *, watched: bool = True
    ) -> None:
        """Ask the workflow of the active run to end; the watchdog settles it if that is silent,
        unless the thread will not be there any more."""
        if pending.run.cancel_requested:
            return
        pending.run.cancel_requested = True
        stop = generation.StopRequest(reason=reason)
        send(ctx, generation.stop, stop, key=pending.run.run_id)
        if watched:
            self._watch_cancel(ctx, pending.run.run_id)

    async def settle(
        self,
        ctx: ObjectContext,
        ledger: Ledger,
        pending: PendingRun,
        report: FinishRunRequest,
        at: datetime,
    ) -> Run:
        """End a run: its answer, its last event, its record, then the next of the queue."""
        head, run = ledger.head, pending.run
        answered = 0
        if report.text:
            run.answer_message_id = pending.answer_message_id
            answered = self._append_answer(ledger, pending, report, at)
        ledger.append(
            _EVENT[report.status],
            at,
            attempt=report.attempt,
            error=report.error,
            reason=report.reason,
            of=pending,
        )
        approvals.cancel_all(ctx, pending, at)
        settled = _settled(run, report, at)
        if pending.roll_back:
            settled.rolled_back = True
            await _roll_back(ledger, pending, at)
        await ledger.extend(pending.piece)
        ledger.keep(settled)
        usage = report.usage
        head.totals = turn.added(
            head.totals,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            report.cost_usd,
        )
        if head.active is pending:
            head.active = None
            if head.queue:
                following = head.queue.pop(0)
                self.make_active(ctx, ledger, following, at)
                self.hand_over(ctx, following, None)
        compacting.measure(head, pending, report, answered)
        if compacting.due(head, pending, report, at):
            await compacting.start_automatic(ctx, ledger, pending, self._settings, at)
        return settled

    def watch_again(self, ctx: ObjectContext, ledger: Ledger, at: datetime) -> None:
        """Keep one reminder outstanding while a run is active, none otherwise."""
        active = ledger.head.active
        ledger.head.watchdog_at = None
        if active is not None and active.deadline is not None:
            self._watch(ctx, ledger, active.deadline, at)

    def announce(self, ctx: ObjectContext, ledger: Ledger) -> None:
        """Tell readers; after `save`, because they will look."""
        self._hints.events(ctx.key(), ledger.head.last_sequence)

    def lost(self, pending: PendingRun, at: datetime) -> bool:
        """Whether the active run is past its deadline and the grace after it."""
        return pending.deadline is not None and at >= pending.deadline + self._settings.lost_grace

    def _append_answer(
        self, ledger: Ledger, pending: PendingRun, report: FinishRunRequest, at: datetime
    ) -> int:
        return ledger.append(
            MESSAGE_COMPLETED,
            at,
            message_id=pending.answer_message_id,
            attempt=report.attempt,
            of=pending,
            message=ChatMessage(
                role=Role.assistant,
                content=report.text,
                model=report.model,
                finish_reason=report.finish_reason,
                partial=report.status != RunStatus.COMPLETED,
            ),
        )

    def _watch(self, ctx: ObjectContext, ledger: Ledger, deadline: datetime, at: datetime) -> None:
        due = deadline + self._settings.lost_grace
        ledger.head.watchdog_at = due
        delay = max(due - at, timedelta(0)) + _AFTER
        send(ctx, check_run, CheckRunRequest(), key=ctx.key(), delay=delay)

    def _watch_cancel(self, ctx: ObjectContext, run_id: str) -> None:
        send(
            ctx,
            check_run,
            CheckRunRequest(cancelled_run_id=run_id),
            key=ctx.key(),
            delay=self._settings.cancel_grace,
        )


async def _roll_back(ledger: Ledger, pending: PendingRun, at: datetime) -> None:
    for message_id in await ledger.void(pending):
        ledger.append(MESSAGE_ROLLED_BACK, at, message_id=message_id, of=pending)


def _settled(run: Run, report: FinishRunRequest, at: datetime) -> Run:
    return run.model_copy(
        update={
            "status": report.status,
            "finished_at": at,
            "attempts": max(run.attempts, report.attempt),
            "model": report.model,
            "provider": report.provider,
            "finish_reason": report.finish_reason,
            "generation_id": report.generation_id,
            "usage": report.usage,
            "cost_usd": report.cost_usd,
            "time_to_first_token_ms": report.time_to_first_token_ms,
            "error": report.error,
            "fallbacks": report.fallbacks,
        }
    )
