"""How a log grows, and how it is read."""

from collections.abc import Iterator

from restate import ObjectContext, ObjectSharedContext

from actors.audit_log import contract
from actors.audit_log.contract import (
    AppendRequest,
    AppendResponse,
    Entry,
    ListRequest,
    ListResponse,
)
from actors.audit_log.state import HEAD, PAGE, PAGE_SIZE, Head, Page
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.serve import implements
from chassis.steps import new_id, now

_DEFAULT_PAGE = 50
# A page with a filter looks at this many of ours, so that its cost has a bound.
_PAGES_A_SCAN = 20


class AuditLog:
    """The log of one organization."""

    @implements(contract.append)
    async def append(self, ctx: ObjectContext, request: AppendRequest) -> AppendResponse:
        """Append entries."""
        head = await HEAD.get(ctx) or Head()
        at = await now(ctx)
        number = head.entries // PAGE_SIZE
        page = await PAGE.of(number).get(ctx) or Page()
        for entry in request.entries:
            if len(page.entries) == PAGE_SIZE:
                PAGE.of(number).set(ctx, page)
                number, page = number + 1, Page()
            page.entries.append(
                entry.model_copy(update={"entry_id": new_id(ctx, "aud", at), "at": entry.at or at})
            )
            head.entries += 1
        PAGE.of(number).set(ctx, page)
        HEAD.set(ctx, head)
        return AppendResponse()

    @implements(contract.list_entries)
    async def list(self, ctx: ObjectSharedContext, request: ListRequest) -> ListResponse:
        """List entries, newest first. A token is the ordinal of the next one, counted from 1."""
        head = await HEAD.get(ctx) or Head()
        last = _read_token(request.page_token, head)
        wanted = request.page_size or _DEFAULT_PAGE
        found: list[Entry] = []
        for _ in range(_PAGES_A_SCAN):
            if not last:
                break
            page = await PAGE.of((last - 1) // PAGE_SIZE).get(ctx) or Page()
            for ordinal, entry in _older(page, last):
                if len(found) == wanted:
                    return ListResponse(entries=found, next_page_token=str(ordinal))
                if _matches(entry, request):
                    found.append(entry)
            last = (last - 1) // PAGE_SIZE * PAGE_SIZE
        return ListResponse(entries=found, next_page_token=str(last) if last else "")


def _older(page: Page, last: int) -> Iterator[tuple[int, Entry]]:
    """The page's entries up to the ordinal `last`, newest first, each with its ordinal."""
    first = (last - 1) // PAGE_SIZE * PAGE_SIZE + 1
    for ordinal in range(last, first - 1, -1):
        yield ordinal, page.entries[ordinal - first]


def _matches(entry: Entry, request: ListRequest) -> bool:
    if request.action and request.action not in (entry.action, entry.action.partition(".")[0]):
        return False
    if not request.actor:
        return True
    actor = entry.actor
    return actor is not None and request.actor in (
        actor.user_id, actor.impersonator, actor.key_id,
    )  # fmt: skip


def _read_token(token: str, head: Head) -> int:
    if not token:
        return head.entries
    if not (token.isascii() and token.isdecimal() and 0 < int(token) <= head.entries):
        raise PAGE_TOKEN_INVALID.error()
    return int(token)
