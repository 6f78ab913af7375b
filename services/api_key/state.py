"""The state of a tenant's index: its keys, in the order in which they were made."""

from datetime import datetime

from pydantic import Field

from chassis.message import Int64, Message, Timestamp, UInt32
from chassis.state import StateKey
from services.api_key.contract import ApiKey, KeySettings, KeyStatus
from services.api_key.contract.objects import Grant

PAGE_SIZE = 50
MOST_TEXTS = 5
"""A key that is rotated again and again keeps this many texts alive, the new one included."""


class Head(Message):
    """How many keys there ever were, and how many are not revoked."""

    version: UInt32 = 1
    keys: UInt32 = 0
    active: UInt32 = 0


class Page(Message):
    """Ids in the order of their making."""

    key_ids: list[str] = Field(default_factory=list[str])


class Text(Message):
    """One text of a key. `ends_at` is set when it was rotated away."""

    sha256: str
    prefix: str
    ends_at: Timestamp | None = None


class KeyRecord(Message):
    """A key. `texts` has the current one last."""

    version: UInt32 = 1
    key_id: str
    revision: UInt32 = 1
    settings: KeySettings
    namespace: str = ""
    texts: list[Text] = Field(default_factory=list[Text])
    created_at: Timestamp
    created_by: str = ""
    last_used_at: Timestamp | None = None
    revoked_at: Timestamp | None = None

    def status(self, at: datetime) -> KeyStatus:
        """Whether the key is accepted at a moment."""
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        expires_at = self.settings.expires_at
        return KeyStatus.EXPIRED if expires_at and expires_at <= at else KeyStatus.ACTIVE

    def shown(self, at: datetime) -> ApiKey:
        """The key as people see it."""
        settings = self.settings
        earlier = [text.ends_at for text in self.texts if text.ends_at and text.ends_at > at]
        return ApiKey(
            key_id=self.key_id,
            key_prefix=self.texts[-1].prefix,
            name=settings.name,
            description=settings.description,
            type=settings.type,
            status=self.status(at),
            permissions=settings.permissions,
            rate_limit=settings.rate_limit,
            expires_at=settings.expires_at,
            oidc=settings.oidc,
            allowed_origins=settings.allowed_origins,
            created_at=self.created_at,
            created_by=self.created_by,
            last_used_at=self.last_used_at,
            previous_key_ends_at=max(earlier, default=None),
            revoked_at=self.revoked_at,
        )

    def grant(self, tenant_id: str, text: Text) -> Grant:
        """What one of its texts grants."""
        settings = self.settings
        ends = [end for end in (settings.expires_at, text.ends_at) if end is not None]
        return Grant(
            revision=self.revision,
            key_id=self.key_id,
            tenant_id=tenant_id,
            type=settings.type,
            revoked=self.revoked_at is not None,
            ends_at=min(ends, default=None),
            scopes=settings.permissions,
            requests_per_minute=settings.rate_limit.requests_per_minute
            if settings.rate_limit
            else 0,
            oidc=settings.oidc,
            namespace=self.namespace,
            allowed_origins=settings.allowed_origins,
        )


class Issuers(Message):
    """The namespace of each OIDC issuer that a key of the tenant has ever named."""

    namespaces: dict[str, str] = Field(default_factory=dict[str, str])


class FamilyCount(Message):
    """Calls of one family."""

    requests: Int64 = 0
    errors: Int64 = 0


class DayCount(Message):
    """Calls of one day, by family."""

    day: str
    families: dict[str, FamilyCount] = Field(default_factory=dict[str, FamilyCount])


class UsageRecord(Message):
    """The days on which a key was used, oldest first."""

    days: list[DayCount] = Field(default_factory=list[DayCount])


HEAD = StateKey("head", Head)
PAGE = StateKey("page", Page)
KEY = StateKey("key", KeyRecord)
ISSUERS = StateKey("issuers", Issuers)
USAGE = StateKey("usage", UsageRecord)

GRANT = StateKey("grant", Grant)
