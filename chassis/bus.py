"""The bus: live text and "there is news", from handlers to edges.

Between the processes of one host it is a unix socket, here; between hosts it is a Valkey server,
`valkey_bus.py`, with the same lines and the same two ends. Handlers listen; each edge keeps one
connection and says which topics somebody reads. So nothing is sent that nobody reads, and handlers
know whether anybody watches. Lines are JSON objects:

    edge -> handlers   {"watch": topic}  {"unwatch": topic}
    handlers -> edge   what `snapshot` has of the topic, then {"watching": topic}
                       {"topic": topic, "events": sequence}
                       {"topic": topic, "delta": {...}}

A topic is the object key of a conversation, derived from the verified caller. The socket belongs
to its user alone (mode 0600, and the peer's user id is checked). Nothing durable depends on the
bus: a lost line makes a reader look a little later. What both kinds
of bus have to keep is in `tests/unit/chassis/test_bus.py`.
"""

import asyncio
import contextlib
import json
import math
import os
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from chassis import logs

log = logs.get(__name__)

# A line holds at most what a run has said so far.
_LONGEST_LINE = 64 * 1024 * 1024
# A topic is watched a little longer than it is read: who pulls comes back soon.
_LINGER_SECONDS = 10.0
# An edge that is this far behind loses live text instead of filling our memory; readers find the
# gap. News is small and never lost while the line holds, because readers rely on it.
MOST_BUFFERED_BYTES = 1024 * 1024
_MOST_QUEUED = 1000
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0

NEWS = "events"
DELTA = "delta"
# Said by the client itself when lines may have been lost: look again.
RESYNC = "resync"


class Line(Protocol):
    """One edge, as the handlers' end sees it."""

    def send(self, line: bytes, *, droppable: bool) -> None:
        """Never waits. What is droppable is lost where the edge is far behind."""
        ...


class _SocketLine:
    """An edge on a connection of its own."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def send(self, line: bytes, *, droppable: bool) -> None:
        """See `Line`."""
        transport = self._writer.transport
        if transport.is_closing():
            return  # its edge is gone, and `_serve` will hear of it
        if not droppable or transport.get_write_buffer_size() < MOST_BUFFERED_BYTES:
            self._writer.write(line)


class BusServer:
    """The handlers' end. `publish` never waits and never fails. Without a path nobody reads."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        # What a reader that comes late gets at once: (kind, content) pairs of a topic.
        self.snapshot: Callable[[str], Iterable[tuple[str, Any]]] = lambda _topic: ()
        # Told when the last reader of a topic has gone, and whether it said so: a line that broke
        # may come back.
        self.left: Callable[[str, bool], None] = lambda _topic, _said: None
        self._watchers: dict[str, set[Line]] = {}
        self._connections: set[asyncio.StreamWriter] = set()
        # The reference keeps the listener alive: uvloop's would be collected without it.
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket file that a killed process left is replaced."""
        if self._path is None:
            return
        _remove(self._path)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, self._path, limit=_LONGEST_LINE
            )
        finally:
            os.umask(mask)

    async def stop(self) -> None:
        """Close every connection and remove the socket."""
        if self._server is not None:
            self._server.close()
        for writer in self._connections:
            writer.close()
        if self._path is not None:
            _remove(self._path)

    def watched(self, topic: str) -> bool:
        """Whether somebody reads the topic now."""
        return topic in self._watchers

    def publish(self, topic: str, kind: str, content: Any) -> None:
        """Tell whoever reads the topic."""
        lines = self._watchers.get(topic)
        if not lines:
            return
        said = line_of({"topic": topic, kind: content})
        for line in lines:
            line.send(said, droppable=kind != NEWS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        topics: set[str] = set()
        line = _SocketLine(writer)
        self._connections.add(writer)
        try:
            if not _same_user(writer):
                log.warning("bus connection of another user refused")
                return
            while said := await reader.readline():
                order = json.loads(said)
                if not isinstance(order, dict):
                    return
                self._obey(cast("dict[str, str]", order), topics, line)
        except (ConnectionError, ValueError):
            pass  # the edge comes back by itself
        finally:
            self._connections.discard(writer)
            self._gone(topics, line)
            writer.close()

    def _obey(self, order: dict[str, str], topics: set[str], line: Line) -> None:
        if (topic := order.get("watch")) is not None:
            topics.add(topic)
            self._watchers.setdefault(topic, set()).add(line)
            for kind, content in self.snapshot(topic):
                line.send(line_of({"topic": topic, kind: content}), droppable=False)
            line.send(line_of({"watching": topic}), droppable=False)
        elif (topic := order.get("unwatch")) is not None:
            topics.discard(topic)
            self._unwatch(topic, line, said=True)

    def _gone(self, topics: set[str], line: Line) -> None:
        """An edge went without a word."""
        for topic in topics:
            self._unwatch(topic, line, said=False)

    def _unwatch(self, topic: str, line: Line, *, said: bool) -> None:
        lines = self._watchers.get(topic)
        if lines is not None:
            lines.discard(line)
            if not lines:
                del self._watchers[topic]
                self.left(topic, said)


class Subscription:
    """One reader's view of a topic: `(kind, content)` pairs in the order they were said."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(_MOST_QUEUED)
        self._lost = False
        self.watching = asyncio.Event()

    def offer(self, kind: str, content: Any) -> None:
        """Take a line in; a reader that is too far behind will be told to look again."""
        try:
            self._queue.put_nowait((kind, content))
        except asyncio.QueueFull:
            self._lost = True

    async def next(self, seconds: float) -> tuple[str, Any] | None:
        """The next line, or None when there was none in that time."""
        if self._lost and self._queue.empty():
            self._lost = False
            return RESYNC, None
        try:
            return await asyncio.wait_for(self._queue.get(), seconds)
        except TimeoutError:
            return None

    def next_now(self) -> tuple[str, Any] | None:
        """The next line if it is here already."""
        return None if self._queue.empty() else self._queue.get_nowait()

    async def until_watching(self, seconds: float) -> None:
        """Wait until what is said from now on will arrive; goes on without when the bus is away."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.watching.wait(), seconds)


class _Topic:
    """What the edge knows of one topic while it watches it."""

    def __init__(self) -> None:
        self.readers: set[Subscription] = set()
        # What readers saw, and what was heard since the topic is watched, also between readers:
        # a hint may come while a reader is busy with a read that does not show it yet.
        self.seen: int | None = None
        self.heard = 0
        self.heard_at = self.seen_at = 0.0
        self.timer: asyncio.TimerHandle | None = None


class BusClient:
    """The edge's end: one connection, kept up, for all readers of this process. Without a path
    there is no live text, and readers look by themselves."""

    # While the line holds nothing is lost on it, so what is newest stays known.
    newest_holds_seconds = math.inf

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._topics: dict[str, _Topic] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the connection; needs a running loop."""
        if self._path is not None:
            self._keeper = asyncio.create_task(self._keep(self._path))

    async def stop(self) -> None:
        """Give the connection up."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    @property
    def connected(self) -> bool:
        """Whether live text can arrive now."""
        return self._writer is not None

    @asynccontextmanager
    async def subscribe(
        self, topic: str, linger_seconds: float = _LINGER_SECONDS
    ) -> AsyncGenerator[Subscription]:
        """Read a topic for the length of the block; the first lines are its snapshot.

        linger_seconds: how long the handlers believe in a reader after the last one has gone.
        """
        subscription = Subscription()
        known = self._topics.setdefault(topic, _Topic())
        known.readers.add(subscription)
        if known.timer is not None:
            known.timer.cancel()
            known.timer = None
        # Every reader asks again: the answer tells it that nothing is lost from then on.
        self.ask_again(topic)
        try:
            yield subscription
        finally:
            known.readers.discard(subscription)
            if not known.readers:
                loop = asyncio.get_running_loop()
                known.timer = loop.call_later(linger_seconds, self._forget, topic)

    def ask_again(self, topic: str) -> None:
        """Have the topic's snapshot sent again, to fill a gap."""
        self._say({"watch": topic})

    def newest(self, topic: str) -> int | None:
        """The newest sequence of a topic, if it was watched ever since somebody saw it."""
        known = self._topics.get(topic)
        if known is None or known.seen is None:
            return None
        if asyncio.get_running_loop().time() > known.seen_at + self.newest_holds_seconds:
            return None
        return max(known.seen, known.heard)

    def heard_at(self, topic: str) -> float:
        """When the last hint of a topic came, on the loop's clock; 0 where none is known."""
        known = self._topics.get(topic)
        return 0.0 if known is None else known.heard_at

    def note(self, topic: str, sequence: int) -> None:
        """A reader that watches the topic saw that its newest sequence is this one."""
        known = self._topics.get(topic)
        if known is not None and self.connected:
            known.seen = max(known.seen or 0, sequence)
            known.seen_at = asyncio.get_running_loop().time()

    def _forget(self, topic: str) -> None:
        del self._topics[topic]
        self._say({"unwatch": topic})

    def _say(self, order: dict[str, str]) -> None:
        if self._writer is not None:
            self._writer.write(line_of(order))

    async def _keep(self, path: str) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(path, limit=_LONGEST_LINE)
                pause = FIRST_PAUSE
                await self._read(reader)
            except (OSError, ValueError):
                pass  # away or starting; tried again below
            finally:
                if self._writer is not None:
                    self._writer.close()
                self._writer = None
                self._lost()
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self._announce()
        while line := await reader.readline():
            self._hear(json.loads(line))

    def _announce(self) -> None:
        """Say all that is read; lines may have been lost before."""
        for topic, known in self._topics.items():
            self._say({"watch": topic})
            for subscription in known.readers:
                subscription.offer(RESYNC, None)

    def _lost(self) -> None:
        """Lines may have been lost: what was newest is no longer known."""
        for known in self._topics.values():
            known.seen, known.heard = None, 0

    def _hear(self, said: dict[str, Any]) -> None:
        if (topic := said.get("watching")) is not None:
            known = self._topics.get(topic)
            for subscription in known.readers if known is not None else ():
                subscription.watching.set()
            return
        known = self._topics.get(said["topic"])
        if known is None:
            return
        kind = NEWS if NEWS in said else DELTA
        if kind == NEWS:
            known.heard = max(known.heard, said[kind])
            known.heard_at = asyncio.get_running_loop().time()
        for subscription in known.readers:
            subscription.offer(kind, said[kind])


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def line_of(value: dict[str, Any]) -> bytes:
    """A line of the bus."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _same_user(writer: asyncio.StreamWriter) -> bool:
    peer = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # elsewhere than on Linux the file's mode alone protects it
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return user == os.geteuid()
