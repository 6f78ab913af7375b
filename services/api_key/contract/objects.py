"""The objects inside ApiKeyService: the index of a tenant, and what the edge reads of one key."""

from datetime import timedelta

from pydantic import Field

from actors.audit_log.contract import Actor
from chassis.message import Int32, Int64, Message, Timestamp, UInt32
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind
from services.api_key.contract import (
    ApiKey,
    CreateRequest,
    KeyRequest,
    KeyResponse,
    KeyType,
    ListKeysRequest,
    ListKeysResponse,
    Oidc,
    RevokeRequest,
    RotateRequest,
    UpdateRequest,
    UsageResponse,
)
from services.api_key.contract import component as service
from services.api_key.reasons import KEY_NOT_ACTIVE, KEY_NOT_FOUND, TOO_MANY_KEYS


class Grant(Message):
    """Everything that the edge needs to know of a key.

    ends_at: when this text stops being accepted: it expires, or was rotated away.
    namespace: the part before the colon in the ids of the key's users.
    revision: a change with a smaller one comes late and changes nothing.
    """

    revision: UInt32 = 0
    key_id: str = ""
    tenant_id: str = ""
    type: KeyType = KeyType.KEY_TYPE_UNSPECIFIED
    revoked: bool = False
    ends_at: Timestamp | None = None
    scopes: list[str] = Field(default_factory=list[str])
    requests_per_minute: Int32 = 0
    oidc: Oidc | None = None
    namespace: str = ""
    allowed_origins: list[str] = Field(default_factory=list[str])


class PutRequest(Message):
    """What a key's text grants from now on; `sha256` is the object's own key."""

    sha256: str
    grant: Grant


class PutResponse(Message):
    """Written, or older than what is there."""


class ReadRequest(Message):
    """Whatever is known."""


class ReadResponse(Message):
    """The grant; absent for a text that no key ever had."""

    grant: Grant | None = None


class ChangedResponse(Message):
    """The key after a change, and what its texts grant now."""

    api_key: ApiKey
    puts: list[PutRequest] = Field(default_factory=list[PutRequest])


class RevokePageRequest(Message):
    """The end of the keys of one page, counted from 0."""

    page: UInt32 = 0
    by: Actor | None = None


class RevokePageResponse(Message):
    """What their texts grant now, how many were revoked, and whether there are more pages."""

    puts: list[PutRequest] = Field(default_factory=list[PutRequest])
    revoked: UInt32 = 0
    more: bool = False


class UsageEntry(Message):
    """Calls with one key on one day (`2026-11-23`) in one family of methods."""

    key_id: str
    day: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    family: str
    requests: Int64 = 0
    errors: Int64 = 0
    last_used_at: Timestamp


class AddUsageRequest(Message):
    """What one edge has counted since it last told."""

    entries: list[UsageEntry] = Field(default_factory=list[UsageEntry])


class AddUsageResponse(Message):
    """Added. Keys that are not the tenant's are left out."""


index = Component(
    name="ApiKeyIndex",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="tenant, percent-encoded",
    owner=service,
    sends=("ApiKeyGrant/Put", "AuditLogActor/Append"),
    eager_state=False,
)

add = index.rpc("Add", CreateRequest, ChangedResponse, errors=(TOO_MANY_KEYS,))
rotate = index.rpc("Rotate", RotateRequest, ChangedResponse, errors=(KEY_NOT_FOUND, KEY_NOT_ACTIVE))
update = index.rpc("Update", UpdateRequest, ChangedResponse, errors=(KEY_NOT_FOUND, KEY_NOT_ACTIVE))
revoke = index.rpc("Revoke", RevokeRequest, ChangedResponse, errors=(KEY_NOT_FOUND,))
revoke_page = index.rpc("RevokePage", RevokePageRequest, RevokePageResponse)
get = index.rpc("Get", KeyRequest, KeyResponse, errors=(KEY_NOT_FOUND,), shared=True)
list_keys = index.rpc(
    "List", ListKeysRequest, ListKeysResponse, errors=(PAGE_TOKEN_INVALID,), shared=True
)
usage = index.rpc("Usage", KeyRequest, UsageResponse, errors=(KEY_NOT_FOUND,), shared=True)
add_usage = index.rpc(
    "AddUsage",
    AddUsageRequest,
    AddUsageResponse,
    edge_callable=True,
    # Longer than an edge tries to deliver one batch.
    idempotency_retention=timedelta(hours=1),
)

grants = Component(
    name="ApiKeyGrant",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="SHA-256 of the key's text, in hex",
    owner=service,
)

put = grants.rpc("Put", PutRequest, PutResponse)
read = grants.rpc("Read", ReadRequest, ReadResponse, shared=True, edge_callable=True)
