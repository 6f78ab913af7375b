"""The state of a user's list: threads, and the shelves on which they stand."""

from pydantic import Field

from chassis.message import Message, Timestamp, UInt32
from chassis.state import StateKey

SHELF_SIZE = 50


class Head(Message):
    """`newest` is the number of the shelf that activity goes to, `newest_archived` the same for
    archived threads; `shelves` counts all shelves that there ever were, `activities` all
    activity. Shelves are numbered from 1; in heads without `shelves`, `newest` has its count."""

    version: UInt32 = 1
    newest: UInt32 = 0
    activities: UInt32 = 0
    threads: UInt32 = 0
    newest_archived: UInt32 = 0
    shelves: UInt32 = 0


class ThreadRecord(Message):
    """One thread and the shelf on which it stands."""

    name: str = ""
    created_at: Timestamp
    shelf: UInt32 = 0
    archived: bool = False
    revision: UInt32 = 0


class Standing(Message):
    """A thread on a shelf; enough to list it without another read. `activity` is the number of
    its last activity, by which pages continue whatever moved in between."""

    activity: UInt32 = 0
    conversation_key: str = ""
    name: str = ""
    created_at: Timestamp
    updated_at: Timestamp


class Shelf(Message):
    """Threads in the order of their last activity, oldest first, and both neighbours (0: none)."""

    standing: list[Standing] = Field(default_factory=list[Standing])
    older: UInt32 = 0
    newer: UInt32 = 0


HEAD = StateKey("head", Head)
THREAD = StateKey("thread", ThreadRecord)
SHELF = StateKey("shelf", Shelf)
