"""Reading the log of a thread: whole entries, newest or oldest first, as few pages as needed."""

from collections.abc import Callable

from actors.conversation.contract.entry import ChatMessage, Event
from actors.conversation.state import CONTENT, LOG, PAGE_SIZE, Entry, Head, page_of
from chassis.state import ReadContext, get_all

# Pages read at once. Half of the entries bring a message, so 8 pages hold about 64 messages.
_WAVE = 8

# An answer of Restate's must stay well below 32 MiB; a page of large messages ends early.
_ANSWER_BYTES = 4 * 1024 * 1024


async def newest_first(
    ctx: ReadContext, head: Head, before: int, wanted: int, keep: Callable[[Entry], bool]
) -> list[Entry]:
    """Up to `wanted` entries below sequence `before` that `keep` accepts, newest first."""
    page, found = page_of(before - 1), list[Entry]()
    while page >= 0 and len(found) < wanted:
        first = max(page - _wave(wanted - len(found)) + 1, 0)
        for entry in reversed(await _entries(ctx, head, first, page)):
            if entry.event.sequence < before and len(found) < wanted and keep(entry):
                found.append(entry)
        page = first - 1
    return await _with_contents(ctx, _within_bounds(found))


async def oldest_first(
    ctx: ReadContext, head: Head, after: int, wanted: int, keep: Callable[[Entry], bool]
) -> list[Entry]:
    """Up to `wanted` entries above sequence `after` that `keep` accepts, oldest first."""
    page, found = page_of(after + 1), list[Entry]()
    newest = page_of(head.last_sequence)
    while page <= newest and len(found) < wanted:
        final = min(page + _wave(wanted - len(found)) - 1, newest)
        for entry in await _entries(ctx, head, page, final):
            if entry.event.sequence > after and len(found) < wanted and keep(entry):
                found.append(entry)
        page = final + 1
    return await _with_contents(ctx, _within_bounds(found))


def brings_message(entry: Entry) -> bool:
    """Whether the entry holds a message of the thread."""
    return entry.event.message is not None


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
        }
    )


def event_of(entry: Entry, conversation_key: str) -> Event:
    """The event as clients see it."""
    message = message_of(entry) if brings_message(entry) else None
    return entry.event.model_copy(update={"conversation_key": conversation_key, "message": message})


def _wave(wanted: int) -> int:
    return min(wanted * 2 // PAGE_SIZE + 1, _WAVE)


async def _entries(ctx: ReadContext, head: Head, first: int, last: int) -> list[Entry]:
    full = head.last_sequence // PAGE_SIZE
    pages = await get_all(ctx, [LOG.of(number) for number in range(first, min(last + 1, full))])
    entries = [entry for page in pages if page is not None for entry in page.entries]
    return entries + head.tail if last >= full else entries


def _within_bounds(entries: list[Entry]) -> list[Entry]:
    total = 0
    for count, entry in enumerate(entries):
        total += entry.spilled_bytes
        if total > _ANSWER_BYTES and count > 0:
            return entries[:count]
    return entries


async def _with_contents(ctx: ReadContext, entries: list[Entry]) -> list[Entry]:
    spilled = [entry for entry in entries if entry.spilled_bytes]
    contents = await get_all(ctx, [CONTENT.of(entry.event.sequence) for entry in spilled])
    for entry, content in zip(spilled, contents, strict=True):
        assert entry.event.message is not None, "what was spilled is a message"
        assert content is not None, "a spilled content is written with its entry"
        entry.event.message.content = content.text
    return entries
