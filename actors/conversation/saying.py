"""A user's message: where it is appended, and how a repeat of it is known."""

import hashlib
from datetime import datetime

from restate import ObjectContext

from actors.conversation.contract import MESSAGE_ID_REUSED
from actors.conversation.contract.branch import EditMessageRequest
from actors.conversation.contract.entry import MESSAGE_CREATED, ChatMessage
from actors.conversation.contract.run import Run, SendMessageRequest
from actors.conversation.contract.thread import InterruptPolicy
from actors.conversation.ledger import Ledger, run_record
from actors.conversation.state import SENT, Head, PendingRun, Sent
from chassis.steps import new_id

Said = SendMessageRequest | EditMessageRequest
"""The requests that bring a message."""


async def repeated(ctx: ObjectContext, head: Head, request: Said) -> tuple[Run, int] | None:
    """The run that this client_message_id started before, and up to where that was told; raises
    message.id_reused."""
    if not request.client_message_id:
        return None
    sent = await SENT.of(request.client_message_id).get(ctx)
    if sent is None:
        return None
    if sent.digest != _digest(request):
        raise MESSAGE_ID_REUSED.error()
    run = await run_record(ctx, head, sent.run_id)
    assert run is not None, "a run that was accepted has a record"
    return run, sent.last_sequence


def say(
    ctx: ObjectContext,
    ledger: Ledger,
    run: Run,
    request: Said,
    policy: InterruptPolicy,
    at: datetime,
) -> PendingRun:
    """Append the message to the active branch; the run is to answer it."""
    said = request.user_message
    run.message_id = new_id(ctx, "msg", at)
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
    piece = ledger.head.piece
    return PendingRun(
        run=run, turn=sequence, policy=policy, piece=piece.number, branch=piece.branch
    )


def remember(ctx: ObjectContext, ledger: Ledger, run: Run, request: Said) -> None:
    """Keep what was answered to this client_message_id; last, when all is appended."""
    if request.client_message_id:
        sent = Sent(
            run_id=run.run_id,
            message_id=run.message_id,
            digest=_digest(request),
            last_sequence=ledger.head.last_sequence,
        )
        SENT.of(request.client_message_id).set(ctx, sent)


def _digest(request: Said) -> str:
    return hashlib.blake2b(request.to_json(), digest_size=16).hexdigest()
