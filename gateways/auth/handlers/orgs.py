"""A change of the organization, then of what its members' tokens may claim.

FirebaseBridgeActor has the second on record as soon as it is answered, and edges refuse other
tokens from then on. Whoever joins waits until Firebase has it too, so that the token that they
fetch next names the organization.
"""

from datetime import timedelta

from restate import Context

from actors.audit_log import contract as audit_log
from actors.audit_log.contract import Actor
from actors.firebase_bridge import contract as firebase
from actors.firebase_bridge.contract import (
    ApplyRequest,
    ClearClaimsRequest,
    RevokeSessionsRequest,
    SetClaimsRequest,
)
from chassis.calls import call, send
from chassis.identity import Caller, object_key
from chassis.message import REQUEST_INVALID
from chassis.serve import implements
from errors import ErrorDetails, FieldViolation, Outcome, RpcError
from gateways.auth.contract import orgs
from gateways.auth.contract.orgs import (
    AcceptInvitationRequest,
    DataFate,
    FormerMemberData,
    OrgsAuditLogRequest,
    OrgsAuditLogResponse,
    OrgsCreateRequest,
    OrgsDeleteRequest,
    OrgsDeleteResponse,
    OrgsGetRequest,
    OrgsInvitationResponse,
    OrgsLeaveRequest,
    OrgsListInvitationsResponse,
    OrgsListMembersResponse,
    OrgsListRequest,
    OrgsMemberResponse,
    OrgsMembershipResponse,
    OrgsRemovalResponse,
    OrgsRemoveMemberRequest,
    OrgsResponse,
    OrgsRevokeInvitationRequest,
    OrgsSetMemberRoleRequest,
    OrgsUpdateRequest,
)
from services.api_key import contract as api_key
from services.api_key.contract import RevokeAllRequest
from services.organization import contract as organization
from services.organization.contract import (
    AcceptRequest,
    CreateRequest,
    DeleteRequest,
    ListRequest,
    MemberResponse,
    OrganizationRequest,
    RemoveRequest,
    RevokeInvitationRequest,
    SetRoleRequest,
    UpdateRequest,
)

_ENDS_WITHIN = timedelta(seconds=10)
_KEPT = FormerMemberData(conversations=DataFate.KEPT, api_keys=DataFate.KEPT)


class Orgs:
    """Organizations, as clients manage them."""

    @implements(orgs.orgs_create)
    async def orgs_create(self, ctx: Context, request: OrgsCreateRequest) -> OrgsMembershipResponse:
        """Create an organization and become its owner.

        Fetch a new token afterwards: those that were issued before do not name the organization. A
        user belongs to one organization at a time. Repeating the call with the same name is safe.
        """
        asked = CreateRequest(
            by=Actor.of(_caller(ctx)), name=request.name, metadata=request.metadata
        )
        return await _joined(ctx, await call(ctx, organization.create, asked))

    @implements(orgs.orgs_get)
    async def orgs_get(self, ctx: Context, request: OrgsGetRequest) -> OrgsResponse:
        """Read the caller's organization."""
        asked = OrganizationRequest(tenant_id=_caller(ctx).tenant_id)
        found = await call(ctx, organization.get, asked)
        return OrgsResponse(organization=found.organization)

    @implements(orgs.orgs_update)
    async def orgs_update(self, ctx: Context, request: OrgsUpdateRequest) -> OrgsResponse:
        """Change the organization's name or metadata. Its `tenantId` stays as it is."""
        caller = _caller(ctx)
        asked = UpdateRequest(tenant_id=caller.tenant_id, by=Actor.of(caller), **dict(request))
        changed = await call(ctx, organization.update, asked)
        return OrgsResponse(organization=changed.organization)

    @implements(orgs.orgs_delete)
    async def orgs_delete(self, ctx: Context, request: OrgsDeleteRequest) -> OrgsDeleteResponse:
        """Delete the organization: for owners, and for good.

        Within ten seconds every key of it and every token that names it is refused, and its
        members are free to join others. Conversations are kept, and nobody can reach them.
        """
        caller = _caller(ctx)
        if request.confirm != caller.tenant_id:
            wrong = FieldViolation(field="confirm", description="must be the tenantId")
            raise REQUEST_INVALID.error(details=ErrorDetails(field_violations=(wrong,)))
        by = Actor.of(caller)
        asked = DeleteRequest(tenant_id=caller.tenant_id, by=by)
        deleted = await call(ctx, organization.delete, asked)
        keys = await call(
            ctx, api_key.revoke_all, RevokeAllRequest(tenant_id=caller.tenant_id, by=by)
        )
        cleared = ClearClaimsRequest(tenant_id=caller.tenant_id, tenant_revision=deleted.revision)
        for user_id in deleted.user_ids:
            send(ctx, firebase.clear_claims, cleared, key=object_key(user_id))
        return OrgsDeleteResponse(
            organization=deleted.organization,
            revoked_keys=keys.revoked,
            access_ends_within=_ENDS_WITHIN,
            conversations=DataFate.KEPT,
        )

    @implements(orgs.orgs_list_members)
    async def orgs_list_members(
        self, ctx: Context, request: OrgsListRequest
    ) -> OrgsListMembersResponse:
        """List the organization's members with their roles, newest first."""
        asked = ListRequest(tenant_id=_caller(ctx).tenant_id, **dict(request))
        found = await call(ctx, organization.list_members, asked)
        return OrgsListMembersResponse(members=found.members, next_page_token=found.next_page_token)

    @implements(orgs.orgs_list_invitations)
    async def orgs_list_invitations(
        self, ctx: Context, request: OrgsListRequest
    ) -> OrgsListInvitationsResponse:
        """List the organization's invitations, newest first. Tokens cannot be read again."""
        asked = ListRequest(tenant_id=_caller(ctx).tenant_id, **dict(request))
        found = await call(ctx, organization.list_invitations, asked)
        return OrgsListInvitationsResponse(
            invitations=found.invitations, next_page_token=found.next_page_token
        )

    @implements(orgs.orgs_revoke_invitation)
    async def orgs_revoke_invitation(
        self, ctx: Context, request: OrgsRevokeInvitationRequest
    ) -> OrgsInvitationResponse:
        """End an invitation. One that is over stays as it is."""
        caller = _caller(ctx)
        asked = RevokeInvitationRequest(
            tenant_id=caller.tenant_id,
            by=Actor.of(caller),
            invitation_id=request.invitation_id,
        )
        revoked = await call(ctx, organization.revoke_invitation, asked)
        return OrgsInvitationResponse(invitation=revoked.invitation)

    @implements(orgs.accept_invitation)
    async def accept_invitation(
        self, ctx: Context, request: AcceptInvitationRequest
    ) -> OrgsMembershipResponse:
        """Accept the invitation whose token has this hash."""
        asked = AcceptRequest(by=Actor.of(_caller(ctx)), sha256=request.sha256)
        return await _joined(ctx, await call(ctx, organization.accept, asked))

    @implements(orgs.orgs_set_member_role)
    async def orgs_set_member_role(
        self, ctx: Context, request: OrgsSetMemberRoleRequest
    ) -> OrgsMemberResponse:
        """Give a member another role.

        Within ten seconds their earlier tokens are refused; the next one that they fetch has it.
        """
        caller = _caller(ctx)
        asked = SetRoleRequest(
            tenant_id=caller.tenant_id,
            by=Actor.of(caller),
            user_id=request.user_id,
            role=request.role,
        )
        changed = await call(ctx, organization.set_role, asked)
        await _set_claims(ctx, changed)
        return OrgsMemberResponse(member=changed.member)

    @implements(orgs.orgs_remove_member)
    async def orgs_remove_member(
        self, ctx: Context, request: OrgsRemoveMemberRequest
    ) -> OrgsRemovalResponse:
        """Remove a member, and end their access within ten seconds.

        The answer says what becomes of their data. Removing a former member again is no error.
        """
        removed = await _remove(ctx, request.user_id)
        await call(
            ctx,
            firebase.revoke_sessions,
            RevokeSessionsRequest(),
            key=object_key(request.user_id),
        )
        return removed

    @implements(orgs.orgs_leave)
    async def orgs_leave(self, ctx: Context, request: OrgsLeaveRequest) -> OrgsRemovalResponse:
        """Leave the organization. The last owner cannot: somebody else has to be one first."""
        return await _remove(ctx, _caller(ctx).user_id)

    @implements(orgs.orgs_audit_log)
    async def orgs_audit_log(
        self, ctx: Context, request: OrgsAuditLogRequest
    ) -> OrgsAuditLogResponse:
        """Read who did what, when and from where, newest first.

        It has the changes of the organization, its members, invitations and API keys, and the calls
        that were made on behalf of users, those with a delay of some seconds. Nothing is ever
        taken out of it.
        """
        asked = audit_log.ListRequest(**dict(request))
        tenant = object_key(_caller(ctx).tenant_id)
        found = await call(ctx, audit_log.list_entries, asked, key=tenant)
        return OrgsAuditLogResponse(entries=found.entries, next_page_token=found.next_page_token)


async def _joined(ctx: Context, joined: MemberResponse) -> OrgsMembershipResponse:
    try:
        await _set_claims(ctx, joined)
        user = object_key(joined.member.user_id)
        await call(ctx, firebase.apply, ApplyRequest(), key=user)
    except RpcError as failed:
        # The membership stands, whatever the code says of work that was refused.
        failed.outcome = Outcome.UNKNOWN
        raise
    return OrgsMembershipResponse(organization=joined.organization, member=joined.member)


async def _set_claims(ctx: Context, changed: MemberResponse) -> None:
    claims = SetClaimsRequest(
        tenant_id=changed.organization.tenant_id,
        role=changed.member.role,
        tenant_revision=changed.revision,
    )
    await call(ctx, firebase.set_claims, claims, key=object_key(changed.member.user_id))


async def _remove(ctx: Context, user_id: str) -> OrgsRemovalResponse:
    caller = _caller(ctx)
    asked = RemoveRequest(tenant_id=caller.tenant_id, by=Actor.of(caller), user_id=user_id)
    removed = await call(ctx, organization.remove, asked)
    cleared = ClearClaimsRequest(tenant_id=caller.tenant_id, tenant_revision=removed.revision)
    await call(ctx, firebase.clear_claims, cleared, key=object_key(user_id))
    return OrgsRemovalResponse(member=removed.member, access_ends_within=_ENDS_WITHIN, data=_KEPT)


def _caller(ctx: Context) -> Caller:
    return Caller.from_headers(ctx.request().headers)
