"""What Google answered, or what its socket did, as reasons.

An error of the Identity Toolkit is `{"error": {"code": 400, "message": "USER_NOT_FOUND : ..."}}`,
one of the token endpoint `{"error": "invalid_grant", "error_description": "..."}`.
"""

from collections.abc import Mapping

import httpx
from pydantic import BaseModel, ValidationError

from actors.firebase_bridge import reasons
from errors import ErrorDetails, Reason, RpcError, UpstreamError, classify

SERVICE = "firebase"


class _Error(BaseModel):
    message: str = ""


class _Refusal(BaseModel):
    error: _Error


_WORDS = {
    "USER_NOT_FOUND": reasons.USER_NOT_FOUND,
    "CONFIGURATION_NOT_FOUND": reasons.CREDENTIALS_REFUSED,
    "PROJECT_NOT_FOUND": reasons.CREDENTIALS_REFUSED,
    "INSUFFICIENT_PERMISSION": reasons.CREDENTIALS_REFUSED,
    "PERMISSION_DENIED": reasons.CREDENTIALS_REFUSED,
    "QUOTA_EXCEEDED": reasons.RATE_LIMITED,
    "RESOURCE_EXHAUSTED": reasons.RATE_LIMITED,
    "TOO_MANY_ATTEMPTS_TRY_LATER": reasons.RATE_LIMITED,
}
_STATUS = {
    401: reasons.CREDENTIALS_REFUSED,
    403: reasons.CREDENTIALS_REFUSED,
    404: reasons.USER_NOT_FOUND,
    408: reasons.TIMED_OUT,
    429: reasons.RATE_LIMITED,
    503: reasons.UNAVAILABLE,
    504: reasons.TIMED_OUT,
}


def of_account(status: int, headers: Mapping[str, str], body: bytes) -> RpcError:
    """The error for an answer of the Identity Toolkit that is not a success, or makes no sense."""
    reason = _WORDS.get(_word(body)) or _by_status(status)
    return reason.error(details=classify.details_of(SERVICE, status, headers, body))


def of_token(status: int, headers: Mapping[str, str], body: bytes) -> RpcError:
    """The error for an answer of the token endpoint without a token.

    Every refusal speaks of our own access there. The body is left out: it may quote the assertion.
    """
    reason = _by_status(status)
    if reason in (reasons.REQUEST_REFUSED, reasons.USER_NOT_FOUND):
        reason = reasons.CREDENTIALS_REFUSED
    return reason.error(details=classify.details_of(SERVICE, status, headers, b""))


def of_transport(error: httpx.HTTPError | TimeoutError) -> RpcError:
    """The error for a call that ended without an answer."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        reason = reasons.UNAVAILABLE
    elif isinstance(error, httpx.TimeoutException | TimeoutError):
        reason = reasons.TIMED_OUT
    else:
        reason = reasons.FAILED
    return reason.error(details=ErrorDetails(upstream_error=UpstreamError(service=SERVICE)))


def _by_status(status: int) -> Reason:
    known = _STATUS.get(status)
    return known or (reasons.REQUEST_REFUSED if 400 <= status < 500 else reasons.FAILED)


def _word(body: bytes) -> str:
    try:
        refusal = _Refusal.model_validate_json(body)
    except ValidationError:
        return ""
    return refusal.error.message.partition(":")[0].strip()
