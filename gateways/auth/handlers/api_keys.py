"""The caller's organization named, then one call down."""

from restate import Context

from actors.audit_log.contract import Actor
from chassis.calls import call
from chassis.identity import Caller
from chassis.serve import implements
from gateways.auth.contract import api_keys
from gateways.auth.contract.api_keys import (
    ApiKeyRequest,
    ApiKeyResponse,
    ApiKeysListRequest,
    ApiKeysListResponse,
    ApiKeysUpdateRequest,
    ApiKeysUsageResponse,
)
from services.api_key import contract as api_key
from services.api_key.contract import (
    KeyRequest,
    ListKeysRequest,
    UpdateRequest,
)


class ApiKeys:
    """API keys, as clients manage them."""

    @implements(api_keys.api_keys_list)
    async def api_keys_list(self, ctx: Context, request: ApiKeysListRequest) -> ApiKeysListResponse:
        """List the organization's keys, newest first, with what they may do and when they were
        last used. The keys themselves cannot be read again."""
        asked = ListKeysRequest(
            tenant_id=_caller(ctx).tenant_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        found = await call(ctx, api_key.list_keys, asked)
        return ApiKeysListResponse(api_keys=found.api_keys, next_page_token=found.next_page_token)

    @implements(api_keys.api_keys_get)
    async def api_keys_get(self, ctx: Context, request: ApiKeyRequest) -> ApiKeyResponse:
        """Read what a key may do and when it was last used."""
        asked = KeyRequest(tenant_id=_caller(ctx).tenant_id, key_id=request.key_id)
        found = await call(ctx, api_key.get, asked)
        return ApiKeyResponse(result=found.api_key)

    @implements(api_keys.api_keys_update)
    async def api_keys_update(self, ctx: Context, request: ApiKeysUpdateRequest) -> ApiKeyResponse:
        """Change a key: its name, permissions, limit, expiry, origins or OIDC settings.

        Edges know of the change within ten seconds.
        """
        caller = _caller(ctx)
        asked = UpdateRequest(
            tenant_id=caller.tenant_id,
            updated_by=caller.user_id,
            by=Actor.of(caller),
            **dict(request),
        )
        changed = await call(ctx, api_key.update, asked)
        return ApiKeyResponse(result=changed.api_key)

    @implements(api_keys.api_keys_usage)
    async def api_keys_usage(self, ctx: Context, request: ApiKeyRequest) -> ApiKeysUsageResponse:
        """Read how often a key was used, by day and family of methods.

        Counts arrive with a delay of some seconds.
        """
        asked = KeyRequest(tenant_id=_caller(ctx).tenant_id, key_id=request.key_id)
        used = await call(ctx, api_key.usage, asked)
        return ApiKeysUsageResponse(days=used.days)


def _caller(ctx: Context) -> Caller:
    return Caller.from_headers(ctx.request().headers)
