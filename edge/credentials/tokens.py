"""Tokens of the platform's own issuer (Firebase, or the development issuer).

What a token claims is remembered for five seconds by its hash, so a busy user costs one RSA check.
Whether it still counts is asked each time of sessions.py, which remembers too.
"""

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chassis.identity import Caller
from chassis.rpc import Mode
from edge import reasons
from edge.credentials.sessions import Sessions
from edge.credentials.signed import SignedTokens, email_of, is_text
from edge.credentials.verified import Verified
from edge.scopes import RoleScopes

ALGORITHMS = frozenset({"RS256"})

_KNOWN_SECONDS = 5.0
_REMEMBERED = 10_000
_LONGEST_TENANT = 128


@dataclass(frozen=True, slots=True)
class _Known:
    """Until when a token need not be read again, who it names, and when they signed in."""

    until: float
    verified: Verified
    signed_in: float


class IssuerTokens:
    """The TokenVerifier of one issuer and audience."""

    def __init__(self, signed: SignedTokens, roles: RoleScopes, sessions: Sessions) -> None:
        self._signed = signed
        self._roles = roles
        self._sessions = sessions
        self._known: dict[bytes, _Known] = {}

    async def verify(self, token: str) -> Verified:
        """The caller that the token names. Raises UNAUTHENTICATED or UNAVAILABLE."""
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is None or known.until <= time.time():
            known = self._read(await self._signed.claims(token))
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[digest] = known
        await self._sessions.check(known.verified.caller, known.signed_in)
        return known.verified

    def _read(self, claims: dict[str, Any]) -> "_Known":
        # When the person signed in, which a refreshed token still tells. Tokens of issuers that do
        # not say so count from the moment at which they were made.
        signed_in = claims.get("auth_time", claims["iat"])
        if isinstance(signed_in, bool) or not isinstance(signed_in, int | float):
            raise reasons.CREDENTIALS_INVALID.error()
        until = min(time.time() + _KNOWN_SECONDS, claims["exp"] + self._signed.leeway_seconds)
        return _Known(until, self._verified(claims), signed_in)

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
