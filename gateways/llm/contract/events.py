"""Requests about the events of a conversation."""

from datetime import timedelta

from pydantic import Field, JsonValue

from actors.conversation.contract.entry import Event
from chassis.message import Duration, Int32, Message, UInt32
from gateways.llm.contract.keys import ConversationKey

_LONGEST_WAIT = timedelta(seconds=25)
_SHOWN_WAIT: dict[str, JsonValue] = {"pattern": r"^(25|(1?[0-9]|2[0-4])(\.[0-9]{1,9})?)s$"}


class PullEventsRequest(Message):
    """Events after a sequence; `wait` holds the answer until there are some, up to 25 s."""

    conversation_key: ConversationKey
    after: UInt32 = 0
    wait: Duration | None = Field(
        default=None, ge=timedelta(0), le=_LONGEST_WAIT, json_schema_extra=_SHOWN_WAIT
    )
    limit: Int32 = Field(default=0, ge=0, le=200)


class Partial(Message):
    """The answer of the active run so far; `offset` is its length in code points."""

    run_id: str = ""
    message_id: str = ""
    attempt: UInt32 = 0
    offset: UInt32 = 0
    text: str = ""


class PullEventsResponse(Message):
    """Events, oldest first, and what the active run has said so far."""

    events: list[Event] = Field(default_factory=list[Event])
    last_sequence: UInt32 = 0
    partial: Partial | None = None
