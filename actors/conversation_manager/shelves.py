"""The shelves on which a user's threads stand, open for writing in one exclusive handler.

There are two rows of shelves: threads in use, and archived ones. In each the newest shelf takes
what had activity, and a shelf that empties is unlinked, so a page of either row costs the same
with any number of threads.
"""

from datetime import datetime

from restate import ObjectContext

from actors.conversation_manager.state import (
    HEAD,
    SHELF,
    SHELF_SIZE,
    THREAD,
    Head,
    Shelf,
    Standing,
    ThreadRecord,
)


class Shelves:
    """One user's shelves. A handler opens them, moves threads, then saves once."""

    def __init__(self, ctx: ObjectContext, head: Head) -> None:
        self._ctx = ctx
        self._head = head
        self._touched: dict[int, Shelf | None] = {}

    @classmethod
    async def open(cls, ctx: ObjectContext) -> "Shelves":
        """Load the user's head."""
        return cls(ctx, await HEAD.get(ctx) or Head())

    async def put_in_front(self, key: str, record: ThreadRecord, at: datetime) -> None:
        """Let a thread be the newest of its row; it was taken off, or is new."""
        head = self._head
        number = newest_of(head, archived=record.archived)
        front = await self._shelf(number) if number else None
        if front is None or len(front.standing) >= SHELF_SIZE:
            head.shelves = max(head.shelves, head.newest) + 1
            if front is not None:
                front.newer = head.shelves
            front, number = Shelf(older=number), head.shelves
            self._touched[number] = front
            if record.archived:
                head.newest_archived = number
            else:
                head.newest = number
        head.threads += record.shelf == 0
        head.activities += 1
        front.standing.append(
            Standing(
                conversation_key=key,
                name=record.name,
                created_at=record.created_at,
                updated_at=at,
                activity=head.activities,
            )
        )
        record.shelf = number
        THREAD.of(key).set(self._ctx, record)

    async def take_off(self, key: str, record: ThreadRecord) -> datetime | None:
        """Take a thread off its shelf and say when it had its last activity. Unlinks the shelf
        when that empties it."""
        shelf = await self._shelf(record.shelf)
        taken = next((s for s in shelf.standing if s.conversation_key == key), None)
        shelf.standing = [s for s in shelf.standing if s is not taken]
        newest = newest_of(self._head, archived=record.archived)
        if not shelf.standing and record.shelf != newest:
            await self._unlink(record.shelf, shelf)
        return taken.updated_at if taken is not None else None

    async def _unlink(self, number: int, shelf: Shelf) -> None:
        (await self._shelf(shelf.newer)).older = shelf.older
        if shelf.older:
            (await self._shelf(shelf.older)).newer = shelf.newer
        self._touched[number] = None

    async def rename(self, key: str, record: ThreadRecord) -> None:
        """Show a thread's new name where it stands."""
        for standing in (await self._shelf(record.shelf)).standing:
            if standing.conversation_key == key:
                standing.name = record.name
        THREAD.of(key).set(self._ctx, record)

    def forget(self, key: str) -> None:
        """Drop the record of a thread that was taken off."""
        self._head.threads -= 1
        THREAD.of(key).clear(self._ctx)

    def save(self) -> None:
        """Write what changed."""
        for number, shelf in self._touched.items():
            if shelf is None:
                SHELF.of(number).clear(self._ctx)
            else:
                SHELF.of(number).set(self._ctx, shelf)
        HEAD.set(self._ctx, self._head)

    async def _shelf(self, number: int) -> Shelf:
        shelf = self._touched.get(number) or await SHELF.of(number).get(self._ctx)
        assert shelf is not None, "links and records name shelves that exist"
        self._touched[number] = shelf
        return shelf


def newest_of(head: Head, *, archived: bool) -> int:
    """The number of a row's newest shelf; 0 where the row is empty."""
    return head.newest_archived if archived else head.newest
