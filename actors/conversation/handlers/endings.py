"""Deleting a thread: first nobody comes in any more, later its state goes.

In between, what Restate keeps of it elsewhere is erased. A deletion that stopped halfway leaves a
closed thread, which a repeat finds and finishes.
"""

from restate import ObjectContext

from actors.conversation import contract
from actors.conversation.contract.ending import (
    CloseRequest,
    CloseResponse,
    EraseRequest,
    EraseResponse,
)
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.state import HEAD, MESSAGE, RUN, Closed
from chassis.calls import send
from chassis.serve import implements
from workflows.compaction import contract as compaction
from workflows.compaction.contract import AbandonRequest


class Endings:
    """The end of a thread."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    @implements(contract.close)
    async def close(self, ctx: ObjectContext, request: CloseRequest) -> CloseResponse:
        """Stop the active run and let nobody in; a closed thread stays closed."""
        head = await HEAD.get(ctx)
        if head is None:
            raise contract.THREAD_NOT_FOUND.error()
        if head.closed is None:
            active = [head.active] if head.active is not None else []
            runs = [pending.run.run_id for pending in [*active, *head.queue]]
            head.closed = Closed(stopped_run_ids=runs)
            ledger = Ledger(ctx, head)
            ledger.save()
            for pending in active:
                self._lifecycle.stop(ctx, pending, "the thread was deleted", watched=False)
            if head.compacting is not None:
                send(ctx, compaction.abandon, AbandonRequest(), key=head.compacting.compaction_id)
            self._lifecycle.announce(ctx, ledger)
        return CloseResponse(stopped_run_ids=head.closed.stopped_run_ids)

    @implements(contract.erase)
    async def erase(self, ctx: ObjectContext, request: EraseRequest) -> EraseResponse:
        """Forget everything about a closed thread; one that is open stays."""
        head = await HEAD.get(ctx)
        if head is None or head.closed is None:
            raise contract.THREAD_NOT_FOUND.error()
        keys = await ctx.state_keys()
        ctx.clear_all()
        return EraseResponse(
            messages=sum(key.startswith(f"{MESSAGE.name}:") for key in keys),
            runs=sum(key.startswith(f"{RUN.name}:") for key in keys)
            + len(head.closed.stopped_run_ids),
            events=head.last_sequence,
        )
