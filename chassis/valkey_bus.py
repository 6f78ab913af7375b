"""The bus between hosts: the lines of `bus.py` over the pub/sub of a Valkey or Redis server.

Each process has a channel of its own, named by a random id; edges tell all handlers on one channel
what they read, with their id, and handlers answer each edge on its own. A Valkey server keeps
nothing of it.

    edge -> all handlers   {"edge": id, "watch": topic}  {"edge": id, "unwatch": topic}
                           {"edge": id}, every two seconds  {"edge": id, "bye": true}
    handlers -> all edges  {"hello": true}, when they come or were away: say again what you read
    handlers -> one edge   {"hello": true} to one that they do not know, and the lines of `bus.py`

An edge that was silent for six seconds is gone. While handlers themselves cannot reach the server
they believe in the edges that they know, because those cannot be heard either. Each process also
speaks to itself: who hears nothing for six seconds has lost the server, whatever the connection
looks like, and comes back by itself. What is said meanwhile is lost. Readers look again when the
bus is back, and every few seconds in any case; so what is newest is believed for a moment only.

Who may speak here is up to the server: the URL carries user and password, and an ACL can hold them
to `yocaso:bus:*`.
"""

import asyncio
import contextlib
import json
import random
import secrets
from collections import deque
from collections.abc import Callable
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from chassis import logs
from chassis.bus import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_BUFFERED_BYTES,
    BusClient,
    BusServer,
    line_of,
)

log = logs.get(__name__)

_PREFIX = "yocaso:bus:"
_HANDLERS, _EDGES = f"{_PREFIX}handlers", f"{_PREFIX}edges"
_BEAT_SECONDS, _SILENT_SECONDS = 2.0, 6.0
_FAREWELL_SECONDS = 0.5
# Live text is dropped long before; what is left then is small, and may be lost as well.
_MOST_SAID_BYTES = 16 * 1024 * 1024
_LARGEST_BATCH = 500
_SCHEMES = ("valkey://", "valkeys://", "redis://", "rediss://")


def _is_bus_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if not text.startswith(_SCHEMES):
        raise ValueError(f"BUS_URL must begin with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}")
    try:
        parts = urlsplit(text)
        number = parts.path.strip("/") or "0"
        is_whole = bool(parts.hostname) and parts.port != 0 and number.isdecimal()
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("BUS_URL must name a host, and may name a port and a database's number")
    return url


BusUrl = Annotated[SecretStr, AfterValidator(_is_bus_url)]
"""`valkey://user:password@host:6379/0`; `valkeys://` with TLS."""


def bus_server(path: str | None, url: SecretStr | None) -> BusServer:
    """The handlers' end, over Valkey where there is a URL."""
    return BusServer(path) if url is None else ValkeyBusServer(url.get_secret_value())


def bus_client(path: str | None, url: SecretStr | None) -> BusClient:
    """The edge's end, over Valkey where there is a URL."""
    return BusClient(path) if url is None else ValkeyBusClient(url.get_secret_value())


class ValkeyBusServer(BusServer):
    """The handlers' end."""

    def __init__(self, url: str) -> None:
        super().__init__(None)
        self._link = _Link(url, _HANDLERS, self._heard, self._linked, lambda: None, self._beat)
        self._edges: dict[str, _Edge] = {}

    async def start(self) -> None:
        """Begin to keep the connection."""
        self._link.start()

    async def stop(self) -> None:
        """Give the connection up."""
        await self._link.stop()

    def _linked(self) -> None:
        # Edges could not be heard meanwhile: they get as long as ever to say that they are there.
        for edge in self._edges.values():
            edge.heard_at = _clock()
        self._link.say(_EDGES, line_of({"hello": True}))

    def _heard(self, said: dict[str, Any]) -> None:
        name = said.get("edge")
        if not isinstance(name, str):
            return
        if "bye" in said:
            self._forget(name)
            return
        edge = self._edges.get(name)
        if edge is None:
            edge = self._edges[name] = _Edge(self._link, name)
            if "watch" not in said:
                edge.send(line_of({"hello": True}), droppable=False)
        edge.heard_at = _clock()
        self._obey(said, edge.topics, edge)

    def _beat(self) -> None:
        silent_since = _clock() - _SILENT_SECONDS
        for name, edge in list(self._edges.items()):
            if edge.heard_at < silent_since:
                self._forget(name)

    def _forget(self, name: str) -> None:
        edge = self._edges.pop(name, None)
        if edge is not None:
            self._gone(edge.topics, edge)


class _Edge:
    """An edge as handlers know it; a `Line`."""

    def __init__(self, link: "_Link", name: str) -> None:
        self.topics: set[str] = set()
        self.heard_at = _clock()
        self._link = link
        self._channel = _PREFIX + name

    def send(self, line: bytes, *, droppable: bool) -> None:
        """See `Line`."""
        self._link.say(self._channel, line, droppable=droppable)


class ValkeyBusClient(BusClient):
    """The edge's end."""

    # Longer than it takes to pull again, not much longer than a reader looks anyway.
    newest_holds_seconds = 5.0

    def __init__(self, url: str) -> None:
        super().__init__(None)
        self._link = _Link(url, _EDGES, self._heard, self._linked, self._lost, self._beat)

    def start(self) -> None:
        """Begin to keep the connection; needs a running loop."""
        self._link.start()

    async def stop(self) -> None:
        """Give the connection up."""
        self._say({"bye": "bye"})
        await self._link.stop()

    @property
    def connected(self) -> bool:
        """Whether live text can arrive now: there is a server, and handlers listen there."""
        return self._link.listeners > 0

    def _say(self, order: dict[str, str]) -> None:
        self._link.say(_HANDLERS, line_of({"edge": self._link.name, **order}))

    def _linked(self) -> None:
        self._say({})
        self._announce()

    def _beat(self) -> None:
        self._say({})

    def _heard(self, said: dict[str, Any]) -> None:
        if "hello" in said:
            # What those handlers told before is lost.
            self._lost()
            self._announce()
        else:
            self._hear(said)


class _Link:
    """A process's connections to the server, kept up: one that hears, one that speaks.

    listeners: how many heard what was last said to all handlers.
    """

    def __init__(
        self,
        url: str,
        channel: str,
        heard: Callable[[dict[str, Any]], None],
        linked: Callable[[], None],
        lost: Callable[[], None],
        beat: Callable[[], None],
    ) -> None:
        """channel: what is heard beside the channel of its own."""
        self.name = secrets.token_hex(16)
        self.listeners = 0
        self._url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        self._channels = (_PREFIX + self.name, channel)
        self._heard, self._linked, self._lost, self._beat = heard, linked, lost, beat
        self._is_up = self._was_up = False
        self._said: deque[tuple[str, bytes]] = deque()
        self._said_bytes = 0
        self._more, self._nothing_waits = asyncio.Event(), asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to keep the connections; needs a running loop."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Say what was said, if that is quickly done, and close the connections."""
        if self._keeper is None:
            return
        if self._is_up:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nothing_waits.wait(), _FAREWELL_SECONDS)
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    def say(self, channel: str, line: bytes, *, droppable: bool = False) -> None:
        """Never waits. Lost where there is no server, and where too much waits to be said."""
        most = MOST_BUFFERED_BYTES if droppable else _MOST_SAID_BYTES
        if self._is_up and self._said_bytes < most:
            self._said.append((channel, line))
            self._said_bytes += len(line)
            self._nothing_waits.clear()
            self._more.set()

    async def _keep(self) -> None:
        # Imported here: a process on the socket has no use for it.
        from redis.exceptions import RedisError

        pause, told = FIRST_PAUSE, False
        while True:
            try:
                await self._live()
            except (RedisError, OSError, TimeoutError) as error:
                # Never the text of the error: it may name the URL.
                if self._was_up or not told:
                    log.warning("the bus is away: %s", type(error).__name__)
                    told = True
            if self._was_up:
                pause = FIRST_PAUSE
            # Not all processes at once, when the server is back.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _live(self) -> None:
        """From the connection to its loss, which is raised."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self._was_up = False
        # Without retries: what is connected again behind our back has lost lines.
        redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            self._url,
            socket_timeout=_SILENT_SECONDS,
            socket_connect_timeout=_SILENT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            client_name="yocaso-bus",
        )
        hears = redis.pubsub()
        tasks: list[asyncio.Task[None]] = []
        try:
            await hears.subscribe(*self._channels)
            for _ in self._channels:
                await _next(hears)
            self._is_up = self._was_up = True
            log.info("the bus is there")
            self._linked()
            tasks = [
                asyncio.create_task(each)
                for each in (self._listen(hears), self._speak(redis), self._beats())
            ]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._is_up = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # Not before: until a task has ended it may hear, and count who listens.
            self.listeners = 0
            self._said.clear()
            self._said_bytes = 0
            self._nothing_waits.set()
            self._lost()
            await hears.aclose()
            await redis.aclose()

    async def _listen(self, hears: Any) -> None:
        while True:
            message = await _next(hears)
            try:
                said = json.loads(message["data"]) if message["type"] == "message" else None
                if said and isinstance(said, dict):
                    self._heard(cast("dict[str, Any]", said))
            except (ValueError, KeyError, TypeError):
                continue  # not ours

    async def _speak(self, redis: Any) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._said:
                batch = [self._said.popleft() for _ in range(min(len(self._said), _LARGEST_BATCH))]
                pipeline = redis.pipeline(transaction=False)
                for channel, line in batch:
                    pipeline.publish(channel, line)
                heard_by = await pipeline.execute()
                self._said_bytes -= sum(len(line) for _, line in batch)
                for (channel, _), count in zip(batch, heard_by, strict=True):
                    if channel == _HANDLERS:
                        self.listeners = int(count)
            self._nothing_waits.set()

    async def _beats(self) -> None:
        while True:
            self.say(self._channels[0], b"{}")
            self._beat()
            await asyncio.sleep(_BEAT_SECONDS)


async def _next(hears: Any) -> dict[str, Any]:
    message = await hears.get_message(timeout=_SILENT_SECONDS)
    if message is None:
        raise TimeoutError
    return message


def _clock() -> float:
    return asyncio.get_running_loop().time()
