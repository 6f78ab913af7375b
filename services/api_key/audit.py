"""What happens to a key, for the organization's audit log: never its text, only how it begins."""

from datetime import datetime

from restate import ObjectContext

from actors.audit_log import contract as audit_log
from actors.audit_log.contract import Actor, AppendRequest, Entry, Target
from chassis.calls import send
from services.api_key.state import KeyRecord


def record(
    ctx: ObjectContext,
    at: datetime,
    by: Actor | None,
    action: str,
    key: KeyRecord,
    **changes: str,
) -> None:
    """Send what happened."""
    known = {"key_prefix": key.texts[-1].prefix, **changes}
    entry = Entry(
        at=at,
        action=action,
        actor=by,
        target=Target(type="api_key", id=key.key_id, name=key.settings.name),
        changes={name: text for name, text in known.items() if text},
    )
    send(ctx, audit_log.append, AppendRequest(entries=[entry]), key=ctx.key())
