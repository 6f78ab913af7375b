"""What FirebaseBridgeActor offers: say what a user's tokens may claim, end their sessions.

A change is two calls for whoever wants to answer a person: the change itself, which is a durable
record the moment it is answered, then `Apply`, which waits until Firebase puts it into new tokens.
Whoever cannot wait leaves Apply out: the actor sends it to itself.

The key is `object_key(user_id)`.
"""

from typing import Annotated

from pydantic import Field

from actors.firebase_bridge.reasons import CALL_REASONS, NOT_CONFIGURED
from chassis.message import Message, Timestamp, UInt32
from chassis.retries import SINGLETON
from chassis.rpc import Component, Kind

__all__ = ["CALL_REASONS", "NOT_CONFIGURED"]

TenantId = Annotated[str, Field(min_length=1, max_length=128)]
Role = Annotated[str, Field(pattern=r"^[a-z]{1,32}$")]


class SetClaimsRequest(Message):
    """The user belongs to this tenant now, in this role, and to no other.

    tenant_revision: counts the tenant's changes. One with a smaller number than the user's last
        of the same tenant comes late and changes nothing; 0 always counts as news.
    """

    tenant_id: TenantId
    role: Role
    tenant_revision: UInt32 = 0


class ClearClaimsRequest(Message):
    """The user belongs to this tenant no more. A user who is in another by now stays there.

    tenant_revision: as in SetClaimsRequest.
    """

    tenant_id: TenantId
    tenant_revision: UInt32 = 0


class RevokeSessionsRequest(Message):
    """Every sign-in so far is void."""


class ChangeResponse(Message):
    """The record after the change. `revision` counts changes of this user."""

    revision: UInt32 = 0
    tenant_id: str = ""
    role: str = ""
    valid_since: Timestamp | None = None


class ApplyRequest(Message):
    """Everything that is recorded. `ticket` is the actor's own: callers leave it out."""

    ticket: UInt32 = 0


class ApplyResponse(Message):
    """Firebase has it: a token that is fetched from now on has these claims."""


class ReportRequest(Message):
    """Apply told Firebase the record as of this revision, or failed to; then `again` says whether
    a later try may help. `ticket` is the one that Apply was sent with."""

    revision: UInt32 = 0
    ticket: UInt32 = 0
    failed: bool = False
    again: bool = False


class ReportResponse(Message):
    """Noted."""


class ReadRequest(Message):
    """What the edge has to know."""


class ReadResponse(Message):
    """Which tokens of the user count.

    managed: the platform has said what they may claim; without it any signed claim counts.
    tenant_id, role: what a token that names a tenant has to claim; empty for one who left.
    valid_since: a sign-in before this moment is void.
    """

    managed: bool = False
    tenant_id: str = ""
    role: str = ""
    valid_since: Timestamp | None = None


component = Component(
    name="FirebaseBridgeActor",
    kind=Kind.ACTOR,
    retries=SINGLETON,
    key="user_id, percent-encoded",
    sends=("FirebaseBridgeActor/Apply", "FirebaseBridgeActor/Report"),
)

set_claims = component.rpc("SetClaims", SetClaimsRequest, ChangeResponse, errors=(NOT_CONFIGURED,))
clear_claims = component.rpc("ClearClaims", ClearClaimsRequest, ChangeResponse)
revoke_sessions = component.rpc("RevokeSessions", RevokeSessionsRequest, ChangeResponse)
apply = component.rpc("Apply", ApplyRequest, ApplyResponse, errors=CALL_REASONS, shared=True)
report = component.rpc("Report", ReportRequest, ReportResponse)
read = component.rpc("Read", ReadRequest, ReadResponse, shared=True, edge_callable=True)
