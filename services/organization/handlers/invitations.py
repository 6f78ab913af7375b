"""Who is invited to an organization."""

from datetime import timedelta

from restate import ObjectContext, ObjectSharedContext

from actors.audit_log.contract import Target
from chassis.serve import implements
from chassis.state import get_all
from chassis.steps import new_id, now
from services.organization import roll
from services.organization.acting import check_administers, head_of, record
from services.organization.contract import (
    InvitationResponse,
    InvitationStatus,
    InviteRequest,
    ListInvitationsResponse,
    ListRequest,
    RevokeInvitationRequest,
    objects,
)
from services.organization.reasons import INVITATION_NOT_FOUND, TOO_MANY_INVITATIONS
from services.organization.state import (
    HEAD,
    INVITATION,
    INVITATIONS,
    InvitationRecord,
    OpenInvitation,
)

MOST_OPEN = 200
_DEFAULT_LIFETIME = timedelta(days=7)


class Invitations:
    """The invitations of one organization."""

    @implements(objects.invite)
    async def invite(self, ctx: ObjectContext, request: InviteRequest) -> InvitationResponse:
        """Invite somebody. An open invitation of the same address is over with that."""
        head = await head_of(ctx)
        await check_administers(ctx, request.by, request.role)
        at = await now(ctx)
        email = request.email.lower()
        earlier = [each for each in head.open if email and each.email == email]
        head.open = [each for each in head.open if each.expires_at > at and each not in earlier]
        if len(head.open) >= MOST_OPEN:
            raise TOO_MANY_INVITATIONS.error()
        invitation = InvitationRecord(
            invitation_id=new_id(ctx, "inv", at),
            email=email,
            role=request.role,
            created_at=at,
            created_by=request.by.user_id,
            expires_at=at + (request.lifetime or _DEFAULT_LIFETIME),
        )
        replaced = await get_all(ctx, [INVITATION.of(each.invitation_id) for each in earlier])
        await roll.add(ctx, INVITATIONS, head.invited, invitation.invitation_id)
        for each in replaced:
            if each is not None:
                each.revoked_at = at
                INVITATION.of(each.invitation_id).set(ctx, each)
        head.invited += 1
        head.open.append(
            OpenInvitation(
                invitation_id=invitation.invitation_id,
                email=email,
                expires_at=invitation.expires_at,
            )
        )
        INVITATION.of(invitation.invitation_id).set(ctx, invitation)
        HEAD.set(ctx, head)
        action = "invitation.created"
        record(ctx, at, request.by, action, _target(invitation), role=invitation.role)
        return InvitationResponse(invitation=invitation.shown(at), sha256=request.sha256)

    @implements(objects.list_invitations)
    async def list_invitations(
        self, ctx: ObjectSharedContext, request: ListRequest
    ) -> ListInvitationsResponse:
        """List invitations, newest first."""
        head = await head_of(ctx)
        ids, token = await roll.read(
            ctx, INVITATIONS, head.invited, request.page_token, request.page_size
        )
        records = await get_all(ctx, [INVITATION.of(id) for id in ids])
        at = await now(ctx)
        return ListInvitationsResponse(
            invitations=[each.shown(at) for each in records if each is not None],
            next_page_token=token,
        )

    @implements(objects.revoke_invitation)
    async def revoke_invitation(
        self, ctx: ObjectContext, request: RevokeInvitationRequest
    ) -> InvitationResponse:
        """End an invitation. One that is over stays as it is."""
        head = await head_of(ctx)
        await check_administers(ctx, request.by)
        invitation = await INVITATION.of(request.invitation_id).get(ctx)
        if invitation is None:
            raise INVITATION_NOT_FOUND.error()
        at = await now(ctx)
        if invitation.status(at) is InvitationStatus.OPEN:
            invitation.revoked_at = at
            head.open = [each for each in head.open if each.invitation_id != request.invitation_id]
            INVITATION.of(request.invitation_id).set(ctx, invitation)
            HEAD.set(ctx, head)
            record(ctx, at, request.by, "invitation.revoked", _target(invitation))
        return InvitationResponse(invitation=invitation.shown(at))


def _target(invitation: InvitationRecord) -> Target:
    return Target(type="invitation", id=invitation.invitation_id, name=invitation.email)
