"""Signed tokens of one issuer and audience: the claims of those that stand every check.

The algorithm comes from our list and the key from the issuer's own key set; nothing that the
token's header says about where a key may be found is followed.
"""

from typing import Any, TypeGuard

import jwt

from edge import reasons
from edge.credentials.jwks import Jwks

LONGEST_SUBJECT = 255
_REFUSED_HEADERS = ("jku", "x5u", "jwk", "x5c", "crit")
_REQUIRED = ("exp", "iat", "iss", "aud", "sub")


class SignedTokens:
    """Checks signature, issuer, audience and time."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        jwks: Jwks,
        leeway_seconds: float,
        algorithms: frozenset[str],
    ) -> None:
        self.leeway_seconds = leeway_seconds
        self._issuer = issuer
        self._audience = audience
        self._jwks = jwks
        self._algorithms = algorithms

    async def claims(self, token: str) -> dict[str, Any]:
        """What a valid token claims; `sub` is text. Raises UNAUTHENTICATED or UNAVAILABLE."""
        key = await self._jwks.get(self._key_id(token))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self._algorithms),
                issuer=self._issuer,
                audience=self._audience,
                leeway=self.leeway_seconds,
                options={"require": list(_REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            raise reasons.TOKEN_EXPIRED.error() from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise reasons.CREDENTIALS_INVALID.error() from None
        if not is_text(claims["sub"], LONGEST_SUBJECT):
            raise reasons.CREDENTIALS_INVALID.error()
        return claims

    def _key_id(self, token: str) -> str:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError):
            raise reasons.CREDENTIALS_INVALID.error() from None
        kid = header.get("kid")
        refused = any(name in header for name in _REFUSED_HEADERS)
        if refused or header.get("alg") not in self._algorithms or not is_text(kid, 256):
            raise reasons.CREDENTIALS_INVALID.error()
        return kid


def is_text(value: object, longest: int) -> TypeGuard[str]:
    """Whether a claim is printable text of at most so many characters."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def email_of(claims: dict[str, Any]) -> str:
    """The email claim, or nothing."""
    email = claims.get("email")
    return email if is_text(email, 320) else ""
