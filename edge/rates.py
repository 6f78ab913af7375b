"""How often a key, a user or an address may call: fixed windows of a minute.

Counted in this process, and over all edges where `shared_rates` has a server for that; its count
then stands, and ours while it is away. Written here because the `limits` library costs six times as
much in memory: it takes locks and starts a timer thread that walks all keys a hundred times a
second.
"""

import math
import time
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from chassis.rpc import Mode
from edge import reasons
from edge.credentials.verified import Verified
from edge.requests import Request
from edge.responses import Headers
from errors import ErrorDetails, Reason, RetryInfo, RpcError

WINDOW_SECONDS = 60
_MOST_KEYS = 100_000


class Windows:
    """Counts by key; the window of each key begins with its first call.

    Bounded: when too many keys are counted the oldest window is dropped, which favours the caller.
    """

    def __init__(self) -> None:
        self._counts: dict[str, tuple[float, int]] = {}

    def hit(self, key: str) -> tuple[int, float]:
        """Count one; the count so far and the seconds until it starts anew."""
        now = time.monotonic()
        counted = self._counts.get(key)
        if counted is None or now >= counted[0]:
            # Deleted first, so that the order of the dictionary is the order of the windows.
            if counted is not None:
                del self._counts[key]
            elif len(self._counts) >= _MOST_KEYS:
                del self._counts[next(iter(self._counts))]
            counted = (now + WINDOW_SECONDS, 0)
        ends, count = counted
        self._counts[key] = (ends, count + 1)
        return count + 1, ends - now


class Together(Protocol):
    """What counts over all edges; `shared_rates.SharedWindows`."""

    async def hit(self, kind: str, key: str, limit: int) -> tuple[int, float] | None:
        """As `Windows.hit`; None while it is away."""
        ...


class Rates:
    """Counts calls by caller, and refused credentials by address."""

    def __init__(
        self, default_per_minute: int, refused_per_minute: int, together: Together | None = None
    ) -> None:
        """`together`: where several edges share their limits."""
        self._default = default_per_minute
        self._refused_per_minute = refused_per_minute
        self._calls, self._refusals = Windows(), Windows()
        self._together = together

    async def count(self, verified: Verified) -> Headers | tuple[()]:
        """Count a call; the headers tell key callers how much is left.

        Raises LimitedError, which carries the headers too.
        """
        limit = verified.requests_per_minute or self._default
        count, left = self._calls.hit(verified.limit_key)
        if self._together is not None:
            counted = await self._together.hit("calls", verified.limit_key, limit)
            count, left = counted or (count, left)
        if count <= limit and verified.caller.mode is Mode.FIREBASE:
            return ()
        seconds = math.ceil(left)
        headers: Headers = [
            (b"ratelimit-limit", b"%d" % limit),
            (b"ratelimit-remaining", b"%d" % max(0, limit - count)),
            (b"ratelimit-reset", b"%d" % seconds),
        ]
        if count > limit:
            raise LimitedError(_limited(reasons.RATE_LIMITED, seconds), headers)
        return headers

    async def refuse_credential(self, address: str, refusal: RpcError) -> RpcError:
        """Count a wrong credential; the error to answer with, 429 beyond the limit."""
        count, left = self._refusals.hit(address)
        if self._together is not None:
            counted = await self._together.hit("refusals", address, self._refused_per_minute)
            count, left = counted or (count, left)
        if count <= self._refused_per_minute:
            return refusal
        return _limited(reasons.RATE_LIMITED_CREDENTIALS, math.ceil(left))


class LimitedError(Exception):
    """A spent limit: the error and the rate-limit headers that go with it."""

    def __init__(self, error: RpcError, headers: Headers) -> None:
        super().__init__(error)
        self.error = error
        self.headers = headers


def _limited(reason: Reason, seconds: int) -> RpcError:
    wait = RetryInfo(retry_after=timedelta(seconds=seconds))
    return reason.error(details=ErrorDetails(retry_info=wait))


class Addresses:
    """The address that a request counts for: the peer, or what a trusted proxy says it is."""

    def __init__(self, trusted_proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted_proxies)

    def of(self, request: Request) -> str:
        """The last address of X-Forwarded-For that no trusted proxy stands at."""
        address = request.peer
        forwarded = request.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        while self._trusted and forwarded and _within(address, self._trusted):
            address = forwarded.pop().strip() or address
        return address


def _within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
