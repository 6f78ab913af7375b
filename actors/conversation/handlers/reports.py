"""What the workflow of a run asks and reports, and what the watchdog does when it is silent.

Every report names run and attempt; one of a settled run or of an older attempt changes nothing,
because a workflow that was thought dead may still speak.
"""

from restate import ObjectContext

from actors.conversation import contract, log, turn
from actors.conversation.contract.entry import RUN_RETRYING, RUN_STARTED
from actors.conversation.contract.run import (
    BeginRunRequest,
    BeginRunResponse,
    CheckRunRequest,
    Done,
    FinishRunRequest,
    RetryingRequest,
    RunStatus,
)
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import SETTLED, Lifecycle
from actors.conversation.settings import ConversationSettings
from chassis.serve import implements
from chassis.steps import now
from errors import wire


class Reports:
    """Moves runs on behalf of their workflows."""

    def __init__(self, settings: ConversationSettings, lifecycle: Lifecycle) -> None:
        self._settings = settings
        self._lifecycle = lifecycle

    @implements(contract.begin_run)
    async def begin_run(self, ctx: ObjectContext, request: BeginRunRequest) -> BeginRunResponse:
        """Hand out a run's context and tell readers that it started."""
        ledger = await Ledger.open(ctx)
        active = ledger.head.active
        run = await ledger.run(request.run_id)
        if active is None or active.run_id != request.run_id or run is None:
            return BeginRunResponse()
        if run.cancel_requested:
            report = FinishRunRequest(
                run_id=run.run_id, status=RunStatus.CANCELLED, reason="cancelled"
            )
            self._lifecycle.settle(ctx, ledger, run, active, report, request.at)
            ledger.save()
            self._lifecycle.announce(ctx, ledger)
            return BeginRunResponse()
        settings = ledger.head.settings
        keep_last = (settings.keep_last if settings else 0) or self._settings.keep_last
        entries = await log.newest_first(
            ctx,
            ledger.head.last_sequence + 1,
            keep_last,
            lambda entry: turn.belongs_to_context(entry, active.turn),
        )
        active.attempt = 1
        run.started_at = request.at
        run.attempts = 1
        ledger.append(
            RUN_STARTED,
            request.at,
            run_id=run.run_id,
            message_id=active.answer_message_id,
            attempt=1,
            turn=active.turn,
        )
        ledger.keep(run)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return BeginRunResponse(
            wanted=True,
            answer_message_id=active.answer_message_id,
            deadline=active.deadline,
            generation_config=run.generation_config,
            context=turn.context_of(entries, settings.system_prompt if settings else ""),
        )

    @implements(contract.report_retrying)
    async def report_retrying(self, ctx: ObjectContext, request: RetryingRequest) -> Done:
        """Tell readers that the text of the attempt before is void."""
        ledger = await Ledger.open(ctx)
        active = ledger.head.active
        run = await ledger.run(request.run_id)
        if active is None or active.run_id != request.run_id or run is None:
            return Done()
        if request.attempt <= active.attempt:
            return Done()
        active.attempt = request.attempt
        run.attempts = request.attempt
        ledger.append(
            RUN_RETRYING,
            request.at,
            run_id=run.run_id,
            message_id=active.answer_message_id,
            attempt=request.attempt,
            turn=active.turn,
            error=request.error,
        )
        ledger.keep(run)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return Done()

    @implements(contract.finish_run)
    async def finish_run(self, ctx: ObjectContext, request: FinishRunRequest) -> Done:
        """Settle a run as its workflow reports, and start the next of the queue."""
        ledger = await Ledger.open(ctx)
        active = ledger.head.active
        run = await ledger.run(request.run_id)
        if active is None or active.run_id != request.run_id or run is None:
            return Done()
        if request.attempt < active.attempt or run.status in SETTLED:
            return Done()
        at = request.at or await now(ctx)
        self._lifecycle.settle(ctx, ledger, run, active, request, at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return Done()

    @implements(contract.check_run)
    async def check_run(self, ctx: ObjectContext, request: CheckRunRequest) -> Done:
        """Settle what nobody answers for: a cancel without an echo, a run past its deadline."""
        ledger = await Ledger.open(ctx)
        at = await now(ctx)
        active = ledger.head.active
        report = None
        if request.cancelled_run_id:
            if active is not None and active.run_id == request.cancelled_run_id:
                report = FinishRunRequest(
                    run_id=active.run_id, status=RunStatus.CANCELLED, reason="cancelled"
                )
        elif active is not None and self._lifecycle.lost(active, at):
            envelope = wire.to_envelope(contract.RUN_LOST.error())
            report = FinishRunRequest(
                run_id=active.run_id, status=RunStatus.FAILED, error=envelope["error"]
            )
        if report is not None and active is not None:
            run = await ledger.run(active.run_id)
            assert run is not None, "a run that is active has a record"
            report.attempt = active.attempt
            self._lifecycle.settle(ctx, ledger, run, active, report, at)
        if not request.cancelled_run_id:
            self._lifecycle.watch_again(ctx, ledger, at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return Done()
