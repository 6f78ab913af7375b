"""The objects inside OrganizationService: an organization, a user's membership, an invitation."""

from pydantic import Field

from actors.audit_log.contract import Actor
from chassis.message import Message, UInt32
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind
from services.organization.contract import (
    DeleteRequest,
    DeleteResponse,
    InvitationResponse,
    InviteRequest,
    ListInvitationsResponse,
    ListMembersResponse,
    ListRequest,
    Member,
    MemberResponse,
    Organization,
    OrganizationRequest,
    OrganizationResponse,
    RemoveRequest,
    RevokeInvitationRequest,
    SetRoleRequest,
    UpdateRequest,
)
from services.organization.contract import component as service
from services.organization.reasons import (
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


class FoundRequest(Message):
    """An organization that `by` founds here, unless there is one."""

    by: Actor
    name: str
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class FoundResponse(Message):
    """The founder's membership, now or from an earlier try; absent where the organization is
    another's, or the founder's under another name. `founded_by` tells them apart."""

    founded_by: str = ""
    organization: Organization | None = None
    member: Member | None = None
    revision: UInt32 = 0


class JoinRequest(Message):
    """Somebody accepts an invitation of this organization."""

    by: Actor
    invitation_id: str


organization = Component(
    name="Organization",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="tenant, percent-encoded",
    owner=service,
    sends=("AuditLogActor/Append",),
    eager_state=False,
)

_ACTING = (ORGANIZATION_NOT_FOUND, ROLE_TOO_LOW)

found = organization.rpc("Found", FoundRequest, FoundResponse)
get = organization.rpc(
    "Get",
    OrganizationRequest,
    OrganizationResponse,
    errors=(ORGANIZATION_NOT_FOUND,),
    shared=True,
)
update = organization.rpc("Update", UpdateRequest, OrganizationResponse, errors=_ACTING)
delete = organization.rpc("Delete", DeleteRequest, DeleteResponse, errors=_ACTING)
list_members = organization.rpc(
    "ListMembers",
    ListRequest,
    ListMembersResponse,
    errors=(ORGANIZATION_NOT_FOUND, PAGE_TOKEN_INVALID),
    shared=True,
)
set_role = organization.rpc(
    "SetRole", SetRoleRequest, MemberResponse, errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER)
)
remove = organization.rpc(
    "Remove", RemoveRequest, MemberResponse, errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER)
)
invite = organization.rpc(
    "Invite", InviteRequest, InvitationResponse, errors=(*_ACTING, TOO_MANY_INVITATIONS)
)
list_invitations = organization.rpc(
    "ListInvitations",
    ListRequest,
    ListInvitationsResponse,
    errors=(ORGANIZATION_NOT_FOUND, PAGE_TOKEN_INVALID),
    shared=True,
)
revoke_invitation = organization.rpc(
    "RevokeInvitation",
    RevokeInvitationRequest,
    InvitationResponse,
    errors=(*_ACTING, INVITATION_NOT_FOUND),
)
join = organization.rpc(
    "Join",
    JoinRequest,
    MemberResponse,
    errors=(INVITATION_NOT_FOUND, INVITATION_NOT_OPEN, INVITATION_OF_ANOTHER, TOO_MANY_MEMBERS),
)


class TakeRequest(Message):
    """The user is to belong to this tenant.

    instead_of: a tenant that the user was to belong to until now, and that came to nothing.
    revision: of the tenant, once it knows the user; what ends an earlier membership comes late.
    """

    tenant_id: str
    instead_of: str = ""
    revision: UInt32 = 0


class TakeResponse(Message):
    """The tenant that the user belongs to. `fresh` when this call made it so."""

    tenant_id: str = ""
    fresh: bool = False


class ReleaseRequest(Message):
    """The user is no longer to belong to this tenant, as of this revision of it."""

    tenant_id: str
    revision: UInt32 = 0


class ReleaseResponse(Message):
    """Released, or in another tenant, or in this one again."""


membership = Component(
    name="OrganizationMembership",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="user_id, percent-encoded",
    owner=service,
)

take = membership.rpc("Take", TakeRequest, TakeResponse)
release = membership.rpc("Release", ReleaseRequest, ReleaseResponse)


class PutRequest(Message):
    """Where an invitation leads."""

    tenant_id: str
    invitation_id: str


class PutResponse(Message):
    """Written."""


class ReadRequest(Message):
    """Whatever is known."""


class ReadResponse(Message):
    """Where the invitation leads; empty for a token that no invitation ever had."""

    tenant_id: str = ""
    invitation_id: str = ""


invitation = Component(
    name="OrganizationInvitation",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="SHA-256 of the invitation's token, in hex",
    owner=service,
)

put = invitation.rpc("Put", PutRequest, PutResponse)
read = invitation.rpc("Read", ReadRequest, ReadResponse, shared=True)
