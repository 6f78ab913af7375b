"""Ids in the order of their coming, on pages of 50: adding and the newest page cost the same with
ten and with ten thousand."""

from restate import ObjectContext

from chassis.paging import PAGE_TOKEN_INVALID
from chassis.state import ReadContext, StateKey, get_all
from services.organization.state import Page

PAGE_SIZE = 50
_DEFAULT_PAGE = 50


async def add(ctx: ObjectContext, pages: StateKey[Page], before: int, id: str) -> None:
    """Add an id to `before` others."""
    key = pages.of(before // PAGE_SIZE)
    page = await key.get(ctx) or Page()
    page.ids.append(id)
    key.set(ctx, page)


async def read(
    ctx: ReadContext, pages: StateKey[Page], count: int, token: str, size: int
) -> tuple[list[str], str]:
    """A page of `count` ids, newest first, and the token of the next.

    A token is the ordinal of the next id, counted from 1. Raises `page_token.invalid`.
    """
    last = _read_token(token, count)
    first = max(1, last - (size or _DEFAULT_PAGE) + 1)
    numbers = range((first - 1) // PAGE_SIZE, (last - 1) // PAGE_SIZE + 1) if last else range(0)
    ids = await _ids(ctx, pages, numbers)
    start = first - 1 - numbers.start * PAGE_SIZE
    return ids[start : start + last - first + 1][::-1], str(first - 1) if first > 1 else ""


async def every(ctx: ReadContext, pages: StateKey[Page], count: int) -> list[str]:
    """All of `count` ids, oldest first."""
    return await _ids(ctx, pages, range((count - 1) // PAGE_SIZE + 1))


async def _ids(ctx: ReadContext, pages: StateKey[Page], numbers: range) -> list[str]:
    found = await get_all(ctx, [pages.of(number) for number in numbers])
    return [each for page in found if page is not None for each in page.ids]


def _read_token(token: str, count: int) -> int:
    if not token:
        return count
    if not (token.isascii() and token.isdecimal() and 0 < int(token) <= count):
        raise PAGE_TOKEN_INVALID.error()
    return int(token)
