"""HTTP GET of small JSON documents of issuers: discovery and key sets.

No redirects, no cookies, no proxies of the environment, a bound on time and size. With
`addresses`, the URL is one that a user supplied: then the connection goes to numbers that were
checked, and to no others.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from chassis.addresses import AddressRefusedError, OutgoingAddresses
from chassis.outgoing_aiohttp import checked_connector

_LARGEST_BYTES = 256 * 1024
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})(?!\d)", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)(?:$|[\s,=])", re.IGNORECASE)
FETCH_SECONDS = 3
"""How long a document may take. A token with discovery may wait for two of them."""


class Document(NamedTuple):
    """A JSON object, and for how many seconds its owner says that it stays true, if they do."""

    content: dict[str, Any]
    max_age: float | None


class FetchError(Exception):
    """The document could not be had; the message is for the log."""


class Fetcher:
    """One pool of connections to issuers. Made anywhere, opened on the loop that uses it."""

    def __init__(self, addresses: OutgoingAddresses | None = None) -> None:
        self._addresses = addresses
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, url: str) -> Document:
        """The JSON object behind a URL. Raises FetchError."""
        try:
            if self._addresses is not None:
                self._addresses.check_url(url)
            body, headers = await self._download(url)
            found: Any = json.loads(body)
        except AddressRefusedError:
            raise FetchError("address refused") from None
        except (ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
            raise FetchError(type(error).__name__) from None
        if not isinstance(found, dict):
            raise FetchError("not an object")
        return Document(cast("dict[str, Any]", found), max_age_of(headers))

    async def _download(self, url: str) -> tuple[bytes, Mapping[str, str]]:
        if self._session is None:
            self._session = self._open()
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise FetchError(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > _LARGEST_BYTES:
                    raise FetchError("too large")
            return bytes(body), response.headers

    def _open(self) -> ClientSession:
        addresses = self._addresses
        return ClientSession(
            connector=TCPConnector() if addresses is None else checked_connector(addresses),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=FETCH_SECONDS),
            trust_env=False,
        )


def max_age_of(headers: Mapping[str, str]) -> float | None:
    """How long an answer stays true by its Cache-Control, less the time it lay in caches on its
    way; None when it does not say."""
    told = headers.get("Cache-Control", "")
    if _NOT_KEPT.search(told):
        return 0.0
    found = _MAX_AGE.search(told)
    if found is None:
        return None
    age = headers.get("Age", "").strip()
    lain = int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0
    return float(max(int(found[1]) - lain, 0))
