"""Where a user belongs, and where an invitation's token leads: one small record each."""

from restate import ObjectContext, ObjectSharedContext

from chassis.serve import implements
from services.organization.contract import objects
from services.organization.contract.objects import (
    PutRequest,
    PutResponse,
    ReadRequest,
    ReadResponse,
    ReleaseRequest,
    ReleaseResponse,
    TakeRequest,
    TakeResponse,
)
from services.organization.state import LEAD, MEMBERSHIP, Lead, Membership


class OrganizationMemberships:
    """The tenant of one user."""

    @implements(objects.take)
    async def take(self, ctx: ObjectContext, request: TakeRequest) -> TakeResponse:
        """Make the user belong to a tenant, unless they belong to another."""
        held = await MEMBERSHIP.get(ctx)
        if held is not None and held.tenant_id not in (request.tenant_id, request.instead_of):
            return TakeResponse(tenant_id=held.tenant_id)
        stays = held is not None and held.tenant_id != request.instead_of
        known = held.revision if held is not None and stays else 0
        revision = max(known, request.revision)
        MEMBERSHIP.set(ctx, Membership(tenant_id=request.tenant_id, revision=revision))
        return TakeResponse(tenant_id=request.tenant_id, fresh=not stays)

    @implements(objects.release)
    async def release(self, ctx: ObjectContext, request: ReleaseRequest) -> ReleaseResponse:
        """Let the user go, unless they have come again since."""
        held = await MEMBERSHIP.get(ctx)
        if (
            held is not None
            and held.tenant_id == request.tenant_id
            and held.revision <= request.revision
        ):
            MEMBERSHIP.clear(ctx)
        return ReleaseResponse()


class OrganizationInvitations:
    """One invitation's token, by its hash."""

    @implements(objects.put)
    async def put(self, ctx: ObjectContext, request: PutRequest) -> PutResponse:
        """Write where the token leads."""
        LEAD.set(ctx, Lead(tenant_id=request.tenant_id, invitation_id=request.invitation_id))
        return PutResponse()

    @implements(objects.read)
    async def read(self, ctx: ObjectSharedContext, request: ReadRequest) -> ReadResponse:
        """Read where the token leads."""
        lead = await LEAD.get(ctx)
        if lead is None:
            return ReadResponse()
        return ReadResponse(tenant_id=lead.tenant_id, invitation_id=lead.invitation_id)
