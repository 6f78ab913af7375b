"""An organization, and who belongs to it."""

from datetime import datetime

from restate import ObjectContext, ObjectSharedContext

from actors.audit_log.contract import Actor, Target
from chassis.identity import key_segments
from chassis.serve import implements
from chassis.state import get_all
from chassis.steps import now
from services.organization import roll
from services.organization.acting import check_administers, head_of, known, member_of, record
from services.organization.contract import (
    OWNER,
    DeleteRequest,
    DeleteResponse,
    InvitationStatus,
    ListMembersResponse,
    ListRequest,
    MemberResponse,
    OrganizationRequest,
    OrganizationResponse,
    RemoveRequest,
    SetRoleRequest,
    UpdateRequest,
    objects,
)
from services.organization.contract.objects import FoundRequest, FoundResponse, JoinRequest
from services.organization.reasons import (
    INVITATION_NOT_FOUND,
    INVITATION_NOT_OPEN,
    INVITATION_OF_ANOTHER,
    LAST_OWNER,
    MEMBER_NOT_FOUND,
    TOO_MANY_MEMBERS,
)
from services.organization.state import (
    HEAD,
    INVITATION,
    MEMBER,
    MEMBERS,
    Head,
    InvitationRecord,
    MemberRecord,
)

MOST_MEMBERS = 5000


class Members:
    """One organization and its members."""

    @implements(objects.found)
    async def found(self, ctx: ObjectContext, request: FoundRequest) -> FoundResponse:
        """Found the organization, or answer what its founder founded before."""
        head = await HEAD.get(ctx)
        by = request.by
        if head is not None and head.deleted_at is not None:
            return FoundResponse()  # an id is never given twice
        if head is not None:
            member = await member_of(ctx, by.user_id)
            if head.founded_by != by.user_id or head.name != request.name or member is None:
                return FoundResponse(founded_by=head.founded_by)
            return _founded(ctx, head, member)
        at = await now(ctx)
        head = Head(
            name=request.name, metadata=request.metadata, created_at=at, founded_by=by.user_id
        )
        member = await _add(ctx, head, by, OWNER, at)
        _write(ctx, head, member)
        target = Target(type="organization", id=_tenant(ctx), name=head.name)
        record(ctx, at, by, "organization.created", target)
        return _founded(ctx, head, member)

    @implements(objects.get)
    async def get(
        self, ctx: ObjectSharedContext, request: OrganizationRequest
    ) -> OrganizationResponse:
        """Read the organization."""
        return OrganizationResponse(organization=(await head_of(ctx)).shown(_tenant(ctx)))

    @implements(objects.update)
    async def update(self, ctx: ObjectContext, request: UpdateRequest) -> OrganizationResponse:
        """Change the organization's name or metadata."""
        head = await head_of(ctx)
        await check_administers(ctx, request.by)
        at = await now(ctx)
        head.name = request.name or head.name
        head.metadata = {
            **({} if request.clear_metadata else head.metadata), **request.metadata
        }  # fmt: skip
        HEAD.set(ctx, head)
        changed = ", ".join(
            [*(["name"] * bool(request.name)),
             *(["metadata"] * bool(request.metadata or request.clear_metadata))]
        )  # fmt: skip
        target = Target(type="organization", id=_tenant(ctx), name=head.name)
        record(ctx, at, request.by, "organization.updated", target, changed=changed)
        return OrganizationResponse(organization=head.shown(_tenant(ctx)))

    @implements(objects.delete)
    async def delete(self, ctx: ObjectContext, request: DeleteRequest) -> DeleteResponse:
        """End the organization. The audit log, and who belonged to it, stay on record."""
        head = await head_of(ctx)
        await check_administers(ctx, request.by, OWNER)
        at = await now(ctx)
        ids = await roll.every(ctx, MEMBERS, head.listed)
        records = await get_all(ctx, [MEMBER.of(id) for id in ids])
        shown = head.shown(_tenant(ctx))
        head.deleted_at = at
        head.revision += 1
        head.open = []
        HEAD.set(ctx, head)
        target = Target(type="organization", id=_tenant(ctx), name=head.name)
        record(ctx, at, request.by, "organization.deleted", target)
        present = [each.user_id for each in records if each is not None and not each.removed_at]
        return DeleteResponse(organization=shown, user_ids=present, revision=head.revision)

    @implements(objects.list_members)
    async def list_members(
        self, ctx: ObjectSharedContext, request: ListRequest
    ) -> ListMembersResponse:
        """List members, newest first."""
        head = await head_of(ctx)
        ids, token = await roll.read(
            ctx, MEMBERS, head.listed, request.page_token, request.page_size
        )
        records = await get_all(ctx, [MEMBER.of(id) for id in ids])
        present = [each for each in records if each is not None and each.removed_at is None]
        return ListMembersResponse(
            members=[each.shown() for each in present], next_page_token=token
        )

    @implements(objects.set_role)
    async def set_role(self, ctx: ObjectContext, request: SetRoleRequest) -> MemberResponse:
        """Give a member a role. One who has it keeps it."""
        head = await head_of(ctx)
        member = await member_of(ctx, request.user_id)
        if member is None:
            await check_administers(ctx, request.by)
            raise MEMBER_NOT_FOUND.error()
        await check_administers(ctx, request.by, member.role, request.role)
        if member.role == request.role:
            return _response(ctx, head, member)
        if member.role == OWNER and head.owners == 1:
            raise LAST_OWNER.error()
        at = await now(ctx)
        earlier, member.role = member.role, request.role
        head.owners += (member.role == OWNER) - (earlier == OWNER)
        head.revision += 1
        _write(ctx, head, member)
        changes = {"from": earlier, "to": member.role}
        record(ctx, at, request.by, "member.role_changed", _target(member), **changes)
        return _response(ctx, head, member)

    @implements(objects.remove)
    async def remove(self, ctx: ObjectContext, request: RemoveRequest) -> MemberResponse:
        """End a membership. One that is over stays as it is."""
        head = await head_of(ctx)
        leaves = request.user_id == request.by.user_id
        if not leaves:
            await check_administers(ctx, request.by)
        member = await known(ctx, request.user_id)
        if member.removed_at is not None:
            return _response(ctx, head, member)
        if not leaves:
            await check_administers(ctx, request.by, member.role)
        if member.role == OWNER and head.owners == 1:
            raise LAST_OWNER.error()
        at = await now(ctx)
        member.removed_at = at
        head.members -= 1
        head.owners -= member.role == OWNER
        head.revision += 1
        _write(ctx, head, member)
        action = "member.left" if leaves else "member.removed"
        record(ctx, at, request.by, action, _target(member), role=member.role)
        return _response(ctx, head, member)

    @implements(objects.join)
    async def join(self, ctx: ObjectContext, request: JoinRequest) -> MemberResponse:
        """Accept an invitation. Whoever accepted it is a member already."""
        by = request.by
        head = await HEAD.get(ctx)
        invitation = await INVITATION.of(request.invitation_id).get(ctx)
        if head is None or head.deleted_at is not None or invitation is None:
            raise INVITATION_NOT_FOUND.error()
        at = await now(ctx)
        member = await member_of(ctx, by.user_id)
        if member is not None and invitation.accepted_by == by.user_id:
            return _response(ctx, head, member)
        _check_open_for(invitation, by, at)
        if head.members >= MOST_MEMBERS:
            raise TOO_MANY_MEMBERS.error()
        invitation.accepted_at, invitation.accepted_by = at, by.user_id
        head.open = [each for each in head.open if each.invitation_id != request.invitation_id]
        if member is None:
            member = await _add(ctx, head, by, invitation.role, at, invitation.created_by)
        INVITATION.of(request.invitation_id).set(ctx, invitation)
        _write(ctx, head, member)
        changes = {"role": member.role, "invitation": invitation.invitation_id}
        record(ctx, at, by, "member.joined", _target(member), **changes)
        return _response(ctx, head, member)


async def _add(
    ctx: ObjectContext, head: Head, who: Actor, role: str, at: datetime, invited_by: str = ""
) -> MemberRecord:
    """A new member, or one who comes again: they keep their place on the roll."""
    if await MEMBER.of(who.user_id).get(ctx) is None:
        await roll.add(ctx, MEMBERS, head.listed, who.user_id)
        head.listed += 1
    head.members += 1
    head.owners += role == OWNER
    head.revision += 1
    return MemberRecord(
        user_id=who.user_id, email=who.email, role=role, joined_at=at, invited_by=invited_by
    )


def _check_open_for(invitation: InvitationRecord, by: Actor, at: datetime) -> None:
    if invitation.status(at) is not InvitationStatus.OPEN:
        raise INVITATION_NOT_OPEN.error()
    if invitation.email and invitation.email != by.email.lower():
        raise INVITATION_OF_ANOTHER.error()


def _write(ctx: ObjectContext, head: Head, member: MemberRecord) -> None:
    HEAD.set(ctx, head)
    MEMBER.of(member.user_id).set(ctx, member)


def _response(ctx: ObjectContext, head: Head, member: MemberRecord) -> MemberResponse:
    return MemberResponse(
        organization=head.shown(_tenant(ctx)), member=member.shown(), revision=head.revision
    )


def _founded(ctx: ObjectContext, head: Head, member: MemberRecord) -> FoundResponse:
    return FoundResponse(
        founded_by=head.founded_by,
        organization=head.shown(_tenant(ctx)),
        member=member.shown(),
        revision=head.revision,
    )


def _target(member: MemberRecord) -> Target:
    return Target(type="member", id=member.user_id, name=member.email)


def _tenant(ctx: ObjectContext | ObjectSharedContext) -> str:
    (tenant_id,) = key_segments(ctx.key())
    return tenant_id
