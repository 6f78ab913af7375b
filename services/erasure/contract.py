"""What ErasureService offers: to erase the traces of an object."""

from chassis.message import Message, UInt32
from chassis.retries import REQUEST
from chassis.rpc import Component, Kind
from errors import Code, Reason

UNREACHABLE = Reason(
    "erasure.unreachable",
    Code.UNAVAILABLE,
    "The platform's log cannot be cleaned at the moment. Repeat the request to finish it.",
)
BUSY = Reason(
    "erasure.busy",
    Code.UNAVAILABLE,
    "Something of this is still at work and does not end. Repeat the request to finish it.",
)


class PurgeRequest(Message):
    """One keyed object: the component's name, and its object key."""

    component: str
    key: str


class PurgeResponse(Message):
    """What was erased: finished calls of the object and of what it started, reminders that had
    not come, and runs that did not end by themselves."""

    purged: UInt32 = 0
    reminders: UInt32 = 0
    killed: UInt32 = 0


component = Component(name="ErasureService", kind=Kind.SERVICE, retries=REQUEST)

purge = component.rpc("Purge", PurgeRequest, PurgeResponse, errors=(UNREACHABLE, BUSY))
