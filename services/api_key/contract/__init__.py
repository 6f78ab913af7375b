"""What ApiKeyService offers: make, list, change, rotate and revoke the keys of a tenant.

Messages that clients see are written with proto names, as the reference's examples show them. `by`
is who asks, for the audit log.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from actors.audit_log.contract import Actor
from chassis.message import Duration, Int32, Int64, Message, ProtoEnum, Timestamp, UInt32, Url
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from services.api_key.reasons import KEY_NOT_ACTIVE, KEY_NOT_FOUND, TOO_MANY_KEYS

Permission = Annotated[str, Field(pattern=r"^[a-z]+:[a-z]+$", max_length=64)]
Origin = Annotated[
    str, Field(pattern=r"^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$", max_length=270)
]
LONGEST_GRACE = timedelta(days=7)


class KeyType(ProtoEnum):
    """SECRET for servers; PUBLISHABLE for apps, together with the token of the app's user."""

    KEY_TYPE_UNSPECIFIED = 0
    SECRET = 1
    PUBLISHABLE = 2


class KeyStatus(ProtoEnum):
    """Whether a key is accepted."""

    KEY_STATUS_UNSPECIFIED = 0
    ACTIVE = 1
    REVOKED = 2
    EXPIRED = 3


class RateLimit(Message, proto_names=True):
    """How often a key may call."""

    requests_per_minute: Int32 = Field(default=0, ge=1, le=1_000_000)


class Oidc(Message, proto_names=True):
    """Whose users a publishable key accepts.

    Without `jwks_uri` the issuer's keys are found by OpenID discovery.
    """

    issuer: Url = Field(min_length=1, max_length=512)
    audience: str = Field(min_length=1, max_length=512)
    jwks_uri: Url = Field(default="", max_length=2048)


class KeySettings(Message, proto_names=True):
    """What the creator of a key decides.

    permissions: scopes, `conversations:read` and the like.
    allowed_origins: for publishable keys: the pages that may use it; any when empty.
    """

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    type: KeyType = KeyType.KEY_TYPE_UNSPECIFIED
    permissions: list[Permission] = Field(default_factory=list[str], max_length=64)
    rate_limit: RateLimit | None = None
    expires_at: Timestamp | None = None
    oidc: Oidc | None = None
    allowed_origins: list[Origin] = Field(default_factory=list[str], max_length=32)


class ApiKey(Message, proto_names=True):
    """A key as people see it.

    key: the text itself, in the answer to the call that made it and nowhere else.
    key_prefix: its first characters.
    previous_key_ends_at: until when the text before the last rotation is accepted too.
    last_used_at: to within a minute.
    """

    key_id: str = ""
    key: str = ""
    key_prefix: str = ""
    name: str = ""
    description: str = ""
    type: KeyType = KeyType.KEY_TYPE_UNSPECIFIED
    status: KeyStatus = KeyStatus.KEY_STATUS_UNSPECIFIED
    permissions: list[str] = Field(default_factory=list[str])
    rate_limit: RateLimit | None = None
    expires_at: Timestamp | None = None
    oidc: Oidc | None = None
    allowed_origins: list[str] = Field(default_factory=list[str])
    created_at: Timestamp | None = None
    created_by: str = ""
    last_used_at: Timestamp | None = None
    previous_key_ends_at: Timestamp | None = None
    revoked_at: Timestamp | None = None


class MadeKey(Message):
    """A key that the edge has made: its hash and how it begins."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    prefix: str = Field(min_length=1, max_length=32)


class CreateRequest(Message):
    """A new key of a tenant, made for `created_by`."""

    tenant_id: str
    created_by: str
    by: Actor | None = None
    settings: KeySettings
    made: MadeKey


class RotateRequest(Message):
    """A new text for a key. Without `grace` the old one works for another day."""

    tenant_id: str
    rotated_by: str
    by: Actor | None = None
    key_id: str
    made: MadeKey
    grace: Duration | None = None


class MadeKeyResponse(Message):
    """The key, and the hash of the text that this call made it with. A repeat of the call answers
    the first one's hash, by which the edge knows that it has nothing to show."""

    api_key: ApiKey
    sha256: str = ""


class KeyRequest(Message):
    """One key of a tenant."""

    tenant_id: str
    key_id: str


class KeyResponse(Message):
    """The key."""

    api_key: ApiKey


class UpdateRequest(Message):
    """Changes to a key. What is absent or empty stays as it is; `clear` names what to remove."""

    tenant_id: str
    updated_by: str
    by: Actor | None = None
    key_id: str
    name: str = ""
    description: str = ""
    permissions: list[str] = Field(default_factory=list[str])
    rate_limit: RateLimit | None = None
    expires_at: Timestamp | None = None
    oidc: Oidc | None = None
    allowed_origins: list[str] = Field(default_factory=list[str])
    clear: list[str] = Field(default_factory=list[str])


class RevokeRequest(Message):
    """End a key. `leaked`: by somebody who found its text where it should not be."""

    tenant_id: str
    revoked_by: str
    by: Actor | None = None
    key_id: str
    leaked: bool = False


class RevokeAllRequest(Message):
    """The end of every key of a tenant."""

    tenant_id: str
    by: Actor | None = None


class RevokeAllResponse(Message):
    """How many were revoked."""

    revoked: UInt32 = 0


class ListKeysRequest(Message):
    """A page of keys, newest first, revoked ones among them."""

    tenant_id: str
    page_size: Int32 = 0
    page_token: str = ""


class ListKeysResponse(Message):
    """Keys, newest first."""

    api_keys: list[ApiKey] = Field(default_factory=list[ApiKey])
    next_page_token: str = ""


class FamilyUsage(Message, proto_names=True):
    """Calls of one family of methods (`llm`, `storage`). `errors` counts answers of 400 and up."""

    family: str = ""
    requests: Int64 = 0
    errors: Int64 = 0


class DayUsage(Message, proto_names=True):
    """One day in UTC, `2026-11-23`."""

    day: str = ""
    requests: Int64 = 0
    errors: Int64 = 0
    families: list[FamilyUsage] = Field(default_factory=list[FamilyUsage])


class UsageResponse(Message):
    """The last 92 days on which the key was used, newest first."""

    days: list[DayUsage] = Field(default_factory=list[DayUsage])


component = Component(name="ApiKeyService", kind=Kind.SERVICE, retries=REQUEST)

_DAY = timedelta(days=1)

create = component.rpc(
    "Create",
    CreateRequest,
    MadeKeyResponse,
    errors=(TOO_MANY_KEYS,),
    edge_callable=True,
    idempotency_retention=_DAY,
)
rotate = component.rpc(
    "Rotate",
    RotateRequest,
    MadeKeyResponse,
    errors=(KEY_NOT_FOUND, KEY_NOT_ACTIVE),
    edge_callable=True,
    idempotency_retention=_DAY,
)
get = component.rpc("Get", KeyRequest, KeyResponse, errors=(KEY_NOT_FOUND,), edge_callable=True)
list_keys = component.rpc("List", ListKeysRequest, ListKeysResponse, errors=(PAGE_TOKEN_INVALID,))
update = component.rpc("Update", UpdateRequest, KeyResponse, errors=(KEY_NOT_FOUND, KEY_NOT_ACTIVE))
revoke = component.rpc(
    "Revoke",
    RevokeRequest,
    KeyResponse,
    errors=(KEY_NOT_FOUND,),
    edge_callable=True,
    idempotency_retention=_DAY,
)
revoke_all = component.rpc("RevokeAll", RevokeAllRequest, RevokeAllResponse)
usage = component.rpc("Usage", KeyRequest, UsageResponse, errors=(KEY_NOT_FOUND,))
