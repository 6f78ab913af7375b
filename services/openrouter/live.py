"""One upstream call and the text it has brought so far.

A task pumps the model's answer into memory; readers look at it by offset and consume nothing, so
a repeated read gives the same text again. Live deltas go out only once the attempt is confirmed
(its id is known to be durable): before that a crash could replace this attempt by another, and
readers would have seen text that never existed.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Protocol

from errors import RpcError, wire
from services.openrouter.chunk import Chunk, StreamDelta, unix_now
from services.openrouter.wire import ChatRequest, Delta, Finish

MAX_CHUNK_CHARS = 65_536
"""Code points in one chunk; a longer text takes several, so that no journal entry is huge."""
_DELTA_SECONDS = 0.02
"""Live deltas are at least this far apart; what arrives between is sent together."""

_ONE_PIECE_SECONDS = 0.003

_log = logging.getLogger(__name__)


class ChatStreamer(Protocol):
    """The part of the client that streams need."""

    def stream_chat(
        self, request: ChatRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Delta | Finish]]:
        """See `OpenRouterClient.stream_chat`."""
        ...


class LiveStream:
    """An attempt: opened on construction, over after a Finish, an error, or `stop`."""

    def __init__(
        self,
        client: ChatStreamer,
        request: ChatRequest,
        *,
        run_id: str,
        attempt: int,
        on_delta: Callable[[StreamDelta], None] | None,
    ) -> None:
        self.attempt = attempt
        self.attempt_id = f"att_{secrets.token_hex(10)}"
        self.stopped = False
        self._run_id = run_id
        self._on_delta = on_delta
        self._text: list[str] = []
        self._length = 0
        self._finish: Finish | None = None
        self._error: RpcError | None = None
        self._first_token_ms: int | None = None
        self._grown = asyncio.Event()
        self._over = asyncio.Event()
        self._confirmed = False
        self._unsent: list[str] = []
        self._sent = 0
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._opened_at = self._loop.time()
        self.task = asyncio.create_task(self._pump(client, request))

    @property
    def over(self) -> bool:
        """Whether all text there will ever be is here."""
        return self._over.is_set()

    def stop(self) -> None:
        """Close the upstream connection; what is here stays readable. Harmless when over."""
        if not self.over:
            self.stopped = True
            self._end()
        self.task.cancel()

    def confirm(self) -> None:
        """The attempt's id is durable: from now on, and for what is here, deltas may go out."""
        if not self._confirmed:
            self._confirmed = True
            self._send_delta()

    def sent_so_far(self) -> StreamDelta | None:
        """All live text until now as one delta, for a reader that comes late."""
        if not self._sent:
            return None
        self._text = ["".join(self._text)]
        text = self._text[0][: self._sent]
        return StreamDelta(self._run_id, self.attempt_id, self.attempt, 0, text)

    async def wait(self, offset: int, every: float) -> None:
        """Until there is something worth a chunk past `offset`.

        At the beginning that is any text at all; later what `every` seconds bring. Silence is
        not worth one: it lasts until text comes, the answer is over, or a deadline ends it.
        """
        if offset > 0 and self._length - offset < MAX_CHUNK_CHARS:
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._over.wait()
        while self._length <= offset and not self.over:
            self._grown.clear()
            await self._grown.wait()
        if offset == 0 and not self.over:
            # An answer that comes in one piece is one chunk, not a chunk and its end.
            with suppress(TimeoutError):
                async with asyncio.timeout(_ONE_PIECE_SECONDS):
                    await self._over.wait()

    def read(self, offset: int) -> Chunk:
        """The text from `offset` on, at most MAX_CHUNK_CHARS of it."""
        self._text = ["".join(self._text)]
        start = min(offset, self._length)
        text = self._text[0][start : start + MAX_CHUNK_CHARS]
        done = self.over and start + len(text) == self._length
        error = wire.to_envelope(self._error)["error"] if self._error and done else None
        return Chunk(
            attempt_id=self.attempt_id,
            attempt=self.attempt,
            offset_start=start,
            text=text,
            offset=start + len(text),
            done=done,
            stopped=done and self.stopped,
            finish=self._finish if done else None,
            error=error,
            first_token_ms=self._first_token_ms,
            at=unix_now(),
        )

    async def _pump(self, client: ChatStreamer, request: ChatRequest) -> None:
        try:
            async with client.stream_chat(request) as events:
                async for event in events:
                    if isinstance(event, Finish):
                        self._finish = event
                        self._end()
                    elif event.text:
                        self._append(event.text)
        except RpcError as error:
            self._error = error
        except Exception:
            _log.exception("a model stream broke in an unexpected way")
            self._error = wire.internal()
        finally:
            self._end()

    def _append(self, text: str) -> None:
        if self.over:
            return
        if self._first_token_ms is None:
            self._first_token_ms = round((self._loop.time() - self._opened_at) * 1000)
        self._text.append(text)
        self._unsent.append(text)
        self._length += len(text)
        self._grown.set()
        if self._confirmed and self._timer is None:
            due = self._sent_at + _DELTA_SECONDS
            if due <= self._loop.time():
                self._send_delta()
            else:
                self._timer = self._loop.call_at(due, self._send_delta)

    def _end(self) -> None:
        if self.over:
            return
        self._over.set()
        self._grown.set()
        self._send_delta()

    def _send_delta(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._confirmed or not self._unsent or self._on_delta is None:
            return
        text = "".join(self._unsent)
        self._unsent.clear()
        delta = StreamDelta(self._run_id, self.attempt_id, self.attempt, self._sent, text)
        self._sent += len(text)
        self._sent_at = self._loop.time()
        try:
            self._on_delta(delta)
        except Exception:
            _log.exception("a live delta could not be handed on")
