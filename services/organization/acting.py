"""Who may change an organization, and the record of the change.

The role that counts is the one in the organization's own state: a token may be an hour old.
"""

from datetime import datetime

from restate import ObjectContext

from actors.audit_log import contract as audit_log
from actors.audit_log.contract import Actor, AppendRequest, Entry, Target
from chassis.calls import send
from chassis.state import ReadContext
from services.organization.contract import ADMIN, OWNER
from services.organization.reasons import (
    MEMBER_NOT_FOUND,
    ORGANIZATION_NOT_FOUND,
    ROLE_TOO_LOW,
)
from services.organization.state import HEAD, MEMBER, Head, MemberRecord


async def head_of(ctx: ReadContext) -> Head:
    """The organization. Raises `organization.not_found`, also for one that was deleted."""
    head = await HEAD.get(ctx)
    if head is None or head.deleted_at is not None:
        raise ORGANIZATION_NOT_FOUND.error()
    return head


async def member_of(ctx: ReadContext, user_id: str) -> MemberRecord | None:
    """Somebody who is a member now."""
    record = await MEMBER.of(user_id).get(ctx)
    return None if record is None or record.removed_at is not None else record


async def known(ctx: ReadContext, user_id: str) -> MemberRecord:
    """Somebody who is or was a member. Raises `member.not_found`."""
    record = await MEMBER.of(user_id).get(ctx)
    if record is None:
        raise MEMBER_NOT_FOUND.error()
    return record


async def check_administers(ctx: ReadContext, by: Actor, *roles: str) -> None:
    """Raises `organization.role_too_low` unless `by` administers members, and owners where one of
    the roles at stake is theirs."""
    acting = await member_of(ctx, by.user_id)
    needed = (OWNER,) if OWNER in roles else (OWNER, ADMIN)
    if acting is None or acting.role not in needed:
        raise ROLE_TOO_LOW.error()


def record(
    ctx: ObjectContext,
    at: datetime,
    by: Actor,
    action: str,
    target: Target,
    **changes: str,
) -> None:
    """Send what happened to the organization's audit log."""
    entry = Entry(
        at=at,
        action=action,
        actor=by,
        target=target,
        changes={name: text for name, text in changes.items() if text},
    )
    send(ctx, audit_log.append, AppendRequest(entries=[entry]), key=ctx.key())
