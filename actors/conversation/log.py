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
    before = min(before, head.last_sequence + 1)
    page, found = page_of(before - 1), list[Entry]()
    while page >= 0 and len(found) < wanted:
        first = max(page - _wave(wanted - len(found)) + 1, 0)
        for entry in reversed(await _entries(ctx, head, first, page)):
            if entry.event.sequence < before and len(found) < wanted and keep(entry):
                found.append(entry)
        page = first - 1
    return found


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
    return found


async def latest_of_turn(ctx: ReadContext, head: Head, turn: int, wanted: int) -> list[Entry]:
    """Up to `wanted` messages up to this turn's question, the last said first, in the order of
    turns: a question that was queued stands in the log before the answers to those ahead of it.
    """
    page, found = page_of(head.last_sequence), list[Entry]()
    while page >= 0:
        first = max(page - _wave(wanted) + 1, 0)
        entries = await _entries(ctx, head, first, page)
        found += [entry for entry in entries if stands(entry) and entry.turn <= turn]
        found = sorted(found, key=turn_order, reverse=True)[:wanted]
        # What stands further down belongs to turns before its own sequence.
        if len(found) == wanted and found[-1].turn > first * PAGE_SIZE:
            break
        page = first - 1
    return found


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


def _filled(entry: Entry, texts: dict[int, str]) -> Entry:
    message = entry.event.message
    assert message is not None, "what was spilled is a message"
    message = message.model_copy(update={"content": texts[entry.event.sequence]})
    event = entry.event.model_copy(update={"message": message})
    return entry.model_copy(update={"event": event})
