"""What a route that the edge serves itself gets and gives (`pull-events`, `stream-complete`).

Its handler runs after the same checks as any other request; it may wait, call reads through the
ingress, and answer with a Response or an EventStream.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from chassis.identity import Caller
from chassis.message import Message
from edge.forward import HandlerCalls
from edge.responses import Response


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request that passed every check of the edge.

    message: the parsed request message of the route.
    deadline: on the running loop's clock (`asyncio.timeout_at`).
    ingress: calls of Restate handlers for this caller.
    gone: waits until the client has gone; not for a route that answers with an EventStream.
    """

    caller: Caller
    message: Message
    request_id: str
    deadline: float
    ingress: HandlerCalls
    gone: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class EventStream:
    """A text/event-stream answer.

    events: whole frames, each as `sse()` makes them. The iterator is closed when the client goes
    away; an RpcError that it raises becomes the last event, `event: error` with the envelope.
    """

    events: AsyncIterator[bytes]


EdgeHandler = Callable[[VerifiedRequest], Awaitable[Response | EventStream]]


def sse(data: bytes, *, event: str = "", id: str = "") -> bytes:  # the field's name
    """One frame. `data` is one line of JSON."""
    frame = b"data: " + data + b"\n\n"
    if event:
        frame = b"event: " + event.encode() + b"\n" + frame
    if id:
        frame = b"id: " + id.encode() + b"\n" + frame
    return frame
