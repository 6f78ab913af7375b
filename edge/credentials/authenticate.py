"""Which credential was sent, and is it one that may be sent.

One of: a secret key; a token; a publishable key with its user's token. Anything doubled, mixed,
oversized or not ASCII is refused before a verifier sees it.
"""

from chassis.rpc import Mode
from edge import reasons
from edge.credentials.secret_keys import SERVICE_PREFIX
from edge.credentials.verified import KeyVerifier, PublishableVerifier, TokenVerifier, Verified
from edge.requests import Request

_API_KEY, _AUTHORIZATION, _ON_BEHALF_OF = b"x-api-key", b"authorization", b"x-on-behalf-of"
_ORIGIN = b"origin"
_LARGEST_BYTES = 8192
_LARGEST_USER_ID_BYTES = 256
_REMEMBERED_USERS = 10_000

IMPERSONATE = "users:impersonate"


class Authenticator:
    """Verifies whoever sends a request. A mode without a verifier accepts no credential."""

    def __init__(
        self,
        secret: KeyVerifier,
        tokens: TokenVerifier | None = None,
        publishable: PublishableVerifier | None = None,
    ) -> None:
        self._secret = secret
        self._tokens = tokens
        self._publishable = publishable
        self._impersonated: dict[tuple[Verified, str], Verified] = {}

    async def identify(self, request: Request) -> Verified:
        """The verified caller. Raises UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE."""
        headers = request.headers
        key, authorization = headers.get(_API_KEY), headers.get(_AUTHORIZATION)
        if request.repeated:
            _refuse_repeated(request)
        if key is not None and authorization is None and _is_secret(key):
            verified = await self._secret.verify(_text(key))
        else:
            verified = await self._other(key, authorization, headers.get(_ORIGIN))
        user = headers.get(_ON_BEHALF_OF)
        return verified if user is None else self._impersonate(verified, user)

    async def _other(
        self, key: bytes | None, authorization: bytes | None, origin: bytes | None
    ) -> Verified:
        if key is None:
            if authorization is None:
                raise reasons.CREDENTIALS_MISSING.error()
            token = _bearer(authorization)
            if self._tokens is None:
                raise reasons.CREDENTIALS_INVALID.error()
            return await self._tokens.verify(token)
        if not key.startswith(b"pk_"):
            ambiguous = authorization is not None and _is_secret(key)
            reason = reasons.CREDENTIALS_AMBIGUOUS if ambiguous else reasons.CREDENTIALS_INVALID
            raise reason.error()
        if authorization is None:
            raise reasons.CREDENTIALS_INCOMPLETE.error()
        if self._publishable is None:
            raise reasons.CREDENTIALS_INVALID.error()
        return await self._publishable.verify(_text(key), _bearer(authorization), origin)

    def _impersonate(self, verified: Verified, user: bytes) -> Verified:
        if verified.caller.mode is not Mode.SECRET_KEY or IMPERSONATE not in verified.caller.scopes:
            raise reasons.IMPERSONATION_DENIED.error()
        user_id = _user_id(user)
        known = self._impersonated.get((verified, user_id))
        if known is None:
            if len(self._impersonated) >= _REMEMBERED_USERS:
                del self._impersonated[next(iter(self._impersonated))]
            known = verified.as_user(user_id)
            self._impersonated[verified, user_id] = known
        return known


def _refuse_repeated(request: Request) -> None:
    for name in (_API_KEY, _AUTHORIZATION):
        if request.is_repeated(name):
            raise reasons.CREDENTIALS_AMBIGUOUS.error()
    if request.is_repeated(_ON_BEHALF_OF):
        raise reasons.IMPERSONATION_INVALID.error()


def _is_secret(key: bytes) -> bool:
    return key.startswith(b"sk_")


def _text(credential: bytes) -> str:
    if len(credential) > _LARGEST_BYTES or not credential.isascii():
        raise reasons.CREDENTIALS_INVALID.error()
    return credential.decode()


def _bearer(authorization: bytes) -> str:
    scheme, _, token = _text(authorization).partition(" ")
    if scheme.lower() != "bearer" or not token or " " in token:
        raise reasons.CREDENTIALS_INVALID.error()
    return token


def _user_id(header: bytes) -> str:
    allowed = 0 < len(header) <= _LARGEST_USER_ID_BYTES and all(0x21 <= b <= 0x7E for b in header)
    if not allowed or header.startswith(SERVICE_PREFIX.encode()):
        raise reasons.IMPERSONATION_INVALID.error()
    return header.decode()
