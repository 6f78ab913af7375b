"""The result of verification, and the seam where another source of keys or users fits in."""

from dataclasses import dataclass, field, replace
from typing import Protocol

from chassis.identity import Caller

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """A caller whose credential was checked, and how often they may call.

    caller: without a request id; the same object serves many requests.
    requests_per_minute: None stands for the edge's default.
    limit_key: what is counted: the key, or the user for tokens.
    keeps_usage: whether ApiKeyService keeps the usage of the key.
    headers: the identity headers towards Restate, made once.
    """

    caller: Caller
    limit_key: str
    requests_per_minute: int | None = None
    keeps_usage: bool = False
    headers: Pairs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", tuple(self.caller.to_headers().items()))

    def as_user(self, user_id: str) -> "Verified":
        """The same key acting for a user of its tenant, recorded as impersonation."""
        caller = replace(self.caller, user_id=user_id, impersonator=self.caller.user_id)
        return replace(self, caller=caller)

    def seen_from(self, address: str, user_agent: str) -> "Verified":
        """The same caller, with where this one call comes from."""
        return replace(self, caller=replace(self.caller, address=address, user_agent=user_agent))


class KeyVerifier(Protocol):
    """Checks a secret key."""

    async def verify(self, key: str) -> Verified:
        """Raises UNAUTHENTICATED for a key that is unknown, revoked or expired, or UNAVAILABLE."""
        ...


class TokenVerifier(Protocol):
    """Checks a token of the platform's own issuer."""

    async def verify(self, token: str) -> Verified:
        """Raises UNAUTHENTICATED, or UNAVAILABLE when the issuer's keys cannot be had."""
        ...


class PublishableVerifier(Protocol):
    """Checks a publishable key together with a token of the issuer that is stored on it."""

    async def verify(self, key: str, token: str, origin: bytes | None) -> Verified:
        """Raises UNAUTHENTICATED unless both are valid, PERMISSION_DENIED for a page that may not
        use the key, or UNAVAILABLE. `origin` is what the browser says of the page."""
        ...
