"""The body against the route's request message: what does not fit never enters the log."""

from chassis.message import Message
from edge.routes import Entry


def parse(entry: Entry, raw: bytes) -> Message:
    """The request message. Raises INVALID_ARGUMENT with every violation at once."""
    return entry.request.from_public_json(raw)
