"""Secret keys that the operator lists in `EDGE_SECRET_KEYS`, known by their hash alone."""

from collections.abc import Sequence
from hashlib import sha256

from chassis.identity import Caller
from chassis.rpc import Mode
from edge import reasons
from edge.credentials.verified import Verified
from edge.settings import SecretKeySetting

SERVICE_PREFIX = "svc:"


class SettingsKeys:
    """The KeyVerifier over the settings. Looking a hash up tells nothing about a key by timing."""

    def __init__(self, keys: Sequence[SecretKeySetting]) -> None:
        self._by_hash = {key.sha256: _verified(key) for key in keys}

    async def verify(self, key: str) -> Verified:
        """The caller of a known key; UNAUTHENTICATED for any other."""
        verified = self._by_hash.get(sha256(key.encode()).hexdigest())
        if verified is None:
            raise reasons.CREDENTIALS_INVALID.error()
        return verified


def _verified(key: SecretKeySetting) -> Verified:
    caller = Caller(
        tenant_id=key.tenant_id,
        user_id=key.user_id or f"{SERVICE_PREFIX}{key.key_id}",
        mode=Mode.SECRET_KEY,
        scopes=key.scopes,
        key_id=key.key_id,
    )
    return Verified(caller, f"key:{key.key_id}", key.requests_per_minute)
