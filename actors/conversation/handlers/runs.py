"""What clients do with runs: send a message, cancel a run."""

from restate import ObjectContext

from actors.conversation import activity, contract, saying
from actors.conversation.contract.run import (
    CancelRunRequest,
    FinishRunRequest,
    Run,
    RunStatus,
    SendMessageRequest,
    SendMessageResponse,
)
from actors.conversation.ledger import Ledger, run_record
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.naming import branch_id
from actors.conversation.starting import Starting
from chassis.serve import implements
from chassis.steps import now


class Runs:
    """Starting and stopping runs on behalf of clients."""

    def __init__(self, starting: Starting, lifecycle: Lifecycle) -> None:
        self._starting = starting
        self._lifecycle = lifecycle

    @implements(contract.send_message)
    async def send_message(
        self, ctx: ObjectContext, request: SendMessageRequest
    ) -> SendMessageResponse:
        """Append a message and start, or queue, the run that answers it."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        repeated = await saying.repeated(ctx, head, request)
        if repeated is not None:
            return _accepted(*repeated)
        policy = self._starting.check_room(head, request.interrupt_policy)
        run, accepted = await self._starting.accept(
            ctx, head, request.generation_config, goes_on=True
        )

        run.branch_id = branch_id(head.piece.branch)
        pending = saying.say(ctx, ledger, run, request, policy, accepted.at)
        await self._starting.launch(ctx, ledger, pending, accepted)
        saying.remember(ctx, ledger, run, request)
        activity.tell(ctx, head, accepted.at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return _accepted(run, head.last_sequence)

    @implements(contract.cancel_run)
    async def cancel_run(self, ctx: ObjectContext, request: CancelRunRequest) -> Run:
        """Stop a run: at once when it is queued, by its workflow when it is active."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        reason = request.reason or "cancelled by the user"
        waiting = next((p for p in head.queue if p.run.run_id == request.run_id), None)
        if waiting is not None:
            at = await now(ctx)
            head.queue.remove(waiting)
            waiting.run.cancel_requested = True
            report = FinishRunRequest(
                run_id=request.run_id, status=RunStatus.CANCELLED, reason=reason
            )
            run = await self._lifecycle.settle(ctx, ledger, waiting, report, at)
            ledger.save()
            self._lifecycle.announce(ctx, ledger)
            return run
        active = ledger.active(request.run_id)
        if active is None:
            settled = await run_record(ctx, head, request.run_id)
            if settled is None:
                raise contract.RUN_NOT_FOUND.error()
            return settled
        self._lifecycle.stop(ctx, active, reason)
        ledger.save()
        return active.run


def _accepted(run: Run, last_sequence: int) -> SendMessageResponse:
    return SendMessageResponse(
        run_id=run.run_id,
        status=run.status,
        message_id=run.message_id,
        last_sequence=last_sequence,
    )
