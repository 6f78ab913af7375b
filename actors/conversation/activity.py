"""Telling the user's list of threads that something happened here.

The first message after a pause is told at once. While messages follow closely on each other, the
list hears of them once every two seconds: it would order the thread first each time anyway.
"""

from datetime import datetime, timedelta

from restate import ObjectContext

from actors.conversation.state import Head
from actors.conversation_manager import contract as manager
from chassis.calls import send
from chassis.identity import key_segments, object_key

_PAUSE = timedelta(seconds=2)


def tell(ctx: ObjectContext, head: Head, at: datetime) -> None:
    """Move the thread to the front of its user's list, now or at the end of the pause."""
    told = head.touched_at
    if told is not None and told > at:
        return  # a message is on its way that says more than we know
    due = at if told is None or at - told >= _PAUSE else told + _PAUSE
    head.touched_at = due
    tenant, user, conversation_key = key_segments(ctx.key())
    touch = manager.TouchRequest(conversation_key=conversation_key, at=due)
    delay = due - at if due > at else None
    send(ctx, manager.touch, touch, key=object_key(tenant, user), delay=delay)
