"""The connections to OpenRouter that the parts of one process share.

aiohttp, not httpx, because each turn comes through here and httpx was a large part of what a turn
cost the handlers (docs/decisions/0026-aiohttp-towards-the-model.md).
"""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, TraceConfig
from aiohttp.tracing import TraceConnectionReuseconnParams

from services.openrouter.settings import OpenRouterSettings

_KEEP_ALIVE_SECONDS = 30


@dataclass(slots=True)
class Reuse:
    """Whether a request went out on a connection that was there before."""

    happened: bool = False


class Http:
    """A pool that is made on the loop which first uses it: no limit (streams are admitted
    elsewhere), no read timeout (deadlines.py has better ones)."""

    def __init__(self, settings: OpenRouterSettings) -> None:
        self._settings = settings
        self._session: ClientSession | None = None

    @property
    def session(self) -> ClientSession:
        """The open pool. No redirects may be followed: they would carry our key away."""
        if self._session is None:
            self._session = self._open()
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _open(self) -> ClientSession:
        tracing = TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        connect = self._settings.connect_timeout_seconds
        return ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=connect),
            json_serialize=_json,
            proxy=_proxy(self._settings.base_url),
            trace_configs=[tracing],
        )


async def _note_reuse(
    _: ClientSession, context: SimpleNamespace, __: TraceConnectionReuseconnParams
) -> None:
    reuse: Reuse = context.trace_request_ctx
    reuse.happened = True


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for this address, looked up once."""
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
