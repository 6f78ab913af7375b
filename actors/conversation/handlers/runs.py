"""What clients do with runs: send a message, cancel a run."""

import hashlib
from datetime import datetime

from restate import ObjectContext

from actors.conversation import contract, turn
from actors.conversation.acceptance import Acceptance
from actors.conversation.contract.entry import MESSAGE_CREATED, ChatMessage
from actors.conversation.contract.run import (
    CancelRunRequest,
    FinishRunRequest,
    Run,
    RunStatus,
    SendMessageRequest,
    SendMessageResponse,
)
from actors.conversation.contract.thread import GenerationConfig
from actors.conversation.ledger import Ledger
from actors.conversation.lifecycle import SETTLED, Lifecycle
from actors.conversation.settings import ConversationSettings
from actors.conversation.state import SENT, PendingRun, Sent
from actors.conversation_manager import contract as manager
from chassis.calls import send
from chassis.identity import key_segments, object_key
from chassis.serve import implements
from chassis.steps import new_id, now
from workflows.generation import contract as generation


class Runs:
    """Starting and stopping runs on behalf of clients."""

    def __init__(
        self, settings: ConversationSettings, acceptance: Acceptance, lifecycle: Lifecycle
    ) -> None:
        self._settings = settings
        self._acceptance = acceptance
        self._lifecycle = lifecycle

    @implements(contract.send_message)
    async def send_message(
        self, ctx: ObjectContext, request: SendMessageRequest
    ) -> SendMessageResponse:
        """Append a message and start, or queue, the run that answers it."""
        ledger = await Ledger.open(ctx)
        head = ledger.head
        repeated = await self._repeated(ctx, ledger, request)
        if repeated is not None:
            return repeated
        if len(head.queue) >= self._settings.queue_limit:
            raise contract.QUEUE_FULL.error()
        config = self._config(head.generation_config, request.generation_config)
        at = await self._acceptance.check(ctx, config)

        run = Run(
            run_id=new_id(ctx, "run", at),
            message_id=new_id(ctx, "msg", at),
            status=RunStatus.QUEUED if head.active else RunStatus.RUNNING,
            created_at=at,
            generation_config=config,
        )
        said = request.user_message
        sequence = ledger.append(
            MESSAGE_CREATED,
            at,
            run_id=run.run_id,
            message_id=run.message_id,
            message=ChatMessage(
                role=said.role,
                content=said.content,
                parts=said.parts,
                client_message_id=request.client_message_id,
            ),
        )
        pending = PendingRun(run_id=run.run_id, message_id=run.message_id, turn=sequence)
        if head.active:
            head.queue.append(pending)
        else:
            self._lifecycle.activate(ctx, ledger, pending, at)
        if request.client_message_id:
            sent = Sent(run_id=run.run_id, message_id=run.message_id, digest=_digest(request))
            SENT.of(request.client_message_id).set(ctx, sent)
        ledger.keep(run)
        ledger.save()
        _touch(ctx, at)
        self._lifecycle.announce(ctx, ledger)
        return SendMessageResponse(run_id=run.run_id, status=run.status, message_id=run.message_id)

    @implements(contract.cancel_run)
    async def cancel_run(self, ctx: ObjectContext, request: CancelRunRequest) -> Run:
        """Stop a run: at once when it is queued, by its workflow when it is active."""
        ledger = await Ledger.open(ctx)
        run = await ledger.run(request.run_id)
        if run is None:
            raise contract.RUN_NOT_FOUND.error()
        if run.status in SETTLED or run.cancel_requested:
            return run
        reason = request.reason or "cancelled by the user"
        waiting = next((p for p in ledger.head.queue if p.run_id == run.run_id), None)
        if waiting is not None:
            at = await now(ctx)
            ledger.head.queue.remove(waiting)
            report = FinishRunRequest(run_id=run.run_id, status=RunStatus.CANCELLED, reason=reason)
            run.cancel_requested = True
            self._lifecycle.settle(ctx, ledger, run, waiting, report, at)
            ledger.save()
            self._lifecycle.announce(ctx, ledger)
            return await ledger.run(run.run_id) or run
        run.cancel_requested = True
        ledger.keep(run)
        stop = generation.StopRequest(reason=reason)
        send(ctx, generation.stop, stop, key=run.run_id)
        self._lifecycle.watch_cancel(ctx, run.run_id)
        return run

    def _config(
        self, of_thread: GenerationConfig | None, of_message: GenerationConfig | None
    ) -> GenerationConfig:
        """The message's config over the thread's over the platform's."""
        platform = GenerationConfig(model=self._settings.default_model)
        return turn.merged(turn.merged(platform, of_thread), of_message)

    async def _repeated(
        self, ctx: ObjectContext, ledger: Ledger, request: SendMessageRequest
    ) -> SendMessageResponse | None:
        """The answer that this client_message_id got before."""
        if not request.client_message_id:
            return None
        sent = await SENT.of(request.client_message_id).get(ctx)
        if sent is None:
            return None
        if sent.digest != _digest(request):
            raise contract.MESSAGE_ID_REUSED.error()
        run = await ledger.run(sent.run_id)
        assert run is not None, "a run that was accepted has a record"
        return SendMessageResponse(
            run_id=sent.run_id, status=run.status, message_id=sent.message_id
        )


def _touch(ctx: ObjectContext, at: datetime) -> None:
    """Move the thread to the front of its user's list."""
    tenant, user, conversation_key = key_segments(ctx.key())
    touch = manager.TouchRequest(conversation_key=conversation_key, at=at)
    send(ctx, manager.touch, touch, key=object_key(tenant, user))


def _digest(request: SendMessageRequest) -> str:
    return hashlib.blake2b(request.to_json(), digest_size=16).hexdigest()
