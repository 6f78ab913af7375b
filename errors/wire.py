"""RpcError to and from Restate's terminal failures, and into the public envelope.

A Restate failure is (message, status, metadata: dict[str, str]). Metadata survives steps, calls
between handlers and the ingress, so the whole error travels in it. What comes out equals what
went in; only the edge adds `requestId`, and `outcome` where the raiser does not say.
"""

import json
from collections.abc import Mapping
from typing import Any

from errors.codes import Code
from errors.reason import Reason
from errors.rpc_error import NO_DETAILS, ErrorDetails, Outcome, RpcError

INTERNAL = Reason(
    "internal.unexpected",
    Code.INTERNAL,
    "Something went wrong on our side. The request id helps us to find out what.",
)
CANCELLED = Reason("invocation.cancelled", Code.CANCELLED, "The work was cancelled by an operator.")


def to_metadata(error: RpcError) -> dict[str, str]:
    """The metadata of a terminal failure that carries `error`; its message and status go beside."""
    metadata = {
        "code": error.code.value,
        "reason": error.reason,
        "isTerminal": "true" if error.is_terminal else "false",
    }
    if error.details != NO_DETAILS:
        metadata["details"] = json.dumps(error.details.to_json(), separators=(",", ":"))
    if error.outcome is not None:
        metadata["outcome"] = error.outcome.value
    return metadata


def from_failure(message: str, status: int, metadata: Mapping[str, str] | None) -> RpcError:
    """The RpcError inside a Restate failure.

    A failure without our metadata is not ours: Restate's own 409 ("cancelled", "killed") becomes
    CANCELLED, anything else INTERNAL, and its text is dropped because it may hold internals.
    """
    code = (metadata or {}).get("code", "")
    if metadata is not None and code in Code.__members__:
        details, outcome = metadata.get("details"), metadata.get("outcome", "")
        return RpcError(
            Code(code),
            metadata.get("reason", ""),
            message,
            ErrorDetails.model_validate_json(details) if details else NO_DETAILS,
            is_terminal=metadata.get("isTerminal") != "false",
            outcome=Outcome(outcome) if outcome in Outcome.__members__ else None,
        )
    if status == 409 and message in ("cancelled", "killed"):
        return CANCELLED.error()
    return internal()


def internal() -> RpcError:
    """The error for anything unexpected: it says nothing about the inside."""
    return INTERNAL.error()


def to_envelope(
    error: RpcError, *, request_id: str | None = None, outcome: Outcome | None = None
) -> dict[str, Any]:
    """The public form of `error`: the body of every error answer, error event and failed run."""
    details: dict[str, Any] = {"reason": error.reason, **error.details.to_json()}
    known = error.outcome or outcome
    if known is not None:
        details["outcome"] = known.value
    if request_id is not None:
        details["requestId"] = request_id
    return {
        "error": {
            "code": error.code.value,
            "message": error.message,
            "isTerminal": error.is_terminal,
            "details": details,
        }
    }


def from_envelope(envelope: Mapping[str, Any]) -> RpcError:
    """The RpcError that an envelope shows; what a client library or a test compares."""
    body = envelope["error"]
    return RpcError(
        Code(body["code"]),
        body["details"].get("reason", ""),
        body["message"],
        ErrorDetails.model_validate(body["details"]),
        is_terminal=body["isTerminal"],
    )
