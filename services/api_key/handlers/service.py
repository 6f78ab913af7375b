"""Check what is asked, change the index, and wait until the edge would see it."""

from restate import Context

from chassis.addresses import OutgoingAddresses
from chassis.calls import call
from chassis.identity import object_key
from chassis.serve import implements
from chassis.steps import now
from services.api_key import contract
from services.api_key.contract import (
    CreateRequest,
    KeyRequest,
    KeyResponse,
    KeyType,
    ListKeysRequest,
    ListKeysResponse,
    MadeKeyResponse,
    RevokeAllRequest,
    RevokeAllResponse,
    RevokeRequest,
    RotateRequest,
    UpdateRequest,
    UsageResponse,
    objects,
)
from services.api_key.contract.objects import ChangedResponse, RevokePageRequest
from services.api_key.rules import Rules


class ApiKeys:
    """The API keys of tenants."""

    def __init__(self, scopes: frozenset[str], addresses: OutgoingAddresses) -> None:
        """scopes: those that a key may hold. addresses: where issuers may stand."""
        self._rules = Rules(scopes, addresses)

    @implements(contract.create)
    async def create(self, ctx: Context, request: CreateRequest) -> MadeKeyResponse:
        """Create a key whose text the caller has made."""
        if request.settings.type is KeyType.KEY_TYPE_UNSPECIFIED:
            request.settings.type = KeyType.SECRET
        self._rules.check_new(request.settings, await now(ctx))
        changed = await call(ctx, objects.add, request, key=object_key(request.tenant_id))
        return await _shown(ctx, changed, request.made.sha256)

    @implements(contract.rotate)
    async def rotate(self, ctx: Context, request: RotateRequest) -> MadeKeyResponse:
        """Give a key a new text, which the caller has made."""
        changed = await call(ctx, objects.rotate, request, key=object_key(request.tenant_id))
        return await _shown(ctx, changed, request.made.sha256)

    @implements(contract.get)
    async def get(self, ctx: Context, request: KeyRequest) -> KeyResponse:
        """Read a key."""
        return await call(ctx, objects.get, request, key=object_key(request.tenant_id))

    @implements(contract.list_keys)
    async def list_keys(self, ctx: Context, request: ListKeysRequest) -> ListKeysResponse:
        """List a tenant's keys."""
        return await call(ctx, objects.list_keys, request, key=object_key(request.tenant_id))

    @implements(contract.update)
    async def update(self, ctx: Context, request: UpdateRequest) -> KeyResponse:
        """Change what a key may do."""
        asked = KeyRequest(tenant_id=request.tenant_id, key_id=request.key_id)
        known = await call(ctx, objects.get, asked, key=object_key(request.tenant_id))
        self._rules.check_change(request, known.api_key.type, await now(ctx))
        changed = await call(ctx, objects.update, request, key=object_key(request.tenant_id))
        await _settle(ctx, changed)
        return KeyResponse(api_key=changed.api_key)

    @implements(contract.revoke)
    async def revoke(self, ctx: Context, request: RevokeRequest) -> KeyResponse:
        """End a key."""
        changed = await call(ctx, objects.revoke, request, key=object_key(request.tenant_id))
        await _settle(ctx, changed)
        return KeyResponse(api_key=changed.api_key)

    @implements(contract.revoke_all)
    async def revoke_all(self, ctx: Context, request: RevokeAllRequest) -> RevokeAllResponse:
        """End every key of a tenant, page by page."""
        answer, page, more = RevokeAllResponse(), 0, True
        while more:
            asked = RevokePageRequest(page=page, by=request.by)
            ended = await call(ctx, objects.revoke_page, asked, key=object_key(request.tenant_id))
            for each in ended.puts:
                await call(ctx, objects.put, each, key=each.sha256)
            answer.revoked += ended.revoked
            page, more = page + 1, ended.more
        return answer

    @implements(contract.usage)
    async def usage(self, ctx: Context, request: KeyRequest) -> UsageResponse:
        """Read how a key was used."""
        return await call(ctx, objects.usage, request, key=object_key(request.tenant_id))


async def _shown(ctx: Context, changed: ChangedResponse, sha256: str) -> MadeKeyResponse:
    await _settle(ctx, changed)
    return MadeKeyResponse(api_key=changed.api_key, sha256=sha256)


async def _settle(ctx: Context, changed: ChangedResponse) -> None:
    for each in changed.puts:
        await call(ctx, objects.put, each, key=each.sha256)
