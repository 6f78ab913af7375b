"""The state of a log: entries in the order in which they came."""

from pydantic import Field

from actors.audit_log.contract import Entry
from chassis.message import Message, UInt32, UInt64
from chassis.state import StateKey

PAGE_SIZE = 50


class Head(Message):
    """How many entries there are."""

    version: UInt32 = 1
    entries: UInt64 = 0


class Page(Message):
    """Up to 50 entries, oldest first. Only the newest page is not full."""

    entries: list[Entry] = Field(default_factory=list[Entry])


HEAD = StateKey("head", Head)
PAGE = StateKey("page", Page)
