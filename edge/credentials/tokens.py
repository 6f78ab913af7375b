"""Tokens of the platform's own issuer (Firebase, or the development issuer).

The algorithm comes from our list and the key from the issuer's own key set; nothing that the
token's header says about where a key may be found is followed. A verdict is remembered for five
seconds by the token's hash, so revocation holds soon and a busy user costs one RSA check.
"""

import time
from hashlib import sha256
from typing import Any, TypeGuard

import jwt

from chassis.identity import Caller
from chassis.rpc import Mode
from edge import reasons
from edge.credentials.jwks import Jwks
from edge.credentials.verified import Verified
from edge.scopes import RoleScopes
from errors import RpcError

ALGORITHMS = frozenset({"RS256"})

_VERDICT_SECONDS = 5.0
_REMEMBERED = 10_000
_LONGEST_SUBJECT = 255
_LONGEST_TENANT = 128
_REFUSED_HEADERS = ("jku", "x5u", "jwk", "x5c", "crit")


class IssuerTokens:
    """The TokenVerifier of one issuer and audience."""

    def __init__(
        self, issuer: str, audience: str, jwks: Jwks, leeway_seconds: float, roles: RoleScopes
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks = jwks
        self._leeway = leeway_seconds
        self._roles = roles
        self._verdicts: dict[bytes, tuple[float, Verified]] = {}

    async def verify(self, token: str) -> Verified:
        """The caller that the token names. Raises UNAUTHENTICATED or UNAVAILABLE."""
        digest = sha256(token.encode()).digest()
        verdict = self._verdicts.get(digest)
        if verdict is not None and verdict[0] > time.time():
            return verdict[1]
        claims = await self._claims(token)
        verified = self._verified(claims)
        until = min(time.time() + _VERDICT_SECONDS, claims["exp"] + self._leeway)
        if len(self._verdicts) >= _REMEMBERED:
            del self._verdicts[next(iter(self._verdicts))]
        self._verdicts[digest] = (until, verified)
        return verified

    async def _claims(self, token: str) -> dict[str, Any]:
        key = await self._jwks.get(_key_id(token))
        try:
            return jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise reasons.TOKEN_EXPIRED.error() from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise reasons.CREDENTIALS_INVALID.error() from None

    def _verified(self, claims: dict[str, Any]) -> Verified:
        subject = claims["sub"]
        # A colon separates the namespace of other issuers from their users.
        if not _is_text(subject, _LONGEST_SUBJECT) or ":" in subject:
            raise reasons.CREDENTIALS_INVALID.error()
        tenant = claims.get("tenant_id")
        tenant_id = tenant if _is_text(tenant, _LONGEST_TENANT) else ""
        role, email = claims.get("role", "member"), claims.get("email")
        role = role if isinstance(role, str) and role.isascii() and role.isalpha() else ""
        caller = Caller(
            tenant_id=tenant_id,
            user_id=subject,
            mode=Mode.FIREBASE,
            scopes=self._roles.of(role) if tenant_id else frozenset(),
            email=email if _is_text(email, 320) else "",
            role=role if tenant_id else "",
        )
        return Verified(caller, f"user:{tenant_id}:{subject}")


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise _invalid() from None
    kid = header.get("kid")
    if header.get("alg") not in ALGORITHMS or any(name in header for name in _REFUSED_HEADERS):
        raise _invalid()
    if not _is_text(kid, 256):
        raise _invalid()
    return kid


def _is_text(value: object, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def _invalid() -> RpcError:
    return reasons.CREDENTIALS_INVALID.error()
