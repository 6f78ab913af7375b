"""The states of a run, as the thread moves them: QUEUED, RUNNING, then settled once for all."""

from datetime import datetime, timedelta
from typing import Protocol

from restate import ObjectContext

from actors.conversation import turn
from actors.conversation.contract import check_run
from actors.conversation.contract.entry import (
    MESSAGE_COMPLETED,
    RUN_CANCELLED,
    RUN_COMPLETED,
    RUN_FAILED,
    ChatMessage,
    Role,
)
from actors.conversation.contract.run import (
    CheckRunRequest,
    FinishRunRequest,
    Run,
    RunStatus,
)
from actors.conversation.ledger import Ledger
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import PendingRun
from chassis.calls import send
from chassis.steps import new_id
from workflows.generation import contract as generation

SETTLED = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})

_EVENT = {
    RunStatus.COMPLETED: RUN_COMPLETED,
    RunStatus.FAILED: RUN_FAILED,
    RunStatus.CANCELLED: RUN_CANCELLED,
}


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

    def activate(self, ctx: ObjectContext, ledger: Ledger, run: PendingRun, at: datetime) -> None:
        """Make a run the active one and give it to its workflow."""
        head = ledger.head
        run.deadline = at + self._settings.run_deadline
        run.answer_message_id = new_id(ctx, "msg", at)
        head.active = run
        send(ctx, generation.run, generation.RunRequest(conversation=ctx.key()), key=run.run_id)
        if head.watchdog_at is None:
            self._watch(ctx, ledger, run.deadline, at)

    def settle(
        self, ctx: ObjectContext, ledger: Ledger, run: Run, pending: PendingRun,
        report: FinishRunRequest, at: datetime,
    ) -> None:  # fmt: skip
        """End a run: its answer, its last event, its record, then the next of the queue."""
        head = ledger.head
        if report.text:
            run.answer_message_id = pending.answer_message_id
            ledger.append(
                MESSAGE_COMPLETED,
                at,
                run_id=run.run_id,
                message_id=pending.answer_message_id,
                attempt=report.attempt,
                turn=pending.turn,
                message=ChatMessage(
                    role=Role.assistant,
                    content=report.text,
                    model=report.model,
                    finish_reason=report.finish_reason,
                    partial=report.status != RunStatus.COMPLETED,
                ),
            )
        ledger.append(
            _EVENT[report.status],
            at,
            run_id=run.run_id,
            attempt=report.attempt,
            turn=pending.turn,
            error=report.error,
            reason=report.reason,
        )
        ledger.keep(_settled(run, report, at))
        usage = report.usage
        head.totals = turn.added(
            head.totals,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            report.cost_usd,
        )
        if head.active is not None and head.active.run_id == run.run_id:
            head.active = None
            self._start_next(ctx, ledger, at)

    def watch_cancel(self, ctx: ObjectContext, run_id: str) -> None:
        """Settle a cancel that the workflow does not answer."""
        send(
            ctx,
            check_run,
            CheckRunRequest(cancelled_run_id=run_id),
            key=ctx.key(),
            delay=self._settings.cancel_grace,
        )

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

    def _start_next(self, ctx: ObjectContext, ledger: Ledger, at: datetime) -> None:
        if ledger.head.queue:
            following = ledger.head.queue.pop(0)
            self.activate(ctx, ledger, following, at)

    def _watch(self, ctx: ObjectContext, ledger: Ledger, deadline: datetime, at: datetime) -> None:
        due = deadline + self._settings.lost_grace
        ledger.head.watchdog_at = due
        # A little after, so that the run is lost when the reminder comes.
        delay = max(due - at, timedelta(0)) + _AFTER
        send(ctx, check_run, CheckRunRequest(), key=ctx.key(), delay=delay)


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
        }
    )
