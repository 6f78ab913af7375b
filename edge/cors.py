"""CORS and security headers, computed once at start.

Credentials travel in headers that a page must set itself, never in cookies, so any origin may be
allowed; a list of origins narrows it.
"""

from edge.requests import Request
from edge.responses import Headers, Response

ALLOWED_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "Traceparent", "Tracestate", "X-Api-Key",
    "X-On-Behalf-Of", "X-Request-Id",
)  # fmt: skip
"""What a page may send; KrakenD's file is made from it too."""
EXPOSED_HEADERS = (
    "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "Traceparent",
    "X-Request-Id",
)  # fmt: skip
"""What a page may read of an answer."""
_ALLOWED = ", ".join(ALLOWED_HEADERS).lower().encode()
_EXPOSED = ", ".join(EXPOSED_HEADERS).lower().encode()
SECURITY: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    # Without it the server's own name stands there.
    (b"server", b"yocaso"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
]
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", _ALLOWED),
    (b"access-control-max-age", b"7200"),
]


class Cors:
    """The headers that every answer carries, and the answer to a preflight."""

    def __init__(self, enabled: bool, origins: tuple[str, ...]) -> None:
        self.enabled = enabled
        self._any = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)
        self._everyone: Headers = [
            *SECURITY,
            (b"access-control-allow-origin", b"*"),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def headers(self, request: Request) -> Headers:
        """The headers of an answer to `request`. The list is shared: copy before changing it."""
        if not self.enabled:
            return SECURITY
        if self._any:
            return self._everyone
        varied = [*SECURITY, (b"vary", b"Origin")]
        origin = request.headers.get(b"origin")
        if origin is not None and origin in self._origins:
            varied += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        return varied

    def preflight(self) -> Response:
        """The answer to OPTIONS on a route."""
        return Response(204, b"", _PREFLIGHT)
