"""`/api/v1/api-keys/`: the keys of the caller's organization.

Only people manage keys: an API key never does, and ends none, itself included. Answers are written
with proto names, as the reference's examples show them.
"""

from datetime import timedelta

from pydantic import Field

from chassis.message import Duration, Int32, Message, Timestamp
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.rpc import Effect
from gateways.auth.contract.component import (
    KEYS_READ,
    KEYS_WRITE,
    LEAKS_WRITE,
    PEOPLE,
    component,
)
from services.api_key.contract import (
    KEY_NOT_ACTIVE,
    KEY_NOT_FOUND,
    LONGEST_GRACE,
    TOO_MANY_KEYS,
    ApiKey,
    DayUsage,
    KeySettings,
    KeyStatus,
    Oidc,
    Origin,
    Permission,
    RateLimit,
)

_KEY_ID = Field(min_length=1, max_length=64)


class ApiKeysCreateRequest(KeySettings):
    """A key of the caller's organization. Without a `type` it is a secret key."""


class ApiKeyResponse(Message, proto_names=True):
    """The key."""

    result: ApiKey


class ApiKeysListRequest(Message):
    """A page of keys, newest first, revoked ones among them."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class ApiKeysListResponse(Message, proto_names=True):
    """Keys, newest first."""

    api_keys: list[ApiKey] = Field(default_factory=list[ApiKey])
    next_page_token: str = ""


class ApiKeyRequest(Message):
    """One key."""

    key_id: str = _KEY_ID


class ApiKeysUpdateRequest(Message):
    """Changes to a key. What is absent or empty stays as it is.

    clear: what to remove: `description`, `rate_limit`, `expires_at`, `allowed_origins`.
    """

    key_id: str = _KEY_ID
    name: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=2000)
    permissions: list[Permission] = Field(default_factory=list[str], max_length=64)
    rate_limit: RateLimit | None = None
    expires_at: Timestamp | None = None
    oidc: Oidc | None = None
    allowed_origins: list[Origin] = Field(default_factory=list[str], max_length=32)
    clear: list[str] = Field(default_factory=list[str], max_length=8)


class ApiKeysRotateRequest(Message):
    """A new text for a key. The old one works until `grace` ends: a day when left out, `"0s"` to
    end it at once, seven days at most."""

    key_id: str = _KEY_ID
    grace: Duration | None = Field(default=None, ge=timedelta(0), le=LONGEST_GRACE)


class ApiKeysRevokeLeakedRequest(Message):
    """A key that was found where it should not be, as a whole."""

    key: str = Field(min_length=1, max_length=256)


class ApiKeysRevokeLeakedResponse(Message, proto_names=True):
    """The key is over. No more is said of it: the finder may be anybody."""

    key_prefix: str = ""
    status: KeyStatus = KeyStatus.KEY_STATUS_UNSPECIFIED
    revoked_at: Timestamp | None = None


class ApiKeysUsageResponse(Message, proto_names=True):
    """The last 92 days on which the key was used, newest first."""

    days: list[DayUsage] = Field(default_factory=list[DayUsage])


api_keys_create = component.public(
    "ApiKeysCreate",
    ApiKeysCreateRequest,
    ApiKeyResponse,
    scope=KEYS_WRITE,
    effect=Effect.COMMAND,
    errors=(TOO_MANY_KEYS,),
    modes=PEOPLE,
    audited=True,
    served_by_edge=True,
)
api_keys_list = component.public(
    "ApiKeysList",
    ApiKeysListRequest,
    ApiKeysListResponse,
    scope=KEYS_READ,
    effect=Effect.READ,
    errors=(PAGE_TOKEN_INVALID,),
    modes=PEOPLE,
)
api_keys_get = component.public(
    "ApiKeysGet",
    ApiKeyRequest,
    ApiKeyResponse,
    scope=KEYS_READ,
    effect=Effect.READ,
    errors=(KEY_NOT_FOUND,),
    modes=PEOPLE,
)
api_keys_update = component.public(
    "ApiKeysUpdate",
    ApiKeysUpdateRequest,
    ApiKeyResponse,
    scope=KEYS_WRITE,
    effect=Effect.COMMAND,
    errors=(KEY_NOT_FOUND, KEY_NOT_ACTIVE),
    modes=PEOPLE,
    audited=True,
)
api_keys_revoke = component.public(
    "ApiKeysRevoke",
    ApiKeyRequest,
    ApiKeyResponse,
    scope=KEYS_WRITE,
    effect=Effect.COMMAND,
    errors=(KEY_NOT_FOUND,),
    modes=PEOPLE,
    audited=True,
    served_by_edge=True,
)
api_keys_rotate = component.public(
    "ApiKeysRotate",
    ApiKeysRotateRequest,
    ApiKeyResponse,
    scope=KEYS_WRITE,
    effect=Effect.COMMAND,
    errors=(KEY_NOT_FOUND, KEY_NOT_ACTIVE),
    modes=PEOPLE,
    audited=True,
    served_by_edge=True,
)
api_keys_usage = component.public(
    "ApiKeysUsage",
    ApiKeyRequest,
    ApiKeysUsageResponse,
    scope=KEYS_READ,
    effect=Effect.READ,
    errors=(KEY_NOT_FOUND,),
    modes=PEOPLE,
)
api_keys_revoke_leaked = component.public(
    "ApiKeysRevokeLeaked",
    ApiKeysRevokeLeakedRequest,
    ApiKeysRevokeLeakedResponse,
    scope=LEAKS_WRITE,
    effect=Effect.COMMAND,
    errors=(KEY_NOT_FOUND,),
    modes=PEOPLE,
    served_by_edge=True,
    audited=True,
)
