"""One example of each method, as OpenAPI shows it: keys here, organizations in `examples_orgs`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.rpc import Example, Rpc
from gateways.auth import examples_orgs
from gateways.auth.contract import api_keys as contract
from gateways.auth.contract.api_keys import (
    ApiKeyRequest,
    ApiKeyResponse,
    ApiKeysCreateRequest,
    ApiKeysListRequest,
    ApiKeysListResponse,
    ApiKeysRevokeLeakedRequest,
    ApiKeysRevokeLeakedResponse,
    ApiKeysRotateRequest,
    ApiKeysUpdateRequest,
    ApiKeysUsageResponse,
)
from services.api_key.contract import (
    ApiKey,
    DayUsage,
    FamilyUsage,
    KeyStatus,
    KeyType,
    RateLimit,
)

_MADE_AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
_KEY_ID = "key_01KB0Q9Z7N8R5T6V7W8X9Y0Z1A"
_PERMISSIONS = ["conversations:read", "conversations:write"]
# Not of the length of a key, so that no scanner takes it for one.
_TEXT = "sk_Ab3xY9...shown once"


def _key(**more: Any) -> ApiKey:
    shown: dict[str, Any] = {
        "key_id": _KEY_ID,
        "key_prefix": "sk_Ab3xY9",
        "name": "Back end",
        "type": KeyType.SECRET,
        "status": KeyStatus.ACTIVE,
        "permissions": _PERMISSIONS,
        "rate_limit": RateLimit(requests_per_minute=1000),
        "created_at": _MADE_AT,
        "created_by": "Zk3vWq8RrPbX2c",
    }
    return ApiKey(**{**shown, **more})


_ONE = ApiKeyRequest(key_id=_KEY_ID)
_GRACE = timedelta(hours=1)

EXAMPLES: dict[Rpc[Any, Any], Example] = {
    contract.api_keys_create: Example(
        ApiKeysCreateRequest(
            name="Back end",
            permissions=_PERMISSIONS,
            rate_limit=RateLimit(requests_per_minute=1000),
        ),
        ApiKeyResponse(result=_key(key=_TEXT)),
    ),
    contract.api_keys_list: Example(ApiKeysListRequest(), ApiKeysListResponse(api_keys=[_key()])),
    contract.api_keys_get: Example(_ONE, ApiKeyResponse(result=_key(last_used_at=_MADE_AT))),
    contract.api_keys_update: Example(
        ApiKeysUpdateRequest(key_id=_KEY_ID, name="Back end, staging", clear=["rate_limit"]),
        ApiKeyResponse(result=_key(name="Back end, staging", rate_limit=None)),
    ),
    contract.api_keys_revoke: Example(
        _ONE, ApiKeyResponse(result=_key(status=KeyStatus.REVOKED, revoked_at=_MADE_AT))
    ),
    contract.api_keys_rotate: Example(
        ApiKeysRotateRequest(key_id=_KEY_ID, grace=_GRACE),
        ApiKeyResponse(result=_key(key=_TEXT, previous_key_ends_at=_MADE_AT + _GRACE)),
    ),
    contract.api_keys_usage: Example(
        _ONE,
        ApiKeysUsageResponse(
            days=[
                DayUsage(
                    day="2026-11-23",
                    requests=42,
                    errors=1,
                    families=[FamilyUsage(family="llm", requests=42, errors=1)],
                )
            ]
        ),
    ),
    contract.api_keys_revoke_leaked: Example(
        ApiKeysRevokeLeakedRequest(key="sk_Ab3xY9...the whole key"),
        ApiKeysRevokeLeakedResponse(
            key_prefix="sk_Ab3xY9", status=KeyStatus.REVOKED, revoked_at=_MADE_AT
        ),
    ),
    **examples_orgs.EXAMPLES,
}
