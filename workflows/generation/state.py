"""The durable text of a run so far."""

from chassis.message import Message, UInt32
from chassis.state import StateKey


class StoredChunk(Message):
    """A piece of the current attempt's text."""

    attempt: UInt32 = 0
    message_id: str = ""
    text: str = ""


CHUNK_PREFIX = "chunk:"
CHUNK = StateKey("chunk", StoredChunk)
