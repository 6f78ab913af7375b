"""OpenRouter's own ways to say no, as reasons.

The same error object arrives with an HTTP status, inside a 200, or in the middle of a stream,
with a number or a word as its code, and the provider's own words may be wrapped in
`metadata.raw`. What is not special to models is left to `errors.classify`.
"""

import re
from collections.abc import Mapping

from errors import ErrorDetails, ModelError, Reason, RpcError, classify
from services.openrouter import reasons
from services.openrouter.answers import VendorError

SERVICE = "openrouter"
_READ_CHARS = 4096
"""How much of a provider's words is searched for what they mean."""

_WORDS = {
    "context_length_exceeded": 400,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_credits": 402,
    "insufficient_quota": 402,
    "payment_required": 402,
    "content_filter": 403,
    "content_policy_violation": 403,
    "permission_error": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "request_timeout": 408,
    "timeout": 408,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "overloaded": 503,
    "overloaded_error": 503,
    "provider_overloaded": 503,
    "provider_unavailable": 503,
}
_STATUS = {
    401: reasons.CREDENTIALS_REFUSED,
    402: reasons.NO_CREDITS,
    403: reasons.CREDENTIALS_REFUSED,
    404: reasons.MODEL_UNKNOWN,
    408: reasons.TIMED_OUT,
    429: reasons.RATE_LIMITED,
    503: reasons.UNAVAILABLE,
    504: reasons.TIMED_OUT,
}
_CONTEXT = re.compile(
    r"context_length_exceeded|(?:maximum|exceeds? the|model'?s) context|context (?:length|window)"
    r"|prompt is too long|too many (?:input )?tokens",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"not a valid model|model_not_found|no endpoints found|invalid model|no models? provided"
    r"|model .{0,200}(?:not found|does not exist)",
    re.IGNORECASE,
)
_MODERATED = re.compile(
    r"moderat|flagged|content[ _](?:filter|policy)|safety|guardrail", re.IGNORECASE
)
_LIMIT = re.compile(
    r"(?:context (?:length|window|limit)[^.\d]{0,20}|tokens > )(\d{1,9})", re.IGNORECASE
)
_REQUESTED = re.compile(r"(?:requested|resulted in|too long:)[^.\d]{0,20}(\d{1,9})", re.IGNORECASE)


def from_error(
    error: VendorError,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    model: str = "",
) -> RpcError:
    """The RpcError for OpenRouter's error object.

    status: the HTTP status it came with; 200 for errors inside an answer or a stream.
    model: the model that was asked for; goes into `details.modelError`.
    """
    code = status if status >= 400 else _code_of(error)
    text = f"{error.code or ''} {error.message[:_READ_CHARS]} {_raw(error)[:_READ_CHARS]}"
    reason = _reason(code, text, error)
    details = classify.details_of(SERVICE, code, headers or {}, error.model_dump_json())
    limits = _limits(text) if reason is reasons.CONTEXT_EXCEEDED else {}
    provider = error.metadata.get("provider_name")
    about = ModelError(
        model=model, provider=provider if isinstance(provider, str) else "", limits=limits
    )
    return reason.error(details=details.model_copy(update={"model_error": about}))


def from_answer(status: int, headers: Mapping[str, str], body: bytes, model: str) -> RpcError:
    """The RpcError for an HTTP error whose body is not OpenRouter's (a proxy's page, nothing)."""
    details = classify.details_of(SERVICE, status, headers, body)
    reason = _STATUS.get(status) or _by_class(status)
    return reason.error(details=details.model_copy(update={"model_error": ModelError(model=model)}))


def about(
    reason: Reason, model: str, *, finish_reason: str = "", body: bytes | str = ""
) -> RpcError:
    """An error that the client itself found: a timeout, a cut, garbage (`body`: what arrived)."""
    found = classify.details_of(SERVICE, 0, {}, body)
    named = ModelError(model=model, finish_reason=finish_reason)
    return reason.error(
        details=ErrorDetails(upstream_error=found.upstream_error, model_error=named)
    )


def _code_of(error: VendorError) -> int:
    if isinstance(error.code, int):
        code = error.code
    elif error.code and error.code.isdecimal():
        code = int(error.code)
    else:
        code = _WORDS.get(error.code or "", 0) or _WORDS.get(_kind(error), 0)
    return code if 400 <= code <= 599 else 502


def _kind(error: VendorError) -> str:
    kind = error.metadata.get("error_type")
    return kind if isinstance(kind, str) else ""


def _raw(error: VendorError) -> str:
    raw = error.metadata.get("raw")
    return f"{_kind(error)} {raw if isinstance(raw, str) else ''}"


def _reason(code: int, text: str, error: VendorError) -> Reason:
    if code in (400, 413, 422) and _CONTEXT.search(text):
        return reasons.CONTEXT_EXCEEDED
    if code == 402 and error.metadata.get("limit_source") == "openrouter_in_flight_budget":
        return reasons.RATE_LIMITED
    if code == 400 and _UNKNOWN_MODEL.search(text):
        return reasons.MODEL_UNKNOWN
    if code in (400, 403, 451) and ("flagged_input" in error.metadata or _MODERATED.search(text)):
        return reasons.MODERATED
    return _STATUS.get(code) or _by_class(code)


def _by_class(code: int) -> Reason:
    return reasons.REQUEST_REFUSED if 400 <= code < 500 else reasons.FAILED


def _limits(text: str) -> dict[str, int]:
    found = {"contextTokens": _LIMIT.search(text), "requestedTokens": _REQUESTED.search(text)}
    return {name: int(match[1]) for name, match in found.items() if match}
