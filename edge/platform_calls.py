"""Calls of handlers that the edge makes on its own account: to verify a key, to hand in counts.

They carry no caller. What they call is declared `edge_callable`.
"""

import asyncio
from typing import TypeVar

from chassis.message import Message
from chassis.rpc import Rpc
from edge import reasons, translate
from edge.forward import Pairs, path_of
from edge.ingress import Ingress, UnreachableError
from edge.translate import FailedError
from errors import RpcError

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

_JSON = ("content-type", "application/json")


class PlatformCalls:
    """The way to the handlers, from the moment on at which the edge has an ingress."""

    def __init__(self) -> None:
        self.ingress: Ingress | None = None

    async def call(
        self,
        rpc: Rpc[Q, R],
        message: Q,
        *,
        key: str,
        seconds: float,
        idempotency_key: str | None = None,
    ) -> R:
        """Call a handler of an object. `key` is already encoded.

        Raises UNAVAILABLE when there is no answer in time, or none that is the handler's own.
        """
        if self.ingress is None:
            raise reasons.PLATFORM_UNAVAILABLE.error()
        headers: Pairs = [_JSON]
        if idempotency_key is not None:
            headers.append(("idempotency-key", idempotency_key))
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            answer = await self.ingress.send(
                path_of(rpc, key), headers, message.to_json(), deadline
            )
            return rpc.response.from_json(translate.body_of(answer, None))
        except (UnreachableError, FailedError, RpcError):
            raise reasons.PLATFORM_UNAVAILABLE.error() from None
