"""A verified request to its handler and back.

The headers towards Restate are built here, new: identity, request id, trace context and
idempotency, nothing else. Bytes go as they came and come back as they were made; where the short
way is on, the call that the gateway would make goes in their place.
"""

import asyncio
from typing import Any, TypeVar

from chassis.identity import REQUEST_ID, TRACEPARENT, TRACESTATE, encode_segment
from chassis.message import Message
from chassis.message.secret import with_secrets
from chassis.rpc import Rpc
from chassis.sealing import Sealing
from edge import translate
from edge.credentials.verified import Verified
from edge.idempotency import FINGERPRINT, Keyed, key_of
from edge.ingress import Answer, Ingress, UnreachableError
from edge.requests import Request
from edge.routes import Entry
from edge.translate import FailedError

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

Pairs = list[tuple[str, str]]

_JSON = ("content-type", "application/json")
# Each generation is a try of the client that ended in a failure worth trying again. Nobody gets
# here by waiting as Retry-After says; the bound keeps a flood from walking ever longer chains.
_MOST_GENERATIONS = 1000
_REMEMBERED_GENERATIONS = 10_000


class Forwarder:
    """Sends requests to handlers."""

    def __init__(self, ingress: Ingress, sealing: Sealing) -> None:
        self.ingress = ingress
        self._sealing = sealing
        # Where the last try with a key ended: saves walking its earlier generations again.
        self._generations: dict[str, int] = {}

    async def forward(
        self, request: Request, entry: Entry, verified: Verified, message: Message, body: bytes
    ) -> bytes:
        """The handler's answer. Raises RpcError before anything was sent, else FailedError."""
        keyed = key_of(request, entry, verified, body)
        path = entry.ingress_path
        if entry.holds_secrets:
            body = self._sealed(message, verified)
        if entry.short_way is not None:
            path, body = entry.short_way.aim(verified.caller, message)
        headers = headers_of(request, verified)
        deadline = asyncio.get_running_loop().time() + entry.deadline_seconds
        if keyed is None:
            answer = await self._send(path, headers, body, deadline)
            return translate.body_of(answer, None)
        return await self.forward_keyed(path, keyed, headers, body, deadline)

    def _sealed(self, message: Message, verified: Verified) -> bytes:
        """The request with its secrets sealed: the one kind of body that is not forwarded as it
        came. Raises `secrets.not_configured` where it has any and there is no key."""
        tenant_id = verified.caller.tenant_id
        with_secrets(message, lambda text: self._sealing.seal(text, tenant_id))
        return message.to_json()

    async def forward_keyed(
        self, path: str, keyed: Keyed, headers: Pairs, body: bytes, deadline: float
    ) -> bytes:
        """The answer to a command. `keyed` speaks of the client's body, not of this one."""
        if keyed.fingerprint is not None:
            headers.append((FINGERPRINT, keyed.fingerprint))
            first = keyed.header
            keyed.generation = self._generations.get(first, 0)
        else:
            first = ""
        while True:
            headers.append(("idempotency-key", keyed.header))
            answer = await self._send(path, headers, body, deadline)
            try:
                return translate.body_of(answer, keyed.fingerprint)
            except FailedError as failed:
                if not _poisoned(keyed, answer, failed):
                    raise
            headers.pop()
            keyed.generation += 1
            self._remember(first, keyed.generation)

    async def _send(self, path: str, headers: Pairs, body: bytes, deadline: float) -> Answer:
        try:
            return await self.ingress.send(path, headers, body, deadline)
        except UnreachableError as lost:
            raise translate.unreachable(lost) from None

    def _remember(self, first: str, generation: int) -> None:
        if len(self._generations) >= _REMEMBERED_GENERATIONS:
            del self._generations[next(iter(self._generations))]
        self._generations[first] = generation


class HandlerCalls:
    """Calls of handlers on behalf of one verified request, for routes that the edge serves."""

    def __init__(
        self,
        forwarder: Forwarder,
        request: Request,
        entry: Entry,
        verified: Verified,
        body: bytes,
        deadline: float,
    ) -> None:
        self._forwarder = forwarder
        self._headers = headers_of(request, verified)
        self._keyed = key_of(request, entry, verified, body)
        self._deadline = deadline

    async def call(
        self,
        rpc: Rpc[Q, R],
        message: Q,
        *,
        key: str | None = None,
        deadline: float | None = None,
    ) -> R:
        """Call a read that the registry lists as called by the edge.

        key: the object key, already encoded (`chassis.identity.object_key`).
        deadline: on the loop's clock; the request's own when left out.
        Raises the RpcError that the handler raised, or UNAVAILABLE / DEADLINE_EXCEEDED.
        """
        try:
            answer = await self._forwarder.ingress.send(
                path_of(rpc, key), self._headers, message.to_json(), deadline or self._deadline
            )
            return rpc.response.from_json(translate.body_of(answer, None))
        except UnreachableError as lost:
            raise translate.unreachable(lost).error from None
        except FailedError as failed:
            raise failed.error from None

    @property
    def command_id(self) -> str:
        """What a repeat of this command shares with it, and no other command does."""
        assert self._keyed is not None, "only a route that is a command is repeated"
        return self._keyed.first

    @property
    def repeatable(self) -> bool:
        """Whether the client gave a key by which it can ask for the answer again."""
        return self._keyed is not None and self._keyed.fingerprint is not None

    async def command(self, rpc: Rpc[Q, R], message: Q) -> R:
        """Make the one call with an effect that this request stands for, under its key.

        A repeat of the request with the same Idempotency-Key gets the answer to the first call,
        whatever `message` is then; the fingerprint is that of the client's own body.
        Raises FailedError, which says whether work may have happened.
        """
        assert self._keyed is not None, "only a route that is a command has an effect"
        body = await self._forwarder.forward_keyed(
            path_of(rpc, None), self._keyed, self._headers, message.to_json(), self._deadline
        )
        return rpc.response.from_json(body)


def path_of(rpc: Rpc[Any, Any], key: str | None) -> str:
    """Where the ingress has a handler. `key` is an object key, already encoded."""
    return f"/{rpc.component.name}/{_segment(key)}{rpc.name}"


def headers_of(request: Request, verified: Verified) -> Pairs:
    """Everything that Restate sees of who is calling."""
    headers: Pairs = [
        *verified.headers,
        (REQUEST_ID, request.request_id),
        (TRACEPARENT, request.traceparent),
        _JSON,
    ]
    if request.tracestate:
        headers.append((TRACESTATE, request.tracestate))
    return headers


def _segment(key: str | None) -> str:
    return "" if key is None else encode_segment(key) + "/"


def _poisoned(keyed: Keyed, answer: Answer, failed: FailedError) -> bool:
    """Whether the answer is an old failure that a new try may overcome.

    An answer that one of our own tries a moment ago may have made is the client's to hear first.
    """
    return (
        not failed.error.is_terminal
        and answer.first_try
        and translate.REMEMBERED in answer.headers
        and keyed.generation < _MOST_GENERATIONS
    )
