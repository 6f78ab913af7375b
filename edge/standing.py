"""Whether the credential behind an open stream still holds.

A stream may stay open for hours, and what let it in may be revoked, expire or lose its scope
meanwhile. So the credential is verified again every two seconds, by the same caches as any request:
together with the five seconds of a verdict a stream ends well within ten.

While the credential cannot be verified, because Restate is away, nothing more is told, and nothing
ends: the client would only come back and wait.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from errors import RpcError

EVERY_SECONDS = 2.0
_AGAIN_SECONDS = 0.5


class Standing:
    """One stream's credential."""

    def __init__(
        self, verify: Callable[[], Awaitable[object]], every_seconds: float = EVERY_SECONDS
    ) -> None:
        """`verify` raises an RpcError unless the credential is good; a retryable one says that
        this could not be found out."""
        self._verify = verify
        self._every = every_seconds
        self._holds = asyncio.Event()
        self._holds.set()

    async def refusal(self) -> RpcError:
        """Why the credential holds no more; comes when it does not."""
        while True:
            await asyncio.sleep(self._every if self._holds.is_set() else _AGAIN_SECONDS)
            try:
                await self._verify()
            except RpcError as refusal:
                if refusal.is_terminal:
                    return refusal
                self._holds.clear()
            else:
                self._holds.set()

    async def frames(self, events: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The frames of a stream, held back while it is not known whether they may be told."""
        async with contextlib.AsyncExitStack() as stack:
            aclose = getattr(events, "aclose", None)
            if aclose is not None:
                stack.push_async_callback(aclose)
            async for frame in events:
                await self._holds.wait()
                yield frame
