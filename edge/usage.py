"""How keys are used: counted here, handed to ApiKeyService in batches.

A request costs an addition to a dictionary.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from edge.batches import LARGEST_BATCH, Batch
from edge.credentials.verified import Verified
from edge.routes import Entry
from services.api_key.contract import objects
from services.api_key.contract.objects import AddUsageRequest, UsageEntry

_MOST_COUNTS = 100_000


@dataclass(slots=True)
class _Count:
    requests: int = 0
    errors: int = 0
    last: float = 0.0


class Usage:
    """The counts of this process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str, str], _Count] = {}

    def count(self, verified: Verified, entry: Entry, *, failed: bool) -> None:
        """Count one request of a key."""
        moment = datetime.now(UTC)
        caller = verified.caller
        where = (caller.tenant_id, caller.key_id, f"{moment:%Y-%m-%d}", entry.family)
        count = self._counts.get(where)
        if count is None:
            if len(self._counts) >= _MOST_COUNTS:
                return
            count = self._counts[where] = _Count()
        count.requests += 1
        count.errors += failed
        count.last = moment.timestamp()

    def batches(self) -> list[Batch]:
        """What was counted since the last time, by tenant."""
        counts, self._counts = self._counts, {}
        entries: dict[str, list[UsageEntry]] = {}
        for (tenant_id, key_id, day, family), count in counts.items():
            entry = UsageEntry(
                key_id=key_id,
                day=day,
                family=family,
                requests=count.requests,
                errors=count.errors,
                last_used_at=datetime.fromtimestamp(count.last, UTC),
            )
            entries.setdefault(tenant_id, []).append(entry)
        return [
            Batch(objects.add_usage, tenant_id, AddUsageRequest(entries=part))
            for tenant_id, found in entries.items()
            for part in _parts(found)
        ]


def _parts(entries: list[UsageEntry]) -> list[list[UsageEntry]]:
    return [entries[at : at + LARGEST_BATCH] for at in range(0, len(entries), LARGEST_BATCH)]
