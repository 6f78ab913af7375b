"""Reading a run's stream the way a workflow does, one durable step after the other."""

from collections.abc import Callable

import anyio

from services.openrouter.chunk import Chunk
from services.openrouter.streams import ModelStreams
from services.openrouter.wire import ChatRequest
from tests.support.models import question

RUN = "run_1"
LONG = 60.0
"""Seconds of text that no test waits for: the chunk comes for another reason."""


class Reader:
    """Reads the run RUN; what a step returned counts as durable."""

    def __init__(self, streams: ModelStreams, request: ChatRequest | None = None) -> None:
        self.streams = streams
        self.request = request or question()
        self.attempt_id: str | None = None
        self.attempt = 1
        self.text: str = ""

    async def peek(self, *, every: float = 0.01, stopped: bool = False) -> Chunk:
        """A step whose result is lost."""
        return await self.streams.take(
            RUN,
            self.request,
            attempt_id=self.attempt_id,
            attempt=self.attempt,
            offset=len(self.text),
            every=every,
            stopped=stopped,
        )

    async def take(self, *, every: float = 0.01, stopped: bool = False) -> Chunk:
        """A step whose result is kept."""
        chunk = await self.peek(every=every, stopped=stopped)
        if chunk.attempt_id != self.attempt_id:
            assert chunk.offset_start == 0
            self.text = ""
        assert chunk.offset_start == len(self.text)
        assert chunk.offset == chunk.offset_start + len(chunk.text)
        self.attempt_id, self.attempt = chunk.attempt_id, chunk.attempt
        self.text += chunk.text
        return chunk

    async def finish(self) -> Chunk:
        """Take until the end."""
        while not (chunk := await self.take()).done:
            pass
        return chunk


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; the test fails when it does not."""
    with anyio.fail_after(10):
        while True:
            if condition():
                return
            await anyio.sleep(0.002)
