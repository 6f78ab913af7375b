"""Messages about reading the conversation's events."""

from pydantic import Field

from actors.conversation.contract.entry import Event
from chassis.message import Int32, Message, UInt32


class ReadEventsRequest(Message):
    """Events after a sequence, oldest first."""

    after: UInt32 = 0
    limit: Int32 = Field(default=100, ge=1, le=200)


class ReadEventsResponse(Message):
    """What there is, and the run that a reader may ask for its partial answer."""

    events: list[Event] = Field(default_factory=list[Event])
    last_sequence: UInt32 = 0
    active_run_id: str = ""
    active_message_id: str = ""
