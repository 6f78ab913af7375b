"""What OrganizationService offers: make an organization, and manage who belongs to it.

`by` is who asks: the audit log names them, and what they may do follows from the role that they
have in the organization at that moment, whatever their token says.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from actors.audit_log.contract import Actor
from chassis.message import Duration, Int32, Message, ProtoEnum, Timestamp, UInt32
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import REQUEST
from chassis.rpc import COMMAND_RETENTION, Component, Kind
from services.organization.reasons import (
    ALREADY_MEMBER,
    INVITATION_NOT_FOUND,
    INVITATION_NOT_OPEN,
    INVITATION_OF_ANOTHER,
    LAST_OWNER,
    MEMBER_NOT_FOUND,
    ORGANIZATION_NOT_FOUND,
    ROLE_TOO_LOW,
    TOO_MANY_INVITATIONS,
    TOO_MANY_MEMBERS,
)

OWNER, ADMIN, MEMBER = "owner", "admin", "member"
Role = Annotated[str, Field(pattern=rf"^({OWNER}|{ADMIN}|{MEMBER})$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
LONGEST_INVITATION = timedelta(days=30)


class Organization(Message):
    """An organization. `tenant_id` is a readable form of its first name and a short suffix; it
    never changes."""

    tenant_id: str = ""
    name: str = ""
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    created_at: Timestamp | None = None
    member_count: UInt32 = 0


class Member(Message):
    """Somebody who belongs to an organization: an `owner`, an `admin` or a `member`.

    email: as it was when they came.
    removed_at: in the answer to a removal.
    """

    user_id: str = ""
    email: str = ""
    role: str = ""
    joined_at: Timestamp | None = None
    invited_by: str = ""
    removed_at: Timestamp | None = None


class InvitationStatus(ProtoEnum):
    """Whether an invitation can be accepted."""

    INVITATION_STATUS_UNSPECIFIED = 0
    OPEN = 1
    ACCEPTED = 2
    REVOKED = 3
    EXPIRED = 4


class Invitation(Message):
    """An invitation, which one person can accept once.

    token: what the invited person needs, in the answer to the call that made it and nowhere else.
    email: who may accept it; whoever has the token when empty.
    """

    invitation_id: str = ""
    token: str = ""
    email: str = ""
    role: str = ""
    status: InvitationStatus = InvitationStatus.INVITATION_STATUS_UNSPECIFIED
    created_at: Timestamp | None = None
    created_by: str = ""
    expires_at: Timestamp | None = None
    accepted_at: Timestamp | None = None
    accepted_by: str = ""
    revoked_at: Timestamp | None = None


class CreateRequest(Message):
    """A new organization, owned by whoever asks."""

    by: Actor
    name: str
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class MemberResponse(Message):
    """A member as of a revision of their organization."""

    organization: Organization
    member: Member
    revision: UInt32 = 0


class DeleteRequest(Message):
    """The end of an organization."""

    tenant_id: str
    by: Actor


class DeleteResponse(Message):
    """The organization as it was, who belonged to it, and its last revision."""

    organization: Organization
    user_ids: list[str] = Field(default_factory=list[str])
    revision: UInt32 = 0


class OrganizationRequest(Message):
    """One organization."""

    tenant_id: str


class OrganizationResponse(Message):
    """The organization."""

    organization: Organization


class UpdateRequest(Message):
    """Changes. What is absent stays; `clear_metadata` removes all of it first."""

    tenant_id: str
    by: Actor
    name: str = ""
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    clear_metadata: bool = False


class ListRequest(Message):
    """A page of an organization's members or invitations, newest first."""

    tenant_id: str
    page_size: Int32 = 0
    page_token: str = ""


class ListMembersResponse(Message):
    """Members; a page may be short although more follow."""

    members: list[Member] = Field(default_factory=list[Member])
    next_page_token: str = ""


class ListInvitationsResponse(Message):
    """Invitations, those that are over among them."""

    invitations: list[Invitation] = Field(default_factory=list[Invitation])
    next_page_token: str = ""


class SetRoleRequest(Message):
    """A role for a member."""

    tenant_id: str
    by: Actor
    user_id: str
    role: str


class RemoveRequest(Message):
    """The end of a membership: one's own, or another's."""

    tenant_id: str
    by: Actor
    user_id: str


class InviteRequest(Message):
    """An invitation whose token the caller has made. It ends after `lifetime`, a week when left
    out."""

    tenant_id: str
    by: Actor
    email: str = ""
    role: str
    lifetime: Duration | None = None
    sha256: Sha256


class InvitationResponse(Message):
    """The invitation, and the hash of the token that this call made it with. A repeat of the call
    answers the first one's hash, by which the edge knows that it has nothing to show."""

    invitation: Invitation
    sha256: str = ""


class RevokeInvitationRequest(Message):
    """The end of an invitation."""

    tenant_id: str
    by: Actor
    invitation_id: str


class AcceptRequest(Message):
    """The invitation whose token has this hash."""

    by: Actor
    sha256: Sha256


component = Component(
    name="OrganizationService",
    kind=Kind.SERVICE,
    retries=REQUEST,
    sends=("OrganizationMembership/Release",),
)

_ACTING = (ORGANIZATION_NOT_FOUND, ROLE_TOO_LOW)

create = component.rpc("Create", CreateRequest, MemberResponse, errors=(ALREADY_MEMBER,))
get = component.rpc(
    "Get", OrganizationRequest, OrganizationResponse, errors=(ORGANIZATION_NOT_FOUND,)
)
update = component.rpc("Update", UpdateRequest, OrganizationResponse, errors=_ACTING)
delete = component.rpc("Delete", DeleteRequest, DeleteResponse, errors=_ACTING)
list_members = component.rpc(
    "ListMembers",
    ListRequest,
    ListMembersResponse,
    errors=(ORGANIZATION_NOT_FOUND, PAGE_TOKEN_INVALID),
)
set_role = component.rpc(
    "SetRole", SetRoleRequest, MemberResponse, errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER)
)
remove = component.rpc(
    "Remove", RemoveRequest, MemberResponse, errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER)
)
invite = component.rpc(
    "Invite",
    InviteRequest,
    InvitationResponse,
    errors=(*_ACTING, TOO_MANY_INVITATIONS),
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
list_invitations = component.rpc(
    "ListInvitations",
    ListRequest,
    ListInvitationsResponse,
    errors=(ORGANIZATION_NOT_FOUND, PAGE_TOKEN_INVALID),
)
revoke_invitation = component.rpc(
    "RevokeInvitation",
    RevokeInvitationRequest,
    InvitationResponse,
    errors=(*_ACTING, INVITATION_NOT_FOUND),
)
accept = component.rpc(
    "Accept",
    AcceptRequest,
    MemberResponse,
    errors=(
        ALREADY_MEMBER,
        INVITATION_NOT_FOUND,
        INVITATION_NOT_OPEN,
        INVITATION_OF_ANOTHER,
        TOO_MANY_MEMBERS,
    ),
)
