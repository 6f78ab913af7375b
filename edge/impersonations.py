"""Calls that a key made for a user: noted here, handed to the audit log in batches.

Calls that are alike (key, user, method, outcome, from where) are one entry with their number, so a
server that does everything for its users fills no log faster than it has users. Only the edge sees
every such call, whoever answers it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from actors.audit_log import contract as audit_log
from actors.audit_log.contract import Actor, AppendRequest, Entry, Target
from chassis.identity import Caller
from edge.batches import LARGEST_BATCH, Batch

ACTION = "user.impersonated"
_MOST_NOTES = 100_000


@dataclass(slots=True)
class _Note:
    entry: Entry
    calls: int = 0
    last: float = 0.0


class Impersonations:
    """The notes of this process."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, ...], _Note] = {}

    def note(self, caller: Caller, method: str, code: str) -> None:
        """Note one call of a method; `caller` has the user, and the impersonator."""
        alike = (
            caller.tenant_id, caller.key_id, caller.user_id, caller.impersonator, caller.address,
            caller.user_agent, method, code,
        )  # fmt: skip
        note = self._notes.get(alike)
        if note is None:
            if len(self._notes) >= _MOST_NOTES:
                return
            note = self._notes[alike] = _Note(_entry(caller, method, code))
        note.calls += 1
        note.last = datetime.now(UTC).timestamp()

    def batches(self) -> list[Batch]:
        """What was noted since the last time, by tenant."""
        notes, self._notes = self._notes, {}
        entries: dict[str, list[Entry]] = {}
        for (tenant_id, *_), note in notes.items():
            note.entry.calls = note.calls
            note.entry.at = datetime.fromtimestamp(note.last, UTC)
            entries.setdefault(tenant_id, []).append(note.entry)
        return [
            Batch(
                audit_log.append, tenant_id, AppendRequest(entries=found[at : at + LARGEST_BATCH])
            )
            for tenant_id, found in entries.items()
            for at in range(0, len(found), LARGEST_BATCH)
        ]


def _entry(caller: Caller, method: str, code: str) -> Entry:
    return Entry(
        action=ACTION,
        actor=Actor.of(caller),
        target=Target(type="method", id=method),
        changes={"code": code},
    )
