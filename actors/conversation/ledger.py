"""The thread in the hands of one exclusive handler: what it read, appended and will write.

A handler loads it, decides, appends events and changes records, then saves once. Nothing that
can fail may stand between the first `save` and the handler's end, because state that was flushed
is not rolled back.
"""

from datetime import datetime
from typing import Any

from restate import ObjectContext

from actors.conversation.contract import THREAD_NOT_FOUND
from actors.conversation.contract.entry import ChatMessage, Compaction, Event
from actors.conversation.contract.run import Run
from actors.conversation.contract.tools import Approval, ToolCall
from actors.conversation.state import (
    CONTENT,
    HEAD,
    LOG,
    MESSAGE,
    PAGE_SIZE,
    PIECE,
    RUN,
    SPILL_BYTES,
    Content,
    Entry,
    Head,
    Page,
    PendingRun,
    Place,
    page_of,
)
from chassis.state import ReadContext


class Ledger:
    """One thread's head, open for writing."""

    def __init__(self, ctx: ObjectContext, head: Head) -> None:
        self._ctx = ctx
        self.head = head

    @classmethod
    async def open(cls, ctx: ObjectContext) -> "Ledger":
        """Load the thread; raises thread.not_found where there is none."""
        head = await HEAD.get(ctx)
        if head is None or not head.open:
            raise THREAD_NOT_FOUND.error()
        return cls(ctx, head)

    def active(self, run_id: str) -> PendingRun | None:
        """The active run, if it is this one."""
        active = self.head.active
        return active if active is not None and active.run.run_id == run_id else None

    def keep(self, run: Run) -> None:
        """Give a settled run's record its own key."""
        RUN.of(run.run_id).set(self._ctx, run)

    def append(
        self,
        kind: str,
        at: datetime,
        *,
        run_id: str = "",
        message_id: str = "",
        attempt: int = 0,
        message: ChatMessage | None = None,
        turn: int = 0,
        error: dict[str, Any] | None = None,
        reason: str = "",
        of: PendingRun | None = None,
        tool_call: ToolCall | None = None,
        approval: Approval | None = None,
        compaction: Compaction | None = None,
    ) -> int:
        """Add an event to the log and return its sequence.

        turn: 0 where the event opens a turn.
        of: the run that it is about, which gives run id, turn and place; other events belong to
            the active branch.
        """
        self.head.last_sequence += 1
        sequence = self.head.last_sequence
        piece = self.head.piece
        entry = Entry(
            event=Event(
                sequence=sequence,
                type=kind,
                created_at=at,
                run_id=of.run.run_id if of else run_id,
                message_id=message_id,
                attempt=attempt,
                message=message,
                error=error,
                reason=reason,
                tool_call=tool_call,
                approval=approval,
                compaction=compaction,
            ),
            turn=(of.turn if of else turn) or sequence,
            piece=of.piece if of else piece.number,
            branch=of.branch if of else piece.branch,
        )
        self._place(entry)
        return sequence

    async def void(self, pending: PendingRun) -> list[str]:
        """Take the messages of a run out of the thread; their ids, oldest first.

        Reads the page of its question and those since its start, however long the thread is.
        """
        last = self.head.last_sequence
        asked = page_of(pending.turn)
        since = range(page_of(pending.first), page_of(last) + 1) if pending.first else range(0)
        found: list[str] = []
        for number in sorted({asked, *since}):
            full = number < last // PAGE_SIZE
            page = await LOG.of(number).get(self._ctx) if full else None
            entries = page.entries if page is not None else self.head.tail
            brought = [e for e in entries if _brought_by(e, pending.run.run_id)]
            for entry in brought:
                entry.void = True
                found.append(entry.event.message_id)
            if page is not None and brought:
                LOG.of(number).set(self._ctx, page)
        return found

    async def extend(self, number: int) -> None:
        """Note that a piece that is not active got entries: those of a run begun in it."""
        if number != self.head.piece.number:
            piece = await PIECE.of(number).get(self._ctx)
            assert piece is not None, "a piece that was left is stored"
            piece.end = self.head.last_sequence
            PIECE.of(number).set(self._ctx, piece)

    def save(self) -> None:
        """Write the head."""
        HEAD.set(self._ctx, self.head)

    def _place(self, entry: Entry) -> None:
        sequence, piece = entry.event.sequence, self.head.piece
        if entry.event.message is not None:
            MESSAGE.of(entry.event.message_id).set(self._ctx, Place(sequence=sequence))
            if entry.piece == piece.number:
                piece.first_turn = piece.first_turn or entry.turn
        self._spill(entry)
        self.head.tail.append(entry)
        if sequence % PAGE_SIZE == 0:
            LOG.of(page_of(sequence)).set(self._ctx, Page(entries=self.head.tail))
            self.head.tail = []

    def _spill(self, entry: Entry) -> None:
        message = entry.event.message
        if message is None or len(message.content) * 4 <= SPILL_BYTES:
            return
        size = len(message.content.encode())
        if size <= SPILL_BYTES:
            return
        CONTENT.of(entry.event.sequence).set(self._ctx, Content(text=message.content))
        entry.spilled_bytes = size
        entry.event.message = message.model_copy(update={"content": ""})


def _brought_by(entry: Entry, run_id: str) -> bool:
    event = entry.event
    return event.run_id == run_id and event.message is not None and not entry.void


def pending_run(head: Head, run_id: str) -> PendingRun | None:
    """The active or waiting run of this id."""
    candidates = [head.active, *head.queue] if head.active else head.queue
    return next((pending for pending in candidates if pending.run.run_id == run_id), None)


async def run_record(ctx: ReadContext, head: Head, run_id: str) -> Run | None:
    """The record of a run of this thread, wherever it stands."""
    pending = pending_run(head, run_id)
    return pending.run if pending is not None else await RUN.of(run_id).get(ctx)


def metadata_of(head: Head) -> dict[str, str]:
    """The thread's metadata as they are now."""
    return head.metadata if head.revision else head.opened.metadata
