"""How a user's list of threads is kept in the order of activity."""

from restate import ObjectContext, ObjectSharedContext

from actors.conversation_manager import contract
from actors.conversation_manager.contract import (
    ListRequest,
    ListResponse,
    RegisterRequest,
    RegisterResponse,
    RemoveRequest,
    RemoveResponse,
    Thread,
    TouchRequest,
    TouchResponse,
    UpdateRequest,
    UpdateResponse,
)
from actors.conversation_manager.shelves import Shelves, newest_of
from actors.conversation_manager.state import (
    HEAD,
    SHELF,
    THREAD,
    Head,
    Shelf,
    Standing,
    ThreadRecord,
)
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.serve import implements

_DEFAULT_PAGE = 50
# A query looks at this many shelves a page, so that its cost has a bound.
_SHELVES_A_SCAN = 20


class ConversationManager:
    """Keeps one user's threads in the order of their activity."""

    @implements(contract.register)
    async def register(self, ctx: ObjectContext, request: RegisterRequest) -> RegisterResponse:
        """Put a thread on the list; a thread that is on it stays where it is."""
        thread = request.thread
        if await THREAD.of(thread.conversation_key).get(ctx) is None:
            at = thread.created_at
            assert at is not None, "a thread that was opened has a time"
            record = ThreadRecord(name=thread.name, created_at=at, archived=thread.archived)
            shelves = await Shelves.open(ctx)
            await shelves.put_in_front(thread.conversation_key, record, at)
            shelves.save()
        return RegisterResponse()

    @implements(contract.touch)
    async def touch(self, ctx: ObjectContext, request: TouchRequest) -> TouchResponse:
        """Move a thread to the front. One that is not on the list is left to Register."""
        key = request.conversation_key
        record = await THREAD.of(key).get(ctx)
        if record is not None:
            shelves = await Shelves.open(ctx)
            await shelves.take_off(key, record)
            await shelves.put_in_front(key, record, request.at)
            shelves.save()
        return TouchResponse()

    @implements(contract.update)
    async def update(self, ctx: ObjectContext, request: UpdateRequest) -> UpdateResponse:
        """Show a thread as it is now: its name, and whether it is archived."""
        thread = request.thread
        key, record = thread.conversation_key, await THREAD.of(thread.conversation_key).get(ctx)
        if record is None or request.revision <= record.revision:
            return UpdateResponse()
        shelves = await Shelves.open(ctx)
        record.name, record.revision = thread.name, request.revision
        if record.archived == thread.archived:
            await shelves.rename(key, record)
        else:
            at = await shelves.take_off(key, record) or record.created_at
            record.archived = thread.archived
            await shelves.put_in_front(key, record, at)
        shelves.save()
        return UpdateResponse()

    @implements(contract.remove)
    async def remove(self, ctx: ObjectContext, request: RemoveRequest) -> RemoveResponse:
        """Take a thread off the list."""
        record = await THREAD.of(request.conversation_key).get(ctx)
        if record is not None:
            shelves = await Shelves.open(ctx)
            await shelves.take_off(request.conversation_key, record)
            shelves.forget(request.conversation_key)
            shelves.save()
        return RemoveResponse()

    @implements(contract.list_threads)
    async def list(self, ctx: ObjectSharedContext, request: ListRequest) -> ListResponse:
        """List threads, newest activity first."""
        head = await HEAD.get(ctx)
        if head is None:
            return ListResponse()
        newest = newest_of(head, archived=request.archived)
        number, before = _read_token(request.page_token, head, newest)
        wanted = request.page_size or _DEFAULT_PAGE
        threads: list[Thread] = []
        for _ in range(_SHELVES_A_SCAN if request.query else wanted + 1):
            shelf = await SHELF.of(number).get(ctx) if number else None
            if shelf is None and number:
                # Emptied since the token was made: go on at the next older shelf there is.
                number, shelf = await _next_older(ctx, newest, number)
            if shelf is None:
                return ListResponse(threads=threads)
            for standing in reversed(shelf.standing):
                if standing.activity >= before:
                    continue
                if len(threads) == wanted:
                    return ListResponse(threads=threads, next_page_token=_token(number, before))
                before = standing.activity
                if _matches(standing, request.query):
                    threads.append(_shown(standing, archived=request.archived))
            number = shelf.older
        return ListResponse(
            threads=threads, next_page_token=_token(number, before) if number else ""
        )


async def _next_older(
    ctx: ObjectSharedContext, newest: int, number: int
) -> tuple[int, Shelf | None]:
    at = newest
    while at:
        shelf = await SHELF.of(at).get(ctx)
        if shelf is None or at < number:
            return at, shelf
        at = shelf.older
    return 0, None


_ANY = 2**32


def _token(number: int, before: int) -> str:
    return f"{number}.{before}"


def _read_token(token: str, head: Head, newest: int) -> tuple[int, int]:
    """The shelf at which a page starts and the activity that its threads are older than."""
    if not token:
        return newest, _ANY
    highest = max(head.shelves, head.newest)
    number, dot, before = token.partition(".")
    if not (dot and number.isdecimal() and before.isdecimal() and int(number) <= highest):
        raise PAGE_TOKEN_INVALID.error()
    return int(number), int(before)


def _matches(standing: Standing, query: str) -> bool:
    wanted = query.casefold()
    return wanted in standing.name.casefold() or wanted in standing.conversation_key.casefold()


def _shown(standing: Standing, *, archived: bool) -> Thread:
    return Thread(
        conversation_key=standing.conversation_key,
        name=standing.name,
        created_at=standing.created_at,
        updated_at=standing.updated_at,
        archived=archived,
    )
