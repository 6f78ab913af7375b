"""How a user's list of threads is kept in the order of activity."""

from datetime import datetime

from restate import ObjectContext, ObjectSharedContext

from actors.conversation_manager import contract
from actors.conversation_manager.contract import (
    ListRequest,
    ListResponse,
    RegisterRequest,
    RegisterResponse,
    Thread,
    TouchRequest,
    TouchResponse,
)
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
            record = ThreadRecord(name=thread.name, created_at=at)
            await _move_to_front(ctx, thread.conversation_key, record, at)
        return RegisterResponse()

    @implements(contract.touch)
    async def touch(self, ctx: ObjectContext, request: TouchRequest) -> TouchResponse:
        """Move a thread to the front. One that is not on the list is left to Register."""
        record = await THREAD.of(request.conversation_key).get(ctx)
        if record is not None:
            await _move_to_front(ctx, request.conversation_key, record, request.at)
        return TouchResponse()

    @implements(contract.list_threads)
    async def list(self, ctx: ObjectSharedContext, request: ListRequest) -> ListResponse:
        """List threads, newest activity first."""
        head = await HEAD.get(ctx)
        if head is None:
            return ListResponse()
        number, before = _read_token(request.page_token, head)
        wanted = request.page_size or _DEFAULT_PAGE
        threads: list[Thread] = []
        for _ in range(_SHELVES_A_SCAN if request.query else wanted + 1):
            shelf = await SHELF.of(number).get(ctx) if number else None
            if shelf is None and number:
                # Emptied since the token was made: go on at the next older shelf there is.
                number, shelf = await _next_older(ctx, head, number)
            if shelf is None:
                return ListResponse(threads=threads)
            for standing in reversed(shelf.standing):
                if standing.activity >= before:
                    continue
                if len(threads) == wanted:
                    return ListResponse(threads=threads, next_page_token=_token(number, before))
                before = standing.activity
                if _matches(standing, request.query):
                    threads.append(_shown(standing))
            number = shelf.older
        return ListResponse(
            threads=threads, next_page_token=_token(number, before) if number else ""
        )


async def _move_to_front(
    ctx: ObjectContext, conversation_key: str, record: ThreadRecord, at: datetime
) -> None:
    head = await HEAD.get(ctx) or Head()
    front = (await SHELF.of(head.newest).get(ctx) if head.newest else None) or Shelf()
    if record.shelf == 0:
        head.threads += 1
    elif record.shelf == head.newest:
        _take_off(front, conversation_key)
    else:
        await _remove_from_older_shelf(ctx, record.shelf, conversation_key, front, head.newest)
    if head.newest == 0 or len(front.standing) >= SHELF_SIZE:
        front = await _new_front(ctx, head, front)
    head.activities += 1
    front.standing.append(
        Standing(
            conversation_key=conversation_key,
            name=record.name,
            created_at=record.created_at,
            updated_at=at,
            activity=head.activities,
        )
    )
    record.shelf = head.newest
    SHELF.of(head.newest).set(ctx, front)
    THREAD.of(conversation_key).set(ctx, record)
    HEAD.set(ctx, head)


async def _next_older(
    ctx: ObjectSharedContext, head: Head, number: int
) -> tuple[int, Shelf | None]:
    at = head.newest
    while at:
        shelf = await SHELF.of(at).get(ctx)
        if shelf is None or at < number:
            return at, shelf
        at = shelf.older
    return 0, None


async def _new_front(ctx: ObjectContext, head: Head, front: Shelf) -> Shelf:
    older = head.newest
    head.newest += 1
    if older:
        front.newer = head.newest
        SHELF.of(older).set(ctx, front)
    return Shelf(older=older)


async def _remove_from_older_shelf(
    ctx: ObjectContext, number: int, conversation_key: str, front: Shelf, newest: int
) -> None:
    """Take a thread off an older shelf; unlink the shelf when that empties it.

    `front` is already in the caller's hands and written by it, so its link is changed there.
    """
    shelf = await SHELF.of(number).get(ctx)
    assert shelf is not None, "a thread's record names a shelf that exists"
    _take_off(shelf, conversation_key)
    if shelf.standing:
        SHELF.of(number).set(ctx, shelf)
        return
    if shelf.newer == newest:
        front.older = shelf.older
    else:
        newer = await SHELF.of(shelf.newer).get(ctx)
        assert newer is not None, "links of shelves are written together"
        newer.older = shelf.older
        SHELF.of(shelf.newer).set(ctx, newer)
    if shelf.older:
        older = await SHELF.of(shelf.older).get(ctx)
        assert older is not None, "links of shelves are written together"
        older.newer = shelf.newer
        SHELF.of(shelf.older).set(ctx, older)
    SHELF.of(number).clear(ctx)


def _take_off(shelf: Shelf, conversation_key: str) -> None:
    shelf.standing = [s for s in shelf.standing if s.conversation_key != conversation_key]


_ANY = 2**32


def _token(number: int, before: int) -> str:
    return f"{number}.{before}"


def _read_token(token: str, head: Head) -> tuple[int, int]:
    """The shelf at which a page starts and the activity that its threads are older than."""
    if not token:
        return head.newest, _ANY
    number, dot, before = token.partition(".")
    if not (dot and number.isdecimal() and before.isdecimal() and int(number) <= head.newest):
        raise PAGE_TOKEN_INVALID.error()
    return int(number), int(before)


def _matches(standing: Standing, query: str) -> bool:
    wanted = query.casefold()
    return wanted in standing.name.casefold() or wanted in standing.conversation_key.casefold()


def _shown(standing: Standing) -> Thread:
    return Thread(
        conversation_key=standing.conversation_key,
        name=standing.name,
        created_at=standing.created_at,
        updated_at=standing.updated_at,
    )
