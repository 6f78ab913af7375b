"""The thread in the hands of one exclusive handler: what it read, appended and will write.

A handler loads it, decides, appends events and changes records, then saves once. Nothing that
can fail may stand between the first `save` and the handler's end, because state that was flushed
is not rolled back.
"""

from datetime import datetime
from typing import Any

from restate import ObjectContext

from actors.conversation.contract import THREAD_NOT_FOUND
from actors.conversation.contract.entry import ChatMessage, Event
from actors.conversation.contract.run import Run
from actors.conversation.state import (
    CONTENT,
    HEAD,
    LOG,
    PAGE_SIZE,
    RUN,
    SPILL_BYTES,
    Content,
    Entry,
    Head,
    Page,
    page_of,
)


class Ledger:
    """One thread's head and newest page, open for writing."""

    def __init__(self, ctx: ObjectContext, head: Head, page: Page) -> None:
        self._ctx = ctx
        self._page = page
        self.head = head

    @classmethod
    async def open(cls, ctx: ObjectContext) -> "Ledger":
        """Load the thread; raises thread.not_found where there is none."""
        head = await HEAD.get(ctx)
        if head is None:
            raise THREAD_NOT_FOUND.error()
        page = Page()
        if head.last_sequence % PAGE_SIZE:
            page = await LOG.of(page_of(head.last_sequence)).get(ctx) or page
        return cls(ctx, head, page)

    async def run(self, run_id: str) -> Run | None:
        """The record of a run of this thread."""
        return await RUN.of(run_id).get(self._ctx)

    def keep(self, run: Run) -> None:
        """Write a run's record."""
        RUN.of(run.run_id).set(self._ctx, run)

    def append(
        self,
        kind: str,
        at: datetime,
        *,
        run_id: str,
        message_id: str = "",
        attempt: int = 0,
        message: ChatMessage | None = None,
        turn: int = 0,
        error: dict[str, Any] | None = None,
        reason: str = "",
    ) -> int:
        """Add an event to the log and return its sequence. `turn` 0: the event opens a turn."""
        self.head.last_sequence += 1
        sequence = self.head.last_sequence
        entry = Entry(
            event=Event(
                sequence=sequence,
                type=kind,
                created_at=at,
                run_id=run_id,
                message_id=message_id,
                attempt=attempt,
                message=message,
                error=error,
                reason=reason,
            ),
            turn=turn or sequence,
        )
        self._spill(entry)
        self._page.entries.append(entry)
        if sequence % PAGE_SIZE == 0:
            self._write_page()
            self._page = Page()
        return sequence

    def save(self) -> None:
        """Write what changed."""
        if self._page.entries:
            self._write_page()
        HEAD.set(self._ctx, self.head)

    def _write_page(self) -> None:
        number = page_of(self._page.entries[0].event.sequence)
        LOG.of(number).set(self._ctx, self._page)

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
