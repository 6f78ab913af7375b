"""Copying a thread: the source hands out pages, the copy takes each in once.

The copy keeps ids and times of messages and has no runs of its own yet. Until the last page is
in, it is no thread to anybody else; a repeat finds how far it is and goes on there.
"""

from restate import ObjectContext, ObjectSharedContext

from actors.conversation import contract, log
from actors.conversation.contract.entry import MESSAGE_COMPLETED, MESSAGE_CREATED, Role
from actors.conversation.contract.fork import (
    Exported,
    ExportRequest,
    ExportResponse,
    ImportRequest,
    ImportResponse,
)
from actors.conversation.handlers.reads import head_of
from actors.conversation.ledger import Ledger, metadata_of
from actors.conversation.lifecycle import Lifecycle
from actors.conversation.path import Path, piece_of
from actors.conversation.state import HEAD, MESSAGE, Entry, Head
from chassis.serve import implements


class Forks:
    """Both ends of a copy."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    @implements(contract.export)
    async def export(self, ctx: ObjectSharedContext, request: ExportRequest) -> ExportResponse:
        """Hand out a page of messages."""
        head = await head_of(ctx)
        tip, last = head.piece, None
        if request.message_id:
            last = await log.find(ctx, head, request.message_id)
            if last is None or last.void:
                raise contract.MESSAGE_NOT_FOUND.error()
            tip = await piece_of(ctx, head, last.piece)
        upto = log.turn_order(last) if last is not None else None

        def copied(entry: Entry) -> bool:
            return log.stands(entry) and (upto is None or log.turn_order(entry) <= upto)

        path = Path(ctx, head, tip)
        found = await log.oldest_first(ctx, head, request.after, request.limit + 1, copied, path)
        page = log.fitting(found[: request.limit])
        return ExportResponse(
            messages=await _exported(ctx, head, page),
            after=page[-1].event.sequence if page else request.after,
            done=len(page) == len(found),
            name=head.name,
            settings=head.settings,
            generation_config=head.generation_config,
            metadata=metadata_of(head),
        )

    @implements(contract.import_page)
    async def import_page(self, ctx: ObjectContext, request: ImportRequest) -> ImportResponse:
        """Take in a page, once."""
        head = await HEAD.get(ctx)
        if head is None or head.closed is not None:
            raise contract.THREAD_NOT_FOUND.error()
        if head.copying is None:
            return ImportResponse(done=True)
        if head.copying.after == request.since:
            ledger = Ledger(ctx, head)
            for exported in request.page.messages:
                await _take_in(ctx, ledger, exported)
            head.copying.after = request.page.after
            if request.page.done:
                head.copying = None
            ledger.save()
            self._lifecycle.announce(ctx, ledger)
        if head.copying is None:
            return ImportResponse(done=True)
        return ImportResponse(after=head.copying.after)


async def _exported(ctx: ObjectSharedContext, head: Head, page: list[Entry]) -> list[Exported]:
    entries = {entry.event.sequence: entry for entry in await log.with_contents(ctx, page)}
    exported: list[Exported] = []
    for sequence, entry in entries.items():
        asked = ""
        if entry.turn != sequence:
            question = entries.get(entry.turn) or await log.entry_at(ctx, head, entry.turn)
            asked = question.event.message_id
        exported.append(Exported(message=log.message_of(entry), asked=asked))
    return exported


async def _take_in(ctx: ObjectContext, ledger: Ledger, exported: Exported) -> None:
    message = exported.message
    asked = await MESSAGE.of(exported.asked).get(ctx) if exported.asked else None
    assert message.created_at is not None, "a message that was said has a time"
    ledger.append(
        MESSAGE_CREATED if message.role is Role.user else MESSAGE_COMPLETED,
        message.created_at,
        message_id=message.message_id,
        message=message.model_copy(
            update={"message_id": "", "run_id": "", "sequence": 0, "branch_id": ""}
        ),
        turn=asked.sequence if asked is not None else 0,
    )
