"""What AuditLogActor offers: append entries, and read them newest first."""

from datetime import timedelta
from typing import Self

from pydantic import Field

from chassis.identity import Caller
from chassis.message import Int32, Message, Timestamp, UInt32
from chassis.paging import PAGE_TOKEN_INVALID
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind


class Actor(Message):
    """Who acted, and from where, as the edge knows it.

    user_id, email: the person; with impersonation, the user for whom somebody else acted.
    impersonator: the service identity that acted for the user.
    key_id: the API key that was used, if one was.
    address: of the client, as far as trusted proxies tell.
    user_agent: what the client says it is, shortened.
    """

    user_id: str = ""
    email: str = ""
    impersonator: str = ""
    key_id: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """The caller of a method."""
        return cls(
            user_id=caller.user_id,
            email=caller.email,
            impersonator=caller.impersonator,
            key_id=caller.key_id,
            address=caller.address,
            user_agent=caller.user_agent,
            request_id=caller.request_id,
        )


class Target(Message):
    """What was acted upon. `type` is `organization`, `member`, `invitation`, `api_key` or `method`;
    `name` is for people."""

    type: str = ""
    id: str = ""
    name: str = ""


class Entry(Message):
    """Something that happened.

    action: `noun.verb`: `member.removed`, `api_key.created`.
    changes: what is worth knowing of it, never a secret.
    calls: for impersonated calls, how many alike were made within some seconds; `at` is the last.
    """

    entry_id: str = ""
    at: Timestamp | None = None
    action: str = ""
    actor: Actor | None = None
    target: Target | None = None
    changes: dict[str, str] = Field(default_factory=dict[str, str])
    calls: UInt32 = 0


class AppendRequest(Message):
    """What happened, oldest first. Ids are given here; `at` is the sender's."""

    entries: list[Entry] = Field(default_factory=list[Entry])


class AppendResponse(Message):
    """Appended."""


class ListRequest(Message):
    """A page of entries. actor: a user's, an impersonator's or a key's id; action: an action, or
    its noun for all of them."""

    page_size: Int32 = 0
    page_token: str = ""
    actor: str = ""
    action: str = ""


class ListResponse(Message):
    """Entries, newest first. With a filter a page may be short or empty although more follow:
    `next_page_token` tells."""

    entries: list[Entry] = Field(default_factory=list[Entry])
    next_page_token: str = ""


component = Component(
    name="AuditLogActor",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="tenant, percent-encoded",
    eager_state=False,
)

append = component.rpc(
    "Append",
    AppendRequest,
    AppendResponse,
    edge_callable=True,
    # Longer than an edge tries to deliver one batch.
    idempotency_retention=timedelta(hours=1),
)
list_entries = component.rpc(
    "List", ListRequest, ListResponse, errors=(PAGE_TOKEN_INVALID,), shared=True
)
