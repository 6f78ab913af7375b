"""How often a key, a user or an address may call, counted by all edges together in Valkey or Redis.

The windows are those of `rates.py`: a minute from the first call on, kept by the server's own
expiry. One script counts and reads, so a limit is exact over all edges. What arrives while an
answer is awaited goes together in the next round trip. A limit that is spent is remembered until
its window ends and costs no further one.

While the server is away nobody is refused for it: each edge goes by its own count, which it keeps
anyway, and asks again a second later.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Protocol

from chassis import logs
from edge.metrics import RATES_COUNTED
from edge.rates import WINDOW_SECONDS

log = logs.get(__name__)

_PAUSE_SECONDS = 1.0
_MOST_SPENT = 100_000
_LARGEST_BATCH = 500

# The expiry is set anew where it is missing: a key without one would be a limit for ever.
_SCRIPT = """\
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {count, left}
"""

Counted = tuple[int, float]
"""How many there were in the window, and the seconds until it ends."""


class AwayError(Exception):
    """The server does not answer."""


class Server(Protocol):
    """What counts for all edges; `Valkey`."""

    async def count(self, names: Sequence[str]) -> list[Counted]:
        """Count one for each name. Raises AwayError."""
        ...

    async def reachable(self) -> bool:
        """Whether it answers now."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class SharedWindows:
    """The windows of all edges that share a server."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self.server = server
        self._clock = clock
        self._waiting: list[tuple[str, asyncio.Future[Counted | None]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._spent: dict[str, tuple[float, int]] = {}
        self._away_until = 0.0
        self._is_away = False

    async def close(self) -> None:
        """End what is under way and close the connections."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        await self.server.close()

    async def hit(self, kind: str, key: str, limit: int) -> Counted | None:
        """Count one; None while the server is away, and then nothing was counted for sure."""
        name = _name(kind, key)
        spent = self._spent.get(name)
        if spent is not None and spent[1] > limit and self._clock() < spent[0]:
            return spent[1], spent[0] - self._clock()
        if self._clock() < self._away_until:
            RATES_COUNTED.labels("here").inc()
            return None
        counted = await self._ask(name)
        RATES_COUNTED.labels("here" if counted is None else "together").inc()
        if counted is not None and counted[0] > limit:
            self._remember(name, counted)
        return counted

    def _ask(self, name: str) -> asyncio.Future[Counted | None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Counted | None] = loop.create_future()
        self._waiting.append((name, answer))
        if self._sender is None or self._sender.done():
            self._sender = loop.create_task(self._send())
        return answer

    async def _send(self) -> None:
        batch: list[tuple[str, asyncio.Future[Counted | None]]] = []
        try:
            while self._waiting:
                batch = self._waiting[:_LARGEST_BATCH]
                del self._waiting[:_LARGEST_BATCH]
                found = await self._count([name for name, _ in batch])
                for (_, answer), counted in zip(batch, found, strict=True):
                    if not answer.done():
                        answer.set_result(counted)
        finally:
            # However this ends, nobody may wait for it for ever.
            for _, answer in (*batch, *self._waiting):
                if not answer.done():
                    answer.set_result(None)
            self._waiting.clear()

    async def _count(self, names: Sequence[str]) -> Sequence[Counted | None]:
        if self._clock() < self._away_until:
            return [None] * len(names)
        try:
            found = await self.server.count(names)
        except AwayError:
            self._away_until = self._clock() + _PAUSE_SECONDS
            self._tell(away=True)
            return [None] * len(names)
        self._tell(away=False)
        return found

    def _tell(self, *, away: bool) -> None:
        if away and not self._is_away:
            log.warning("rates are counted by each edge for itself: the shared server is away")
        elif self._is_away and not away:
            log.info("rates are counted together again")
        self._is_away = away

    def _remember(self, name: str, counted: Counted) -> None:
        # Deleted first, so that the order of the dictionary is the order of remembering.
        self._spent.pop(name, None)
        if len(self._spent) >= _MOST_SPENT:
            del self._spent[next(iter(self._spent))]
        self._spent[name] = (self._clock() + counted[1], counted[0])


class Valkey:
    """The server, over one connection."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """url: `redis://` or `rediss://`, with user, password and number of the database."""
        # Imported here: an edge that counts for itself has no use for it.
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self._redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            client_name="yocaso-edge",
        )

    async def count(self, names: Sequence[str]) -> list[Counted]:
        """See `Server`."""
        from redis.exceptions import RedisError

        try:
            # One write and one read for all of them.
            pipeline = self._redis.pipeline(transaction=False)
            for name in names:
                pipeline.eval(_SCRIPT, 1, name, WINDOW_SECONDS * 1000)
            answers = await pipeline.execute()
            return [(int(count), max(0, int(left)) / 1000) for count, left in answers]
        except (RedisError, OSError, TimeoutError, ValueError, TypeError):
            raise AwayError from None

    async def reachable(self) -> bool:
        """See `Server`."""
        from redis.exceptions import RedisError

        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """See `Server`."""
        await self._redis.aclose()


def _name(kind: str, key: str) -> str:
    """Hashed: the server needs to know neither users nor addresses."""
    return f"yocaso:rates:{kind}:{blake2b(key.encode(), digest_size=16).hexdigest()}"
