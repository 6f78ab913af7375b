"""From an accepted command to its run: at work, or behind others."""

from dataclasses import replace

from restate import ObjectContext

from actors.conversation import budgets, context, contract, interrupts
from actors.conversation.acceptance import Acceptance, Accepting
from actors.conversation.contract.run import Run, RunStatus
from actors.conversation.contract.thread import GenerationConfig, InterruptPolicy
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.merging import merged
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import Head, PendingRun


class Starting:
    """Lets runs begin. A handler asks in this order: `check_room`, `accept`, `launch`."""

    def __init__(
        self, settings: ConversationSettings, accepting: Accepting, lifecycle: Lifecycle
    ) -> None:
        self._settings = settings
        self._accepting = accepting
        self._lifecycle = lifecycle

    def check_room(self, head: Head, asked: InterruptPolicy) -> InterruptPolicy:
        """The policy that holds; raises thread.busy or thread.queue_full."""
        policy = interrupts.policy_of(head, asked)
        if head.active is not None and policy is InterruptPolicy.REJECT:
            raise contract.THREAD_BUSY.error()
        staying = len(head.queue) - len(interrupts.superseded(head, policy))
        if staying >= self._settings.queue_limit:
            raise contract.QUEUE_FULL.error()
        return policy

    async def accept(
        self,
        ctx: ObjectContext,
        head: Head,
        config: GenerationConfig | None,
        *,
        goes_on: bool = False,
    ) -> tuple[Run, Acceptance]:
        """The record of a run to come, with the command's config over the thread's over the
        platform's; raises budget.spent, MODEL_INVALID, config.beyond_model.

        goes_on: the run reads the newest messages of the thread, which are read meanwhile.
        """
        platform = GenerationConfig(model=self._settings.default_model)
        of_both = merged(GenerationConfig, head.generation_config, config)
        whole = merged(GenerationConfig, platform, of_both)
        wide, narrow = head.generation_config, config
        whole.budget = budgets.both(
            wide.budget if wide else None, narrow.budget if narrow else None
        )
        budgets.check(head, whole.budget)
        starts = head.active is None
        ahead = context.begin_reading(ctx, head, self._settings) if starts and goes_on else None
        accepted = await self._accepting.check(ctx, whole, start=starts)
        run = Run(
            run_id=accepted.run_id,
            status=RunStatus.QUEUED,
            created_at=accepted.at,
            generation_config=whole,
        )
        return run, replace(accepted, ahead=ahead)

    async def launch(
        self, ctx: ObjectContext, ledger: Ledger, pending: PendingRun, accepted: Acceptance
    ) -> None:
        """Start a run, or let it wait behind the active one."""
        pending.prompt_price = accepted.prompt_price
        pending.completion_price = accepted.completion_price
        pending.window = accepted.window
        if ledger.head.active is not None:
            await interrupts.make_way(ctx, ledger, self._lifecycle, pending.policy, accepted.at)
            ledger.head.queue.append(pending)
            return
        # With a place among the streams it starts here, which saves its workflow two questions;
        # without one its workflow waits for it.
        self._lifecycle.make_active(ctx, ledger, pending, accepted.at)
        work = None
        if accepted.admitted:
            pending.run.started_at = accepted.at
            work = await self._lifecycle.work(accepted.ahead or ctx, ledger, pending)
            self._lifecycle.start(ledger, pending, accepted.at)
        self._lifecycle.hand_over(ctx, pending, work)
