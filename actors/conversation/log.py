"""Reading the log of a thread: whole entries, newest or oldest first, as few pages as needed."""

from collections.abc import Callable

from actors.conversation.contract.entry import ChatMessage, Event
from actors.conversation.naming import branch_id
from actors.conversation.path import Path
from actors.conversation.state import CONTENT, LOG, MESSAGE, PAGE_SIZE, Entry, Head, Page, page_of
from chassis.state import ReadContext, StateKey, get_all

# Pages read at once. Half of the entries bring a message, so 8 pages hold about 64 messages.
_WAVE = 8

# An answer of Restate's must stay well below 32 MiB; a page of large messages ends early.
_ANSWER_BYTES = 4 * 1024 * 1024


class Descent:
    """Goes down the log page by page and leaps over what a path does not show.

    position: what stands above it has been read.
    lowest: nothing below it is wanted.
    """

    def __init__(
        self, ctx: ReadContext, head: Head, path: Path | None, before: int, lowest: int = 1
    ) -> None:
        self._ctx = ctx
        self._lowest = max(lowest, 1)
        self._head = head
        self._path = path
        self.position = min(before - 1, head.last_sequence)

    async def more(self, wanted: int) -> list[Entry]:
        """The next entries, newest first, about as many pages as `wanted` messages need."""
        path, floor = self._path, self._lowest
        if path is not None:
            self.position, floor = await path.below(self.position)
            floor = min(max(floor, self._lowest), max(self.position, 1))
        if self.position == 0:
            return []
        page = page_of(self.position)
        first = max(page - _wave(wanted) + 1, page_of(floor))
        if path is not None:
            await path.reach(first * PAGE_SIZE + 1)
        entries = await _entries(self._ctx, self._head, first, page)
        shown = [e for e in reversed(entries) if e.event.sequence <= self.position]
        self.position = first * PAGE_SIZE
        return shown if path is None else [entry for entry in shown if path.shows(entry)]


async def newest_first(
    ctx: ReadContext,
    head: Head,
    before: int,
    wanted: int,
    keep: Callable[[Entry], bool],
    path: Path | None = None,
) -> list[Entry]:
    """Up to `wanted` entries below sequence `before` that `keep` accepts, newest first; of one
    branch where a path is given."""
    descent, found = Descent(ctx, head, path, before), list[Entry]()
    while descent.position > 0 and len(found) < wanted:
        found += filter(keep, await descent.more(wanted - len(found)))
    return found[:wanted]


async def oldest_first(
    ctx: ReadContext,
    head: Head,
    after: int,
    wanted: int,
    keep: Callable[[Entry], bool],
    path: Path | None = None,
) -> list[Entry]:
    """Up to `wanted` entries above sequence `after` that `keep` accepts, oldest first; of one
    branch where a path is given."""
    position, found = after + 1, list[Entry]()
    while 0 < position <= head.last_sequence and len(found) < wanted:
        ceiling = head.last_sequence
        if path is not None:
            position, ceiling = await path.above(position)
        if position == 0:
            break
        page = page_of(position)
        final = min(page + _wave(wanted - len(found)) - 1, page_of(ceiling))
        for entry in await _entries(ctx, head, page, final):
            shown = path is None or path.shows(entry)
            if shown and entry.event.sequence >= position and keep(entry):
                found.append(entry)
        position = (final + 1) * PAGE_SIZE + 1
    return found[:wanted]


async def latest_of_turn(
    ctx: ReadContext,
    head: Head,
    turn: int,
    wanted: int,
    path: Path,
    after: tuple[int, int] = (0, 0),
) -> list[Entry]:
    """Up to `wanted` messages of a branch up to this turn's question, the last said first, in
    the order of turns: a question that was queued stands in the log before the answers to those
    ahead of it. Only those after a place in that order.
    """
    descent = Descent(ctx, head, path, head.last_sequence + 1, lowest=after[0])
    found = list[Entry]()
    # An entry stands at or above the sequence that is its turn.
    while descent.position > 0 and descent.position >= after[0]:
        entries = await descent.more(wanted)
        found += [
            entry
            for entry in entries
            if stands(entry) and entry.turn <= turn and turn_order(entry) > after
        ]
        found = sorted(found, key=turn_order, reverse=True)[:wanted]
        # What stands further down belongs to turns before its own sequence.
        if len(found) == wanted and found[-1].turn > descent.position:
            break
    return found


async def find(ctx: ReadContext, head: Head, message_id: str) -> Entry | None:
    """The entry that brought a message."""
    place = await MESSAGE.of(message_id).get(ctx)
    return await entry_at(ctx, head, place.sequence) if place is not None else None


async def entry_at(ctx: ReadContext, head: Head, sequence: int) -> Entry:
    """The entry of a sequence that there is."""
    page = page_of(sequence)
    entries = await _entries(ctx, head, page, page)
    return next(entry for entry in entries if entry.event.sequence == sequence)


def newest_pages(head: Head, wanted: int) -> list[StateKey[Page]]:
    """The stored pages that hold about so many of the newest messages."""
    full = head.last_sequence // PAGE_SIZE
    return [LOG.of(number) for number in range(max(full - _wave(wanted), 0), full)]


def turn_order(entry: Entry) -> tuple[int, int]:
    """Sorts a question before its answer, and both before the next question."""
    return entry.turn, entry.event.sequence


def fitting(entries: list[Entry]) -> list[Entry]:
    """As many of the first entries as fit into one answer with their contents; at least one."""
    total = 0
    for count, entry in enumerate(entries):
        total += entry.spilled_bytes
        if total > _ANSWER_BYTES and count > 0:
            return entries[:count]
    return entries


async def with_contents(ctx: ReadContext, entries: list[Entry]) -> list[Entry]:
    """The entries whole. Copies where contents were spilled: the originals may be stored again."""
    spilled = [entry for entry in entries if entry.spilled_bytes]
    contents = await get_all(ctx, [CONTENT.of(entry.event.sequence) for entry in spilled])
    texts = {
        entry.event.sequence: content.text
        for entry, content in zip(spilled, contents, strict=True)
        if content is not None
    }
    return [_filled(entry, texts) if entry.spilled_bytes else entry for entry in entries]


def brings_message(entry: Entry) -> bool:
    """Whether the entry holds a message of the thread."""
    return entry.event.message is not None


def stands(entry: Entry) -> bool:
    """Whether the entry holds a message that is still a part of the thread."""
    return brings_message(entry) and not entry.void


def message_of(entry: Entry) -> ChatMessage:
    """The message that an entry brought, as clients see it."""
    message = entry.event.message
    assert message is not None, "only entries that bring a message are asked"
    return message.model_copy(
        update={
            "message_id": entry.event.message_id,
            "run_id": entry.event.run_id,
            "sequence": entry.event.sequence,
            "created_at": entry.event.created_at,
            "branch_id": branch_id(entry.branch),
        }
    )


def event_of(entry: Entry, conversation_key: str) -> Event:
    """The event as clients see it."""
    message = message_of(entry) if brings_message(entry) else None
    shown = {"conversation_key": conversation_key, "branch_id": branch_id(entry.branch)}
    return entry.event.model_copy(update={**shown, "message": message})


def _wave(wanted: int) -> int:
    return min(wanted * 2 // PAGE_SIZE + 1, _WAVE)


async def _entries(ctx: ReadContext, head: Head, first: int, last: int) -> list[Entry]:
    full = head.last_sequence // PAGE_SIZE
    pages = await get_all(ctx, [LOG.of(number) for number in range(first, min(last + 1, full))])
    entries = [entry for page in pages if page is not None for entry in page.entries]
    return entries + head.tail if last >= full else entries


def _filled(entry: Entry, texts: dict[int, str]) -> Entry:
    message = entry.event.message
    assert message is not None, "what was spilled is a message"
    message = message.model_copy(update={"content": texts[entry.event.sequence]})
    event = entry.event.model_copy(update={"message": message})
    return entry.model_copy(update={"event": event})
