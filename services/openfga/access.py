"""Who may do what, with what this process remembers of it.

A verdict is believed for some seconds, yes and no alike. Whoever writes a tuple of a tenant makes
the process forget what it knew of that tenant (a folder decides about everything in it), and has
its questions asked past the server's caches until those are old. Other processes hear of it when
their verdicts are too old, or by asking `fresh`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.openfga import names
from services.openfga.client import MOST_LISTED
from services.openfga.contract import Asker, EntityType, Question, Tuple
from services.openfga.names import NamedTuple

_MOST_VERDICTS, _MOST_TENANTS = 10_000, 10_000
# Longer than any cache of the server holds an answer (ten seconds, where one is configured).
_WRITTEN_SECONDS = 15.0


class Store(Protocol):
    """What is asked; `OpenFgaStore`."""

    async def write(self, tuples: Sequence[NamedTuple]) -> None:
        """Have these tuples."""
        ...

    async def delete(self, tuples: Sequence[NamedTuple]) -> None:
        """Have these tuples no more."""
        ...

    async def check(
        self, asked: Sequence[NamedTuple], context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[bool]:
        """Whether each of these holds."""
        ...

    async def list_objects(
        self, user: str, relation: str, kind: str, context: Sequence[NamedTuple], *, fresh: bool
    ) -> list[str]:
        """The names of all objects that this holds for."""
        ...


@dataclass(frozen=True, slots=True)
class _Verdict:
    until: float
    generation: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class _Written:
    """The last write of a tenant: when, and which one of this process."""

    at: float
    generation: int


class Access:
    """The one way to OpenFGA. Raises the RpcErrors of the store."""

    def __init__(
        self,
        store: Store,
        remembered_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._remembered_seconds = remembered_seconds
        self._clock = clock
        self._verdicts: dict[tuple[str, str, NamedTuple], _Verdict] = {}
        self._written: dict[str, _Written] = {}
        self._writes = 0

    async def write(self, tenant_id: str, tuples: Sequence[Tuple]) -> None:
        """Have these tuples."""
        named = names.tuples(tenant_id, tuples)
        try:
            await self._store.write(named)
        finally:  # a write that failed may have happened
            self._forget(tenant_id)

    async def delete(self, tenant_id: str, tuples: Sequence[Tuple]) -> None:
        """Have these tuples no more."""
        named = names.tuples(tenant_id, tuples)
        try:
            await self._store.delete(named)
        finally:
            self._forget(tenant_id)

    async def allowed(
        self, asker: Asker, questions: Sequence[Question], *, fresh: bool = False
    ) -> list[bool]:
        """An answer for each question; those that are not remembered cost one call together."""
        asked = [_asked(asker, question, number) for number, question in enumerate(questions)]
        verdicts = [
            True if _owns(asker, question) else None if fresh else self._known(asker, each)
            for question, each in zip(questions, asked, strict=True)
        ]
        open_questions = list(
            dict.fromkeys(
                each for each, known in zip(asked, verdicts, strict=True) if known is None
            )
        )
        found = await self._ask(asker, open_questions, fresh=fresh) if open_questions else {}
        return [
            found[each] if known is None else known
            for each, known in zip(asked, verdicts, strict=True)
        ]

    async def listed(
        self, asker: Asker, permission: str, kind: EntityType, *, fresh: bool = False
    ) -> tuple[list[str], bool]:
        """The ids of what the asker may do this with, and whether there may be more."""
        tenant_id = asker.tenant_id
        found = await self._store.list_objects(
            names.user(tenant_id, asker.user_id),
            permission,
            names.type_name(kind, "type"),
            _context(asker),
            fresh=fresh or self._recently_written(tenant_id),
        )
        ids = [names.id_of(tenant_id, kind, name) for name in found]
        return [each for each in ids if each is not None], len(found) >= MOST_LISTED

    async def _ask(
        self, asker: Asker, asked: Sequence[NamedTuple], *, fresh: bool
    ) -> dict[NamedTuple, bool]:
        tenant_id, generation = asker.tenant_id, self._generation(asker.tenant_id)
        began = self._clock()
        past_caches = fresh or self._recently_written(tenant_id)
        verdicts = await self._store.check(asked, _context(asker), fresh=past_caches)
        found = dict(zip(asked, verdicts, strict=True))
        for each, allowed in found.items():
            # Deleted first, so that the order of the dictionary is the order of the questions.
            self._verdicts.pop((tenant_id, asker.role, each), None)
            if len(self._verdicts) >= _MOST_VERDICTS:
                del self._verdicts[next(iter(self._verdicts))]
            self._verdicts[tenant_id, asker.role, each] = _Verdict(
                began + self._remembered_seconds, generation, allowed
            )
        return found

    def _known(self, asker: Asker, asked: NamedTuple) -> bool | None:
        known = self._verdicts.get((asker.tenant_id, asker.role, asked))
        if known is None or known.generation != self._generation(asker.tenant_id):
            return None
        return known.allowed if self._clock() < known.until else None

    def _forget(self, tenant_id: str) -> None:
        self._writes += 1
        self._written.pop(tenant_id, None)
        if len(self._written) >= _MOST_TENANTS:
            # A tenant that is not known any more must not find its old verdicts again.
            self._verdicts.clear()
            del self._written[next(iter(self._written))]
        self._written[tenant_id] = _Written(self._clock(), self._writes)

    def _generation(self, tenant_id: str) -> int:
        written = self._written.get(tenant_id)
        return written.generation if written is not None else 0

    def _recently_written(self, tenant_id: str) -> bool:
        written = self._written.get(tenant_id)
        return written is not None and self._clock() - written.at < _WRITTEN_SECONDS


def _asked(asker: Asker, question: Question, number: int) -> NamedTuple:
    field = f"questions[{number}].object"
    subject = names.user(asker.tenant_id, asker.user_id)
    return NamedTuple(
        subject, question.permission, names.entity(asker.tenant_id, question.object, field)
    )


def _owns(asker: Asker, question: Question) -> bool:
    """The model gives owners every permission, so nobody has to be asked about them."""
    return bool(question.owner_id) and question.owner_id == asker.user_id


def _context(asker: Asker) -> list[NamedTuple]:
    return [names.role(asker.tenant_id, asker.user_id, asker.role)] if asker.role else []
