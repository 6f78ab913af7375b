"""`/api/v1/orgs/`: the caller's organization, who belongs to it, and what they did.

People change it; servers, by a secret key, may read it. Administrators manage members and
administrators, only owners manage owners; what counts is the role in the organization itself.
Whoever's membership changes needs a new token: tokens that were issued before are refused.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, JsonValue

from actors.audit_log.contract import Entry
from actors.firebase_bridge.contract import CALL_REASONS, NOT_CONFIGURED
from chassis.message import Duration, Int32, Message, ProtoEnum, UInt32
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.rpc import COMMAND_RETENTION, Effect
from gateways.auth.contract.component import (
    AUDIT_READ,
    MEMBERSHIP_WRITE,
    ORGS_READ,
    ORGS_WRITE,
    PEOPLE,
    PEOPLE_AND_SERVERS,
    component,
)
from services.organization.contract import (
    ALREADY_MEMBER,
    INVITATION_NOT_FOUND,
    INVITATION_NOT_OPEN,
    INVITATION_OF_ANOTHER,
    LAST_OWNER,
    LONGEST_INVITATION,
    MEMBER_NOT_FOUND,
    ORGANIZATION_NOT_FOUND,
    ROLE_TOO_LOW,
    TOO_MANY_INVITATIONS,
    TOO_MANY_MEMBERS,
    Invitation,
    Member,
    Organization,
    Role,
    Sha256,
)

Name = Annotated[str, Field(max_length=200, pattern=r"^[^\u0000-\u001f\u007f-\u009f]*$")]
MetadataText = Annotated[str, Field(max_length=512)]
Email = Annotated[str, Field(max_length=254, pattern=r"^([^@\s]+@[^@\s]+)?$")]
_SHOWN_LIFETIME: dict[str, JsonValue] = {"pattern": r"^[1-9][0-9]{0,6}s$"}


class OrgsCreateRequest(Message):
    """An organization of the caller's own. A repeat with the same name answers the one there is."""

    name: Name = Field(min_length=1)
    metadata: dict[str, MetadataText] = Field(default_factory=dict[str, str], max_length=32)


class OrgsMembershipResponse(Message):
    """The caller's membership. Fetch a new token: this one does not name the organization."""

    organization: Organization
    member: Member


class OrgsGetRequest(Message):
    """Nothing needs to be said."""


class OrgsResponse(Message):
    """The organization."""

    organization: Organization


class OrgsUpdateRequest(Message):
    """Changes. What is absent or empty stays as it is; `clear_metadata` removes all metadata before
    the new ones are added."""

    name: Name = ""
    metadata: dict[str, MetadataText] = Field(default_factory=dict[str, str], max_length=32)
    clear_metadata: bool = False


class DataFate(ProtoEnum):
    """What becomes of data."""

    DATA_FATE_UNSPECIFIED = 0
    KEPT = 1
    ERASED = 2


class OrgsDeleteRequest(Message):
    """The end of the organization. `confirm` is its `tenantId`, so that nobody ends another by
    mistake."""

    confirm: str = Field(min_length=1, max_length=128)


class OrgsDeleteResponse(Message):
    """The organization as it was. Its members' tokens and all keys are refused within
    `access_ends_within`."""

    organization: Organization
    revoked_keys: UInt32 = 0
    access_ends_within: Duration | None = None
    conversations: DataFate = DataFate.DATA_FATE_UNSPECIFIED


class OrgsListRequest(Message):
    """A page, newest first."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)


class OrgsListMembersResponse(Message):
    """Members, newest first. A page may be short although more follow: `next_page_token` tells."""

    members: list[Member] = Field(default_factory=list[Member])
    next_page_token: str = ""


class OrgsInviteMemberRequest(Message):
    """An invitation. With an `email` only who signs in with that address can accept it, and an
    earlier open one of that address is over. It ends after `expires_in`: a week when left out, 30
    days at most."""

    email: Email = ""
    role: Role
    expires_in: Duration | None = Field(
        default=None,
        ge=timedelta(minutes=1),
        le=LONGEST_INVITATION,
        json_schema_extra=_SHOWN_LIFETIME,
    )


class OrgsInvitationResponse(Message):
    """The invitation."""

    invitation: Invitation


class OrgsListInvitationsResponse(Message):
    """Invitations, newest first, those that are over among them."""

    invitations: list[Invitation] = Field(default_factory=list[Invitation])
    next_page_token: str = ""


class OrgsRevokeInvitationRequest(Message):
    """One invitation."""

    invitation_id: str = Field(min_length=1, max_length=64)


class OrgsAcceptInvitationRequest(Message):
    """The invitation's token, as it was shown when it was made."""

    token: str = Field(min_length=1, max_length=256)


class AcceptInvitationRequest(Message):
    """The hash of an invitation's token."""

    sha256: Sha256


class OrgsSetMemberRoleRequest(Message):
    """A role for a member: `owner`, `admin` or `member`."""

    user_id: str = Field(min_length=1, max_length=256)
    role: Role


class OrgsMemberResponse(Message):
    """The member."""

    member: Member


class OrgsRemoveMemberRequest(Message):
    """One member."""

    user_id: str = Field(min_length=1, max_length=256)


class OrgsLeaveRequest(Message):
    """Nothing needs to be said."""


class FormerMemberData(Message):
    """What becomes of what a former member leaves.

    conversations: threads and runs stay with the organization, under the user's id. No member can
        read them, only keys that may act for users; the user can again once they come back.
    api_keys: keys that they created belong to the organization and stay in force.
    """

    conversations: DataFate = DataFate.DATA_FATE_UNSPECIFIED
    api_keys: DataFate = DataFate.DATA_FATE_UNSPECIFIED


class OrgsRemovalResponse(Message):
    """The former member. Every token of theirs that names the organization is refused within
    `access_ends_within`."""

    member: Member
    access_ends_within: Duration | None = None
    data: FormerMemberData | None = None


class OrgsAuditLogRequest(Message):
    """A page of the audit log, newest first.

    actor: keeps what this user, impersonator or API key (its `key_id`) did.
    action: keeps this action (`member.removed`), or all of a noun (`member`).
    """

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
    actor: str = Field(default="", max_length=256)
    action: str = Field(default="", max_length=64, pattern=r"^([a-z_]+(\.[a-z_]+)?)?$")


class OrgsAuditLogResponse(Message):
    """Entries, newest first. With a filter a page may be short or empty although more follow:
    `next_page_token` tells."""

    entries: list[Entry] = Field(default_factory=list[Entry])
    next_page_token: str = ""


_ACTING = (ORGANIZATION_NOT_FOUND, ROLE_TOO_LOW)
_CLAIMS = CALL_REASONS
_JOINING = (
    ALREADY_MEMBER,
    INVITATION_NOT_FOUND,
    INVITATION_NOT_OPEN,
    INVITATION_OF_ANOTHER,
    TOO_MANY_MEMBERS,
    *_CLAIMS,
)

orgs_create = component.public(
    "OrgsCreate",
    OrgsCreateRequest,
    OrgsMembershipResponse,
    scope=MEMBERSHIP_WRITE,
    effect=Effect.COMMAND,
    errors=(ALREADY_MEMBER, *_CLAIMS),
    modes=PEOPLE,
    tenant_free=True,
    audited=True,
)
orgs_get = component.public(
    "OrgsGet",
    OrgsGetRequest,
    OrgsResponse,
    scope=ORGS_READ,
    effect=Effect.READ,
    errors=(ORGANIZATION_NOT_FOUND,),
    modes=PEOPLE_AND_SERVERS,
)
orgs_update = component.public(
    "OrgsUpdate",
    OrgsUpdateRequest,
    OrgsResponse,
    scope=ORGS_WRITE,
    effect=Effect.COMMAND,
    errors=_ACTING,
    modes=PEOPLE,
    audited=True,
)
orgs_delete = component.public(
    "OrgsDelete",
    OrgsDeleteRequest,
    OrgsDeleteResponse,
    scope=ORGS_WRITE,
    effect=Effect.COMMAND,
    errors=_ACTING,
    modes=PEOPLE,
    audited=True,
)
orgs_list_members = component.public(
    "OrgsListMembers",
    OrgsListRequest,
    OrgsListMembersResponse,
    scope=ORGS_READ,
    effect=Effect.READ,
    errors=(ORGANIZATION_NOT_FOUND, PAGE_TOKEN_INVALID),
    modes=PEOPLE_AND_SERVERS,
)
orgs_invite_member = component.public(
    "OrgsInviteMember",
    OrgsInviteMemberRequest,
    OrgsInvitationResponse,
    scope=ORGS_WRITE,
    effect=Effect.COMMAND,
    errors=(*_ACTING, TOO_MANY_INVITATIONS),
    modes=PEOPLE,
    served_by_edge=True,
    audited=True,
)
orgs_list_invitations = component.public(
    "OrgsListInvitations",
    OrgsListRequest,
    OrgsListInvitationsResponse,
    scope=ORGS_WRITE,
    effect=Effect.READ,
    errors=(ORGANIZATION_NOT_FOUND, PAGE_TOKEN_INVALID),
    modes=PEOPLE,
)
orgs_revoke_invitation = component.public(
    "OrgsRevokeInvitation",
    OrgsRevokeInvitationRequest,
    OrgsInvitationResponse,
    scope=ORGS_WRITE,
    effect=Effect.COMMAND,
    errors=(*_ACTING, INVITATION_NOT_FOUND),
    modes=PEOPLE,
    audited=True,
)
orgs_accept_invitation = component.public(
    "OrgsAcceptInvitation",
    OrgsAcceptInvitationRequest,
    OrgsMembershipResponse,
    scope=MEMBERSHIP_WRITE,
    effect=Effect.COMMAND,
    errors=_JOINING,
    modes=PEOPLE,
    tenant_free=True,
    served_by_edge=True,
    audited=True,
)
# What the edge calls once it has made a hash of the token.
accept_invitation = component.rpc(
    "AcceptInvitation",
    AcceptInvitationRequest,
    OrgsMembershipResponse,
    errors=_JOINING,
    edge_callable=True,
    idempotency_retention=COMMAND_RETENTION,
)
orgs_set_member_role = component.public(
    "OrgsSetMemberRole",
    OrgsSetMemberRoleRequest,
    OrgsMemberResponse,
    scope=ORGS_WRITE,
    effect=Effect.COMMAND,
    errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER, NOT_CONFIGURED),
    modes=PEOPLE,
    audited=True,
)
orgs_remove_member = component.public(
    "OrgsRemoveMember",
    OrgsRemoveMemberRequest,
    OrgsRemovalResponse,
    scope=ORGS_WRITE,
    effect=Effect.COMMAND,
    errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER),
    modes=PEOPLE,
    audited=True,
)
orgs_leave = component.public(
    "OrgsLeave",
    OrgsLeaveRequest,
    OrgsRemovalResponse,
    scope=MEMBERSHIP_WRITE,
    effect=Effect.COMMAND,
    errors=(*_ACTING, MEMBER_NOT_FOUND, LAST_OWNER),
    modes=PEOPLE,
    audited=True,
)
orgs_audit_log = component.public(
    "OrgsAuditLog",
    OrgsAuditLogRequest,
    OrgsAuditLogResponse,
    scope=AUDIT_READ,
    effect=Effect.READ,
    errors=(PAGE_TOKEN_INVALID,),
    modes=PEOPLE_AND_SERVERS,
)
