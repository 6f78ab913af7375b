"""What clients do with runs: send a message, cancel a run."""

import hashlib

from restate import ObjectContext

from actors.conversation import activity, contract, interrupts
from actors.conversation.acceptance import Acceptance, Accepting
from actors.conversation.contract.entry import MESSAGE_CREATED, ChatMessage
from actors.conversation.contract.run import (
    CancelRunRequest,
    FinishRunRequest,
    Run,
    RunStatus,
    SendMessageRequest,
    SendMessageResponse,
)
from actors.conversation.contract.thread import GenerationConfig, InterruptPolicy
from actors.conversation.ledger import Ledger, run_record
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.merging import merged
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import SENT, Head, PendingRun, Sent
from chassis.serve import implements
from chassis.steps import new_id, now


class Runs:
    """Starting and stopping runs on behalf of clients."""

    def __init__(
        self, settings: ConversationSettings, accepting: Accepting, lifecycle: Lifecycle
    ) -> None:
        self._settings = settings
        self._accepting = accepting
        self._lifecycle = lifecycle

    @implements(contract.send_message)
    async def send_message(
        self, ctx: ObjectContext, request: SendMessageRequest
    ) -> SendMessageResponse:
        """Append a message and start, or queue, the run that answers it."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        repeated = await self._repeated(ctx, head, request)
        if repeated is not None:
            return repeated
        policy = interrupts.policy_of(head, request.interrupt_policy)
        self._check_room(head, policy)
        config = self._config(head.generation_config, request.generation_config)
        accepted = await self._accepting.check(ctx, config, start=head.active is None)

        pending = self._append(ctx, ledger, request, config, accepted)
        pending.policy = policy
        run = pending.run
        if head.active is not None:
            await interrupts.make_way(ctx, ledger, self._lifecycle, policy, accepted.at)
            head.queue.append(pending)
        else:
            await self._start(ctx, ledger, pending, accepted)
        if request.client_message_id:
            sent = Sent(run_id=run.run_id, message_id=run.message_id, digest=_digest(request))
            SENT.of(request.client_message_id).set(ctx, sent)
        activity.tell(ctx, head, accepted.at)
        ledger.save()
        self._lifecycle.announce(ctx, ledger)
        return SendMessageResponse(run_id=run.run_id, status=run.status, message_id=run.message_id)

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

    def _check_room(self, head: Head, policy: InterruptPolicy) -> None:
        if head.active is not None and policy is InterruptPolicy.REJECT:
            raise contract.THREAD_BUSY.error()
        staying = len(head.queue) - len(interrupts.superseded(head, policy))
        if staying >= self._settings.queue_limit:
            raise contract.QUEUE_FULL.error()

    def _append(
        self,
        ctx: ObjectContext,
        ledger: Ledger,
        request: SendMessageRequest,
        config: GenerationConfig,
        accepted: Acceptance,
    ) -> PendingRun:
        said = request.user_message
        run = Run(
            run_id=accepted.run_id,
            message_id=new_id(ctx, "msg", accepted.at),
            status=RunStatus.QUEUED,
            created_at=accepted.at,
            generation_config=config,
        )
        sequence = ledger.append(
            MESSAGE_CREATED,
            accepted.at,
            run_id=run.run_id,
            message_id=run.message_id,
            message=ChatMessage(
                role=said.role,
                content=said.content,
                parts=said.parts,
                client_message_id=request.client_message_id,
            ),
        )
        return PendingRun(run=run, turn=sequence)

    async def _start(
        self, ctx: ObjectContext, ledger: Ledger, pending: PendingRun, accepted: Acceptance
    ) -> None:
        """Start a run that waits for no other. With a place among the streams it starts here,
        which saves its workflow two questions; without one its workflow waits for it."""
        self._lifecycle.make_active(ctx, ledger, pending, accepted.at)
        work = None
        if accepted.admitted:
            pending.run.started_at = accepted.at
            work = await self._lifecycle.work(ctx, ledger, pending)
            self._lifecycle.start(ledger, pending, accepted.at)
        self._lifecycle.hand_over(ctx, pending, work)

    def _config(
        self, of_thread: GenerationConfig | None, of_message: GenerationConfig | None
    ) -> GenerationConfig:
        """The message's config over the thread's over the platform's."""
        platform = GenerationConfig(model=self._settings.default_model)
        of_both = merged(GenerationConfig, of_thread, of_message)
        return merged(GenerationConfig, platform, of_both)

    async def _repeated(
        self, ctx: ObjectContext, head: Head, request: SendMessageRequest
    ) -> SendMessageResponse | None:
        """The answer that this client_message_id got before."""
        if not request.client_message_id:
            return None
        sent = await SENT.of(request.client_message_id).get(ctx)
        if sent is None:
            return None
        if sent.digest != _digest(request):
            raise contract.MESSAGE_ID_REUSED.error()
        run = await run_record(ctx, head, sent.run_id)
        assert run is not None, "a run that was accepted has a record"
        return SendMessageResponse(
            run_id=sent.run_id, status=run.status, message_id=sent.message_id
        )


def _digest(request: SendMessageRequest) -> str:
    return hashlib.blake2b(request.to_json(), digest_size=16).hexdigest()
