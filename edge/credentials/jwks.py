"""An issuer's public keys, cached, fetched as seldom as possible.

A key that is not known may be new, so it makes the cache look again, but only as often as a small
budget allows: a flood of made-up key ids costs a look-up every ten seconds. How long keys are fresh
is the issuer's to say (Cache-Control), between one minute, so that nobody makes us ask all the
time, and one hour, so that a key that was withdrawn ends. While the issuer is down the known keys
go on serving for another hour.
"""

import asyncio
import time
from typing import Any, cast

import jwt

from chassis import logs
from edge import reasons
from edge.credentials.fetching import Fetcher, FetchError
from edge.metrics import JWKS_FETCHES

log = logs.get(__name__)

_FRESH_SECONDS = 300
_LEAST_FRESH_SECONDS, _MOST_FRESH_SECONDS = 60, 3600
_STALE_SECONDS = 3600
_MOST_KEYS = 100
_RETRY_SECONDS = 1
_LOOKUPS, _LOOKUP_EVERY_SECONDS = 3, 10.0


class Jwks:
    """The keys of one issuer. `get` answers from memory nearly always.

    The fetcher is the caller's, who also closes it.
    """

    def __init__(
        self, fetcher: Fetcher, algorithms: frozenset[str], *, url: str = "", issuer: str = ""
    ) -> None:
        """url: of the key set. Without one it is found by OpenID discovery of `issuer`."""
        self._fetcher = fetcher
        self._url = url
        self._issuer = issuer
        self._algorithms = algorithms
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fresh_until = self._attempted = float("-inf")
        self._failed = False
        self._budget = _Budget(_LOOKUPS, _LOOKUP_EVERY_SECONDS)
        self._fetching: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    @property
    def healthy(self) -> bool:
        """Whether the last fetch, if there was one, gave keys."""
        return not self._failed

    async def get(self, kid: str) -> jwt.PyJWK:
        """The key of that id. Raises UNAUTHENTICATED, or UNAVAILABLE while nothing is known."""
        now = time.monotonic()
        if now < self._fresh_until and kid in self._keys:
            return self._keys[kid]
        if self._usable(now) and kid in self._keys:
            self._start_fetch()
            return self._keys[kid]
        if not self._usable(now) or self._budget.take():
            await self._wait_for_fetch()
        usable = self._usable(time.monotonic())
        if usable and kid in self._keys:
            return self._keys[kid]
        if self._failed or not usable:
            raise reasons.ISSUER_UNAVAILABLE.error()
        raise reasons.CREDENTIALS_INVALID.error()

    def _usable(self, now: float) -> bool:
        return now < self._fresh_until + _STALE_SECONDS

    async def _wait_for_fetch(self) -> None:
        fetching = self._start_fetch()
        if fetching is not None:
            # Shielded: one client that goes away must not end the fetch of all others.
            await asyncio.shield(fetching)

    def _start_fetch(self) -> asyncio.Task[None] | None:
        if self._fetching is None or self._fetching.done():
            if self._failed and time.monotonic() - self._attempted < _RETRY_SECONDS:
                return None
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        self._attempted = time.monotonic()
        try:
            url = self._url or await self._discovered()
            found = await self._fetcher.get(url)
            keys = _read_keys(found.content, self._algorithms)
        except FetchError as error:
            self._failed = True
            JWKS_FETCHES.labels("failed").inc()
            log.warning("issuer keys not fetched", extra=logs.fields(cause=str(error)))
            return
        told = _FRESH_SECONDS if found.max_age is None else found.max_age
        fresh = min(max(told, _LEAST_FRESH_SECONDS), _MOST_FRESH_SECONDS)
        self._keys, self._failed, self._fresh_until = keys, False, time.monotonic() + fresh
        JWKS_FETCHES.labels("ok").inc()

    async def _discovered(self) -> str:
        issuer = self._issuer.rstrip("/")
        found, _ = await self._fetcher.get(f"{issuer}/.well-known/openid-configuration")
        url = found.get("jwks_uri")
        if found.get("issuer") != self._issuer or not isinstance(url, str):
            raise FetchError("not the issuer's own discovery document")
        return url


def _read_keys(document: dict[str, Any], algorithms: frozenset[str]) -> dict[str, jwt.PyJWK]:
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise FetchError("not a key set")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in cast("list[Any]", listed)[:_MOST_KEYS]:
        key = _read_key(entry, algorithms)
        if key is not None and key.key_id is not None:
            keys[key.key_id] = key
    if not keys:
        raise FetchError("no usable key")
    return keys


def _read_key(entry: object, algorithms: frozenset[str]) -> jwt.PyJWK | None:
    """A signing key of an algorithm that we accept, or None: key sets may hold others."""
    if not isinstance(entry, dict):
        return None
    values = cast("dict[str, Any]", entry)
    if values.get("use", "sig") != "sig" or not isinstance(values.get("kid"), str):
        return None
    try:
        key = jwt.PyJWK(values)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return key if key.algorithm_name in algorithms else None


class _Budget:
    """A few looks at once, then one every so often."""

    def __init__(self, most: int, every_seconds: float) -> None:
        self._most = float(most)
        self._every = every_seconds
        self._left = self._most
        self._counted = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._counted) / self._every)
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
