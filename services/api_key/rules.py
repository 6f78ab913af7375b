"""What a key's settings must fulfil beyond their own fields, all breaches told at once."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from chassis.addresses import AddressRefusedError, OutgoingAddresses
from chassis.message import REQUEST_INVALID
from errors import ErrorDetails, FieldViolation
from services.api_key.changes import CLEARABLE
from services.api_key.contract import KeySettings, KeyType, Oidc, UpdateRequest

IMPERSONATE = "users:impersonate"
"""The one scope that no method names: it stands for the header X-On-Behalf-Of."""

Breach = tuple[str, str]


class Rules:
    """The rules of one platform."""

    def __init__(self, scopes: frozenset[str], addresses: OutgoingAddresses) -> None:
        self._scopes = scopes | {IMPERSONATE}
        self._addresses = addresses

    def check_new(self, settings: KeySettings, at: datetime) -> None:
        """Raises `request.invalid` with every breach."""
        _refuse(
            [
                *_kind(settings),
                *self._permissions(settings.permissions, settings.type),
                *_expiry(settings.expires_at, at),
                *self._oidc(settings.oidc),
            ]
        )

    def check_change(self, request: UpdateRequest, kind: KeyType, at: datetime) -> None:
        """Raises `request.invalid` with every breach."""
        _refuse(
            [
                *_publishable_only(request, kind),
                *self._permissions(request.permissions, kind),
                *_expiry(request.expires_at, at),
                *self._oidc(request.oidc),
                *_clear(request.clear),
            ]
        )

    def _permissions(self, permissions: Sequence[str], kind: KeyType) -> Iterator[Breach]:
        for number, permission in enumerate(permissions):
            if permission not in self._scopes:
                yield f"permissions[{number}]", "is not a scope that a key can have"
            elif permission == IMPERSONATE and kind is KeyType.PUBLISHABLE:
                yield f"permissions[{number}]", "is for secret keys only"

    def _oidc(self, oidc: Oidc | None) -> Iterator[Breach]:
        if oidc is None:
            return
        for name, url in (("issuer", oidc.issuer), ("jwks_uri", oidc.jwks_uri)):
            try:
                if url:
                    self._addresses.check_url(url)
            except AddressRefusedError as refused:
                yield f"oidc.{name}", str(refused)


def _kind(settings: KeySettings) -> Iterator[Breach]:
    if settings.type is KeyType.PUBLISHABLE and settings.oidc is None:
        yield "oidc", "is required for publishable keys"
    yield from _publishable_only(settings, settings.type)


def _publishable_only(asked: KeySettings | UpdateRequest, kind: KeyType) -> Iterator[Breach]:
    if kind is KeyType.PUBLISHABLE:
        return
    if asked.oidc is not None:
        yield "oidc", "is for publishable keys only"
    if asked.allowed_origins:
        yield "allowed_origins", "is for publishable keys only"


def _expiry(expires_at: datetime | None, at: datetime) -> Iterator[Breach]:
    if expires_at is not None and expires_at <= at:
        yield "expires_at", "must be in the future"


def _clear(names: Iterable[str]) -> Iterator[Breach]:
    for number, name in enumerate(names):
        if name not in CLEARABLE:
            yield f"clear[{number}]", f"must be one of {', '.join(CLEARABLE)}"


def _refuse(breaches: Sequence[Breach]) -> None:
    if breaches:
        violations = tuple(FieldViolation(field=f, description=d) for f, d in breaches)
        raise REQUEST_INVALID.error(details=ErrorDetails(field_violations=violations))
