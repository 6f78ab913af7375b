"""One example of each method of organizations."""

from datetime import UTC, datetime, timedelta
from typing import Any

from actors.audit_log.contract import Actor, Entry, Target
from chassis.rpc import Example, Rpc
from gateways.auth.contract import orgs as contract
from gateways.auth.contract.orgs import (
    DataFate,
    FormerMemberData,
    OrgsAcceptInvitationRequest,
    OrgsAuditLogRequest,
    OrgsAuditLogResponse,
    OrgsCreateRequest,
    OrgsDeleteRequest,
    OrgsDeleteResponse,
    OrgsGetRequest,
    OrgsInvitationResponse,
    OrgsInviteMemberRequest,
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
from services.organization.contract import Invitation, InvitationStatus, Member, Organization

_AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
_BOB = "Qm7rTz1LxVdN0c"
_INVITATION_ID = "inv_01KB0Q9Z7N8R5T6V7W8X9Y0Z1A"
_ORGANIZATION = Organization(
    tenant_id="socayo-a1b2c3", name="Socayo", created_at=_AT, member_count=2
)
_OWNER = Member(user_id="Zk3vWq8RrPbX2c", email="anna@example.com", role="owner", joined_at=_AT)


def _member(**more: Any) -> Member:
    known: dict[str, Any] = {
        "user_id": _BOB,
        "email": "bob@example.com",
        "role": "member",
        "joined_at": _AT,
        "invited_by": _OWNER.user_id,
    }
    return Member(**{**known, **more})


def _invitation(**more: Any) -> Invitation:
    known: dict[str, Any] = {
        "invitation_id": _INVITATION_ID,
        "email": "bob@example.com",
        "role": "member",
        "status": InvitationStatus.OPEN,
        "created_at": _AT,
        "created_by": _OWNER.user_id,
        "expires_at": _AT + timedelta(days=7),
    }
    return Invitation(**{**known, **more})


_REMOVAL = OrgsRemovalResponse(
    member=_member(removed_at=_AT),
    access_ends_within=timedelta(seconds=10),
    data=FormerMemberData(conversations=DataFate.KEPT, api_keys=DataFate.KEPT),
)
_ENTRY = Entry(
    entry_id="aud_01KB0Q9Z7N8R5T6V7W8X9Y0Z1A",
    at=_AT,
    action="member.role_changed",
    actor=Actor(
        user_id=_OWNER.user_id,
        email=_OWNER.email,
        address="203.0.113.7",
        user_agent="Mozilla/5.0",
        request_id="req_018c1f3a5b7d9e2f4a6c8e0b2d4f6a8c",
    ),
    target=Target(type="member", id=_BOB, name="bob@example.com"),
    changes={"from": "member", "to": "admin"},
)

EXAMPLES: dict[Rpc[Any, Any], Example] = {
    contract.orgs_create: Example(
        OrgsCreateRequest(name="Socayo"),
        OrgsMembershipResponse(organization=_ORGANIZATION, member=_OWNER),
    ),
    contract.orgs_get: Example(OrgsGetRequest(), OrgsResponse(organization=_ORGANIZATION)),
    contract.orgs_update: Example(
        OrgsUpdateRequest(name="Socayo", metadata={"plan": "team"}),
        OrgsResponse(organization=_ORGANIZATION.model_copy(update={"metadata": {"plan": "team"}})),
    ),
    contract.orgs_delete: Example(
        OrgsDeleteRequest(confirm=_ORGANIZATION.tenant_id),
        OrgsDeleteResponse(
            organization=_ORGANIZATION,
            revoked_keys=3,
            access_ends_within=timedelta(seconds=10),
            conversations=DataFate.KEPT,
        ),
    ),
    contract.orgs_list_members: Example(
        OrgsListRequest(page_size=50), OrgsListMembersResponse(members=[_member(), _OWNER])
    ),
    contract.orgs_invite_member: Example(
        OrgsInviteMemberRequest(
            email="bob@example.com", role="member", expires_in=timedelta(days=7)
        ),
        # Not of the length of a token, so that no scanner takes it for one.
        OrgsInvitationResponse(invitation=_invitation(token="invite_Ab3xY9...shown once")),
    ),
    contract.orgs_list_invitations: Example(
        OrgsListRequest(),
        OrgsListInvitationsResponse(
            invitations=[
                _invitation(status=InvitationStatus.ACCEPTED, accepted_at=_AT, accepted_by=_BOB)
            ]
        ),
    ),
    contract.orgs_revoke_invitation: Example(
        OrgsRevokeInvitationRequest(invitation_id=_INVITATION_ID),
        OrgsInvitationResponse(
            invitation=_invitation(status=InvitationStatus.REVOKED, revoked_at=_AT)
        ),
    ),
    contract.orgs_accept_invitation: Example(
        OrgsAcceptInvitationRequest(token="invite_Ab3xY9...the whole token"),
        OrgsMembershipResponse(organization=_ORGANIZATION, member=_member()),
    ),
    contract.orgs_set_member_role: Example(
        OrgsSetMemberRoleRequest(user_id=_BOB, role="admin"),
        OrgsMemberResponse(member=_member(role="admin")),
    ),
    contract.orgs_remove_member: Example(OrgsRemoveMemberRequest(user_id=_BOB), _REMOVAL),
    contract.orgs_leave: Example(OrgsLeaveRequest(), _REMOVAL),
    contract.orgs_audit_log: Example(
        OrgsAuditLogRequest(action="member"), OrgsAuditLogResponse(entries=[_ENTRY])
    ),
}
