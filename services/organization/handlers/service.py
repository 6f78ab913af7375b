"""One call to an organization, and what has to be true of its users around it."""

from restate import Context

from chassis.calls import call, send
from chassis.identity import object_key
from chassis.serve import implements
from errors import RpcError
from services.organization import contract
from services.organization.contract import (
    AcceptRequest,
    CreateRequest,
    DeleteRequest,
    DeleteResponse,
    InvitationResponse,
    InviteRequest,
    ListInvitationsResponse,
    ListMembersResponse,
    ListRequest,
    MemberResponse,
    OrganizationRequest,
    OrganizationResponse,
    RemoveRequest,
    RevokeInvitationRequest,
    SetRoleRequest,
    UpdateRequest,
    objects,
)
from services.organization.contract.objects import (
    FoundRequest,
    FoundResponse,
    JoinRequest,
    PutRequest,
    ReadRequest,
    ReleaseRequest,
    TakeRequest,
    TakeResponse,
)
from services.organization.naming import SUFFIX_BITS, tenant_id
from services.organization.reasons import ALREADY_MEMBER, INVITATION_NOT_FOUND


class Organizations:
    """Organizations and their members."""

    @implements(contract.create)
    async def create(self, ctx: Context, request: CreateRequest) -> MemberResponse:
        """Make an organization and its first owner; one that stopped halfway goes on."""
        user_id = request.by.user_id
        wanted = _candidate(ctx, request.name)
        taken = await _take(ctx, user_id, wanted)
        found = await _found(ctx, taken.tenant_id, request)
        while taken.fresh and found.founded_by != user_id:
            # Somebody else's organization has this very id: six characters are not that many.
            earlier, wanted = wanted, _candidate(ctx, request.name)
            taken = await _take(ctx, user_id, wanted, instead_of=earlier)
            found = await _found(ctx, taken.tenant_id, request)
        if found.organization is None or found.member is None:
            raise ALREADY_MEMBER.error()
        await _take(ctx, user_id, taken.tenant_id, revision=found.revision)
        return MemberResponse(
            organization=found.organization, member=found.member, revision=found.revision
        )

    @implements(contract.get)
    async def get(self, ctx: Context, request: OrganizationRequest) -> OrganizationResponse:
        """Read an organization."""
        return await call(ctx, objects.get, request, key=object_key(request.tenant_id))

    @implements(contract.update)
    async def update(self, ctx: Context, request: UpdateRequest) -> OrganizationResponse:
        """Change an organization."""
        return await call(ctx, objects.update, request, key=object_key(request.tenant_id))

    @implements(contract.delete)
    async def delete(self, ctx: Context, request: DeleteRequest) -> DeleteResponse:
        """End an organization, and let everybody in it belong elsewhere."""
        deleted = await call(ctx, objects.delete, request, key=object_key(request.tenant_id))
        for user_id in deleted.user_ids:
            let_go = ReleaseRequest(tenant_id=request.tenant_id, revision=deleted.revision)
            send(ctx, objects.release, let_go, key=object_key(user_id))
        return deleted

    @implements(contract.list_members)
    async def list_members(self, ctx: Context, request: ListRequest) -> ListMembersResponse:
        """List members."""
        return await call(ctx, objects.list_members, request, key=object_key(request.tenant_id))

    @implements(contract.set_role)
    async def set_role(self, ctx: Context, request: SetRoleRequest) -> MemberResponse:
        """Give a member a role."""
        return await call(ctx, objects.set_role, request, key=object_key(request.tenant_id))

    @implements(contract.remove)
    async def remove(self, ctx: Context, request: RemoveRequest) -> MemberResponse:
        """End a membership, and let the user belong elsewhere."""
        removed = await call(ctx, objects.remove, request, key=object_key(request.tenant_id))
        let_go = ReleaseRequest(tenant_id=request.tenant_id, revision=removed.revision)
        await call(ctx, objects.release, let_go, key=object_key(request.user_id))
        return removed

    @implements(contract.invite)
    async def invite(self, ctx: Context, request: InviteRequest) -> InvitationResponse:
        """Invite somebody, and let the token lead there."""
        made = await call(ctx, objects.invite, request, key=object_key(request.tenant_id))
        lead = PutRequest(tenant_id=request.tenant_id, invitation_id=made.invitation.invitation_id)
        await call(ctx, objects.put, lead, key=made.sha256)
        return made

    @implements(contract.list_invitations)
    async def list_invitations(self, ctx: Context, request: ListRequest) -> ListInvitationsResponse:
        """List invitations."""
        return await call(ctx, objects.list_invitations, request, key=object_key(request.tenant_id))

    @implements(contract.revoke_invitation)
    async def revoke_invitation(
        self, ctx: Context, request: RevokeInvitationRequest
    ) -> InvitationResponse:
        """End an invitation."""
        key = object_key(request.tenant_id)
        return await call(ctx, objects.revoke_invitation, request, key=key)

    @implements(contract.accept)
    async def accept(self, ctx: Context, request: AcceptRequest) -> MemberResponse:
        """Follow an invitation; a user who cannot join is let go again."""
        lead = await call(ctx, objects.read, ReadRequest(), key=request.sha256)
        if not lead.tenant_id:
            raise INVITATION_NOT_FOUND.error()
        user_id = request.by.user_id
        taken = await _take(ctx, user_id, lead.tenant_id)
        if taken.tenant_id != lead.tenant_id:
            raise ALREADY_MEMBER.error()
        joining = JoinRequest(by=request.by, invitation_id=lead.invitation_id)
        try:
            joined = await call(ctx, objects.join, joining, key=object_key(lead.tenant_id))
        except RpcError:
            if taken.fresh:
                let_go = ReleaseRequest(tenant_id=lead.tenant_id)
                await call(ctx, objects.release, let_go, key=object_key(user_id))
            raise
        await _take(ctx, user_id, lead.tenant_id, revision=joined.revision)
        return joined


def _candidate(ctx: Context, name: str) -> str:
    return tenant_id(name, ctx.random().getrandbits(SUFFIX_BITS))


async def _take(
    ctx: Context, user_id: str, tenant: str, *, instead_of: str = "", revision: int = 0
) -> TakeResponse:
    asked = TakeRequest(tenant_id=tenant, instead_of=instead_of, revision=revision)
    return await call(ctx, objects.take, asked, key=object_key(user_id))


async def _found(ctx: Context, tenant: str, request: CreateRequest) -> FoundResponse:
    asked = FoundRequest(by=request.by, name=request.name, metadata=request.metadata)
    return await call(ctx, objects.found, asked, key=object_key(tenant))
