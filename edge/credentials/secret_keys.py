"""Secret keys: those of tenants, and those that the operator lists in `EDGE_SECRET_KEYS`.

The listed ones are for development and tests; they are known by their hash alone, like all
others, but need no look-up and cannot be revoked without a restart.
"""

from collections.abc import Sequence
from hashlib import sha256

from chassis.identity import Caller
from chassis.rpc import Mode
from edge import reasons
from edge.credentials.grants import Grants
from edge.credentials.verified import Verified
from edge.settings import SecretKeySetting
from services.api_key.contract import KeyType
from services.api_key.contract.objects import Grant

SERVICE_PREFIX = "svc:"
_REMEMBERED = 10_000


class SecretKeys:
    """The KeyVerifier. Looking a hash up tells nothing about a key by timing."""

    def __init__(self, listed: Sequence[SecretKeySetting], grants: Grants) -> None:
        self._listed = {key.sha256: _listed(key) for key in listed}
        self._grants = grants
        # One caller for as long as a grant is remembered: making one costs more than finding it.
        self._granted: dict[str, tuple[Grant, Verified]] = {}

    async def verify(self, key: str) -> Verified:
        """The caller of a known key. Raises UNAUTHENTICATED for any other, or UNAVAILABLE."""
        listed = self._listed.get(sha256(key.encode()).hexdigest())
        if listed is not None:
            return listed
        grant = await self._grants.find(key)
        if grant.type is not KeyType.SECRET:
            raise reasons.CREDENTIALS_INVALID.error()
        known = self._granted.get(grant.key_id)
        if known is not None and known[0] is grant:
            return known[1]
        if len(self._granted) >= _REMEMBERED:
            del self._granted[next(iter(self._granted))]
        verified = _granted(grant)
        self._granted[grant.key_id] = (grant, verified)
        return verified


def _granted(grant: Grant) -> Verified:
    caller = Caller(
        tenant_id=grant.tenant_id,
        user_id=f"{SERVICE_PREFIX}{grant.key_id}",
        mode=Mode.SECRET_KEY,
        scopes=frozenset(grant.scopes),
        key_id=grant.key_id,
    )
    return Verified(
        caller, f"key:{grant.key_id}", grant.requests_per_minute or None, keeps_usage=True
    )


def _listed(key: SecretKeySetting) -> Verified:
    caller = Caller(
        tenant_id=key.tenant_id,
        user_id=key.user_id or f"{SERVICE_PREFIX}{key.key_id}",
        mode=Mode.SECRET_KEY,
        scopes=key.scopes,
        key_id=key.key_id,
    )
    return Verified(caller, f"key:{key.key_id}", key.requests_per_minute)
