"""What ConversationManagerActor offers: keep and list a user's threads."""

from pydantic import Field

from chassis.message import Int32, Message, Timestamp
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind


class Thread(Message):
    """A thread as lists show it."""

    conversation_key: str = ""
    name: str = ""
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None


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


class ListRequest(Message):
    """A page of threads. `query` keeps those whose name or key contains it, without case."""

    page_size: Int32 = Field(default=0, ge=0, le=200)
    page_token: str = Field(default="", max_length=64)
    query: str = Field(default="", max_length=200)


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
list_threads = component.rpc(
    "List", ListRequest, ListResponse, errors=(PAGE_TOKEN_INVALID,), shared=True, edge_callable=True
)
