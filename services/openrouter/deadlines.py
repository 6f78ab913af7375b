"""When a model has to give a sign of life, and which failure its silence is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from errors import Reason
from services.openrouter import faults, reasons
from services.openrouter.settings import OpenRouterSettings
from services.openrouter.wire import ChatRequest

_USAGE_GRACE_SECONDS = 10.0
"""How long a finished answer waits for its usage before it goes without."""


class Deadlines:
    """When the next sign of life is due, and which failure its absence is."""

    def __init__(self, request: ChatRequest | None, settings: OpenRouterSettings) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        if request is None:
            self._total = self._next = now + settings.models_timeout_seconds
            self._between = 0.0
            self._reason = reasons.TIMED_OUT
            return
        first = request.first_token_timeout_seconds or settings.first_token_timeout_seconds
        self._between = request.inter_token_timeout_seconds or settings.inter_token_timeout_seconds
        self._total = now + (request.total_timeout_seconds or settings.total_timeout_seconds)
        self._next = now + first
        self._reason = reasons.FIRST_TOKEN_TIMEOUT

    def only_total(self) -> None:
        """Wait for the whole answer: there are no tokens to watch."""
        self._next, self._reason = self._total, reasons.TIMED_OUT

    def token_came(self) -> None:
        """Allow the model the time between two tokens again."""
        self._next, self._reason = self._loop.time() + self._between, reasons.STALLED

    def answer_complete(self) -> None:
        """Only the usage is still to come."""
        grace = min(self._between, _USAGE_GRACE_SECONDS)
        self._next = min(self._next, self._loop.time() + grace)

    @asynccontextmanager
    async def watch(self, model: str) -> AsyncGenerator[None]:
        """Bound what is awaited inside by whichever deadline comes first."""
        total_first = self._total <= self._next
        try:
            async with asyncio.timeout_at(min(self._total, self._next)):
                yield
        except TimeoutError as error:
            reason: Reason = reasons.TIMED_OUT if total_first else self._reason
            raise faults.about(reason, model) from error
