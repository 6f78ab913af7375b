"""From what the ingress answered to what the client gets.

A handler's RpcError comes out as it went in. Everything else that is not an answer of our own
handlers (Restate's refusals, stack traces of killed calls, another server's HTML) is replaced,
because its text may hold internals.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from edge import idempotency, reasons
from edge.ingress import SOURCE, Answer, UnreachableError
from errors import Code, Outcome, RpcError, wire

RESTATE_ID = "x-restate-id"
REMEMBERED = "idempotency-expires"

# Refusals: a handler that answers with one of these decided against the work before doing it.
_REFUSALS = frozenset(
    {
        Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.CONTEXT_LENGTH_EXCEEDED,
        Code.UNAUTHENTICATED, Code.INSUFFICIENT_CREDITS, Code.PERMISSION_DENIED, Code.NOT_FOUND,
        Code.MODEL_INVALID, Code.TOOL_NOT_FOUND, Code.ALREADY_EXISTS, Code.IDEMPOTENCY_CONFLICT,
        Code.INTEGRATION_NOT_CONNECTED, Code.RATE_LIMITED, Code.QUOTA_EXCEEDED,
        Code.UNIMPLEMENTED,
    }
)  # fmt: skip


class FailedError(Exception):
    """A call that failed, with what the client may conclude about the work."""

    def __init__(self, error: RpcError, outcome: Outcome) -> None:
        super().__init__(error)
        self.error = error
        self.outcome = outcome


def body_of(answer: Answer, fingerprint: str | None) -> bytes:
    """The handler's answer, without the envelope of keyed calls.

    Raises FailedError, or IDEMPOTENCY_CONFLICT when the answer was made by another body.
    """
    if answer.status != 200:
        raise failure_of(answer, fingerprint)
    if RESTATE_ID in answer.headers:
        body = answer.body if fingerprint is None else idempotency.strip(answer.body, fingerprint)
        if body is not None and body.startswith(b"{") and body.endswith(b"}"):
            return body
        raise FailedError(wire.internal(), Outcome.COMPLETED)
    raise FailedError(wire.internal(), Outcome.UNKNOWN)


def failure_of(answer: Answer, fingerprint: str | None) -> FailedError:
    """The failure inside an answer that is not a success."""
    if answer.headers.get(SOURCE) == "ingress":
        # Restate took nothing: it does not know the handler yet, or refused the request itself.
        if answer.status == 404:
            return FailedError(reasons.PLATFORM_UNAVAILABLE.error(), Outcome.NOT_STARTED)
        return FailedError(wire.internal(), Outcome.NOT_STARTED)
    failure = _failure(answer.body)
    metadata = cast("Mapping[str, str] | None", failure.get("metadata"))
    if fingerprint is not None and metadata is not None and "idemHash" in metadata:
        idempotency.check(metadata["idemHash"], fingerprint)
    message = failure.get("message")
    error = _from_failure(message if isinstance(message, str) else "", answer.status, metadata)
    usual = Outcome.NOT_STARTED if error.code in _REFUSALS else Outcome.UNKNOWN
    return FailedError(error, error.outcome or usual)


def _from_failure(message: str, status: int, metadata: Mapping[str, str] | None) -> RpcError:
    try:
        return wire.from_failure(message, status, metadata)
    except ValueError:  # details that another version wrote and this one cannot read
        return wire.internal()


def _failure(body: bytes) -> dict[str, Any]:
    try:
        failure = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(failure, dict):
        return {}
    known = cast("dict[str, Any]", failure)
    metadata: object = known.get("metadata")
    return known if metadata is None or isinstance(metadata, dict) else {}


def unreachable(lost: UnreachableError) -> FailedError:
    """The failure of a call that got no answer."""
    outcome = Outcome.UNKNOWN if lost.sent else Outcome.NOT_STARTED
    reason = reasons.DEADLINE_EXCEEDED if lost.late else reasons.PLATFORM_UNAVAILABLE
    return FailedError(reason.error(), outcome)
