"""A publishable key together with the token of one of its users.

The key says which issuer and audience; the token must be that issuer's. Its user is
`<namespace>:<sub>`, so that two issuers can never name one user. The addresses of issuers come
from tenants, hence every fetch of their keys goes through the rule for outgoing addresses.
"""

import time
from hashlib import sha256
from typing import Any

from chassis.identity import Caller
from chassis.rpc import Mode
from edge import reasons
from edge.credentials.fetching import Fetcher
from edge.credentials.grants import Grants
from edge.credentials.jwks import Jwks
from edge.credentials.signed import SignedTokens, email_of
from edge.credentials.verified import Verified
from services.api_key.contract import KeyType, Oidc
from services.api_key.contract.objects import Grant

# Asymmetric only: with an HMAC the public key would be the secret.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"})

_VERDICT_SECONDS = 5.0
_REMEMBERED = 10_000
_MOST_ISSUERS = 1000


class PublishableKeys:
    """The PublishableVerifier."""

    def __init__(self, grants: Grants, fetcher: Fetcher, leeway_seconds: float) -> None:
        self._grants = grants
        self._fetcher = fetcher
        self._leeway = leeway_seconds
        self._issuers: dict[tuple[str, str, str], tuple[SignedTokens, Jwks]] = {}
        self._claims: dict[bytes, tuple[float, dict[str, Any]]] = {}

    async def close(self) -> None:
        """End fetches that are under way."""
        for _, jwks in self._issuers.values():
            await jwks.close()

    async def verify(self, key: str, token: str, origin: bytes | None) -> Verified:
        """The user that the token names, in the key's tenant.

        origin: what the browser sent. Raises UNAUTHENTICATED unless both are valid,
        PERMISSION_DENIED for a page that may not use the key, or UNAVAILABLE.
        """
        grant = await self._grants.find(key)
        oidc = grant.oidc
        if grant.type is not KeyType.PUBLISHABLE or oidc is None:
            raise reasons.CREDENTIALS_INVALID.error()
        if grant.allowed_origins and (origin or b"").decode("latin-1") not in grant.allowed_origins:
            raise reasons.ORIGIN_NOT_ALLOWED.error()
        return _verified(grant, await self._claims_of(oidc, token))

    async def _claims_of(self, oidc: Oidc, token: str) -> dict[str, Any]:
        settings = (oidc.issuer, oidc.audience, oidc.jwks_uri)
        digest = sha256("\n".join((*settings, token)).encode()).digest()
        verdict = self._claims.get(digest)
        if verdict is not None and verdict[0] > time.time():
            return verdict[1]
        claims = await self._signed(settings).claims(token)
        until = min(time.time() + _VERDICT_SECONDS, claims["exp"] + self._leeway)
        if len(self._claims) >= _REMEMBERED:
            del self._claims[next(iter(self._claims))]
        self._claims[digest] = (until, claims)
        return claims

    def _signed(self, settings: tuple[str, str, str]) -> SignedTokens:
        known = self._issuers.get(settings)
        if known is None:
            if len(self._issuers) >= _MOST_ISSUERS:
                del self._issuers[next(iter(self._issuers))]
            issuer, audience, url = settings
            jwks = Jwks(self._fetcher, ALGORITHMS, url=url, issuer=issuer)
            known = SignedTokens(issuer, audience, jwks, self._leeway, ALGORITHMS), jwks
            self._issuers[settings] = known
        return known[0]


def _verified(grant: Grant, claims: dict[str, Any]) -> Verified:
    user_id = f"{grant.namespace}:{claims['sub']}"
    caller = Caller(
        tenant_id=grant.tenant_id,
        user_id=user_id,
        mode=Mode.PUBLISHABLE_KEY,
        scopes=frozenset(grant.scopes),
        email=email_of(claims),
        key_id=grant.key_id,
    )
    # One user must not use up what all users of an app share, so only a limit that was set on the
    # key counts for the key as a whole.
    limited = grant.requests_per_minute
    limit_key = f"key:{grant.key_id}" if limited else f"key:{grant.key_id}:{user_id}"
    return Verified(caller, limit_key, limited or None, keeps_usage=True)
