"""What a key grants, as ApiKeyService says it; verdicts.py remembers it for a few seconds.

The checksum is judged first, so typos and inventions cost no look-up.
"""

from datetime import UTC, datetime

from chassis import key_text
from edge import reasons
from edge.credentials.verdicts import LOOKUP_SECONDS, Verdicts
from edge.metrics import KEY_LOOKUPS
from edge.platform_calls import PlatformCalls
from services.api_key.contract import objects
from services.api_key.contract.objects import Grant, ReadRequest


class Grants:
    """The grants of keys by their text."""

    def __init__(self, calls: PlatformCalls) -> None:
        self._calls = calls
        self._verdicts = Verdicts(self._ask, KEY_LOOKUPS)

    async def close(self) -> None:
        """End look-ups that are under way."""
        await self._verdicts.close()

    async def find(self, key: str) -> Grant:
        """The grant of a key that is in force.

        Raises UNAUTHENTICATED, or UNAVAILABLE while that cannot be found out.
        """
        if not key_text.is_whole(key):
            raise reasons.CREDENTIALS_INVALID.error()
        return _in_force(await self._verdicts.find(key_text.hash_of(key)))

    async def _ask(self, digest: str) -> Grant | None:
        found = await self._calls.call(
            objects.read, ReadRequest(), key=digest, seconds=LOOKUP_SECONDS
        )
        KEY_LOOKUPS.labels("unknown" if found.grant is None else "found").inc()
        return found.grant


def _in_force(grant: Grant | None) -> Grant:
    if grant is None:
        raise reasons.CREDENTIALS_INVALID.error()
    if grant.revoked:
        raise reasons.KEY_REVOKED.error()
    if grant.ends_at is not None and grant.ends_at <= datetime.now(UTC):
        raise reasons.KEY_EXPIRED.error()
    return grant
