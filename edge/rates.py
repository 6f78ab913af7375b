"""How often a key, a user or an address may call: fixed windows of a minute, in this process.

Several edges each count on their own; a shared store is another `Storage` of the same library.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from chassis.rpc import Mode
from edge import reasons
from edge.credentials.verified import Verified
from edge.requests import Request
from edge.responses import Headers
from errors import ErrorDetails, Reason, RetryInfo, RpcError


class Rates:
    """Counts calls by caller, and refused credentials by address."""

    def __init__(self, default_per_minute: int, refused_per_minute: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._default = RateLimitItemPerMinute(default_per_minute)
        self._refused = RateLimitItemPerMinute(refused_per_minute)
        self._items: dict[int, RateLimitItem] = {}

    def count(self, verified: Verified) -> Headers | tuple[()]:
        """Count a call; the headers tell key callers how much is left.

        Raises RATE_LIMITED, which carries the same headers in `LimitedError`.
        """
        item = self._item(verified.requests_per_minute)
        allowed = self._limiter.hit(item, verified.limit_key)
        if allowed and verified.caller.mode is Mode.FIREBASE:
            return ()
        resets_at, remaining = self._limiter.get_window_stats(item, verified.limit_key)
        left = max(1, round(resets_at - time.time() + 0.5))
        headers: Headers = [
            (b"ratelimit-limit", b"%d" % item.amount),
            (b"ratelimit-remaining", b"%d" % max(0, remaining)),
            (b"ratelimit-reset", b"%d" % left),
        ]
        if not allowed:
            raise LimitedError(_limited(reasons.RATE_LIMITED, left), headers)
        return headers

    def refuse_credential(self, address: str, refusal: RpcError) -> RpcError:
        """Count a wrong credential; the error to answer with, 429 beyond the limit."""
        if self._limiter.hit(self._refused, address):
            return refusal
        resets_at = self._limiter.get_window_stats(self._refused, address).reset_time
        return _limited(reasons.RATE_LIMITED_CREDENTIALS, max(1, round(resets_at - time.time())))

    def _item(self, per_minute: int | None) -> RateLimitItem:
        if per_minute is None:
            return self._default
        item = self._items.get(per_minute)
        if item is None:
            item = self._items[per_minute] = RateLimitItemPerMinute(per_minute)
        return item


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
