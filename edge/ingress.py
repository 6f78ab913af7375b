"""The HTTP client towards Restate's ingress, and the retries that are safe (`send`).

A connection that could not be made sent nothing, so trying again is always safe. Everything else
is safe too, because every command carries an idempotency key and everything without one is a
read. An ingress that cannot be reached is given up after `unreachable_seconds`, well before the
deadline, so that clients hear UNAVAILABLE soon; once Restate has taken the call, the deadline is
the only bound.
"""

import asyncio
import io
import random
from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from edge.liveness import Liveness
from edge.metrics import INGRESS_REQUESTS, INGRESS_RETRIES

_FIRST_DELAY, _LONGEST_DELAY = 0.05, 0.5
_LARGE_BYTES = 1 << 20
_AUTOMATIC = ("Accept", "Accept-Encoding", "User-Agent")
SOURCE = "x-restate-error-source"


class Answer(NamedTuple):
    """What the ingress answered. `first_try` is false when an earlier try may have been taken."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    first_try: bool


class UnreachableError(Exception):
    """No answer before time ran out.

    sent: whether a try may have reached Restate.
    late: whether the route's deadline passed, rather than the patience with a dead ingress.
    """

    def __init__(self, *, sent: bool, late: bool) -> None:
        super().__init__()
        self.sent = sent
        self.late = late


class Ingress:
    """One pool of connections to one ingress. Made on the loop that uses it."""

    def __init__(self, base_url: str, unreachable_seconds: float, liveness: Liveness) -> None:
        self.liveness = liveness
        self._base = base_url.rstrip("/")
        self._patience = unreachable_seconds
        self._urls: dict[str, URL] = {}
        self._session = ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=1),
            skip_auto_headers=_AUTOMATIC,
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.liveness.close()
        await self._session.close()

    async def reachable(self) -> bool:
        """Whether the ingress answers its own health check now."""
        try:
            async with (
                asyncio.timeout(1),
                self._session.get(f"{self._base}/restate/health") as response,
            ):
                return response.status == 200
        except (ClientError, TimeoutError, OSError):
            return False

    async def send(
        self, path: str, headers: Sequence[tuple[str, str]], body: bytes, deadline: float
    ) -> Answer:
        """POST until there is an answer that stands. `deadline` is on the loop's clock.

        Raises UnreachableError. Cancelling leaves the invocation running in Restate.
        """
        tries = _Tries(deadline, self._patience)
        waiting = self.liveness.enter(_this_task())
        try:
            async with asyncio.timeout_at(deadline):
                return await self._tried(tries, self._url(path), headers, body)
        except TimeoutError:
            raise UnreachableError(sent=tries.sent or not tries.pausing, late=True) from None
        except asyncio.CancelledError:
            if not waiting.abandoned:
                raise
            waiting.task.uncancel()
            raise UnreachableError(sent=True, late=False) from None
        finally:
            self.liveness.leave(waiting)

    async def _tried(
        self, tries: "_Tries", url: URL, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer:
        while True:
            try:
                answer = await self._once(url, headers, body, first_try=not tries.sent)
                if not _not_an_answer(answer):
                    return answer
                failure = "status"
            except (ClientConnectorError, ConnectionTimeoutError):
                failure = "connect"
            except (ClientError, OSError):
                failure = "broken"
            tries.sent = tries.sent or failure != "connect"
            await tries.after(failure)

    async def _once(
        self, url: URL, headers: Sequence[tuple[str, str]], body: bytes, *, first_try: bool
    ) -> Answer:
        INGRESS_REQUESTS.inc()
        data = body if len(body) < _LARGE_BYTES else io.BytesIO(body)
        async with self._session.post(
            url, data=data, headers=CIMultiDict(headers), allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read(), first_try)

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = URL(self._base + path, encoded=True)
            if path.count("/") == 2:  # keyed paths are as many as there are keys
                self._urls[path] = url
        return url


class _Tries:
    """The waits between the tries of one call.

    Patience counts from the first of a row of quick failures: a connection that breaks after a
    long wait starts a new row.
    """

    def __init__(self, deadline: float, patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._patience = patience
        self._delay = _FIRST_DELAY
        self._give_up = 0.0
        self._resumed = 0.0
        self.sent = False
        self.pausing = False

    async def after(self, kind: str) -> None:
        """Wait before the next try, or raise UnreachableError."""
        now = self._loop.time()
        if now - self._resumed > self._patience:
            self._give_up = now + self._patience
            self._delay = _FIRST_DELAY
        pause = self._delay * (0.5 + random.random())  # noqa: S311  # jitter
        if now + pause >= self._give_up:
            raise UnreachableError(sent=self.sent, late=False)
        INGRESS_RETRIES.labels(kind).inc()
        self._delay = min(self._delay * 2, _LONGEST_DELAY)
        self.pausing = True
        await asyncio.sleep(pause)
        self.pausing = False
        self._resumed = self._loop.time()


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None, "called from a task, as every request is"
    return task


def _not_an_answer(answer: Answer) -> bool:
    overloaded = answer.status == 429 or answer.status >= 500
    return overloaded and answer.headers.get(SOURCE) != "invocation"
