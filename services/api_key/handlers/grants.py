"""What the edge reads to verify a key."""

from restate import ObjectContext, ObjectSharedContext

from chassis.serve import implements
from services.api_key.contract import objects
from services.api_key.contract.objects import (
    PutRequest,
    PutResponse,
    ReadRequest,
    ReadResponse,
)
from services.api_key.state import GRANT


class ApiKeyGrants:
    """One key's text, by its hash."""

    @implements(objects.put)
    async def put(self, ctx: ObjectContext, request: PutRequest) -> PutResponse:
        """Write what the text grants, unless something newer is there."""
        known = await GRANT.get(ctx)
        if known is None or known.revision < request.grant.revision:
            GRANT.set(ctx, request.grant)
        return PutResponse()

    @implements(objects.read)
    async def read(self, ctx: ObjectSharedContext, request: ReadRequest) -> ReadResponse:
        """Read what the text grants."""
        return ReadResponse(grant=await GRANT.get(ctx))
