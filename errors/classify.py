"""What a vendor answered, or what its socket did, as an RpcError.

One table for every vendor, so that "429 with Retry-After" means the same everywhere. A vendor's
client maps its HTTP library's exceptions to a `TransportFailure`; this module knows no library.
A vendor with answers of its own (a model that does not exist) looks at those first and comes
here for the rest.

Whose fault it is decides the class. A refused credential is ours, so the caller sees UNAVAILABLE
and not UNAUTHENTICATED, and no later try helps until an operator acts. Vendor bodies reach
clients and journals, so they are scrubbed of everything that looks like a secret and then cut.
"""

import math
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from errors.codes import Code
from errors.reason import Reason
from errors.rpc_error import ErrorDetails, RetryInfo, RpcError, UpstreamError

MAX_BODY_BYTES = 2048
MAX_RETRY_AFTER = timedelta(hours=1)

RATE_LIMITED = Reason(
    "upstream.rate_limited",
    Code.RATE_LIMITED,
    "A service we depend on is limiting our requests. Try again later.",
)
UNAVAILABLE = Reason(
    "upstream.unavailable",
    Code.UNAVAILABLE,
    "A service we depend on is not available at the moment. Try again later.",
)
FAILED = Reason(
    "upstream.failed",
    Code.UPSTREAM_ERROR,
    "A service we depend on failed. Try again later.",
)
TIMED_OUT = Reason(
    "upstream.timed_out",
    Code.DEADLINE_EXCEEDED,
    "A service we depend on took too long to answer. Try again later.",
)
CREDENTIALS_REFUSED = Reason(
    "upstream.credentials_refused",
    Code.UNAVAILABLE,
    "A service we depend on refused our own access. An operator has to look at it.",
    terminal=True,
)
NO_CREDITS = Reason(
    "upstream.no_credits",
    Code.INSUFFICIENT_CREDITS,
    "The account at a service we depend on has no credits left.",
)
REJECTED = Reason(
    "upstream.rejected",
    Code.UPSTREAM_ERROR,
    "A service we depend on rejected the request, so the same request will not succeed later.",
    terminal=True,
)
UNREACHABLE = Reason(
    "upstream.unreachable",
    Code.UNAVAILABLE,
    "A service we depend on cannot be reached at the moment. Try again later.",
)
CUT = Reason(
    "upstream.cut",
    Code.UPSTREAM_ERROR,
    "The connection to a service we depend on broke before its answer was complete.",
)


class TransportFailure(StrEnum):
    """How a call failed without a usable HTTP answer."""

    CONNECT = "CONNECT"
    """No connection, so nothing was sent."""
    TIMEOUT = "TIMEOUT"
    """No answer in time; the work may have happened."""
    CUT = "CUT"
    """The connection broke after something was sent; the work may have happened."""


_TRANSPORT = {
    TransportFailure.CONNECT: UNREACHABLE,
    TransportFailure.TIMEOUT: TIMED_OUT,
    TransportFailure.CUT: CUT,
}

_STATUS = {
    401: CREDENTIALS_REFUSED,
    402: NO_CREDITS,
    403: CREDENTIALS_REFUSED,
    408: TIMED_OUT,
    429: RATE_LIMITED,
    503: UNAVAILABLE,
    504: TIMED_OUT,
}


def from_transport(service: str, failure: TransportFailure) -> RpcError:
    """The error for a call to `service` that ended without an HTTP answer. Always retryable."""
    return _TRANSPORT[failure].error(
        details=ErrorDetails(upstream_error=UpstreamError(service=service))
    )


def from_response(
    service: str, status: int, headers: Mapping[str, str], body: bytes | str
) -> RpcError:
    """The error for an HTTP answer of `service` that is not the hoped-for success.

    Retryable: 408, 429 and every 5xx. Terminal: every other 4xx. An answer that is no error at
    all (a redirect, a 200 that makes no sense) counts as a passing fault of the vendor.
    """
    reason = reason_of_status(status)
    return reason.error(details=details_of(service, status, headers, body))


def reason_of_status(status: int) -> Reason:
    """The generic reason for an HTTP status that means failure."""
    return _STATUS.get(status) or (REJECTED if 400 <= status < 500 else FAILED)


def details_of(
    service: str, status: int, headers: Mapping[str, str], body: bytes | str
) -> ErrorDetails:
    """Upstream and retry details for an answer; shared with vendors that have own reasons.

    The body of a refused credential is dropped: vendors like to quote the credential in it.
    """
    text = "" if status == 401 else scrub(body)
    delay = retry_after(headers)
    return ErrorDetails(
        upstream_error=UpstreamError(service=service, status_code=status, body=text),
        retry_info=RetryInfo(retry_after=delay) if delay is not None else None,
    )


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The delay that `Retry-After` asks for, as seconds or an HTTP date, within 0 to 1 hour.

    A date is read against the answer's own `Date`, so a vendor's wrong clock does no harm.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    value = lowered.get("retry-after", "").strip()
    if not value:
        return None
    seconds = _number(value)
    if seconds is None:
        until = _http_date(value)
        if until is None:
            return None
        seconds = until - (_http_date(lowered.get("date", "")) or time.time())
    return timedelta(seconds=min(max(seconds, 0.0), MAX_RETRY_AFTER.total_seconds()))


def _number(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def _http_date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


_HIDDEN = "[hidden]"
# None of these may start over at every character of a long word: bodies are hostile input, and
# that would be seconds of one core.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN .*?(?:-----END [^-\n]*-----|\Z)", re.DOTALL), _HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)[ :=+]+[^\s\"',;}]+"), rf"\1 {_HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,4}"), _HIDDEN),
    (
        re.compile(
            r"(?i)((?:api[_-]?key|token|secret|passw(?:or)?d|authorization|signature"
            r"|credential|cookie)\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s\"'&,;}\\]+"
        ),
        rf"\1{_HIDDEN}",
    ),
    (
        re.compile(r"(?i)\b(?:sk|pk|rk|ak|whsec|xox[a-z]|gh[a-z]|glpat|pcsk|user)[-_][\w-]{8,}"),
        _HIDDEN,
    ),
    (re.compile(r"\bA[KS]IA[A-Z0-9]{12,}"), _HIDDEN),
    (re.compile(r"(?<=://)[^/\s\"'@]+@"), f"{_HIDDEN}@"),
    (re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), _HIDDEN),
    (re.compile(r"\b(?=[A-Za-z_]*\d)(?=[\d_]*[A-Za-z])\w{32,}", re.ASCII), _HIDDEN),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_READ_BYTES = 4 * MAX_BODY_BYTES


def scrub(body: bytes | str) -> str:
    """`body` as text without what looks like a secret or an address, at most 2 KiB of UTF-8.

    Scrubbing comes before the final cut, else half a key at the end would not look like one.
    """
    raw = body if isinstance(body, bytes) else body[:_READ_BYTES].encode("utf-8", "replace")
    text = raw[:_READ_BYTES].decode("utf-8", "replace")
    if len(raw) > _READ_BYTES or (isinstance(body, str) and len(body) > _READ_BYTES):
        text = text[: max(text.rfind(mark) for mark in ' \n",;') + 1]
    text = _CONTROL.sub("", text)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text.encode()[:MAX_BODY_BYTES].decode("utf-8", "ignore")
