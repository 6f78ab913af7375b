"""The state of an organization, of a user's membership, and of an invitation's token."""

from datetime import datetime

from pydantic import Field

from chassis.message import Message, Timestamp, UInt32
from chassis.state import StateKey
from services.organization.contract import (
    Invitation,
    InvitationStatus,
    Member,
    Organization,
)


class OpenInvitation(Message):
    """An invitation that may still be accepted, and until when."""

    invitation_id: str
    email: str = ""
    expires_at: Timestamp


class Head(Message):
    """The organization.

    revision: counts the changes of its members.
    listed, invited: how many members and invitations there ever were.
    open: invitations that were neither accepted nor revoked; expired ones leave when one comes.
    """

    version: UInt32 = 1
    revision: UInt32 = 0
    name: str
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    created_at: Timestamp
    founded_by: str
    deleted_at: Timestamp | None = None
    listed: UInt32 = 0
    members: UInt32 = 0
    owners: UInt32 = 0
    invited: UInt32 = 0
    open: list[OpenInvitation] = Field(default_factory=list[OpenInvitation])

    def shown(self, tenant_id: str) -> Organization:
        """The organization as people see it."""
        return Organization(
            tenant_id=tenant_id,
            name=self.name,
            metadata=self.metadata,
            created_at=self.created_at,
            member_count=self.members,
        )


class Page(Message):
    """Ids in the order of their coming."""

    ids: list[str] = Field(default_factory=list[str])


class MemberRecord(Message):
    """A member; with `removed_at`, a former one, who may come again."""

    version: UInt32 = 1
    user_id: str
    email: str = ""
    role: str
    joined_at: Timestamp
    invited_by: str = ""
    removed_at: Timestamp | None = None

    def shown(self) -> Member:
        """The member as people see them."""
        return Member(
            user_id=self.user_id,
            email=self.email,
            role=self.role,
            joined_at=self.joined_at,
            invited_by=self.invited_by,
            removed_at=self.removed_at,
        )


class InvitationRecord(Message):
    """An invitation, open until one of the times says otherwise."""

    version: UInt32 = 1
    invitation_id: str
    email: str = ""
    role: str
    created_at: Timestamp
    created_by: str = ""
    expires_at: Timestamp
    accepted_at: Timestamp | None = None
    accepted_by: str = ""
    revoked_at: Timestamp | None = None

    def status(self, at: datetime) -> InvitationStatus:
        """Whether the invitation can be accepted at a moment."""
        if self.accepted_at is not None:
            return InvitationStatus.ACCEPTED
        if self.revoked_at is not None:
            return InvitationStatus.REVOKED
        return InvitationStatus.EXPIRED if self.expires_at <= at else InvitationStatus.OPEN

    def shown(self, at: datetime) -> Invitation:
        """The invitation as people see it."""
        return Invitation(
            invitation_id=self.invitation_id,
            email=self.email,
            role=self.role,
            status=self.status(at),
            created_at=self.created_at,
            created_by=self.created_by,
            expires_at=self.expires_at,
            accepted_at=self.accepted_at,
            accepted_by=self.accepted_by,
            revoked_at=self.revoked_at,
        )


class Membership(Message):
    """The tenant that a user belongs to, and its revision when it knew the user last."""

    version: UInt32 = 1
    tenant_id: str
    revision: UInt32 = 0


class Lead(Message):
    """Where an invitation's token leads."""

    version: UInt32 = 1
    tenant_id: str
    invitation_id: str


HEAD = StateKey("head", Head)
MEMBERS = StateKey("members", Page)
INVITATIONS = StateKey("invitations", Page)
MEMBER = StateKey("member", MemberRecord)
INVITATION = StateKey("invitation", InvitationRecord)

MEMBERSHIP = StateKey("membership", Membership)
LEAD = StateKey("lead", Lead)
