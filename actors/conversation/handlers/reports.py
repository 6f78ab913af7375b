"""What the workflow of a run asks and reports, and what the watchdog does when it is silent.

Every report names run and attempt; one of a settled run or of an older attempt changes nothing,
because a workflow that was thought dead may still speak.
"""

from restate import ObjectContext

from actors.conversation import contract
from actors.conversation.contract.entry import RUN_RETRYING
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
from actors.conversation.lifecycle import Lifecycle
from chassis.serve import implements
from chassis.steps import now
from errors import wire


class Reports:
    """Moves runs on behalf of their workflows."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    @implements(contract.begin_run)
    async def begin_run(self, ctx: ObjectContext, request: BeginRunRequest) -> BeginRunResponse:
        """Hand out a run's work and tell readers that it started."""
        ledger = await Ledger.open(ctx)
        active = ledger.active(request.run_id)
        if active is None:
            return BeginRunResponse()
        if active.run.cancel_requested:
            report = FinishRunRequest(
                run_id=request.run_id, status=RunStatus.CANCELLED, reason="cancelled"
            )
            await self._lifecycle.settle(ctx, ledger, active, report, request.at)
            ledger.save()
            self._lifecycle.announce(ctx, ledger)
            return BeginRunResponse()
        active.run.started_at = request.at
        work = await self._lifecycle.work(ctx, ledger, active)
        self._lifecycle.start(ledger, active, request.at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return BeginRunResponse(work=work)

    @implements(contract.report_retrying)
    async def report_retrying(self, ctx: ObjectContext, request: RetryingRequest) -> Done:
        """Tell readers that the text of the attempt before is void."""
        ledger = await Ledger.open(ctx)
        active = ledger.active(request.run_id)
        if active is None or request.attempt <= active.run.attempts:
            return Done()
        active.run.attempts = request.attempt
        ledger.append(
            RUN_RETRYING,
            request.at,
            message_id=active.answer_message_id,
            attempt=request.attempt,
            error=request.error,
            of=active,
        )
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return Done()

    @implements(contract.finish_run)
    async def finish_run(self, ctx: ObjectContext, request: FinishRunRequest) -> Done:
        """Settle a run as its workflow reports, and start the next of the queue."""
        ledger = await Ledger.open(ctx)
        active = ledger.active(request.run_id)
        if active is None or 0 < request.attempt < active.run.attempts:
            return Done()
        at = request.at or await now(ctx)
        await self._lifecycle.settle(ctx, ledger, active, request, at)
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
        if active is not None and request.cancelled_run_id == active.run.run_id:
            report = FinishRunRequest(
                run_id=active.run.run_id, status=RunStatus.CANCELLED, reason="cancelled"
            )
        elif active is not None and not request.cancelled_run_id:
            report = self._lost(active.run.run_id) if self._lifecycle.lost(active, at) else None
        if report is not None and active is not None:
            report.attempt = active.run.attempts
            await self._lifecycle.settle(ctx, ledger, active, report, at)
        if not request.cancelled_run_id:
            self._lifecycle.watch_again(ctx, ledger, at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return Done()

    def _lost(self, run_id: str) -> FinishRunRequest:
        envelope = wire.to_envelope(contract.RUN_LOST.error())
        return FinishRunRequest(run_id=run_id, status=RunStatus.FAILED, error=envelope["error"])
