"""What the edge reads of a request, once: headers, request id, trace context, address.

Nothing here is trusted, and nothing of it reaches Restate except the request id and the trace
context, and those only when they are well-formed.
"""

import os
import re
import time
from typing import Any

Scope = dict[str, Any]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_AGENT = 200
_TRACESTATE = re.compile(rb"[\x20-\x7e]{1,512}")


class Request:
    """One request on its way through the edge.

    headers: the last value of each, names in lower case; `repeated` names those sent twice.
    path: as the client wrote it, still encoded, so that no second spelling of a route exists.
    started: time.perf_counter() at arrival.
    """

    __slots__ = (
        "headers", "method", "path", "peer", "repeated", "request_id", "started", "traceparent",
        "tracestate",
    )  # fmt: skip

    def __init__(self, scope: Scope) -> None:
        self.started = time.perf_counter()
        self.method: str = scope["method"]
        self.path: bytes = scope["raw_path"] or scope["path"].encode()
        client = scope.get("client")
        self.peer: str = client[0] if client else ""
        headers: dict[bytes, bytes] = {}
        repeated: set[bytes] | None = None
        for name, value in scope["headers"]:
            if name in headers:
                repeated = repeated or set()
                repeated.add(name)
            headers[name] = value
        self.headers = headers
        self.repeated = repeated
        self.request_id = _request_id(headers.get(b"x-request-id"))
        self.traceparent, self.tracestate = _trace(headers)

    @property
    def user_agent(self) -> str:
        """What the client says it is, shortened, without what is not printable ASCII."""
        said = self.headers.get(b"user-agent", b"")[:_LONGEST_AGENT]
        return "".join(chr(byte) for byte in said if 0x20 <= byte <= 0x7E)

    def is_repeated(self, name: bytes) -> bool:
        """Whether the client sent this header more than once."""
        return self.repeated is not None and name in self.repeated


def new_request_id() -> str:
    """`req_` and 32 hex digits, sortable by time."""
    return f"req_{time.time_ns():016x}{os.urandom(8).hex()}"


def _request_id(given: bytes | None) -> str:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return new_request_id()


def _trace(headers: dict[bytes, bytes]) -> tuple[str, str]:
    given = headers.get(b"traceparent")
    if given is None or not _TRACEPARENT.fullmatch(given):
        # Sampled, so that whoever records traces behind the edge records this one.
        random = os.urandom(24).hex()
        return f"00-{random[:32]}-{random[32:]}-01", ""
    state = headers.get(b"tracestate", b"")
    return given.decode(), state.decode() if _TRACESTATE.fullmatch(state) else ""
