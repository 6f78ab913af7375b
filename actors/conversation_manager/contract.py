"""What ConversationManagerActor offers: keep and list a user's threads."""

from pydantic import Field

from chassis.message import Int32, Message, Timestamp, UInt32
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind


class Thread(Message):
    """A thread as lists show it."""

    conversation_key: str = ""
    name: str = ""
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    archived: bool = False


class RegisterRequest(Message):
    """A thread that was opened."""

    thread: Thread


class RegisterResponse(Message):
    """Registered, now or before."""


class TouchRequest(Message):
    """Something happened in a thread."""

    conversation_key: str
    at: Timestamp


class TouchResponse(Message):
    """Moved to the front."""


class UpdateRequest(Message):
    """A thread as it is now. `revision` is the thread's own count of its changes: an update that
    comes later than one of a higher count changes nothing."""

    thread: Thread
    revision: UInt32 = 0


class UpdateResponse(Message):
    """Shown so."""


class RemoveRequest(Message):
    """A thread that is no more."""

    conversation_key: str


class RemoveResponse(Message):
    """Gone from the list, now or before."""


class ListRequest(Message):
    """A page of threads. `query` keeps those whose name or key contains it, without case;
    `archived` shows the archived ones instead of the others."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
    query: str = Field(default="", max_length=200)
    archived: bool = False


class ListResponse(Message):
    """Threads, newest activity first. With a query a page may be short or empty although more
    follow: `next_page_token` tells."""

    threads: list[Thread] = Field(default_factory=list[Thread])
    next_page_token: str = ""


component = Component(
    name="ConversationManagerActor",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="tenant/user, each segment percent-encoded",
    eager_state=False,
)

register = component.rpc("Register", RegisterRequest, RegisterResponse)
touch = component.rpc("Touch", TouchRequest, TouchResponse)
update = component.rpc("Update", UpdateRequest, UpdateResponse)
remove = component.rpc("Remove", RemoveRequest, RemoveResponse)
list_threads = component.rpc(
    "List", ListRequest, ListResponse, errors=(PAGE_TOKEN_INVALID,), shared=True, edge_callable=True
)
