"""Tokens of the platform's own issuer (Firebase, or the development issuer).

A verdict is remembered for five seconds by the token's hash, so revocation holds soon and a busy
user costs one RSA check.
"""

import time
from hashlib import sha256
from typing import Any

from chassis.identity import Caller
from chassis.rpc import Mode
from edge import reasons
from edge.credentials.signed import SignedTokens, email_of, is_text
from edge.credentials.verified import Verified
from edge.scopes import RoleScopes

ALGORITHMS = frozenset({"RS256"})

_VERDICT_SECONDS = 5.0
_REMEMBERED = 10_000
_LONGEST_TENANT = 128


class IssuerTokens:
    """The TokenVerifier of one issuer and audience."""

    def __init__(self, signed: SignedTokens, roles: RoleScopes) -> None:
        self._signed = signed
        self._roles = roles
        self._verdicts: dict[bytes, tuple[float, Verified]] = {}

    async def verify(self, token: str) -> Verified:
        """The caller that the token names. Raises UNAUTHENTICATED or UNAVAILABLE."""
        digest = sha256(token.encode()).digest()
        verdict = self._verdicts.get(digest)
        if verdict is not None and verdict[0] > time.time():
            return verdict[1]
        claims = await self._signed.claims(token)
        verified = self._verified(claims)
        until = min(time.time() + _VERDICT_SECONDS, claims["exp"] + self._signed.leeway_seconds)
        if len(self._verdicts) >= _REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[digest] = (until, verified)
        return verified

    def _verified(self, claims: dict[str, Any]) -> Verified:
        subject = claims["sub"]
        # A colon separates the namespace of other issuers from their users.
        if ":" in subject:
            raise reasons.CREDENTIALS_INVALID.error()
        tenant = claims.get("tenant_id")
        tenant_id = tenant if is_text(tenant, _LONGEST_TENANT) else ""
        role = claims.get("role", "member")
        role = role if isinstance(role, str) and role.isascii() and role.isalpha() else ""
        caller = Caller(
            tenant_id=tenant_id,
            user_id=subject,
            mode=Mode.FIREBASE,
            scopes=self._roles.of(role) if tenant_id else frozenset(),
            email=email_of(claims),
            role=role if tenant_id else "",
        )
        return Verified(caller, f"user:{tenant_id}:{subject}")
