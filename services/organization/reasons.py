"""The ways in which managing an organization can fail."""

from errors import Code, Reason

ORGANIZATION_NOT_FOUND = Reason(
    "organization.not_found", Code.NOT_FOUND, "There is no such organization."
)
ALREADY_MEMBER = Reason(
    "organization.already_member",
    Code.FAILED_PRECONDITION,
    "The user belongs to an organization, and can be in one at a time. Leave it first.",
)
ROLE_TOO_LOW = Reason(
    "organization.role_too_low",
    Code.PERMISSION_DENIED,
    "Administrators manage members and administrators; only owners manage owners.",
)
MEMBER_NOT_FOUND = Reason(
    "member.not_found", Code.NOT_FOUND, "The organization has no such member."
)
LAST_OWNER = Reason(
    "member.last_owner",
    Code.FAILED_PRECONDITION,
    "An organization needs an owner. Make somebody else an owner first.",
)
TOO_MANY_MEMBERS = Reason(
    "member.too_many",
    Code.QUOTA_EXCEEDED,
    "The organization has as many members as it may have.",
    terminal=True,
)
INVITATION_NOT_FOUND = Reason(
    "invitation.not_found", Code.NOT_FOUND, "There is no such invitation."
)
INVITATION_NOT_OPEN = Reason(
    "invitation.not_open",
    Code.FAILED_PRECONDITION,
    "The invitation was accepted or revoked, or has expired. Ask for a new one.",
)
INVITATION_OF_ANOTHER = Reason(
    "invitation.of_another",
    Code.PERMISSION_DENIED,
    "The invitation is for another address. Sign in with the one that was invited.",
)
TOO_MANY_INVITATIONS = Reason(
    "invitation.too_many",
    Code.QUOTA_EXCEEDED,
    "The organization has as many open invitations as it may have. Revoke some.",
    terminal=True,
)
