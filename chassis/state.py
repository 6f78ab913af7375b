"""Typed state keys of actors and workflows.

State is protojson of a Message: read tolerantly, changed by addition only, because old and new
versions of the code run side by side. A record that may ever need a conversion carries a
`version`, and a sample of every older version is read in tests.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import restate
from restate import ObjectContext, ObjectSharedContext
from restate.context import RestateDurableFuture
from restate.serde import BytesSerde

from chassis.message import Message

M = TypeVar("M", bound=Message)

_BYTES = BytesSerde()


class Ahead:
    """Reads that are begun before they are needed, so that they overlap with what is waited for
    meanwhile. Whoever reads one of these keys afterwards finds it here; others are read as ever."""

    def __init__(self, ctx: ObjectContext, keys: "Iterable[StateKey[Any]]") -> None:
        self._ctx = ctx
        self._begun = {key.name: ctx.get(key.name, serde=_BYTES) for key in keys}

    def get(self, name: str, serde: BytesSerde) -> Awaitable[bytes | None]:
        """As a context's; a read that was begun is given out once."""
        begun = self._begun.pop(name, None)
        return self._ctx.get(name, serde=serde) if begun is None else begun


ReadContext = ObjectContext | ObjectSharedContext | Ahead


@dataclass(frozen=True, slots=True)
class StateKey(Generic[M]):
    """One key, or with `of`, one family of keys (`log:3`), holding records of one type."""

    name: str
    type: type[M]

    def of(self, member: str | int) -> "StateKey[M]":
        """The key of one member of the family."""
        return StateKey(f"{self.name}:{member}", self.type)

    async def get(self, ctx: ReadContext) -> M | None:
        """The record, or None where nothing was set."""
        raw = await ctx.get(self.name, serde=_BYTES)
        return None if raw is None else self.type.from_json(raw)

    def set(self, ctx: ObjectContext, record: M) -> None:
        """Write the record; visible to shared handlers from the next awaited operation on."""
        ctx.set(self.name, record.to_json(), serde=_BYTES)

    def clear(self, ctx: ObjectContext) -> None:
        """Remove the record."""
        ctx.clear(self.name)


async def get_all(ctx: ReadContext, keys: Iterable[StateKey[M]]) -> list[M | None]:
    """Read many keys at once: on a lazy object the round trips overlap."""
    wanted = list(keys)
    futures: list[Awaitable[bytes | None]] = [ctx.get(key.name, serde=_BYTES) for key in wanted]
    if len(futures) > 1:
        await restate.gather(*cast("list[RestateDurableFuture[bytes | None]]", futures))
    raws = [await future for future in futures]
    return [
        None if raw is None else key.type.from_json(raw)
        for key, raw in zip(wanted, raws, strict=True)
    ]
